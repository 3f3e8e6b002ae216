# SPDX-License-Identifier: Apache-2.0
"""What else decides on the way is extended with the chain, or named. All of it is run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from ngtpatch.errors import Refusal
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
    "a table gives what is handed over": (
        files(top="TOOLS = {'centos': 'true', 'rhel': 'true'}\n",
              body="        tool = TOOLS.get(distro.id(), 'false')\n"
              "        if subprocess.call([tool]) != 0:\n            sys.exit(3)\n"),
        2),
    "a branch sets what is handed over": (
        files(body="        tool = 'false'\n        if distro.id() in ('centos', 'rhel'):\n"
              "            tool = 'true'\n        subprocess.check_call([tool])\n"),
        2),
    "a table gives the environment": (
        files(top="TOOLS = {'centos': 'true', 'rhel': 'true'}\n",
              body="        os.environ['TOOL'] = TOOLS.get(distro.id(), 'false')\n"
              "        if os.system('$TOOL') != 0:\n            sys.exit(3)\n"),
        2),
    "the installer ends by the name": (
        files(body="        if distro.id() not in ('centos', 'rhel'):\n            return\n"), 2),
    "the installer does less by the name": (
        files(body="        if distro.id() in ('centos', 'rhel'):\n"
              "            subprocess.call(['true'])\n"),
        2),
    "the installer does more by the name": (
        files(body="        if 'centos' not in distro.name().lower():\n            return\n"), 2),
    "a property of the installer": (
        files(top="NAME = distro.name().lower()\ndef is_el():\n"
              "    return 'centos' in NAME or 'red hat' in NAME\n",
              body="        if not is_el():\n            sys.exit(3)\n"),
        2),
    "a flag of the installer": (
        files(top="EL = distro.id() in ('centos', 'rhel')\n",
              body="        if EL:\n            subprocess.call(['true'])\n"
              "        else:\n            sys.exit(3)\n"),
        2),
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
        files(top="TOOLS = {6: 'yum', 4: 'yum'}\n",
              body="        tool = TOOLS.get(len(distro.id()), 'none')\n"
              "        subprocess.call(['true', tool])\n"), 7),
    "by a letter of the name": (
        files(body="        if sorted(distro.id())[0] == 'c' and distro.id()[1] == 'e':\n"
              "            subprocess.call(['true'])\n"), 5),
}  # fmt: skip


#: Ways to hand a command to what runs it, which a new name gives another one.
TOOL = "{'centos': 'true', 'rhel': 'true'}.get(distro.id(), 'false')"
HANDED = {
    "by its own name": ("from os import system\n", f"system({TOOL})"),
    "by another name": ("import subprocess as sp\n", f"sp.call({TOOL}, shell=True)"),
    "by another name of its own": ("from subprocess import call as go\n", f"go([{TOOL}])"),
    "by a keyword": ("", f"subprocess.call(['true'], cwd='/' + {TOOL}[:0], executable={TOOL})"),
    "with the kernel's release": (
        "import platform\n", f"os.system({TOOL} + ' ' + platform.release())"),
    "with what was asked for": (
        "", f"subprocess.call(' '.join([{TOOL}] + sys.argv[1:]), shell=True)"),
    "as another module's": ("from helpers import execute\n", f"execute({TOOL})"),
    "as its own attribute": (
        "class Base(object):\n    run = staticmethod(os.system)\n", f"Base.run({TOOL})"),
    "by another's default": ("def go(what, by=os.system):\n    by(what)\n", f"go({TOOL})"),
    "in the environment": ("", f"os.environ.update({{'TOOL': {TOOL}}})"),
    "with a number": ("", f"os.system('%s %d' % ({TOOL}, os.getpid()))"),
    "in a template over all names": ("", f"tool = {TOOL}; os.system('%(tool)s' % locals())"),
    "in a format over all names": ("", f"tool = {TOOL}; os.system('{{tool}}'.format(**locals()))"),
    "in a template over an object's": (
        "", f"self.tool = {TOOL}; os.system('%(tool)s' % vars(self))"),
}  # fmt: skip
#: A constant that is extended, and by which somebody else's value becomes another.
VALUES = {
    "the first": ("DEFAULT = min(NAMES)", "os.system('true ' + DEFAULT)"),
    "the longest": ("DEFAULT = max(NAMES, key=len)", "os.system('true ' + DEFAULT)"),
    "all of it": ("", "os.system('true %d' % sum(len(one) for one in NAMES))"),
    "one of what is made of it": (
        "MADE = []\nfor one in NAMES:\n    MADE.append(one.upper())",
        "os.system('true ' + MADE[1])",
    ),
}
#: A name that somebody leads elsewhere, by a file beside the factory.
LED = {
    "a chain": "def pick(name):\n    if 'centos' in name or 'red hat' in name:\n"
    "        import redhat_installer\n        return redhat_installer.RedhatInstaller\n"
    "    if 'ubuntu' in name or 'rocky' in name:\n"
    "        import ubuntu_installer\n        return ubuntu_installer.UbuntuInstaller\n",
    "a table": "import redhat_installer, ubuntu_installer\n"
    "TABLE = {'centos linux': redhat_installer.RedhatInstaller,\n"
    "         'rocky linux': ubuntu_installer.UbuntuInstaller}\n"
    "def pick(name):\n    return TABLE.get(name)\n",
}


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


@pytest.mark.parametrize("way", HANDED)
def test_what_is_handed_over_is_seen_in_every_spelling(way: str) -> None:
    top, call = HANDED[way]
    tree = files(top=top, body=f"        {call}\n")
    tree[SRC + "helpers.py"] = b"import os\nexecute = os.system\n"
    doubts = apply(tree, [ROCKY], PATCHES).doubts
    line = 4 if "by(what)" in top else 5 + top.count("\n")
    assert [(one.path, one.line) for one in doubts if one.kind == "way"] == [
        (SRC + "redhat_installer.py", line)
    ]


@pytest.mark.parametrize(
    "made",
    ["b'x'.decode(encoding='utf-8')", "'a b'.split(sep=' ')", "b'x'.splitlines(keepends=True)"],
)
def test_a_method_is_called_by_keywords(made: str) -> None:
    patched = apply(files(top=f"MADE = {made}\n"), [ROCKY], PATCHES)
    assert patched.doubts == ()
    assert patched.changed


def test_what_names_the_kin_for_everybody_is_no_doubt() -> None:
    tree = files(body="        subprocess.call(['true', '--family', 'centos'])\n")
    assert apply(tree, [ROCKY], PATCHES).doubts == ()


@pytest.mark.parametrize("repeated", [False, True], ids=["once", "in a loop"])
@pytest.mark.parametrize("value", VALUES)
def test_a_value_of_somebody_else_does_not_become_another(value: str, repeated: bool) -> None:
    """Neither alone nor where the whole program is tried again, as by a loop around it."""
    made, used = VALUES[value]
    chain = (
        "import os\nimport sys\nimport distro\nNAMES = ['centos', 'ubuntu']\n" + made
        + "\ndef get_linux_installer():\n    name = distro.linux_distribution()[0].lower()\n"
        "    if not any(one in name for one in NAMES):\n        sys.exit(1)\n"
        f"    {used}\n    if 'centos' in name:\n" + PICK.format("'ubuntu' in name")
    )  # fmt: skip
    tree = files(chain=chain)
    if repeated:
        start = ROOT + "install_ngt.py"
        tree[start] = tree[start].replace(
            b"get_linux_installer()()", b"for _ in range(2):\n    get_linux_installer()()"
        )
    try:
        patched = apply(tree, [load_profiles()["almalinux"]], PATCHES)
    except Refusal as refusal:
        assert refusal.code in {"conflict", "shape"}  # noqa: PT017 - it may be a doubt, too
    else:
        assert patched.doubts


@pytest.mark.parametrize("how", LED)
def test_a_name_that_a_helper_leads_elsewhere_is_not_taken(how: str, tmp_path: Path) -> None:
    chain = (
        "import sys\nimport distro\nfrom pick import pick\ndef get_linux_installer():\n"
        "    found = pick(distro.linux_distribution()[0].lower())\n"
        "    if found is None:\n        sys.exit(1)\n    return found\n"
    )
    tree = {**files(chain=chain), SRC + "pick.py": LED[how].encode()}
    (shipped,) = outcomes(tmp_path, [tree], NEW)
    assert shipped == ["0 ubuntu"] * len(NEW)
    with pytest.raises(Refusal):
        apply(tree, [ROCKY], PATCHES)


@pytest.mark.parametrize("shape", SHAPES)
def test_several_names_at_once(shape: str, tmp_path: Path) -> None:
    """AlmaLinux's ID is its NAME in lower case, too: what is right for it alone is not enough."""
    tree, edits = SHAPES[shape]
    profiles = load_profiles()
    patched = apply(tree, [profiles["rocky"], profiles["almalinux"]], PATCHES)
    assert patched.doubts == ()
    # Where whole names are compared AlmaLinux has two.
    assert sum(one.edits for one in patched.changed) in {2 * edits, 2 * edits + 1}
    alma = [replace(one, name="AlmaLinux", id="almalinux") for one in NEW]
    every = [*NEW, *alma, *(one for one in KNOWN if one.id != "almalinux")]
    before, now = outcomes(tmp_path, [tree, after(tree, patched)], every)
    assert now[: 2 * len(NEW)] == ["0 redhat"] * 2 * len(NEW)
    assert now[2 * len(NEW) :] == before[2 * len(NEW) :]
