# SPDX-License-Identifier: Apache-2.0
"""What else decides on the way is extended with the chain, or named. All of it is run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from ngtpatch.installer.layout import FACTORY, ROOT
from ngtpatch.patching.apply import Patched, apply
from ngtpatch.patching.patch import load_patches
from ngtpatch.patching.profile import load_profiles
from tests.patching.attack_cases import outcomes
from tests.patching.test_attacks import KNOWN, NEW

ROCKY = load_profiles()["rocky"]
PATCHES = load_patches()
SRC = ROOT + "src/"
ENTRY = (
    "import os, sys\n"
    'sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "src"))\n'
    "import distro\n"
    "from installer_factory import get_linux_installer\n"
    "{0}get_linux_installer()().install()\n"
)
#: The two branches of a chain.
PICK = (
    "        from redhat_installer import RedhatInstaller as Picked\n"
    "    elif {0}:\n        from ubuntu_installer import UbuntuInstaller as Picked\n"
    "    else:\n        sys.exit(1)\n    return Picked\n"
)
HEAD = (
    "import sys\nimport distro\n{0}"
    "def get_linux_installer():\n    name = distro.linux_distribution()[0].lower()\n"
)
CHAIN = (
    HEAD.format("")
    + "    if 'centos' in name or 'red hat' in name:\n"
    + PICK.format("'ubuntu' in name")
)
INSTALL = (
    "import os, subprocess, sys\nimport distro\n{0}class RedhatInstaller(object):\n"
    "    def install(self):\n{1}        print('INSTALLED redhat')\n"
)


def files(entry: str = "", chain: str = CHAIN, top: str = "", body: str = "") -> dict[str, bytes]:
    """Return an installer."""
    return {
        ROOT + "install_ngt.py": ENTRY.format(entry).encode(),
        FACTORY: chain.encode(),
        SRC + "redhat_installer.py": INSTALL.format(top, body).encode(),
        SRC + "ubuntu_installer.py": b"class UbuntuInstaller(object):\n"
        b"    def install(self):\n        print('INSTALLED ubuntu')\n",
    }


def gate(*names: str) -> str:
    return f"    if distro.id() not in {names!r}:\n        sys.exit(3)\n"


#: By what it is: the disc, and how many elements are added to it.
SHAPES: Mapping[str, tuple[dict[str, bytes], int]] = {
    "a gate before the chain": (
        files(chain=HEAD.format("") + gate("centos", "rhel", "ubuntu")
              + CHAIN.split("lower()\n")[1]),
        2),
    "two gates and the chain": (
        files(entry="if distro.id() not in ['centos', 'rhel', 'ubuntu']: sys.exit(4)\n",
              chain=HEAD.format("") + gate("centos", "rhel", "ubuntu")
              + CHAIN.split("lower()\n")[1]),
        3),
    "a gate in the program": (
        files(entry="if distro.id() not in ('centos', 'rhel', 'ubuntu'): sys.exit(4)\n"), 2),
    "a chain behind a tuple": (
        files(chain=HEAD.format("") + "    if name not in ('centos linux', 'ubuntu'):\n"
              "        sys.exit(3)\n    if name.startswith('centos'):\n"
              + PICK.format("name == 'ubuntu'")),
        2),
    "a chain that is asked twice": (
        files(chain=HEAD.format("") + "    if not ('centos' in name or 'ubuntu' in name):\n"
              "        raise SystemExit(3)\n    if name == 'centos linux':\n"
              + PICK.format("'ubuntu' in name")),
        2),
    "the installer ends by the name": (
        files(body="        if distro.id() not in ('centos', 'rhel'):\n            return\n"), 2),
    "the installer does less by the name": (
        files(body="        if distro.id() in ('centos', 'rhel'):\n"
              "            subprocess.call(['true'])\n"),
        2),
    "the installer does more by the name": (
        files(body="        if 'centos' not in distro.name().lower():\n            return\n"), 2),
    "a table of the installer": (
        files(top="PACKAGES = {'centos': 'rpm', 'rhel': 'rpm', 'ubuntu': 'deb'}\n",
              body="        subprocess.call(['true', PACKAGES[distro.id()]])\n"),
        2),
}  # fmt: skip
#: What no element mends: the disc, and the line that is named.
NAMED: Mapping[str, tuple[dict[str, bytes], int]] = {
    "by the length of the name": (
        files(body="        if len(distro.id()) != 6:\n            return\n"), 5),
    "by what a table gives": (
        files(top="TOOLS = {'centos': 'yum', 'rhel': 'yum'}\n",
              body="        tool = TOOLS.get(distro.id(), 'none')\n"
              "        subprocess.call(['true', tool])\n"), 7),
    "by a letter of the name": (
        files(body="        if sorted(distro.id())[0] == 'c' and distro.id()[1] == 'e':\n"
              "            subprocess.call(['true'])\n"), 5),
}  # fmt: skip


def after(tree: Mapping[str, bytes], patched: Patched) -> dict[str, bytes]:
    return {**tree, **{one.path: one.after for one in patched.changed}}


@pytest.mark.parametrize("shape", SHAPES)
def test_everything_that_decides_is_extended(shape: str, tmp_path: Path) -> None:
    tree, edits = SHAPES[shape]
    patched = apply(tree, [ROCKY], PATCHES)
    assert patched.doubts == ()
    assert sum(one.edits for one in patched.changed) == edits
    before, now = outcomes(tmp_path, [tree, after(tree, patched)], [*NEW, *KNOWN])
    assert set(before[: len(NEW)]) != {"0 redhat"}, "it decides nothing"
    assert now[: len(NEW)] == ["0 redhat"] * len(NEW)
    assert now[len(NEW) :] == before[len(NEW) :]


@pytest.mark.parametrize("shape", SHAPES)
def test_what_was_extended_needs_nothing_more(shape: str) -> None:
    tree, _ = SHAPES[shape]
    done = after(tree, apply(tree, [ROCKY], PATCHES))
    assert apply(done, [ROCKY], PATCHES).changed == ()


@pytest.mark.parametrize("shape", NAMED)
def test_what_parts_a_new_name_from_its_kin_is_named(shape: str) -> None:
    tree, line = NAMED[shape]
    doubts = apply(tree, [ROCKY], PATCHES).doubts
    assert [(one.path, one.line) for one in doubts] == [(SRC + "redhat_installer.py", line)]


def test_several_names_at_once() -> None:
    tree, _ = SHAPES["a gate before the chain"]
    profiles = load_profiles()
    patched = apply(tree, [profiles["rocky"], profiles["almalinux"]], PATCHES)
    assert patched.doubts == ()
    text = after(tree, patched)[FACTORY].decode()
    assert text.count("rocky") == text.count("almalinux") == 2
