# SPDX-License-Identifier: Apache-2.0
"""Which compiled files an interpreter would run in the place of a patched source."""

from __future__ import annotations

from ngtpatch.installer.compiled import stale_compiled


def test_what_is_compiled_from_a_patched_source_is_stale_and_nothing_else() -> None:
    paths = [
        "./bin/x.py",
        "./bin/x.pyc",
        "./bin/x.pyo",
        "./bin/__pycache__/x.cpython-36.pyc",
        "./bin/__pycache__/x.cpython-312.opt-1.pyc",
        "./bin/__pycache__/xx.cpython-36.pyc",
        "./bin/xx.pyc",
        "./lib/x.pyc",
        "./lib/__pycache__/x.cpython-36.pyc",
    ]
    assert stale_compiled({"./bin/x.py"}, paths) == (
        "./bin/__pycache__/x.cpython-312.opt-1.pyc",
        "./bin/__pycache__/x.cpython-36.pyc",
        "./bin/x.pyc",
        "./bin/x.pyo",
    )


def test_a_compiled_file_alone_is_nobodys_and_a_source_at_the_root_has_its_own() -> None:
    assert stale_compiled({"x.py"}, ["x.pyc", "__pycache__/x.cpython-39.pyc", "y.pyc"]) == (
        "__pycache__/x.cpython-39.pyc",
        "x.pyc",
    )
    assert stale_compiled({"x.sh"}, ["x.pyc"]) == ()
