# SPDX-License-Identifier: Apache-2.0
"""The examples, by a real Packer: make demo-packer runs them, and this looks at what came out."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from ngtpatch.flow.inspect import inspect
from ngtpatch.flow.support import support
from tests.packer.test_packer import key_lines, sha256
from tests.render.tools import packer
from tests.requirements import missing, tool

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES = ROOT / "examples" / "packer"
DISTROS = ("almalinux", "cloudlinux", "rocky")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which both builds have run."""
    # Asked for one by one, since the demonstration would install what is missing.
    tool("packer", "packer")
    tool("ssh-keygen", "openssh-client")
    tool("bsdtar", "libarchive-tools")
    for name, package in (("sshd", "openssh-server"), ("dmidecode", "dmidecode")):
        if shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin") is None:
            missing(name, f"apt-get install {package}")
    directory = tmp_path_factory.mktemp("demo") / "packer"
    run = subprocess.run(
        [sys.executable, ROOT / "scripts" / "demo_packer.py", directory],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout
    (directory / "printed").write_text(run.stdout)
    return directory


def test_three_isos_come_of_three_parallel_sources(demo: Path) -> None:
    manifest = json.loads((demo / "golden/build/packer-manifest.json").read_text())
    assert sorted(build["name"] for build in manifest["builds"]) == list(DISTROS)
    for distro in DISTROS:
        [iso] = (demo / "golden/build" / distro).glob("*.iso")
        verdicts = {row.verdict for row in support(iso, distros=[distro]).distros}
        assert verdicts == {"recognised"}
        assert not inspect(iso).identity.present
        result = json.loads((demo / f"golden/build/{distro}.json").read_text())
        assert result["build"] == {
            "build_name": distro,
            "builder_type": "null",
            "run_uuid": manifest["last_run_uuid"],
        }
        assert result["prepared"]["iso_sha256"] == sha256(iso)
        assert (demo / f"golden/build/{distro}.sha256").read_text().split()[0] == sha256(iso)


def test_the_guest_was_installed_by_the_installer_that_refused_it(demo: Path) -> None:
    printed = (demo / "printed").read_text()
    assert "Using Linux Installer for rocky linux linux distribution." in printed
    assert "ngt-generalize: removed" in printed
    with tarfile.open(demo / "end-to-end/build/guest.tar") as image:
        names = image.getnames()
        [config] = [name for name in names if name.endswith("ngt_config.json")]
        assert not any(name.endswith(".pem") for name in names)
        extracted = image.extractfile(config)
        assert extracted is not None
        assert "ngt_uuid" not in json.load(extracted)
    manifest = json.loads((demo / "end-to-end/build/packer-manifest.json").read_text())
    prepared = json.loads((demo / "end-to-end/ngtpatch.auto.pkrvars.json").read_text())
    assert manifest["builds"][0]["custom_data"]["ngt_sha256"] == prepared["ngt_iso_sha256"]


def test_the_guest_was_connected_once_its_other_disc_was_gone_and_is_nobody_s_now(
    demo: Path,
) -> None:
    printed = (demo / "printed").read_text()
    neither = printed.index("agent: 2 discs, identity from none")
    connected = printed.index("agent: connected by")
    assert neither < connected < printed.index("ngt-generalize: removed", connected)


def test_a_second_build_is_not_stopped_by_the_first_one_s_image() -> None:
    # By the plugin's rules, as read in its source: a name that is there twice stops a build.
    text = (EXAMPLES / "nutanix/golden.pkr.hcl").read_text()
    [disc] = re.findall(r"vm_disks \{[^}]*ISO_IMAGE[^}]*\}", text)
    assert re.search(r"source_image_path +=", disc)
    assert re.search(r"source_image_delete += true", disc)
    assert re.search(r"force_deregister += true", text)


@pytest.mark.parametrize(
    "example", sorted(EXAMPLES.rglob("*.pkr.hcl")), ids=lambda p: p.parent.name
)
def test_a_header_names_commands_and_options_that_exist(example: Path) -> None:
    from ngtpatch.cli.app import app
    from tests.told import InProcess

    head = example.read_text().split("\nvariable", 1)[0].split("\nsource", 1)[0]
    for line in re.findall(r"^# +ngtpatch (.+)$", head, re.MULTILINE):
        words = line.split()
        group = words[:2] if words[0] == "packer" else words[:1]
        shown = InProcess().invoke(app, [*group, "--help"]).output
        options = [word for word in words if word.startswith("-")]
        assert options
        assert all(re.search(rf"(?<!\S){option}\b", shown) for option in options), line


def test_no_artefact_holds_a_line_of_the_sample_s_key(demo: Path) -> None:
    secret = key_lines(demo / "ngt.iso")
    searched = 0
    for build in (demo / "golden", demo / "end-to-end"):
        for path in build.rglob("*"):
            if path.is_file():
                searched += 1
                content = path.read_bytes()
                assert not any(line in content for line in secret), path
    assert searched > 20
    assert any(line in (demo / "ngt.iso").read_bytes() for line in secret)


def test_nothing_of_the_guest_is_left_behind(demo: Path) -> None:
    found = re.search(r"(/\S+/ngt-guest-\w+)/guest", (demo / "printed").read_text())
    assert found is not None
    assert not Path(found[1]).exists()


def test_two_runs_with_the_same_epoch_write_the_same_bytes(demo: Path, tmp_path: Path) -> None:
    environment = {
        **os.environ, "SOURCE_DATE_EPOCH": "1700000000", "PYTHONPATH": str(ROOT)
    }  # fmt: skip
    outputs = []
    for name in ("a", "b"):
        output = tmp_path / name
        subprocess.run(
            [sys.executable, "-m", "ngtpatch", "packer", "prepare", demo / "ngt.iso",
             "-d", "rocky", "-o", output, "--variables", tmp_path / "v.json", "--provenance"],
            env=environment, check=True, capture_output=True,
        )  # fmt: skip
        outputs.append({path.name: sha256(path) for path in output.glob("[!.]*")})
    assert outputs[0] == outputs[1]
    suffixes = sorted(name.rpartition(".iso")[2] for name in outputs[0])
    assert suffixes == ["", ".cdx.json", ".intoto.jsonl", "SHA256SUMS"]


@pytest.mark.parametrize("example", ["golden", "end-to-end", "nutanix"])
def test_the_examples_are_in_packer_s_own_layout(tmp_path: Path, example: str) -> None:
    for path in (EXAMPLES / example).glob("*.pkr.hcl"):
        if path.name != "plugins.pkr.hcl":  # Packer 1.6 cannot parse it
            shutil.copy(path, tmp_path)
    run = packer("fmt", "-check", "-diff", ".", cwd=tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_nutanix_example_parses_and_is_the_template_s_twin(tmp_path: Path) -> None:
    # Debian's Packer 1.6 has no Nutanix plugin, and cannot load one: the syntax is checked.
    for name in ("golden.pkr.hcl", "variables.pkr.hcl"):
        shutil.copy(EXAMPLES / "nutanix" / name, tmp_path)
    run = packer("validate", "-syntax-only", ".", cwd=tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr

    from ngtpatch.render import render

    template = render("packer.pkr.hcl", {"source_image": "i", "cluster": "c", "subnet": "s"})
    attributes = re.compile(r"^ +(\w+) += ", re.MULTILINE)
    example = (tmp_path / "golden.pkr.hcl").read_text()
    of_template = template[template.index('source "nutanix"') :]
    assert set(attributes.findall(example)) == set(attributes.findall(of_template))


def test_plugins_stand_in_a_file_of_their_own() -> None:
    texts = {path.name: path.read_text() for path in EXAMPLES.rglob("*.pkr.hcl")}
    assert [name for name, text in texts.items() if "required_plugins {" in text] == [
        "plugins.pkr.hcl"
    ]


def test_a_hook_that_fails_fails_the_build_with_its_message(tmp_path: Path) -> None:
    shutil.copy(EXAMPLES / "golden/golden.pkr.hcl", tmp_path)
    (tmp_path / "broken.iso").write_bytes(b"x" * 100_000)
    run = packer(
        "build", "-color=false", "-var", "iso=broken.iso", "-var", f"python={sys.executable}", ".",
        cwd=tmp_path,
    )  # fmt: skip
    assert run.returncode == 1
    assert "Traceback" not in run.stdout
    assert "broken.iso" in run.stdout
    assert "exit status: 3" in run.stdout or "exit status 3" in run.stdout
