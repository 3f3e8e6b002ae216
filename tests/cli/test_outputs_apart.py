# SPDX-License-Identifier: Apache-2.0
"""No command replaces what it reads: with ``--force`` neither, and whatever the input is called."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

import ngtpatch
from tests import program

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("NGTPATCH_")}
IDENTITY = "--config id/config.json --cert id/cert.pem --key id/key.pem"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disc, its files as a directory, a rebuilt one, and small inputs."""
    root = tmp_path_factory.mktemp("desk")
    (root / "id").mkdir()
    (root / "os-release").write_text('NAME="Rocky Linux"\nID="rocky"\nVERSION_ID="9.4"\n')
    (root / "acme").write_text('NAME="Acme Linux"\nID="acme"\nPLATFORM_ID="platform:el9"\n')
    (root / "values.json").write_text('{"check_host": "192.0.2.1"}')
    (root / "mine.sh").write_text("echo {{ 1 | sh }}\n")
    (root / "mine.md").write_text("{{ method | markdown }}\n")
    for line in (
        "sample -o ngt.iso",
        "rebuild ngt.iso -d rocky --strip-identity -o el.iso",
        "rebuild ngt.iso -d rocky --output-tree tree/disc",
        "extract ngt.iso config/ngt_config.json -o id/config.json",
        "extract ngt.iso config/client-cert.pem -o id/cert.pem",
        "extract ngt.iso config/client-key.pem --allow-identity -o id/key.pem",
        "profile new --os-release acme --python 3.9 -o acme.toml",
    ):
        ran = program.run(*line.split(), cwd=root, env=CLEAN)
        assert ran.returncode == 0, ran.stderr
    (root / "link").symlink_to("os-release")
    (root / "second-name").hardlink_to(root / "ngt.iso")
    (root / "id/ngt.iso").symlink_to("../ngt.iso")
    return root


@pytest.mark.parametrize(
    "words",
    [
        f"rebuild ngt.iso {IDENTITY} -o id/key.pem",
        f"rebuild ngt.iso {IDENTITY} -o id/config.json",
        f"rebuild ngt.iso {IDENTITY} --output-tree id",
        "rebuild ngt.iso -d rocky --ca-cert id/cert.pem -o id/cert.pem",
        "rebuild ngt.iso -d auto --os-release os-release -o os-release",
        "rebuild ngt.iso -d auto --os-release os-release -o link",
        "rebuild ngt.iso -d acme --profiles acme.toml -o acme.toml",
        "rebuild ngt.iso -d rocky --strip-identity --sign-key id/key.pem -o id/key.pem",
        "rebuild ngt.iso -d rocky -o second-name",
        "rebuild ngt.iso -d rocky --output-tree .",
        "rebuild tree/disc -d rocky --output-tree tree",
        "rebuild tree/disc -d rocky --output-tree tree/disc",
        "rebuild tree/disc -d rocky -o tree/disc/setup.exe",
        "reset el.iso --base ngt.iso -o ngt.iso",
        "reset el.iso --base tree/disc -o tree/disc/setup.exe",
        "support ngt.iso --os-release os-release --report os-release",
        "support ngt.iso --os-release os-release --report link",
        "report ngt.iso el.iso --key id/cert.pem -o id/cert.pem",
        "render guest-install.sh --values values.json -o values.json",
        "identity check ngt.iso --plan --warn-days 9999 -o ngt.iso",
        "identity check ngt.iso --plan --warn-days 9999 --template mine.md -o mine.md",
        "profile new --os-release acme --python 3.9 -o acme",
        "packer prepare ngt.iso -d rocky --vm-config id/config.json --variables id/config.json",
    ],
)
def test_an_input_is_never_replaced(words: str, desk: Path, tmp_path: Path) -> None:
    here = tmp_path / "here"
    shutil.copytree(desk, here, symlinks=True)
    (here / "second-name").unlink()
    (here / "second-name").hardlink_to(here / "ngt.iso")
    before = contents(here)
    for dry in ((), ("-n",)):
        ran = program.run(*words.split(), "-f", "--json", *dry, cwd=here, env=CLEAN)
        error = json.loads(ran.stdout)["error"]
        assert (ran.returncode, error["code"]) == (2, "same-file"), ran.stderr
        assert contents(here) == before


def test_the_result_of_a_hook_is_no_input_of_it(desk: Path, tmp_path: Path) -> None:
    shutil.copy(desk / "ngt.iso", tmp_path)
    before = contents(tmp_path)
    asked = {"ISO": "ngt.iso", "DISTRO": "rocky", "OUTPUT": "out", "RESULT": "./ngt.iso"}
    env = {**CLEAN, **{f"NGTPATCH_{name}": value for name, value in asked.items()}}
    ran = program.run("packer", "hook", cwd=tmp_path, env=env)
    assert (ran.returncode, contents(tmp_path)) == (2, before)


def test_nor_does_the_library(desk: Path, tmp_path: Path) -> None:
    here = tmp_path / "here"
    shutil.copytree(desk, here, symlinks=True)
    before = contents(here)
    key = ngtpatch.IdentityRequest(
        here / "id/config.json", here / "id/cert.pem", here / "id/key.pem"
    )
    for arguments in (
        {"identity": key, "output": here / "id/key.pem"},
        {"identity": key, "output_tree": here / "id"},
        {"distros": ["auto"], "os_release": here / "link", "output": here / "os-release"},
    ):
        with pytest.raises(ngtpatch.UsageError) as refused:
            ngtpatch.rebuild(here / "ngt.iso", force=True, **arguments)  # type: ignore[arg-type]
        assert refused.value.code == "same-file"
    with pytest.raises(ngtpatch.UsageError) as refused:
        ngtpatch.reset(here / "el.iso", here / "ngt.iso", base=here / "ngt.iso", force=True)
    assert refused.value.code == "same-file"
    assert contents(here) == before


def test_what_lies_beside_an_input_may_be_replaced(desk: Path, tmp_path: Path) -> None:
    """A profile in its own directory, and a file beside the disc."""
    here = tmp_path / "here"
    shutil.copytree(desk, here, symlinks=True)
    (here / "mine").mkdir()
    (here / "acme.toml").rename(here / "mine/acme.toml")
    for words in (
        "profile new --os-release acme --python 3.9 --profiles mine -o mine/acme.toml",
        "rebuild ngt.iso -d rocky --profiles mine -o el.iso",
        "rebuild tree/disc -d rocky -o el.iso",
    ):
        ran = program.run(*words.split(), "-f", cwd=here, env=CLEAN)
        assert ran.returncode == 0, ran.stderr


def contents(directory: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in directory.rglob("*") if path.is_file()}
