# SPDX-License-Identifier: Apache-2.0
"""The arrows of docs/architecture.md, the public API, and what must stay light."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import click
import pytest

import ngtpatch
from ngtpatch.cli.app import COMMANDS, app

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "ngtpatch"
MODULES = sorted(
    path for path in PACKAGE.rglob("*.py") if "sources" not in path.relative_to(PACKAGE).parts
)

IMAGE_WING = ("ngtpatch.iso",)
INSTALLER_WING = ("ngtpatch.installer", "ngtpatch.patching", "ngtpatch.identity")
# A label, the paths of an identity: iso/ is told them, and knows none.
WORDS_OF_NGT = "ngtpatch.files.wellknown"
# Which room of iso/ may import which. check/ takes the bytes alone: it is a second opinion, which
# read/ asks where pycdlib's is that it cannot open an image.
ISO_ARROWS = {
    "read": {"check"},
    "edit": {"read"},
    "write": {"read"},
    "compare": {"read"},
    "check": {"read"},
}
CHECK_TAKES = "ngtpatch.iso.read.bytesource"
SECOND_OPINION = "ngtpatch.iso.read.second_opinion"  # the one that asks check/
# What the two wings and the rooms between them may use besides each other's absence.
SHARED = {
    "iso": {"files", "errors", "interrupts"},
    "installer": {"files", "errors", "archives"},
    "patching": {"files", "errors", "archives", "installer", "interrupts"},
    "identity": {"files", "errors", "disclosure", "listing", "render"},
}
# A verb whose room says which: the structure of an image, and one VM's identity.
RECURRING_STEMS = {"check"}
TYPE_NAME = re.compile(r"(?=[A-Z])(?=.*[a-z])[A-Za-z0-9]+")
HEAVY = ("pycdlib", "libcst", "pydantic", "cryptography", "jinja2", "rich", "tree_sitter")


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
    return found


def within(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_the_wings_never_import_each_other_and_nobody_imports_the_cli(path: Path) -> None:
    name, imported = name_of(path), imports(path)
    if within(name, IMAGE_WING):
        assert not [module for module in imported if within(module, INSTALLER_WING)]
        assert WORDS_OF_NGT not in imported
    if within(name, INSTALLER_WING):
        assert not [module for module in imported if within(module, IMAGE_WING)]
    if not within(name, ("ngtpatch.cli", "ngtpatch.__main__")):
        assert not [module for module in imported if within(module, ("ngtpatch.cli", "click"))]


@pytest.mark.parametrize(
    "path", [path for path in MODULES if within(name_of(path), IMAGE_WING)], ids=name_of
)
def test_inside_iso_the_data_flows_one_way(path: Path) -> None:
    _, _, *rest = name_of(path).split(".")
    if not rest:
        return
    rooms = {module.split(".")[2] for module in imports(path) if within(module, IMAGE_WING)}
    assert rooms - {rest[0]} <= ISO_ARROWS[rest[0]]
    if rest[0] == "read" and "check" in rooms:
        assert name_of(path) == SECOND_OPINION
    if rest[0] == "check":
        beside = {module for module in imports(path) if within(module, IMAGE_WING)}
        assert {module for module in beside if not within(module, ("ngtpatch.iso.check",))} <= {
            CHECK_TAKES
        }


@pytest.mark.parametrize(
    "path", [path for path in MODULES if within(name_of(path), ("ngtpatch.archives",))], ids=name_of
)
def test_archives_know_no_image_and_no_ngt(path: Path) -> None:
    ours = {module for module in imports(path) if within(module, ("ngtpatch",))}
    assert not [module for module in ours if not within(module, ("ngtpatch.archives",))]


@pytest.mark.parametrize(
    "path", [path for path in MODULES if path.relative_to(PACKAGE).parts[0] in SHARED], ids=name_of
)
def test_a_wing_takes_no_more_than_the_page_says(path: Path) -> None:
    room = name_of(path).split(".")[1]
    used = {module.split(".")[1] for module in imports(path) if module.startswith("ngtpatch.")}
    assert used <= SHARED[room] | {room}


def test_no_file_stem_stands_in_two_places() -> None:
    # A room's name is its directory's: it counts like a module's.
    stems = Counter(
        path.parent.name if path.stem == "__init__" else path.stem
        for path in MODULES
        if path.parent != PACKAGE or path.stem != "__init__"
        if not within(name_of(path), ("ngtpatch.cli",))
    )
    twice = {stem for stem, count in stems.items() if count > 1}
    assert twice == RECURRING_STEMS


def test_no_class_name_stands_for_two_things() -> None:
    places: dict[str, list[str]] = {}
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(f"{name_of(path)}:{node.lineno}")
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                # A public type alias is a name for a thing as well.
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for target in targets:
                    if isinstance(target, ast.Name) and TYPE_NAME.fullmatch(target.id):
                        places.setdefault(target.id, []).append(name_of(path))
    assert {name: where for name, where in places.items() if len(set(where)) > 1} == {}


def test_the_page_names_every_room_and_no_other() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    tree = page.split("```\nngtpatch/\n", 1)[1].split("```", 1)[0]
    rooms: set[str] = set()
    above: list[str] = []
    for line in tree.splitlines():
        named = re.match(r"( *)((?:[\w.]+(?:/|\.py) ?)+)", line)
        if named is None or not named[1]:
            continue
        depth = len(named[1]) // 2
        if depth > len(above) + 1:
            continue  # the second line of a caption
        for name in named[2].split():
            del above[depth - 1 :]
            above.append(name.rstrip("/"))
            rooms.add("/".join(above))
    packages = {
        str(path.parent.relative_to(PACKAGE))
        for path in MODULES
        if path.name == "__init__.py" and path.parent != PACKAGE
    }
    top = {path.name for path in PACKAGE.glob("*.py")} - {"__main__.py", "_version.py"}
    named_packages = {room for room in rooms if not room.endswith(".py")}
    assert named_packages == packages
    assert {room for room in rooms if room.endswith(".py") and "/" not in room} == top
    assert [room for room in sorted(rooms) if not (PACKAGE / room).exists()] == []


def test_the_public_api_is_sorted_and_complete() -> None:
    assert ngtpatch.__all__ == sorted(ngtpatch.__all__)
    for name in ngtpatch.__all__:
        value = getattr(ngtpatch, name)
        if name == "packer":  # a room of its own, with an __all__ of its own
            assert value.__all__ == sorted(value.__all__)
            continue
        assert not isinstance(value, type(ngtpatch)), f"{name} is a module"
    assert dir(ngtpatch) == ngtpatch.__all__


@pytest.mark.parametrize("statement", ["import ngtpatch", "import ngtpatch.cli.app"])
def test_importing_stays_light(statement: str) -> None:
    script = f"{statement}; import sys; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not set(run.stdout.split()) & set(HEAVY)


def test_a_plan_of_names_imports_no_templates_and_no_validation(tmp_path: Path) -> None:
    """They take a third of a small run's time."""
    from tests.fleet.park import park

    made = park(tmp_path / "park", 1)
    script = (
        "import sys; from ngtpatch.fleet.inject import prepare; from pathlib import Path as P\n"
    )
    script += "prepare(P('base.iso'), P('vms.csv'), 'out', certificates=P('certificates'))\n"
    script += "print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=made.root
    )
    assert not set(run.stdout.split()) & (set(HEAVY) - {"pycdlib", "cryptography"})


def test_the_library_does_not_import_click() -> None:
    script = "import sys, ngtpatch; ngtpatch.rebuild, ngtpatch.verify; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "click" not in run.stdout.split()


def test_version_imports_nothing_heavy() -> None:
    run = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "ngtpatch", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == f"ngtpatch {ngtpatch.__version__}\n"
    roots = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in run.stderr.splitlines()}
    assert not roots & set(HEAVY)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_line_in_help_is_the_command_s_own(name: str) -> None:
    command = app.get_command(click.Context(app), name)
    assert command is not None
    assert command.get_short_help_str(limit=200) == COMMANDS[name][1]


def test_every_source_file_names_its_licence() -> None:
    files = subprocess.run(
        ["git", "ls-files", "*.py", "*.toml", "*.sh", "Makefile", ".ci/run"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    lacking = [
        name
        for name in files
        if "SPDX-License-Identifier: Apache-2.0" not in (ROOT / name).read_text()[:400]
    ]
    assert lacking == []
