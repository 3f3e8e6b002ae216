# SPDX-License-Identifier: Apache-2.0
"""What a newer Python lacks is provided there, and changes nothing where it is not lacking."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest

from ngtpatch.installer.python_source import parse
from ngtpatch.patching.codemods import KINDS
from ngtpatch.patching.insertion import insert
from ngtpatch.patching.patch import load_patches
from ngtpatch.patching.profile import Profile, ProfileVersion, load_profiles
from tests.interpreters import interpreter

PATCHES = {patch.kind: patch for patch in load_patches()}
PYTHONS = ("2.7", "3.6", "3.8", "3.9", "3.12", "3.13")


def profile(*pythons: str) -> Profile:
    versions = {name: ProfileVersion(name, name, (name,), "name") for name in pythons}
    return replace(load_profiles()["rocky"], versions=versions)


def patched(text: str | bytes, *pythons: str) -> bytes:
    data = dedent(text).encode() if isinstance(text, str) else text
    for kind in ("linux-distribution", "loose-version"):
        source = parse("a.py", data)
        outcome = KINDS[kind].plan(source, PATCHES[kind], [profile(*pythons)])
        data = insert(source, outcome.insertions)
        again = parse("a.py", data)
        assert KINDS[kind].plan(again, PATCHES[kind], [profile(*pythons)]).insertions == ()
    return data


def run(python: str, program: bytes, directory: Path, name: str = "Rocky Linux") -> str:
    etc = directory / "etc"
    etc.mkdir(exist_ok=True)
    (etc / "os-release").write_text(
        f"# what it is\n\nNAME=\"{name}\"\nVERSION_ID='9.4'\nVERSION_CODENAME=blue\n"
    )
    script = directory / "program.py"
    script.write_bytes(program)
    done = subprocess.run(
        [interpreter(python), str(script)],
        env={"UNIXCONFDIR": str(etc), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


ASKING = {
    "plain": "import platform\nprint('/'.join(platform.linux_distribution()))\n",
    "aliased": "import sys, platform as p\nprint('/'.join(p.linux_distribution()))\n",
    "by name": "from platform import linux_distribution\nprint('/'.join(linux_distribution()))\n",
    "by other name": """
        from platform import (machine,
                              linux_distribution as ask)  # both
        assert machine()
        print('/'.join(ask()))
    """,
    "in a function": """
        def ask():
        \timport platform
        \treturn platform.linux_distribution()
        print('/'.join(ask()))
    """,
    "in a try": """
        try:
          import platform
          print('/'.join(platform.linux_distribution()))
        except AttributeError:
          print('gone')
    """,
    "at the end": "def ask():\n    return platform.linux_distribution()\nfor i in (1,):\n"
    "    pass\nimport platform\nprint('/'.join(ask()))",
    "last line": "import json\nfrom platform import linux_distribution",
}


@pytest.mark.parametrize("python", ["3.8", "3.9", "3.12", "3.13"])
@pytest.mark.parametrize("form", [form for form in ASKING if form != "last line"])
def test_the_distribution_is_told_from_os_release(form: str, python: str, tmp_path: Path) -> None:
    assert run(python, patched(ASKING[form], "3.8"), tmp_path) == "Rocky Linux/9.4/blue"


@pytest.mark.parametrize("python", ["2.7", "3.6"])
@pytest.mark.parametrize("form", ASKING)
def test_where_it_exists_the_original_answers(form: str, python: str, tmp_path: Path) -> None:
    shipped = run(python, dedent(ASKING[form]).encode(), tmp_path)
    assert run(python, patched(ASKING[form], "3.8"), tmp_path) == shipped


@pytest.mark.parametrize("text", [*ASKING.values(), "from distutils.version import LooseVersion"])
def test_releases_that_have_it_leave_the_file_alone(text: str) -> None:
    assert patched(text, "2.7", "3.6") == dedent(text).encode()


@pytest.mark.parametrize(
    "text",
    [
        "import platform; print(platform.linux_distribution())\n",
        "import platform\nprint(platform.linux_distribution(full_distribution_name=0))\n",
        "import platform\nprint(platform.dist())\n",
        "import distutils.version\n",
        "from distutils.version import LooseVersion, StrictVersion\n",
        "from distutils.util import strtobool\n",
        "if 1: from distutils.version import LooseVersion\n",
        "try:\n    from distutils.version import LooseVersion\nexcept ImportError:\n    pass\n",
        "import platform\nif hasattr(platform, 'linux_distribution'):\n    print(1)\n",
    ],
)
def test_what_cannot_be_mended_or_needs_none_stays(text: str) -> None:
    assert patched(text, "3.12") == text.encode()


def test_nothing_but_whole_lines_and_one_indentation_is_added() -> None:
    text = b"\xef\xbb\xbf# \xc3\xa9\r\nfrom distutils.version import LooseVersion as V  # why\r\n"
    before = text.decode("utf-8-sig").split("\r\n")
    after = patched(text, "3.12").decode("utf-8-sig").split("\r\n")
    assert after[:3] == [before[0], "try:", f"    {before[1]}"]
    assert after[-1] == ""
    assert not [line for line in after if "\n" in line or "\r" in line]


VERSIONS = ["6.4", "6.10", "7", "7.0", "8.10", "8.9", "9.4-beta", "10.0", "2023.1", "6.4a", "6.4.1"]
COMPARE = """
from distutils.version import LooseVersion
import itertools, json
versions = %r
print(json.dumps([
    [LooseVersion(a) < LooseVersion(b), LooseVersion(a) <= LooseVersion(b),
     LooseVersion(a) == LooseVersion(b), LooseVersion(a) != LooseVersion(b),
     LooseVersion(a) > LooseVersion(b), LooseVersion(a) >= b, str(LooseVersion(a))]
    for a, b in itertools.product(versions, versions)
    if not (("beta" in a or "4a" in a) ^ ("beta" in b or "4a" in b))]))
"""


def test_versions_compare_as_distutils_compares_them(tmp_path: Path) -> None:
    program = (COMPARE % (VERSIONS,)).encode()
    model = json.loads(run("3.9", program, tmp_path))
    for python in PYTHONS:
        assert json.loads(run(python, patched(program, "3.12"), tmp_path)) == model, python


def test_what_is_inserted_compiles_on_every_python(tmp_path: Path) -> None:
    program = patched(
        "import platform\nfrom distutils.version import LooseVersion\n"
        "def ask(): return platform.linux_distribution()\n",
        "3.12",
    )
    (tmp_path / "program.py").write_bytes(program)
    for python in PYTHONS:
        subprocess.run(
            [interpreter(python), "-m", "py_compile", tmp_path / "program.py"], check=True
        )
