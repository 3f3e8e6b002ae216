# SPDX-License-Identifier: Apache-2.0
"""docs/onto-the-vm.md: its commands, as written but for the address."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests import program
from tests.cli.pages import ROOT, walk
from tests.prism_central.conftest import CANARIES, WARM, Central, Library
from tests.zygote import SOCKET


def test_the_page_does_what_it_says(central: Central, bucket: Library, tmp_path: Path) -> None:
    for name in ("build-01", "vm1", "vm2", "vm3"):
        central.state.add_vm(name)
    central.state.polls = 0
    here = tmp_path / "here"
    here.mkdir()
    shutil.copy(central.authority, here / "pc-ca.pem")
    told = walk(
        ROOT / "docs/onto-the-vm.md", here, {**central.environment(), SOCKET: program.zygote(WARM)},
        addresses={"pc.example.com": central.host},
    )  # fmt: skip
    assert not [canary for canary in CANARIES if canary in told]
    names = {vm.name: central.state.discs(key) for key, vm in central.state.vms.items()}
    assert names == {"build-01": [], **{f"vm{n}": [f"vm{n}.iso"] for n in (1, 2, 3)}}
    assert [image.name for image in central.state.images.values()] == ["ngt-rocky.iso"]
    assert bucket.objects() == []
