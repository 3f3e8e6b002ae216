# SPDX-License-Identifier: Apache-2.0
"""What is patched without a doubt gets the new name through, and changes nobody else.

Some hundreds of small installers that try to decide unseen: values that are cut, aliases,
ways of control, other files. Each that is patched without a doubt is run by a real Python,
before and after, on every known name.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from itertools import product
from pathlib import Path

import pytest

from ngtpatch.errors import Refusal
from ngtpatch.installer.execution.worlds import World
from ngtpatch.patching.apply import apply
from ngtpatch.patching.guests import known_worlds
from ngtpatch.patching.patch import load_patches
from ngtpatch.patching.profile import load_profiles
from tests.installer.texts import ROOT, tree
from tests.patching.attack_cases import Attack, attacks, outcomes, shell_scripts

ROCKY = load_profiles()["rocky"]
PATCHES = load_patches()
#: All of them take some minutes: ``make fuzz`` sets NGTPATCH_ATTACKS, the gate takes one in ten.
EVERY = bool(os.environ.get("NGTPATCH_ATTACKS"))
SAMPLE = 10
NEW = [
    World("Rocky Linux", "rocky", "rhel centos fedora", version, f"platform:el{major}")
    for version, major in (("9.4", "9"), ("8.10", "8"), ("10.0", "10"))
]
KNOWN = [
    world
    for world in {(one.name, one.id): one for one in known_worlds()}.values()
    if world.id and not world.name.lower().startswith("rocky linux")
]


@pytest.mark.parametrize(
    ("kind", "apart"),
    # What another module does is the same wherever it is asked for.
    [*product(["cuts", "aliases", "control", "files"], [False, True]), ("modules", False)],
)
def test_nothing_decides_unseen(kind: str, apart: bool, tmp_path: Path) -> None:
    patched: list[tuple[Attack, dict[str, bytes]]] = []
    stopped = 0
    for number, attack in enumerate(attacks(kind, apart=apart)):
        if not (EVERY or (attack.must and apart) or number % SAMPLE == apart):
            continue
        result = None
        with contextlib.suppress(Refusal):
            result = apply(attack.tree, [ROCKY], PATCHES)
        assert result or not attack.must, attack.name
        if result is None:
            stopped += 1
            continue
        kinds = {one.kind for one in result.doubts}
        assert not kinds & {"unforeseen", "budget"}, (attack.name, result.doubts)
        assert not (attack.must and kinds), (attack.name, result.doubts)
        stopped += bool(kinds)
        if not kinds:
            changed = {file.path: file.after for file in result.changed}
            patched.append((attack, {**attack.tree, **changed}))
    assert stopped or not EVERY
    trees = [files for attack, after in patched for files in (attack.tree, after)]
    found = outcomes(tmp_path, trees, [*NEW, *KNOWN])
    for number, (attack, _) in enumerate(patched):
        before, after = found[2 * number], found[2 * number + 1]
        assert after[: len(NEW)] == ["0 redhat"] * len(NEW), (attack.name, after[: len(NEW)])
        others = zip(KNOWN, before[len(NEW) :], after[len(NEW) :], strict=True)
        assert [(one.name, was, now) for one, was, now in others if was != now] == [], attack.name


@pytest.mark.parametrize("script", shell_scripts(), ids=lambda one: one[0])
def test_no_shell_script_decides_unseen(script: tuple[str, bool, str], tmp_path: Path) -> None:
    name, must, text = script
    files = tree() | {ROOT + "install_ngt.sh": text.encode()}
    result = None
    with contextlib.suppress(Refusal):
        result = apply(files, [ROCKY], PATCHES)
    assert not must or (result and not result.doubts), name
    if result and not result.doubts:
        assert [ended(text, world, tmp_path) for world in NEW] == [0, 0, 0], name


def ended(text: str, world: World, folder: Path) -> int:
    """Run a script with bash on a guest and return its status."""
    for file, content in (
        ("os-release", "".join(world.os_release())),
        ("redhat-release", f"{world.name} release {world.version} (none)\n"),
    ):
        (folder / file).write_text(content)
        text = text.replace(f"/etc/{file}", str(folder / file))
    script = folder / "install.sh"
    script.write_text(text)
    command = ["bash", str(script)]
    return subprocess.run(command, capture_output=True, check=False, cwd=folder).returncode
