# SPDX-License-Identifier: Apache-2.0
"""docs/onto-the-vm.md: its commands, as written but for the address."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from ngtpatch.sample import write_sample
from tests import program
from tests.fleet.park import park
from tests.prism_central.conftest import CANARIES, WARM, Central, Library

PAGE = Path(__file__).resolve().parents[2] / "docs/onto-the-vm.md"


def test_the_page_does_what_it_says(central: Central, bucket: Library, tmp_path: Path) -> None:
    made = park(tmp_path / "park", 3)
    for name in ("build-01", "vm1", "vm2", "vm3"):
        central.state.add_vm(name)
    central.state.polls = 0
    write_sample(tmp_path / "NGT.iso")
    shutil.copy(central.authority, tmp_path / "pc-ca.pem")
    shutil.copy(made.root / "vms.csv", tmp_path)
    shutil.copytree(made.root / "certificates", tmp_path / "certificates")
    blocks = re.findall(r"```bash\n(.*?)```", PAGE.read_text(), re.DOTALL)
    script = "set -eux\n" + "".join(blocks).replace("pc.example.com", central.host)
    environment = central.environment()
    environment |= program.put_on_path(tmp_path / "bin", WARM)
    ran = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert not [canary for canary in CANARIES if canary in ran.stdout + ran.stderr]
    names = {vm.name: central.state.discs(key) for key, vm in central.state.vms.items()}
    assert names == {"build-01": [], **{f"vm{n}": [f"vm{n}.iso"] for n in (1, 2, 3)}}
    assert [image.name for image in central.state.images.values()] == ["ngt-rocky.iso"]
    assert bucket.objects() == []
