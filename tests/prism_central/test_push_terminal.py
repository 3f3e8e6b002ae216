# SPDX-License-Identifier: Apache-2.0
"""``ngtpatch push`` on narrow terminals: names that are longer than a line stay in one piece."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ngtpatch.files.wellknown import KEY
from tests.cli.test_terminal import LONG, on_terminal
from tests.fleet.park import Park, park
from tests.prism_central.conftest import Central, Library
from tests.prism_central.test_push import iso, other, shared

__all__ = ["iso", "other", "shared"]  # fixtures


def shown(central: Central, columns: int, *arguments: object) -> list[str]:
    """Return the lines of a push, of which none is broken and none longer than it has to be."""
    variables = {k: v for k, v in central.environment(TERM="dumb").items() if k != "COLUMNS"}
    told = on_terminal(
        columns, *central.words("push", *arguments)[3:], cwd=central.directory, **variables
    )
    lines = told.splitlines()
    for line in lines:
        # Longer is what has one word that no line has room for, and a label at most.
        words = re.split(r" +", line.strip())
        assert len(line) <= columns or len(words) <= 2, line
    return lines


@pytest.mark.parametrize("columns", [60, 80])
def test_one_image(central: Central, bucket: Library, iso: Path, columns: int) -> None:
    central.state.add_vm(LONG)
    image = iso.rename(iso.with_name(f"{LONG}.iso")).name
    planned = shown(central, columns, image, "--vm", LONG, "-n")
    assert (f"  image   {image}", planned[-1]) == (planned[1], "nothing was changed")
    lines = shown(central, columns, image, "--vm", LONG)
    assert [f"  vm      {LONG}", "  drive   SATA.0", f"  image   {image}"] == lines[-6:-3]
    assert lines[-1] == "the disc is in the drive"


@pytest.fixture
def fleet(central: Central, tmp_path: Path) -> Park:
    """Two VMs with an image, of which one is not there, and one without."""
    made = park(tmp_path / "park", 3)
    made.give(LONG, made.material.pop("vm2"))
    made.give("vm3", {**made.material["vm3"], KEY: made.material["vm1"][KEY]})
    (made.root / "vms.csv").write_text("\n".join(["name", *made.material]) + "\n")
    assert made.inject().returncode == 6
    central.state.add_vm("vm1")
    return made


@pytest.mark.parametrize("columns", [60, 80])
def test_a_fleet(central: Central, bucket: Library, fleet: Park, columns: int) -> None:
    journal = fleet.out / "push.jsonl"
    lines = shown(central, columns, "--ledger", fleet.out / "ledger.jsonl", "-n")
    planned = "3 VMs: 1 would be done, 0 done before, 2 failed; nothing was changed"
    assert " ".join(" ".join(lines).split()).endswith(planned)
    assert not journal.exists()
    lines = shown(central, columns, "--ledger", fleet.out / "ledger.jsonl")
    assert (lines[-1].strip(), f"  {LONG}:" in lines) == (str(journal), True)
    told = " ".join(" ".join(lines).split())
    assert "3 VMs: 1 done, 0 done before, 2 failed; see" in told
    assert f"vm3: {fleet.root}" in told
    assert "vm3: vm3:" not in told
