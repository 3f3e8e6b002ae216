# SPDX-License-Identifier: Apache-2.0
"""Edited images mounted by a real Linux: isofs with each of its views, and udf.

Debian's user-mode-linux boots a kernel as a process, once for all images:
``make test-kernel``. What it lists must be what ngtpatch lists, before and after.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ngtpatch.iso.edit.image_edit import Note, edit
from ngtpatch.iso.edit.new_entry import NewFile
from ngtpatch.iso.read.volume import Volume
from ngtpatch.iso.write.sinks import write_file
from tests.iso.cases import CASES
from tests.iso.images import IMAGES, Zoo
from tests.iso.layouts import FACTORY, noise
from tests.iso.readers import Listing, Seen, agree, by_ngtpatch
from tests.requirements import tool

pytestmark = pytest.mark.skipif(
    not os.environ.get("NGTPATCH_TEST_KERNEL"), reason="boots a kernel: make test-kernel"
)

ROOM = -(-len(FACTORY) // 2048) * 2048
NAMES = [name for name, image in IMAGES.items() if image.shape is None and not image.slow]
EDITS = {
    "as it was": None,
    "empties": b"",
    "shrinks": FACTORY[:10],
    "a byte too many": noise("exceeds", ROOM + 1),
    "megabytes more": noise("grows", 3_000_001),
    "comes and goes": FACTORY[::-1],
}
GUEST = Path(__file__).with_name("guest.py")
XSTATE = Path(__file__).with_name("xstate.c")


def make(source: Path, output: Path, edition: str) -> None:
    new = EDITS[edition]
    if new is None:
        shutil.copy(source, output)
        return
    with Volume.open(source) as volume:
        tree = volume.tree
        factory = min(p for p in tree if tree.size(p) == len(FACTORY) and tree[p] == FACTORY)
        if edition != "comes and goes":
            write_file(edit(volume, replace={factory: new}).overlay(), output, durable=False)
            return
        folder, _, last = factory.rpartition("/")
        added = f"{folder}/{'ADDED.PY' if last.isupper() else 'added.py'}".lstrip("/")
        gone = next(p for p in tree if tree.size(p) in (920, 2600))
        plan = edit(
            volume,
            replace={factory: new},
            add={added: NewFile(b"added\n" * 1000, mode=0o755)},
            remove={gone},
            note=Note({}),
        )
        write_file(plan.overlay(), output, durable=False)


@pytest.fixture(scope="module")
def seen(zoo: Zoo, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """Boot, let the guest list everything, and return what it saw: image -> view -> listing."""
    program = tool("linux.uml", "user-mode-linux")
    work = tmp_path_factory.mktemp("guest")
    jobs = {}
    for name in NAMES:
        for edition in EDITS:
            image = f"{name} {edition}.iso"
            make(zoo[name], work / image, edition)
            jobs[image] = IMAGES[name].trees
    (work / "jobs.json").write_text(json.dumps(jobs))
    xstate = tmp_path_factory.mktemp("xstate") / "xstate.so"
    compiler = tool("cc", "gcc")
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", xstate, XSTATE], check=True)
    run = subprocess.run(
        [
            *(program, "mem=512M", "rootfstype=hostfs", "rootflags=/", "ro", "quiet"),
            *(f"init={sys.executable}", "con=null", "con0=fd:0,fd:1"),
            *("--", GUEST, work),
        ],
        env=os.environ | {"LD_PRELOAD": str(xstate)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=600,
        check=False,
    )
    result = work / "seen.json"
    assert result.exists(), f"the guest left nothing:\n{run.stdout[-3000:]}{run.stderr[-1000:]}"
    found: Mapping[str, Any] = json.loads(result.read_text()) | {"work": str(work)}
    return found


def as_linux_sees(listing: Mapping[str, Any]) -> Listing:
    assert "error" not in listing, listing["error"]
    return {path: Seen(**entry) for path, entry in listing.items()}


@pytest.mark.parametrize("edition", EDITS)
@pytest.mark.parametrize("name", NAMES)
def test_linux_lists_what_ngtpatch_lists(seen: Mapping[str, Any], name: str, edition: str) -> None:
    image = f"{name} {edition}.iso"
    with Volume.open(Path(seen["work"], image)) as volume:
        for view in IMAGES[name].trees:
            ours, theirs = by_ngtpatch(volume, view), as_linux_sees(seen[image][view])
            if view == "iso9660":  # mount's map=normal shows plain names in lower case
                ours = {path.lower(): entry for path, entry in ours.items()}
            assert agree(ours, theirs) == [], view
            CASES["image x edit x view of a Linux kernel"] += 1
