# SPDX-License-Identifier: Apache-2.0
"""An installer that compares the size or content of its own files would refuse a changed one."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from ngtpatch.installer.execution.worlds import World
from ngtpatch.installer.layout import FACTORY, ROOT
from ngtpatch.patching.apply import apply
from tests.patching.attack_cases import outcomes
from tests.patching.test_several_places import PATCHES, ROCKY, SRC, after, files

CENTOS = World("CentOS Linux", "centos", "rhel fedora", "8", "platform:el8")
PATH = "os.path.join(os.path.dirname(os.path.abspath(__file__)), 'src', 'installer_factory.py')"
OTHER = PATH.replace("installer_factory", "redhat_installer")
HERE = "os.path.dirname(os.path.abspath(__file__))"


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


#: What the program does before it picks, with ``{0}`` for the path; of the factory as shipped.
CHECKS: dict[str, Callable[[bytes], str]] = {
    "size": lambda data: f"if os.path.getsize({{0}}) != {len(data)}: sys.exit(2)\n",
    "stat": lambda data: f"if os.stat({{0}}).st_size != {len(data)}: sys.exit(2)\n",
    "length": lambda data: f"if len(open({{0}}, 'rb').read()) != {len(data)}: sys.exit(2)\n",
    "crc": lambda data: (
        f"import zlib\nif zlib.crc32(open({{0}}, 'rb').read()) != {zlib.crc32(data)}: sys.exit(2)\n"
    ),
    "a shortened digest": lambda data: (
        "import hashlib\nwith open({0}, 'rb') as file:\n    data = file.read()\n"
        f"if hashlib.sha256(data).hexdigest()[:12] != {sha(data)[:12]!r}: sys.exit(2)\n"
    ),
    "an encoded digest": lambda data: (
        "import base64, hashlib\ndigest = hashlib.sha256()\nfile = open({0}, 'rb')\n"
        "for part in iter(lambda: file.read(64), b''): digest.update(part)\n"
        "if base64.b64encode(digest.digest()) != "
        f"{base64.b64encode(hashlib.sha256(data).digest())!r}: sys.exit(2)\n"
    ),
    "another program": lambda data: (
        "import subprocess\n"
        f"if b'{sha(data)[:9]}' not in subprocess.check_output(['sha256sum', {{0}}]): sys.exit(2)\n"
    ),
}
#: A list on the disc, by its name; and what reads it.
LISTS: dict[str, tuple[str, Callable[[bytes], str], str]] = {
    "sizes": (
        "sizes.txt", lambda data: f"{len(data)} src/installer_factory.py\n",
        "for line in open(os.path.join({0}, 'sizes.txt')):\n    size, name = line.split()\n"
        "    if os.path.getsize(os.path.join({0}, name)) != int(size): sys.exit(2)\n",
    ),
    "json": (
        "sums.json", lambda data: json.dumps({"src/installer_factory.py": zlib.crc32(data)}),
        "import json, zlib\nwith open(os.path.join({0}, 'sums.json')) as file:\n"
        "    sums = json.load(file)\nfor name in sums:\n"
        "    with open(os.path.join({0}, name), 'rb') as file:\n"
        "        if zlib.crc32(file.read()) != sums[name]: sys.exit(2)\n",
    ),
}  # fmt: skip


def judged(tree: dict[str, bytes], tmp_path: Path) -> list[tuple[str, int]]:
    """Return the lines that are doubts, once it is seen that the program ends by the change."""
    patched = apply(tree, [ROCKY], PATCHES)
    before, now = outcomes(tmp_path, [tree, after(tree, patched)], [CENTOS])
    assert (before, now) == (["0 redhat"], ["2 -"])
    return [(one.path, one.line) for one in patched.doubts if one.kind == "measured"]


def line_of(tree: dict[str, bytes], text: str) -> int:
    lines = tree[ROOT + "install_ngt.py"].decode().splitlines()
    (number,) = (at for at, line in enumerate(lines, 1) if text in line)
    return number


@pytest.mark.parametrize("check", CHECKS)
def test_a_program_that_looks_at_a_changed_file_is_a_doubt(check: str, tmp_path: Path) -> None:
    tree = files(entry=CHECKS[check](files()[FACTORY]).replace("{0}", PATH))
    line = line_of(tree, "'installer_factory.py')")
    assert judged(tree, tmp_path) == [(ROOT + "install_ngt.py", line)]


def test_a_digest_that_another_module_makes_is_seen_too(tmp_path: Path) -> None:
    """The file is opened where nothing is said of digests, and handed to who makes one."""
    tree = files(
        entry=f"from src import checks\nwith open({PATH}, 'rb') as file:\n"
        f"    if checks.made_of(file) != {sha(files()[FACTORY])!r}[:8]: sys.exit(2)\n"
    )
    tree[SRC + "checks.py"] = (
        b"import hashlib\n\n\ndef made_of(file):\n"
        b"    return hashlib.sha256(file.read()).hexdigest()[:8]\n"
    )
    assert judged(tree, tmp_path) == [(ROOT + "install_ngt.py", line_of(tree, "with open("))]


@pytest.mark.parametrize("kind", LISTS)
def test_a_program_that_looks_at_what_a_list_names_is_a_doubt(kind: str, tmp_path: Path) -> None:
    name, made, reads = LISTS[kind]
    tree = files(entry=reads.replace("{0}", HERE))
    tree[ROOT + name] = made(tree[FACTORY]).encode()
    line = line_of(tree, ", name)")
    assert judged(tree, tmp_path) == [(ROOT + "install_ngt.py", line)]


def test_a_shell_script_that_checks_a_list_is_a_doubt() -> None:
    tree = files()
    tree[ROOT + "install_ngt.sh"] = (
        b"#!/bin/sh\ncd $(dirname $0)\nif ! sha256sum -c files.sum; then exit 1; fi\n"
        b"python install_ngt.py\n"
    )
    doubts = apply(tree, [ROCKY], PATCHES).doubts
    assert [(one.path, one.line, one.kind) for one in doubts] == [
        (ROOT + "install_ngt.sh", 3, "measured")
    ]
    assert "size or content" in doubts[0].text


@pytest.mark.parametrize(
    "entry",
    [
        # Another file of the disc, one of the guest, and copies of a file that is changed.
        f"if os.path.getsize({OTHER}) < 9: sys.exit(2)\n",
        "if os.path.getsize('/etc/fstab') < 9: sys.exit(2)\n",
        f"import shutil, tempfile\nshutil.copy({PATH}, tempfile.mkdtemp())\n",
        f"if not os.path.exists({PATH}): sys.exit(2)\n",
    ],
)  # fmt: skip
def test_what_does_not_look_at_a_changed_file_is_none(entry: str) -> None:
    patched = apply(files(entry=entry), [ROCKY], PATCHES)
    assert patched.doubts == ()
    assert [one.path for one in patched.changed] == [SRC + "installer_factory.py"]
