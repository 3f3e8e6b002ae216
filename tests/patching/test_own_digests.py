# SPDX-License-Identifier: Apache-2.0
"""A script of the disc that holds a digest of a file that is changed may refuse it: a doubt."""

from __future__ import annotations

import hashlib

import pytest

from ngtpatch.installer.layout import FACTORY, ROOT
from ngtpatch.patching.apply import apply
from tests.fuzz.fuzz_unseen import PATCHES, ROCKY
from tests.patching.test_imported_places import SRC, disc

FAMILIES = SRC + "families.py"


@pytest.mark.parametrize("name", ["install_ngt.sh", "src/checks.py", "start"])
@pytest.mark.parametrize("kind", ["md5", "sha1", "sha256", "sha512"])
def test_the_line_with_the_digest_is_a_doubt(name: str, kind: str) -> None:
    tree = disc("a name that is imported")
    digest = hashlib.new(kind, tree[FAMILIES]).hexdigest().upper()
    shell = b"#!/bin/sh\n" if name != "src/checks.py" else b"# checked by the installer\n"
    tree[ROOT + name] = shell + f"SUM='{digest}'\n".encode()
    patched = apply(tree, [ROCKY], PATCHES)
    assert [(one.path, one.line, one.kind) for one in patched.doubts] == [
        (ROOT + name, 2, "digest")
    ]
    assert "digest of a file that is changed" in str(patched.doubts[0])


def test_a_digest_of_a_file_that_stays_is_none() -> None:
    tree = disc("a name that is imported")
    digest = hashlib.sha256(tree[FACTORY]).hexdigest()
    tree[SRC + "checks.py"] = f"SUM = '{digest}'\n".encode()
    assert not apply(tree, [ROCKY], PATCHES).doubts
