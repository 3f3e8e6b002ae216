# SPDX-License-Identifier: Apache-2.0
"""The rendered playbook by the real modules of nutanix.ncp, against the stand-in.

The collection is on no package index, so the gate has none: `make playbook COLLECTIONS=DIR`, with
DIR as `ansible-galaxy collection install nutanix.ncp -p DIR` fills it. tests/render tries the
playbook with stubs everywhere.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ngtpatch.render import render
from tests.prism_central.conftest import CANARIES, Central
from tests.prism_central.stand_in import PASSWORD, USER, Fault, answers, model

COLLECTIONS = os.environ.get("NGTPATCH_TEST_COLLECTIONS", "")
pytestmark = pytest.mark.skipif(
    not COLLECTIONS, reason="needs nutanix.ncp: make playbook COLLECTIONS=DIR"
)
SCRIPT = "/usr/local/sbin/ngt-install"
ISO, DATA, URL = "ngt-rocky.iso", b"what an ISO is made of", "https://mirror.example/ngt.iso"


@dataclass
class Play:
    central: Central

    def image(self, data: bytes = DATA, name: str = ISO) -> str:
        """Put an image into the library; return its identifier."""
        image = model("vmm.v4.content.Image")(
            ext_id=hashlib.md5(data, usedforsecurity=False).hexdigest(), name=name,
            type="ISO_IMAGE", size_bytes=len(data),
            checksum=model("vmm.v4.content.ImageSha256Checksum")(
                hex_digest=hashlib.sha256(data).hexdigest()
            ),
        )  # fmt: skip
        digits = image.ext_id
        image.ext_id = "-".join(
            (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
        )
        self.central.state.images[image.ext_id] = image
        return str(image.ext_id)

    def run(self, vm: str, *, installs: bool = True, **values: object) -> Any:
        """Run the playbook; what it would do in the guest is a program that succeeds or fails."""
        directory = self.central.directory
        text = render("ansible-playbook.yml", {"image_name": ISO, **values})
        outcome = "true" if installs else "false"
        text = text.replace(f"command: {SCRIPT}", f"command: /bin/{outcome}")
        text = text.replace(SCRIPT, str(directory / "ngt-install"))
        playbook, inventory = directory / "playbook.yml", directory / "hosts"
        playbook.write_text(text)
        local = f"ansible_connection=local ansible_python_interpreter={sys.executable}"
        inventory.write_text(
            f"[ngt]\nguest {local} ansible_become=false vm_ext_id={vm}\n"
            f"[control]\nlocalhost {local}\n"
        )
        host, port = self.central.host.split(":")
        # The modules have no option for an authority of one's own: that TLS is verified is not
        # tried here.
        environment = {
            **os.environ, "NUTANIX_HOST": host, "NUTANIX_PORT": port, "NUTANIX_USERNAME": USER,
            "NUTANIX_PASSWORD": PASSWORD, "VALIDATE_CERTS": "false", "LC_ALL": "C.UTF-8",
            "ANSIBLE_COLLECTIONS_PATH": COLLECTIONS, "ANSIBLE_HOME": str(directory / "home"),
            "ANSIBLE_LOCALHOST_WARNING": "false", "ANSIBLE_NOCOLOR": "1",
        }  # fmt: skip
        program = Path(sys.executable).with_name("ansible-playbook")
        ran = subprocess.run(
            [program, "-i", inventory, playbook], cwd=directory, env=environment,
            capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert not [canary for canary in CANARIES if canary in ran.stdout + ran.stderr]
        return ran

    def changes(self) -> list[str]:
        return [path.rpartition("/")[2] for _, path in self.central.state.writes()]


@pytest.fixture
def play(central: Central) -> Play:
    central.state.polls = 0
    return Play(central)


@pytest.fixture
def vm(central: Central) -> str:
    return central.state.add_vm("web-01", drives=2)


def test_the_image_that_push_has_put_there(play: Play, vm: str) -> None:
    play.image()
    ran = play.run(vm)
    assert ran.returncode == 0, ran.stdout
    assert play.changes() == ["insert", "eject"]
    assert play.central.state.discs(vm) == []


def test_the_disc_is_ejected_when_the_installation_fails(play: Play, vm: str) -> None:
    play.image()
    ran = play.run(vm, installs=False)
    assert ran.returncode != 0
    assert play.changes() == ["insert", "eject"]
    assert play.central.state.discs(vm) == []


def test_an_image_by_its_url_is_made_once(play: Play, vm: str) -> None:
    play.central.state.urls[URL] = DATA
    values: dict[str, Any] = {
        "image_url": URL, "image_sha256": hashlib.sha256(DATA).hexdigest(),
        "cluster_ext_id": "00061413-990f-363a-185b-ac1f6b6f97e2",
    }  # fmt: skip
    for changes in (["images", "insert", "eject"], ["insert", "eject"]):
        play.central.state.log.clear()
        ran = play.run(vm, **values)
        assert ran.returncode == 0, ran.stdout
        assert play.changes() == changes
    assert [image.name for image in play.central.state.images.values()] == [ISO]
    play.central.state.images.clear()
    play.image(b"another ISO")
    play.central.state.log.clear()
    ran = play.run(vm, **values)
    assert ran.returncode != 0
    assert play.changes() == []
    assert "another" in ran.stdout


def test_no_image_is_said(play: Play, vm: str) -> None:
    ran = play.run(vm)
    assert ran.returncode != 0
    assert "push ISO --prism HOST puts it there" in ran.stdout.replace("\n", " ")
    assert play.changes() == []


def test_two_discs_and_no_drive_are_refused(play: Play, vm: str) -> None:
    play.image()
    play.central.state.put_disc(vm, 0)
    ran = play.run(vm)
    assert ran.returncode != 0
    assert "NGT disc already" in ran.stdout
    bare = play.central.state.add_vm("bare", drives=0)
    ran = play.run(bare)
    assert ran.returncode != 0
    assert "has no empty CD-ROM" in ran.stdout
    assert play.changes() == []
    assert play.central.state.discs(vm) == ["GUEST_TOOLS"]


def test_another_s_disc_is_not_ejected(play: Play, vm: str) -> None:
    def meanwhile(_: Any) -> bool:
        play.central.state.put_disc(vm, 0, kind="OTHER")
        return False

    play.image()
    play.central.state.faults = [Fault("POST", r"\$actions/insert$", meanwhile)]
    ran = play.run(vm)
    assert ran.returncode != 0
    assert play.central.state.discs(vm) == ["OTHER"]


def test_a_disc_that_stays_is_a_failure(play: Play, vm: str) -> None:
    play.image()
    play.central.state.faults = [Fault("POST", r"\$actions/eject$", answers(403), 9)]
    ran = play.run(vm)
    assert ran.returncode != 0
    assert play.central.state.discs(vm) == [ISO]
