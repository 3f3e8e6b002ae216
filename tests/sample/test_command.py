# SPDX-License-Identifier: Apache-2.0
"""ngtpatch sample, as it is called."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from ngtpatch.iso.read.volume import Volume
from tests import program


def ngtpatch(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return program.run(*arguments, cwd=cwd)


def test_says_what_was_written(tmp_path: Path) -> None:
    run = ngtpatch("sample", "-o", "s.iso", cwd=tmp_path)
    size = (tmp_path / "s.iso").stat().st_size
    assert run.returncode == 0, run.stderr
    assert run.stdout == f"s.iso: a sample of NGT 2.0.1 (era 2), {size:,} bytes\n"


def test_document(tmp_path: Path) -> None:
    run = ngtpatch(
        "--json", "sample", "-o", "s.iso", "--era", "1", "--udf", "--payload", "64K", cwd=tmp_path
    )
    document = json.loads(run.stdout)
    with Volume.open(tmp_path / "s.iso") as volume:
        config = json.loads(volume.tree["config/ngt_config.json"])
        assert volume.tree.size("installer/windows/payload.bin") == 65536
        assert document == {
            "schema": "ngtpatch.sample/1",
            "output": "s.iso",
            "size": volume.size,
            "volume_id": "NUTANIX_TOOLS",
            "trees": list(volume.trees),
            "era": 1,
            "ngt_version": config["ngt_version"],
            "ngt_uuid": config["ngt_uuid"],
            "payload": 65536,
        }


@pytest.mark.parametrize(
    ("size", "expected"), [("100", 100), ("2k", 2048), ("1M", 1 << 20), ("1MiB", 1 << 20)]
)
def test_sizes(tmp_path: Path, size: str, expected: int) -> None:
    run = ngtpatch("--json", "sample", "-o", "s.iso", "--payload", size, cwd=tmp_path)
    assert json.loads(run.stdout)["payload"] == expected


@pytest.mark.parametrize("size", ["", "-1", "1.5M", "M", "6 00", "1T", "٣", "999999999999999"])
def test_bad_sizes(tmp_path: Path, size: str) -> None:
    run = ngtpatch("sample", "-o", "s.iso", f"--payload={size}", cwd=tmp_path)
    assert run.returncode == 2
    assert run.stderr.count("ngtpatch:") == 1
    assert "Traceback" not in run.stderr
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "arguments", [(), ("-o", "-"), ("-o", "none/s.iso"), ("-o", "."), ("-o", "s.iso", "--era", "4")]
)
def test_usage(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    run = ngtpatch("sample", *arguments, cwd=tmp_path)
    assert run.returncode == 2
    assert "Traceback" not in run.stderr
    assert os.listdir(tmp_path) == []


def test_keeps_and_replaces(tmp_path: Path) -> None:
    assert ngtpatch("sample", "-o", "s.iso", cwd=tmp_path).returncode == 0
    before = (tmp_path / "s.iso").read_bytes()
    run = ngtpatch("sample", "-o", "s.iso", cwd=tmp_path)
    assert (run.returncode, "--force" in run.stderr) == (2, True)
    assert (tmp_path / "s.iso").read_bytes() == before
    assert ngtpatch("sample", "-f", "-o", "s.iso", cwd=tmp_path).returncode == 0
    assert (tmp_path / "s.iso").read_bytes() != before


def test_no_key_is_printed(tmp_path: Path) -> None:
    run = ngtpatch("-vv", "--json", "sample", "-o", "s.iso", cwd=tmp_path)
    with Volume.open(tmp_path / "s.iso") as volume:
        key = volume.tree["config/client-key.pem"].decode().splitlines()
    assert not [line for line in key if line in run.stdout + run.stderr]
