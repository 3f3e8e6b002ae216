# SPDX-License-Identifier: Apache-2.0
"""One VM's identity on an image: put in, taken out, and never left behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import ngtpatch
from ngtpatch.flow.changes import IdentityRequest
from ngtpatch.flow.opened import open_source
from ngtpatch.sample import write_sample
from tests.flow.conftest import Pairs, run

CONFIG, CERTIFICATE, KEY = (
    f"config/{name}" for name in ("ngt_config.json", "client-cert.pem", "client-key.pem")
)


@pytest.fixture(scope="module")
def vm(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Another VM's material, as files."""
    directory = tmp_path_factory.mktemp("vm")
    write_sample(directory / "other.iso", era=2)
    with open_source(directory / "other.iso") as source:
        files = {path: directory / Path(path).name for path in (CONFIG, CERTIFICATE, KEY)}
        for path, file in files.items():
            file.touch(mode=0o600)
            file.write_bytes(source.tree[path])
    return files


def request(vm: dict[str, Path]) -> IdentityRequest:
    return IdentityRequest(config=vm[CONFIG], certificate=vm[CERTIFICATE], key=vm[KEY])


def windows(secret: bytes, other: bytes = b"") -> Iterator[bytes]:
    """Every 16 bytes of a key that are not in *other*: how keys begin and end is everybody's."""
    for start in range(len(secret) - 15):
        window = secret[start : start + 16]
        if window not in other and b"-----" not in window:
            yield window


def assert_no_trace(image: Path, secret: bytes, other: bytes = b"") -> None:
    data = image.read_bytes()
    searched = list(windows(secret, other))
    assert len(searched) > 1500
    assert not any(window in data for window in searched)


def material(image: Path) -> dict[str, bytes]:
    with open_source(image) as source:
        return {path: source.tree[path] for path in (CONFIG, CERTIFICATE, KEY)}


def test_injected_identity_replaces_and_scrubs(
    pairs: Pairs, vm: dict[str, Path], tmp_path: Path
) -> None:
    base, output = pairs(2).base, tmp_path / "vm.iso"
    result = ngtpatch.rebuild(base, distros=["rocky"], output=output, identity=request(vm))
    assert result.carries_identity
    assert output.stat().st_mode & 0o777 == 0o600
    assert material(output) == {path: file.read_bytes() for path, file in vm.items()}
    assert_no_trace(output, material(base)[KEY], vm[KEY].read_bytes())
    assert ngtpatch.verify(output, base=base).ok


def test_a_stripped_image_has_no_trace_and_can_be_given_an_identity(
    pairs: Pairs, vm: dict[str, Path], tmp_path: Path
) -> None:
    base, shared, output = pairs(2).base, tmp_path / "shared.iso", tmp_path / "vm.iso"
    ran = run("--json", "rebuild", base, "-d", "rocky", "--strip-identity", "-o", shared)
    assert ran.code == 0, ran.err
    assert ran.document["carries_identity"] is False
    # What is left about the agent says nothing of identity.
    assert [one for one in ran.document["notices"] if "ngt_guest_agent.tar.gz!" not in one] == []
    assert_no_trace(shared, material(base)[KEY])
    found = ngtpatch.inspect(shared)
    assert not found.identity.present
    assert found.ngt.version == "2.0.1"
    assert ngtpatch.verify(shared, base=base).ok
    ngtpatch.rebuild(shared, output=output, identity=request(vm))
    assert material(output) == {path: file.read_bytes() for path, file in vm.items()}
    assert ngtpatch.verify(output, base=base).ok


def test_reserved_room_takes_any_identity_in_place(
    pairs: Pairs, vm: dict[str, Path], tmp_path: Path
) -> None:
    base, room, output = pairs(2).base, tmp_path / "room.iso", tmp_path / "vm.iso"
    ran = run("rebuild", base, "--strip-identity", "--reserve", "8K", "-o", room)
    assert ran.code == 0, ran.err
    assert_no_trace(room, material(base)[KEY])
    ngtpatch.rebuild(room, output=output, identity=request(vm))
    with open_source(room) as before, open_source(output) as after:
        assert before.volume is not None
        assert after.volume is not None
        for path in (CONFIG, CERTIFICATE, KEY):
            places = [
                opened.volume.entries("rock_ridge")[path].extents[0][0]
                for opened in (before, after)
                if opened.volume is not None and opened.volume.entries("rock_ridge")[path].extents
            ]
            assert len(set(places)) == 1
    assert ngtpatch.verify(output, base=base).ok


def test_reset_needs_the_base_once_identity_was_scrubbed(
    pairs: Pairs, vm: dict[str, Path], tmp_path: Path
) -> None:
    base, output, again = pairs(2).base, tmp_path / "vm.iso", tmp_path / "again.iso"
    ngtpatch.rebuild(base, distros=["rocky"], output=output, identity=request(vm))
    ran = run("--json", "reset", output, "-o", again)
    assert (ran.code, ran.document["error"]["code"]) == (4, "identity-scrubbed")
    assert "--base" in ran.document["error"]["hint"]
    assert not again.exists()
    assert ngtpatch.reset(output, again, base=base).verified
    assert again.read_bytes() == base.read_bytes()


def test_no_key_is_ever_said(pairs: Pairs, vm: dict[str, Path], tmp_path: Path) -> None:
    base, output = pairs(2).base, tmp_path / "vm.iso"
    given = ("--config", vm[CONFIG], "--cert", vm[CERTIFICATE], "--key", vm[KEY])
    said = [run("rebuild", base, "-d", "rocky", *given, "-o", output, "-vv")]
    said += [run("rebuild", base, "-d", "rocky", *given, "-n", "--json")]
    said += [run("inspect", output, "--json"), run("diff", base, output), run("verify", output)]
    said += [run("extract", output, KEY), run("ls", output)]
    said += [run("extract", output, KEY, "--allow-identity"), run("extract", output, KEY, "--json")]
    for ran in said:
        for secret in (vm[KEY].read_bytes(), material(base)[KEY]):
            assert not any(window.decode() in ran.out + ran.err for window in windows(secret))
    assert {ran.code for ran in said[-2:]} == {4}
    refused = run("--json", "extract", output, KEY, "-o", tmp_path / "key")
    assert (refused.code, refused.document["error"]["code"]) == (4, "secret")
    assert not (tmp_path / "key").exists()
    assert run("extract", output, KEY, "-o", tmp_path / "key", "--allow-identity").code == 0
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_half_an_identity_is_refused(pairs: Pairs, vm: dict[str, Path], tmp_path: Path) -> None:
    ran = run("--json", "rebuild", pairs(2).base, "--key", vm[KEY], "-o", tmp_path / "vm.iso")
    assert ran.code == 4
    assert list(tmp_path.iterdir()) == []
    ran = run(
        *("--json", "rebuild", pairs(2).base, "--strip-identity", "--key", vm[KEY]),
        *("-o", tmp_path / "vm.iso"),
    )
    assert (ran.code, ran.document["error"]["code"]) == (2, "strip-and-inject")
