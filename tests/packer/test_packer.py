# SPDX-License-Identifier: Apache-2.0
"""prepare, hook and verify: one ISO for many builds, that is nobody's and says what it is."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ngtpatch.errors import InputError, Refusal, UsageError
from ngtpatch.flow.inspect import inspect
from ngtpatch.flow.opened import open_source
from ngtpatch.flow.rebuild import rebuild
from ngtpatch.packer import (
    HookRequest,
    PackerContext,
    hook,
    prepare,
    run_hook,
    verify,
    write_variables,
)
from ngtpatch.packer.preparing import CACHE_AGE
from ngtpatch.sample import write_sample
from tests.program import run
from tests.render.tools import Ran, ngtpatch


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ISO that refuses Rocky, as the cluster made it for one VM."""
    path = tmp_path_factory.mktemp("vendor") / "ngt.iso"
    write_sample(path, era=2)
    return path


@pytest.fixture(scope="module")
def accepting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ISO that accepts Rocky already, and is nobody's."""
    directory = tmp_path_factory.mktemp("accepting")
    write_sample(directory / "one-vm.iso", era=3)
    shared = directory / "ngt.iso"
    from ngtpatch.flow.changes import IdentityRequest

    rebuild(directory / "one-vm.iso", output=shared, identity=IdentityRequest(strip=True))
    return shared


def sha256(path: Path | str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def test_the_name_says_what_it_is_and_nothing_else_has_it(vendor: Path, tmp_path: Path) -> None:
    result = prepare(vendor, distros=["rocky", "almalinux"], output=tmp_path)
    assert re.fullmatch(r"ngt-2\.0\.1-rocky-almalinux-[0-9a-f]{12}\.iso", result.iso_name)
    assert result.iso_sha256 == sha256(result.iso_path)
    assert result.iso_name.endswith(f"-{result.iso_sha256[:12]}.iso")
    assert Path(result.iso_path) == (tmp_path / result.iso_name).resolve()


def test_many_profiles_make_no_endless_name(vendor: Path, tmp_path: Path) -> None:
    result = prepare(vendor, distros=["all"], output=tmp_path)
    assert len(result.iso_name) < 60
    assert "-more-" in result.iso_name
    variables = tmp_path / "variables.json"
    write_variables(result, variables)
    assert "rocky" in result.profile.split("+")
    assert verify(variables).ok


def key_lines(iso: Path) -> list[bytes]:
    content = iso.read_bytes()
    start = content.index(b"-----BEGIN PRIVATE KEY-----")
    end = content.index(b"-----END PRIVATE KEY-----", start)
    return content[start:end].split(b"\n")[1:-1]


def test_a_shared_image_has_nobody_s_identity_and_no_byte_of_a_key(
    vendor: Path, tmp_path: Path
) -> None:
    result = prepare(vendor, distros=["rocky"], output=tmp_path, cache_dir=tmp_path / "cache")
    assert not result.carries_identity
    assert not inspect(result.iso_path).identity.present
    assert inspect(result.iso_path).ngt.version == "2.0.1"
    secrets = key_lines(vendor)
    assert len(secrets) > 10
    for path in tmp_path.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not any(line in content for line in secrets), path


def test_identity_stays_only_when_asked_by_name_and_never_enters_the_cache(
    vendor: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    result = prepare(
        vendor, distros=["rocky"], output=tmp_path, cache_dir=cache, keep_identity=True
    )
    assert result.carries_identity
    assert Path(result.iso_path).stat().st_mode & 0o077 == 0
    assert not cache.exists()


def test_a_vm_s_identity_can_be_put_in_and_never_enters_the_cache(
    vendor: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.iso"
    made = write_sample(other, era=2)
    folder = tmp_path / "vm"
    folder.mkdir()
    with open_source(other) as source:
        for name in ("ngt_config.json", "client-cert.pem", "client-key.pem"):
            (folder / name).write_bytes(source.tree[f"config/{name}"])
            (folder / name).chmod(0o600)
    cache = tmp_path / "cache"
    result = prepare(
        vendor, distros=["rocky"], output=tmp_path / "out", vm_config=folder, cache_dir=cache
    )
    assert result.carries_identity
    assert inspect(result.iso_path).identity.ngt_uuid == made.ngt_uuid
    assert Path(result.iso_path).stat().st_mode & 0o077 == 0
    assert not cache.exists()
    # A configuration alone would stand beside another VM's key.
    with pytest.raises(Refusal):
        prepare(
            vendor, distros=["rocky"], output=tmp_path, vm_config=folder / "ngt_config.json"
        )  # fmt: skip


def test_a_vm_s_identity_that_is_not_there_or_not_alone_is_refused(
    vendor: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError):
        prepare(vendor, distros=["rocky"], vm_config=tmp_path, keep_identity=True)
    with pytest.raises(InputError):
        prepare(vendor, distros=["rocky"], output=tmp_path / "out", vm_config=tmp_path)


def test_what_already_accepts_is_passed_on_and_said(accepting: Path, tmp_path: Path) -> None:
    result = prepare(accepting, distros=["rocky"], output=tmp_path)
    assert result.as_shipped
    assert result.changed == ()
    assert sha256(result.iso_path) == sha256(accepting)
    assert any("the vendor's ISO is passed on" in notice for notice in result.notices)


def test_a_second_call_reuses_the_output(vendor: Path, tmp_path: Path) -> None:
    first = prepare(vendor, distros=["rocky"], output=tmp_path)
    stamp = Path(first.iso_path).stat().st_mtime_ns
    again = prepare(vendor, distros=["rocky"], output=tmp_path)
    assert (first.origin, again.origin) == ("built", "output")
    assert Path(again.iso_path).stat().st_mtime_ns == stamp
    assert again.changed == first.changed


def test_another_output_takes_it_from_the_cache(vendor: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = prepare(vendor, distros=["rocky"], output=tmp_path / "a", cache_dir=cache)
    other = prepare(vendor, distros=["rocky"], output=tmp_path / "b", cache_dir=cache)
    assert (first.origin, other.origin) == ("built", "cache")
    assert sha256(other.iso_path) == first.iso_sha256


@pytest.mark.parametrize("change", ["profile", "source", "epoch", "patch", "strip"])
def test_the_cache_is_keyed_by_all_that_decides(
    vendor: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    options: dict[str, Any] = {"distros": ["rocky"], "cache_dir": tmp_path / "cache"}
    prepare(vendor, output=tmp_path / "a", **options)
    source = vendor
    if change == "profile":
        options["distros"] = ["almalinux"]
    elif change == "source":
        source = tmp_path / "other.iso"
        write_sample(source, era=2)
    elif change == "epoch":
        monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    elif change == "strip":
        options["keep_identity"] = True
    else:
        from ngtpatch.files.shipped import data_dir

        patches = tmp_path / "patches"
        patches.mkdir()
        shipped = next(iter(sorted(data_dir("patches").glob("*.toml"))))
        (patches / shipped.name).write_text(shipped.read_text() + "\n# another\n")
        options["patch_dirs"] = [patches]
    assert prepare(source, output=tmp_path / "b", **options).origin == "built"


def truncate(image: Path, _note: Path) -> None:
    image.write_bytes(image.read_bytes()[:-2048])


def flip(image: Path, _note: Path) -> None:
    content = bytearray(image.read_bytes())
    content[50_000] ^= 1
    image.write_bytes(content)


def lead_out(_image: Path, note: Path) -> None:
    body = json.loads(note.read_text())
    note.write_text(json.dumps({**body, "name": "../../etc/passwd"}))


def expire(_image: Path, note: Path) -> None:
    long_ago = time.time() - CACHE_AGE.total_seconds() - 60
    os.utime(note, (long_ago, long_ago))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (truncate, "is damaged"),
        (flip, "is damaged"),
        (lambda image, note: image.unlink(), "is gone"),
        (lambda image, note: note.write_text("{"), "note is damaged"),
        (lambda image, note: note.write_text("[]"), "note is damaged"),
        (lambda image, note: note.write_text('{"schema": "x"}'), "another format"),
        (lead_out, "note is damaged"),
        (expire, "has expired, being 30 days old"),
    ],
)
def test_a_stale_or_damaged_entry_is_built_again_and_said(
    vendor: Path, tmp_path: Path, spoil: Callable[[Path, Path], object], says: str
) -> None:
    cache = tmp_path / "cache"
    first = prepare(vendor, distros=["rocky"], output=tmp_path / "a", cache_dir=cache)
    [image], [note] = cache.glob("*.iso"), cache.glob(".ngtpatch-*.json")
    spoil(image, note)
    again = prepare(vendor, distros=["rocky"], output=tmp_path / "b", cache_dir=cache)
    assert again.origin == "built"
    assert any(says in notice for notice in again.notices)
    assert sha256(again.iso_path) == first.iso_sha256
    third = prepare(vendor, distros=["rocky"], output=tmp_path / "c", cache_dir=cache)
    assert third.origin == "cache"


def test_a_damaged_output_is_built_again(vendor: Path, tmp_path: Path) -> None:
    first = prepare(vendor, distros=["rocky"], output=tmp_path)
    flip(Path(first.iso_path), Path())
    assert prepare(vendor, distros=["rocky"], output=tmp_path).origin == "built"
    assert sha256(first.iso_path) == first.iso_sha256


def test_a_named_output_is_replaced_when_it_is_ours_and_kept_when_not(
    vendor: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "disc.iso"
    prepare(vendor, distros=["rocky"], output=mine)
    prepare(vendor, distros=["almalinux"], output=mine)
    theirs = tmp_path / "theirs.iso"
    theirs.write_bytes(b"precious")
    with pytest.raises(UsageError, match="exists already"):
        prepare(vendor, distros=["rocky"], output=theirs)
    assert theirs.read_bytes() == b"precious"


def test_the_source_is_never_the_output(vendor: Path) -> None:
    before = sha256(vendor)
    with pytest.raises(UsageError):
        prepare(vendor, distros=["rocky"], output=vendor)
    assert sha256(vendor) == before


@pytest.mark.parametrize("output", ["shared", "shared/disc.iso"])
def test_parallel_sources_on_one_output_build_once(
    vendor: Path, tmp_path: Path, output: str
) -> None:
    script = (
        "import sys; from ngtpatch.packer import prepare; "
        "r = prepare(sys.argv[1], distros=['rocky'], output=sys.argv[2]); "
        "print(r.origin, r.iso_sha256)"
    )
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", script, vendor, tmp_path / output],
            stdout=subprocess.PIPE, text=True,
        )
        for _ in range(5)
    ]  # fmt: skip
    printed = sorted(run.communicate()[0].split()[0:2] for run in runs)
    assert [origin for origin, _ in printed] == ["built", *["output"] * 4]
    assert len({digest for _, digest in printed}) == 1
    assert len(list((tmp_path / "shared").glob("*.iso"))) == 1


def test_two_runs_give_the_same_iso(vendor: Path, tmp_path: Path) -> None:
    first, second = (
        prepare(vendor, distros=["rocky"], output=tmp_path / name).iso_sha256 for name in "ab"
    )
    assert first == second


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"distros": ["rocki"]}, Refusal),
        ({"distros": []}, UsageError),
    ],
)
def test_what_cannot_be_made_leaves_nothing(
    vendor: Path, tmp_path: Path, options: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        prepare(vendor, output=tmp_path / "out", **{"distros": ["rocky"], **options})
    left = list((tmp_path / "out").glob("*")) if (tmp_path / "out").exists() else []
    assert left == []


def test_a_source_that_is_no_iso_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.iso").write_bytes(b"no iso" * 10_000)
    for source in (tmp_path / "x.iso", tmp_path / "nowhere.iso", tmp_path):
        with pytest.raises(InputError):
            prepare(source, distros=["rocky"], output=tmp_path / "out")
    assert [path.suffix for path in (tmp_path / "out").iterdir()] in ([".lock"], [])


ENVIRONMENT = {"NGTPATCH_DISTRO": "rocky, almalinux", "PACKER_BUILD_NAME": "golden"}


def test_a_hook_takes_its_request_from_the_environment(vendor: Path, tmp_path: Path) -> None:
    environment = {
        **ENVIRONMENT,
        "NGTPATCH_ISO": str(vendor),
        "NGTPATCH_OUTPUT": str(tmp_path),
        "NGTPATCH_RESULT": str(tmp_path / "result.json"),
        "NGTPATCH_CACHE_DIR": str(tmp_path / "cache"),
        "PACKER_BUILDER_TYPE": "null",
    }
    request = HookRequest.from_env(environment)
    assert request.distros == ("rocky", "almalinux")
    assert request.cache_dir == tmp_path / "cache"
    result = run_hook(request, PackerContext.from_env(environment))
    assert result.build == PackerContext("golden", "null", None)
    written = json.loads((tmp_path / "result.json").read_text())
    assert written["schema"] == "ngtpatch.packer-hook/1"
    assert written["build"]["build_name"] == "golden"
    assert written["prepared"]["iso_sha256"] == sha256(result.prepared.iso_path)


def test_a_hook_without_its_variables_lists_all_that_are_missing() -> None:
    with pytest.raises(UsageError) as caught:
        HookRequest.from_env({"NGTPATCH_DISTRO": " , "})
    for name in ("NGTPATCH_ISO", "NGTPATCH_DISTRO", "NGTPATCH_OUTPUT"):
        assert name in caught.value.message
    with pytest.raises(UsageError, match="NGTPATCH_ISO is not set"):
        HookRequest.from_env({"NGTPATCH_DISTRO": "rocky", "NGTPATCH_OUTPUT": "x"})


def run_inline(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the two lines of an inline_shebang provisioner."""
    return subprocess.run(
        [sys.executable, "-c", "from ngtpatch import packer\npacker.hook()\n"],
        env={
            **{k: v for k, v in os.environ.items() if not k.startswith("NGTPATCH_")},
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_hook_fails_with_one_message_and_the_error_s_exit_code(tmp_path: Path) -> None:
    result = run_inline({})
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert "NGTPATCH_ISO, NGTPATCH_DISTRO, NGTPATCH_OUTPUT are not set" in result.stderr
    broken = tmp_path / "broken.iso"
    broken.write_bytes(b"x" * 100_000)
    answer = tmp_path / "result.json"
    result = run_inline(
        {
            "NGTPATCH_ISO": str(broken),
            "NGTPATCH_DISTRO": "rocky",
            "NGTPATCH_OUTPUT": str(tmp_path / "out"),
            "NGTPATCH_RESULT": str(answer),
        }
    )
    assert result.returncode == 3
    assert "Traceback" not in result.stderr
    assert str(broken) in result.stderr
    assert json.loads(answer.read_text())["error"]["code"]


def test_a_hook_that_cannot_write_its_result_says_so_before_it_builds(
    vendor: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    result = run_inline(
        {
            "NGTPATCH_ISO": str(vendor),
            "NGTPATCH_DISTRO": "rocky",
            "NGTPATCH_OUTPUT": str(tmp_path / "out"),
            "NGTPATCH_RESULT": str(tmp_path / "file" / "result.json"),
        }
    )
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) <= 2
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_hook_prints_nothing_raw_and_no_defect_as_a_traceback(tmp_path: Path) -> None:
    hostile = f"{tmp_path}/\x1b]0;owned\x07\nngtpatch: done.iso"
    result = run_inline(
        {"NGTPATCH_ISO": hostile, "NGTPATCH_DISTRO": "rocky", "NGTPATCH_OUTPUT": str(tmp_path)}
    )
    assert result.returncode == 3
    assert "\x1b" not in result.stderr
    assert "\\x1b" in result.stderr
    assert not any(line.startswith("ngtpatch: done") for line in result.stderr.splitlines())
    program = (
        "import ngtpatch.packer.hooking as h\n"
        "def broken(*a, **k): raise ZeroDivisionError('\\x1b[31m')\n"
        "h.prepare = broken\n"
        "h.hook({'NGTPATCH_ISO': 'a', 'NGTPATCH_DISTRO': 'b', 'NGTPATCH_OUTPUT': 'c'})\n"
    )
    broken = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert broken.returncode == 1
    assert broken.stderr.startswith("ngtpatch: ZeroDivisionError: \\x1b[31m\n")


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_a_hook_that_is_told_to_end_does_so(
    vendor: Path, tmp_path: Path, number: signal.Signals
) -> None:
    program = (
        "import os, signal, ngtpatch.packer.hooking as h\n"
        f"signal.signal({int(number)}, signal.SIG_DFL)\n"
        f"h.prepare = lambda *a, **k: os.kill(os.getpid(), {int(number)})\n"
        "h.hook({'NGTPATCH_ISO': 'a', 'NGTPATCH_DISTRO': 'b', 'NGTPATCH_OUTPUT': 'c'})\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (
        130, "ngtpatch: interrupted: nothing was left half-written\n",
    )  # fmt: skip


def test_a_hook_says_where_the_iso_is(vendor: Path, tmp_path: Path) -> None:
    result = run_inline(
        {
            "NGTPATCH_ISO": str(vendor),
            "NGTPATCH_DISTRO": "rocky",
            "NGTPATCH_OUTPUT": str(tmp_path),
        }
    )
    assert result.returncode == 0
    assert re.search(r"ngt-2\.0\.1-rocky-[0-9a-f]{12}\.iso \(built\)", result.stdout)


def test_hook_returns_its_result_to_a_caller(vendor: Path, tmp_path: Path) -> None:
    environment = {
        "NGTPATCH_ISO": str(vendor), "NGTPATCH_DISTRO": "rocky", "NGTPATCH_OUTPUT": str(tmp_path)
    }  # fmt: skip
    assert hook(environment).prepared.origin == "built"


@pytest.fixture
def prepared(vendor: Path, tmp_path: Path) -> Path:
    """The variables of a prepared ISO."""
    path = tmp_path / "ngtpatch.auto.pkrvars.json"
    write_variables(prepare(vendor, distros=["rocky"], output=tmp_path / "iso"), path)
    return path


def test_what_was_prepared_verifies(prepared: Path, vendor: Path) -> None:
    result = verify(prepared, base=vendor)
    assert result.ok, result.problems


def test_variables_hold_path_name_digest_and_profile(prepared: Path) -> None:
    values = json.loads(prepared.read_text())
    assert set(values) == {"ngt_iso_path", "ngt_iso_name", "ngt_iso_sha256", "ngt_profile"}
    assert Path(values["ngt_iso_path"]).is_absolute()
    assert values["ngt_profile"] == "rocky"


def test_verify_says_everything_that_is_wrong(prepared: Path, vendor: Path, tmp_path: Path) -> None:
    values = json.loads(prepared.read_text())
    values["ngt_iso_path"] = str(vendor)
    prepared.write_text(json.dumps(values))
    problems = "\n".join(verify(prepared).problems)
    assert "was prepared" in problems
    assert "it is called ngt.iso" in problems
    assert "carries a VM's identity" in problems
    assert "its installer does not accept Rocky Linux" in problems
    values["ngt_iso_path"] = str(tmp_path / "gone.iso")
    prepared.write_text(json.dumps(values))
    assert verify(prepared).problems == ("it is not there: run ngtpatch packer prepare",)


@pytest.mark.parametrize("content", [None, "{", "[]", "{}", '{"ngt_iso_path": 1}'])
def test_variables_that_are_none_are_refused(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "vars.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError) as caught:
        verify(path)
    assert caught.value.path == str(path)


def cli(*arguments: object, **environment: str) -> Ran:
    return ngtpatch("packer", *arguments, **environment)


def test_the_commands_do_the_same(vendor: Path, tmp_path: Path) -> None:
    variables = tmp_path / "v.auto.pkrvars.json"
    made = cli(
        "prepare", vendor, "-d", "rocky", "-o", tmp_path, "--variables", variables,
        "--provenance", "--json",
    )  # fmt: skip
    assert made.exit_code == 0, made.stderr
    document = json.loads(made.stdout)
    assert document["schema"] == "ngtpatch.packer-prepare/1"
    iso = Path(document["iso_path"])
    assert iso.with_name(iso.name + ".intoto.jsonl").is_file()
    assert cli("verify", variables, "--base", vendor).exit_code == 0
    flip(iso, Path())
    spoilt = cli("verify", variables)
    assert spoilt.exit_code == 5
    assert "was prepared" in spoilt.stdout


def test_the_hook_command_takes_the_environment(vendor: Path, tmp_path: Path) -> None:
    result = cli(
        "hook", "--json",
        NGTPATCH_ISO=str(vendor), NGTPATCH_DISTRO="rocky", NGTPATCH_OUTPUT=str(tmp_path),
    )  # fmt: skip
    assert json.loads(result.stdout)["prepared"]["profile"] == "rocky"
    missing = cli("hook")
    assert missing.exit_code == 2
    assert "NGTPATCH_ISO, NGTPATCH_DISTRO, NGTPATCH_OUTPUT are not set" in missing.stderr


def test_prepare_without_a_distribution_is_a_usage_error(vendor: Path) -> None:
    assert cli("prepare", vendor).exit_code == 2


def test_prepare_takes_several_distributions_from_the_environment(
    vendor: Path, tmp_path: Path
) -> None:
    result = cli(
        "prepare", vendor, "-o", tmp_path, "--variables", tmp_path / "v.json", "--json",
        NGTPATCH_DISTRO="rocky,almalinux",
    )  # fmt: skip
    assert json.loads(result.stdout)["profile"] == "rocky+almalinux"


def test_names_are_given_to_prepare_as_to_other_commands(tmp_path: Path) -> None:
    """By commas, by repeating the option, and by the variable; the help says so."""
    assert run("sample", "-o", tmp_path / "ngt.iso").returncode == 0
    told = " ".join(run("packer", "prepare", "--help").stdout.split())
    assert "several by commas, or by repeating it" in told
    words = ("--json", "packer", "prepare", tmp_path / "ngt.iso", "-n", "-o", tmp_path / "b")
    by_option = [("-d", "rocky,almalinux"), ("-d", "rocky", "-d", "almalinux")]
    ran = [run(*words, *names, cwd=tmp_path) for names in by_option]
    for names in ("rocky,almalinux", "rocky, almalinux"):
        variables = {**os.environ, "NGTPATCH_DISTRO": names}
        ran.append(run(*words, env=variables, cwd=tmp_path))
    assert {json.loads(one.stdout)["profile"] for one in ran} == {"rocky+almalinux"}
    blank = run(*words, "-d", "rocky,", "almalinux", cwd=tmp_path)
    assert (blank.returncode, "a list has no blank" in blank.stdout) == (2, True)
    empty = run(*words, "-d", ",", cwd=tmp_path)
    assert (empty.returncode, "the name is empty" in empty.stdout) == (2, True)
