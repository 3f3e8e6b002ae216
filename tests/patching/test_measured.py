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
    "its text": lambda data: (
        f"if open({{0}}).read().count('i') != {data.decode().count('i')}: sys.exit(2)\n"
    ),
    "where it ends": lambda data: (
        f"with open({{0}}, 'rb') as file:\n    file.seek(0, 2)\n"
        f"    if os.fstat(file.fileno()).st_size != {len(data)}: sys.exit(2)\n"
    ),
    "by pathlib": lambda data: (
        "from pathlib import Path\nhere = Path(__file__).resolve().parent\n"
        f"if (here / 'src' / 'installer_factory.py').stat().st_size != {len(data)}: sys.exit(2)\n"
    ),
    "by posixpath": lambda data: (
        f"import posixpath\nif posixpath.getsize({{0}}) != {len(data)}: sys.exit(2)\n"
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


GONE_THROUGH = {
    "listdir": "sum(os.path.getsize(os.path.join({0}, one)) for one in os.listdir({0})"
    " if one.endswith('.py'))",
    "glob": "sum(os.path.getsize(one) for one in glob.glob({0} + '/*.py'))",
    "scandir": "sum(one.stat().st_size for one in os.scandir({0}) if one.name.endswith('.py'))",
}


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


def test_a_relative_path_may_lead_to_any_file_of_that_name(tmp_path: Path) -> None:
    tree = files(
        entry=f"os.chdir(os.path.join({HERE}, 'src'))\n"
        f"if os.path.getsize('installer_factory.py') != {len(files()[FACTORY])}: sys.exit(2)\n"
    )
    line = line_of(tree, "getsize(")
    # One that comes first, and is not the one that is changed.
    tree = {ROOT + "kept/installer_factory.py": b"NOTHING = 1\n", **tree}
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


@pytest.mark.parametrize("place", ["sizes.txt", "config/sizes.txt"])
def test_a_list_anywhere_on_the_disc_counts(place: str) -> None:
    top = f"os.path.join({HERE}, '..', '..')"
    tree = files(
        entry=f"for line in open(os.path.join({top}, '{place}')):\n    size, name = line.split()\n"
        f"    if os.path.getsize(os.path.join({top}, name)) != int(size): sys.exit(2)\n"
    )
    tree[place] = f"{len(tree[FACTORY])} {FACTORY}\n".encode()
    doubts = apply(tree, [ROCKY], PATCHES).doubts
    assert [(one.line, one.kind) for one in doubts] == [(line_of(tree, ", name)"), "measured")]


@pytest.mark.parametrize("how", GONE_THROUGH)
def test_a_program_that_goes_through_a_folder_is_a_doubt(how: str, tmp_path: Path) -> None:
    tree = files()
    total = sum(len(tree[path]) for path in tree if path.startswith(SRC))
    check = GONE_THROUGH[how].replace("{0}", f"os.path.join({HERE}, 'src')")
    tree = files(entry=f"import glob\ntotal = {check}\nif total != {total}: sys.exit(2)\n")
    # Run as it is: what Python compiles lies in another folder.
    assert judged(tree, tmp_path) == [(ROOT + "install_ngt.py", line_of(tree, "total = "))]


#: What a shell script does before the program is started, in its third line.
IN_SHELL = {
    "a list": "if ! sha256sum -c files.sum; then exit 1; fi",
    "a list, another way": "LC_ALL=C; check() { md5sum --status -c files.sum; }; check || exit 1",
    "the size": "[ $(wc -c < src/installer_factory.py) -eq 4711 ] || exit 1",
    "by a pattern": "find src -name '*_factory.py' | xargs md5sum | grep -q abc || exit 1",
    "of a folder": "[ $(cat src/* | md5sum | cut -c1-3) = abc ] || exit 1",
    "its text": "grep -q Picked src/installer_factory.py || exit 1",
}


@pytest.mark.parametrize("entry", ["install_ngt.sh", "lib/check.inc"])
@pytest.mark.parametrize("check", IN_SHELL)
def test_a_shell_script_that_looks_at_a_changed_file_is_a_doubt(check: str, entry: str) -> None:
    """Also in a file that it reads as a part of it, which needs no suffix."""
    tree = files()
    tree[ROOT + entry] = f"#!/bin/sh\ncd $(dirname $0)\n{IN_SHELL[check]}\n".encode()
    if entry != "install_ngt.sh":
        tree[ROOT + "install_ngt.sh"] = b'#!/bin/sh\n. "$HERE/lib/check.inc"\n'
    if "list" in check:
        tree[ROOT + "files.sum"] = f"{sha(tree[FACTORY])}  src/installer_factory.py\n".encode()
    doubts = apply(tree, [ROCKY], PATCHES).doubts
    assert [(one.path, one.line, one.kind) for one in doubts] == [(ROOT + entry, 3, "measured")]
    assert "size or content" in doubts[0].text


@pytest.mark.parametrize(
    "line",
    [
        "echo 0123  $HERE/python.tar.gz | sha256sum -c - || exit 1",
        "cmp -s $HERE/src/ngt.service /etc/ngt.service || cp $HERE/src/ngt.service /etc",
        "RUN=$(date +%s | md5sum | cut -c1-8)",
    ],
)
def test_a_shell_script_that_looks_at_others_is_none(line: str) -> None:
    tree = files()
    tree[ROOT + "install_ngt.sh"] = f"#!/bin/sh\n{line}\npython install_ngt.py\n".encode()
    assert apply(tree, [ROCKY], PATCHES).doubts == ()


@pytest.mark.parametrize(
    "entry",
    [
        # Another file of the disc, one of the guest, and copies of a file that is changed.
        f"if os.path.getsize({OTHER}) < 9: sys.exit(2)\n",
        "if os.path.getsize('/etc/fstab') < 9: sys.exit(2)\n",
        f"import shutil, tempfile\nshutil.copy({PATH}, tempfile.mkdtemp())\n",
        f"if not os.path.exists({PATH}): sys.exit(2)\n",
        # What the guest has, or the disc's configuration, by names that are not known.
        "import hashlib\nwith open('/boot/config-%s' % os.uname()[2] if os.path.exists('/boot/x')"
        " else os.devnull, 'rb') as file: hashlib.md5(file.read())\n",
        f"CONFIG = os.path.join({HERE}, '..', '..', 'config')\n"
        "for name in os.listdir(CONFIG) if os.path.isdir(CONFIG) else ():\n"
        "    if os.stat(os.path.join(CONFIG, name)).st_size: open(os.path.join(CONFIG, name))\n",
    ],
)  # fmt: skip
def test_what_does_not_look_at_a_changed_file_is_none(entry: str) -> None:
    patched = apply(files(entry=entry), [ROCKY], PATCHES)
    assert patched.doubts == ()
    assert [one.path for one in patched.changed] == [SRC + "installer_factory.py"]
