# SPDX-License-Identifier: Apache-2.0
"""What decides stands in a file that the factory imports: it is extended there. Both are run."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from ngtpatch.errors import Refusal
from ngtpatch.installer.layout import FACTORY, ROOT
from ngtpatch.patching.apply import Patched, apply
from ngtpatch.patching.patch import load_patches
from tests.fuzz.fuzz_shapes import tree_of
from tests.fuzz.fuzz_unseen import ROCKY
from tests.interpreters import interpreter

PATCHES = load_patches()
SRC = ROOT + "src/"
NAMES = ("Rocky Linux", "CentOS Linux", "Ubuntu", "AlmaLinux", "SLES", "openEuler")


def factory(top: str, test: str) -> str:
    return (
        f"import sys\nimport distro\n{top}\n"
        "def get_linux_installer():\n    name = distro.linux_distribution()[0].lower()\n"
        f"    if {test}:\n"
        "        from redhat_installer import RedhatInstaller as Picked\n"
        "    elif 'ubuntu' in name:\n"
        "        from ubuntu_installer import UbuntuInstaller as Picked\n"
        "    else:\n        sys.exit(1)\n    return Picked\n"
    )


ROW = "EL = ('centos', 'red hat', 'oracle')\n"
ANY = "any(one in name for one in {})"
HELPER = "def is_el(name):\n    return 'centos' in name or 'red hat' in name\n"
#: By what it is: the factory, and the files beside it.
SHAPES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "a name that is imported": (
        factory("from families import EL", ANY.format("EL")), {"families.py": ROW}),
    "an attribute of the module": (
        factory("import families", ANY.format("families.EL")), {"families.py": ROW}),
    "all that a module has": (
        factory("from families import *", ANY.format("EL")), {"families.py": ROW}),
    "another name": (
        factory("from families import EL as ROWS", ANY.format("ROWS")), {"families.py": ROW}),
    "a module in between": (
        factory("from common import EL", ANY.format("EL")),
        {"families.py": ROW, "common.py": "from families import EL\n"}),
    "what is made of it": (
        factory("from families import UPPER", "any(one in name.upper() for one in UPPER)"),
        {"families.py": ROW + "UPPER = [one.upper() for one in EL]\n"}),
    "a pattern of it": (
        factory("from families import RX", "RX.search(name)"),
        {"families.py": "import re\n" + ROW + "RX = re.compile('|'.join(EL))\n"}),
    "a package": (
        factory("from common import EL", ANY.format("EL")),
        {"common/families.py": ROW, "common/__init__.py": "from .families import EL\n"}),
    "a function": (factory("from families import is_el", "is_el(name)"), {"families.py": HELPER}),
    "a function that asks itself": (
        factory("from families import is_el", "is_el()"),
        {"families.py": "import distro\ndef is_el():\n"
         "    name = distro.linux_distribution()[0].lower()\n"
         "    return name.startswith('centos') or name.startswith('red hat')\n"}),
    "a class": (
        factory("from families import RedHat", "RedHat().accepts(name)"),
        {"families.py": "class RedHat(object):\n    tokens = ['centos', 'red hat']\n"
         "    def accepts(self, name):\n"
         "        return bool([one for one in self.tokens if one in name])\n"}),
    "a table": (
        "import sys\nimport distro\nfrom families import FAMILY\n"
        "def get_linux_installer():\n    name = distro.linux_distribution()[0].lower()\n"
        "    family = FAMILY.get(name)\n    if family == 'el':\n"
        "        from redhat_installer import RedhatInstaller as Picked\n        return Picked\n"
        "    if family == 'deb':\n"
        "        from ubuntu_installer import UbuntuInstaller as Picked\n        return Picked\n"
        "    sys.exit(1)\n",
        {"families.py": "FAMILY = {\n    'centos linux': 'el',\n    'ubuntu': 'deb',\n}\n"}),
}  # fmt: skip


def disc(shape: str) -> dict[str, bytes]:
    text, beside = SHAPES[shape]
    return tree_of(text) | {SRC + path: data.encode() for path, data in beside.items()}


def after(tree: Mapping[str, bytes], patched: Patched) -> dict[str, bytes]:
    return {**tree, **{one.path: one.after for one in patched.changed}}


RUN = """
import json, sys, types
distro = types.ModuleType("distro")
distro.linux_distribution = lambda *a, **k: (name, "9.4", "")
distro.name = lambda *a: name
sys.modules["distro"] = distro
for family in ("Redhat", "Ubuntu"):
    module = sys.modules[family.lower() + "_installer"] = types.ModuleType(family)
    setattr(module, family + "Installer", family + "Installer")
said = {}
for name in json.loads(sys.argv[1]):
    for module in [m for m in sys.modules if m.partition(".")[0] in json.loads(sys.argv[2])]:
        del sys.modules[module]
    try:
        import installer_factory
        said[name] = installer_factory.get_linux_installer()
    except SystemExit:
        said[name] = "ends"
print(json.dumps(said))
"""


def decided(tree: Mapping[str, bytes], folder: Path, version: str) -> dict[str, str]:
    """Return what each name is given, where a Python runs the files."""
    for path, data in tree.items():
        if path.startswith(SRC):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
    own = ["installer_factory", "families", "common"]
    (folder / SRC / "judge.py").write_text(RUN)
    command = [interpreter(version), "-B", "judge.py", json.dumps(NAMES), json.dumps(own)]
    run = subprocess.run(command, cwd=folder / SRC, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    found: dict[str, str] = json.loads(run.stdout)
    return found


@pytest.mark.parametrize("version", ["2.7", "3.12"])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_file_that_decides_is_extended(shape: str, version: str, tmp_path: Path) -> None:
    tree = disc(shape)
    before = decided(tree, tmp_path / "before", version)
    patched = apply(tree, [ROCKY], PATCHES)
    assert FACTORY not in {one.path for one in patched.changed}
    assert not patched.doubts
    now = decided(after(tree, patched), tmp_path / "after", version)
    assert before["Rocky Linux"] == "ends"
    assert now == {**before, "Rocky Linux": "RedhatInstaller"}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_second_time_nothing_changes(shape: str) -> None:
    tree = disc(shape)
    once = after(tree, apply(tree, [ROCKY], PATCHES))
    again = apply(once, [ROCKY], PATCHES)
    assert not again.changed
    assert (FACTORY, "rocky") in {(one.path, one.profile) for one in again.already}


UNINSTALLER = ROOT + "uninstall_ngt.py"


def uninstaller(test: str) -> bytes:
    return (
        "import sys\nsys.path.insert(0, 'src')\nimport distro\nfrom families import EL, IDS\n"
        "def uninstall_ngt_daemon_redhat():\n    print('red hat')\n"
        "def uninstall_ngt_daemon_ubuntu():\n    print('ubuntu')\n"
        "if __name__ == '__main__':\n    name = distro.linux_distribution()[0].lower()\n"
        f"    if {test}:\n        uninstall_ngt_daemon_redhat()\n"
        "    elif 'ubuntu' in name:\n        uninstall_ngt_daemon_ubuntu()\n"
    ).encode()


def with_uninstaller(test: str) -> dict[str, bytes]:
    text = factory("from families import EL", ANY.format("EL"))
    rows = ROW + "IDS = ('centos linux', 'red hat enterprise linux', 'oracle linux server')\n"
    families = {SRC + "families.py": rows.encode(), UNINSTALLER: uninstaller(test)}
    return tree_of(text) | families


@pytest.mark.parametrize("test", [ANY.format("EL"), "name in IDS"])
def test_two_files_need_changes_of_one_that_both_import(test: str) -> None:
    tree = with_uninstaller(test)
    patched = apply(tree, [ROCKY], PATCHES)
    (changed,) = patched.changed
    assert changed.path == SRC + "families.py"
    scope: dict[str, tuple[str, ...]] = {}
    exec(changed.after, scope)  # noqa: S102 - our own text
    assert [one for one in scope["EL"] if one in "rocky linux"]
    assert ("rocky linux" in scope["IDS"]) is ("IDS" in test)
    assert changed.edits == 1 + ("IDS" in test)
    again = apply(after(tree, patched), [ROCKY], PATCHES)
    assert not again.changed


def test_what_one_file_needs_and_undoes_for_another_is_refused() -> None:
    with pytest.raises(
        Refusal, match=r"changed for .*factory\.py and .*uninstall_ngt\.py,"
    ) as caught:
        apply(with_uninstaller("len(EL) == 3 and name in IDS"), [ROCKY], PATCHES)
    assert (caught.value.code, caught.value.path) == ("conflict", SRC + "families.py")


@pytest.mark.parametrize(
    "test",
    [
        "'rocky' in name and not any(one in name for one in EL) or 'centos' in name",
        "name in ('rocky linux', 'centos linux') and len(EL) == 3",
    ],
)
def test_what_one_file_needs_takes_nothing_from_one_that_accepts_the_name(test: str) -> None:
    with pytest.raises(Refusal, match=r"changed for \S*factory\.py, .*uninstall_ngt\.py") as caught:
        apply(with_uninstaller(test), [ROCKY], PATCHES)
    assert (caught.value.code, caught.value.path) == ("conflict", SRC + "families.py")


def test_one_that_accepts_the_name_and_still_does_is_no_conflict() -> None:
    patched = apply(with_uninstaller("name in ('rocky linux', 'centos linux')"), [ROCKY], PATCHES)
    assert [one.path for one in patched.changed] == [SRC + "families.py"]
    assert (UNINSTALLER, "rocky") in {(one.path, one.profile) for one in patched.already}


def test_another_user_of_the_constant_is_named() -> None:
    tree = disc("a name that is imported")
    tool = b"from families import EL\ndef first():\n    return len(EL) > 3\n"
    patched = apply({**tree, SRC + "ngt_tool.py": tool}, [ROCKY], PATCHES)
    assert [(one.path, one.line, one.kind) for one in patched.doubts] == [
        (SRC + "ngt_tool.py", 3, "constant")
    ]


def test_the_file_itself_comes_before_what_it_imports() -> None:
    text = factory("from families import EL", "'centos' in name or " + ANY.format("EL"))
    tree = tree_of(text) | {SRC + "families.py": ROW.encode()}
    assert [one.path for one in apply(tree, [ROCKY], PATCHES).changed] == [FACTORY]


def test_two_files_that_would_do_are_ambiguous() -> None:
    text = factory("from families import EL\nfrom others import MORE", ANY.format("EL + MORE"))
    more = {SRC + "families.py": b"EL = ('centos',)\n", SRC + "others.py": b"MORE = ('centos',)\n"}
    with pytest.raises(Refusal) as caught:
        apply(tree_of(text) | more, [ROCKY], PATCHES)
    assert caught.value.code == "anchor-ambiguous"
    assert "EL = " in caught.value.message
    assert "MORE = " in caught.value.message
