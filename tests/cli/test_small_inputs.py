# SPDX-License-Identifier: Apache-2.0
"""Small inputs by a pipe or ``-``: read once, by whoever needs them, before anything is written."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ngtpatch.sample import write_sample
from tests.fleet.park import park

ROCKY = 'NAME="Rocky Linux"\nID="rocky"\nVERSION_ID="9.4"\nPLATFORM_ID="platform:el9"\n'
NGTPATCH = f"{shlex.quote(sys.executable)} -m ngtpatch"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("base") / "ngt.iso"
    write_sample(path)
    return path


def shell(command: str, directory: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        cwd=directory,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    "given", ["- < os-release", "/dev/stdin < os-release", "<(cat os-release)"]
)
def test_an_os_release_by_a_pipe_chooses_as_its_file_does(
    base: Path, tmp_path: Path, given: str
) -> None:
    (tmp_path / "os-release").write_text(ROCKY)
    asked = f"{NGTPATCH} --json support {base} --os-release"
    by_file, by_pipe = shell(f"{asked} os-release", tmp_path), shell(f"{asked} {given}", tmp_path)
    assert by_pipe.returncode == 0, by_pipe.stderr
    rows = json.loads(by_pipe.stdout)["distros"]
    assert rows == json.loads(by_file.stdout)["distros"]
    assert rows[0]["profile"] == "rocky"
    made = shell(f"{NGTPATCH} rebuild {base} -d auto -o o.iso --os-release {given}", tmp_path)
    assert made.returncode == 0, made.stderr


def test_values_by_stdin(tmp_path: Path) -> None:
    told = shell(
        f"""echo '{{"iso": "/srv/ngt.iso"}}' | {NGTPATCH} render guest-install.sh --values -""",
        tmp_path,
    )
    as_file = tmp_path / "values.json"
    as_file.write_text('{"iso": "/srv/ngt.iso"}')
    same = shell(f"{NGTPATCH} render guest-install.sh --values values.json", tmp_path)
    assert (told.returncode, told.stdout) == (same.returncode, same.stdout)


def test_an_identity_by_process_substitution(base: Path, tmp_path: Path) -> None:
    for name in ("ngt_config.json", "client-cert.pem", "client-key.pem"):
        options = "--allow-identity" if "key" in name else ""
        got = shell(f"{NGTPATCH} extract {base} config/{name} -o {name} {options}", tmp_path)
        assert got.returncode == 0, got.stderr
    files = shell(
        f"{NGTPATCH} --json rebuild {base} -d rocky -o a.iso --config ngt_config.json"
        " --cert client-cert.pem --key client-key.pem",
        tmp_path,
    )
    pipes = shell(
        f"{NGTPATCH} --json rebuild {base} -d rocky -o b.iso --config <(cat ngt_config.json)"
        " --cert <(cat client-cert.pem) --key - < client-key.pem",
        tmp_path,
    )
    assert pipes.returncode == files.returncode == 0, pipes.stderr
    assert (tmp_path / "a.iso").read_bytes() == (tmp_path / "b.iso").read_bytes()


def test_a_signing_key_by_a_pipe_and_a_bad_one_leaves_no_image(base: Path, tmp_path: Path) -> None:
    make = f"{NGTPATCH} rebuild {base} -d rocky -o o.iso --sign-key"
    bad = shell(f"echo no key | {make} -", tmp_path)
    assert bad.returncode == 3
    assert list(tmp_path.iterdir()) == []
    signed = shell(
        "openssl genpkey -algorithm ed25519 -out key.pem && openssl pkey -in key.pem -pubout"
        f" -out pub.pem && {make} - < key.pem && {NGTPATCH} verify o.iso --key pub.pem",
        tmp_path,
    )
    assert signed.returncode == 0, signed.stderr
    piped = shell(f"{NGTPATCH} verify o.iso --key - < pub.pem", tmp_path)
    assert "signature   by the key on standard input\n" in piped.stdout
    page = shell(f"{NGTPATCH} report {base} o.iso --key - -o o.html < pub.pem", tmp_path)
    assert page.returncode == 0, page.stderr
    assert "fits the public key on standard input" in (tmp_path / "o.html").read_text()
    other = shell(
        "openssl genpkey -algorithm ed25519 -out other.pem && openssl pkey -in other.pem -pubout"
        f" | {NGTPATCH} verify o.iso --key -",
        tmp_path,
    )
    assert (other.returncode, "was not signed by the key on standard input" in other.stdout) == (
        5,
        True,
    )


def test_an_inventory_by_stdin_has_paths_relative_to_where_one_stands(tmp_path: Path) -> None:
    fleet = park(tmp_path / "park", 2)
    rows = "name,config,cert,key\n" + "".join(
        f"{vm},certificates/{vm}/ngt_config.json,certificates/{vm}/client-cert.pem,"
        f"certificates/{vm}/client-key.pem\n"
        for vm in fleet.material
    )
    done = subprocess.run(
        [
            *(sys.executable, "-m", "ngtpatch", "inject", "base.iso"),
            *("--inventory", "-", "--output-dir", "out"),
        ],
        input=rows,
        cwd=fleet.root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert fleet.wrong() == []


@pytest.mark.parametrize("given", ["- < vms.csv", "- < <(cat vms.csv)", "<(cat vms.csv)"])
@pytest.mark.parametrize("command", ["check", "show"])
def test_an_inventory_that_is_judged_may_come_by_a_pipe(
    tmp_path: Path, command: str, given: str
) -> None:
    fleet = park(tmp_path / "park", 2)
    asked = f"{NGTPATCH} identity {command} --certificates certificates --json"
    by_file = shell(f"{asked} vms.csv", fleet.root)
    by_pipe = shell(f"{asked} {given}", fleet.root)
    assert (by_pipe.returncode, by_pipe.stderr) == (by_file.returncode, by_file.stderr) == (0, "")
    assert json.loads(by_pipe.stdout)["identities"] == json.loads(by_file.stdout)["identities"]
    assert len(json.loads(by_pipe.stdout)["identities"]) == 2


def test_packers_variables_by_a_pipe(base: Path, tmp_path: Path) -> None:
    made = shell(f"{NGTPATCH} packer prepare {base} -d rocky -o build", tmp_path)
    assert made.returncode == 0, made.stderr
    told = shell(f"cat ngtpatch.auto.pkrvars.json | {NGTPATCH} packer verify -", tmp_path)
    assert told.returncode == 0, told.stderr
    assert "as it was prepared" in told.stdout


@pytest.mark.parametrize("template", ["windows-silent.ps1", "install.sh"])
def test_what_was_rendered_is_followed_by_the_next_step(tmp_path: Path, template: str) -> None:
    named = {"install.sh": "guest-install.sh"}.get(template, template)
    told = shell(f"{NGTPATCH} render {named} -o out", tmp_path)
    assert told.returncode == 0, told.stderr
    assert told.stdout.splitlines()[-1].startswith("next     less out  (read it; then ")


def test_two_inputs_cannot_both_be_stdin(base: Path, tmp_path: Path) -> None:
    ran = shell(f"{NGTPATCH} --json rebuild {base} -o o.iso --cert - --key -", tmp_path)
    assert (ran.returncode, json.loads(ran.stdout)["error"]["code"]) == (2, "stdin-twice")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        "inject base.iso --inventory vms.csv --output-dir=\\~nouser/x",
        "inject base.iso --inventory vms.csv --output-dir=\\~/x --resume",
        "inject base.iso --inventory \\~root/vms.csv --output-dir x",
        "rebuild base.iso -d rocky --each --output-dir \\~/x", "sample -o \\~x.iso",
        "profile list --profiles \\~/profiles", "inspect \\~",
    ],
)  # fmt: skip
def test_no_directory_is_made_that_is_called_like_a_home(tmp_path: Path, words: str) -> None:
    told = shell(f"{NGTPATCH} --json {words}", tmp_path)
    assert (told.returncode, json.loads(told.stdout)["error"]["code"]) == (2, "tilde")
    assert list(tmp_path.iterdir()) == []


def test_a_file_whose_name_begins_like_a_home_is_named_as_a_path(tmp_path: Path) -> None:
    assert shell(f"{NGTPATCH} sample -o ./~x.iso", tmp_path).returncode == 0
    made = shell(f"{NGTPATCH} rebuild ./~x.iso -d rocky -o ./~y.iso", tmp_path)
    assert "ngtpatch verify './~y.iso' --base './~x.iso'" in made.stdout
    assert shell(f"{NGTPATCH} verify ./~y.iso", tmp_path).returncode == 0


@pytest.mark.parametrize("empty", ["cert", "key", "ca-cert"])
@pytest.mark.parametrize("data", ["", "\n"])
def test_an_empty_part_of_an_identity_is_refused_and_not_taken_for_none(
    base: Path, tmp_path: Path, empty: str, data: str
) -> None:
    told = subprocess.run(
        [*shlex.split(f"{NGTPATCH} rebuild {base} -d rocky -o o.iso --{empty}"), "-"],
        input=data, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode in (3, 4), told.stdout
    assert "standard input: is empty" in told.stderr
    assert list(tmp_path.iterdir()) == []


def test_another_vms_configuration_with_empty_files_gets_no_pair_of_the_base(
    base: Path, tmp_path: Path
) -> None:
    shell(f"{NGTPATCH} extract {base} config/ngt_config.json -o old.json", tmp_path)
    config = json.loads((tmp_path / "old.json").read_text())
    config["ngt_uuid"] = "11111111-2222-4333-8444-555555555555"
    (tmp_path / "new.json").write_text(json.dumps(config))
    (tmp_path / "empty").touch()
    (tmp_path / "vms.csv").write_text("name,config,cert,key\nvm1,new.json,empty,empty\n")
    one = shell(
        f"{NGTPATCH} rebuild {base} -d rocky -o o.iso --config new.json --cert empty --key empty",
        tmp_path,
    )
    assert (one.returncode, (tmp_path / "o.iso").exists()) == (4, False), one.stderr
    fleet = shell(f"{NGTPATCH} inject {base} --inventory vms.csv --output-dir out", tmp_path)
    assert (fleet.returncode, (tmp_path / "out/vm1.iso").exists()) == (6, False), fleet.stderr
    assert "empty: is empty: no certificate" in fleet.stderr


def test_an_os_release_behind_a_byte_order_mark_says_so(base: Path, tmp_path: Path) -> None:
    (tmp_path / "os-release").write_bytes(b"\xef\xbb\xbfID=rocky\n" + ROCKY.encode())
    told = shell(f"{NGTPATCH} support {base} --os-release - < os-release", tmp_path)
    assert told.returncode == 3
    assert "starts with a byte order mark" in told.stderr
    assert "save it as UTF-8 without BOM" in told.stderr


def test_what_is_too_large_or_empty_is_named_as_that(base: Path, tmp_path: Path) -> None:
    large = f"head -c 70000 /dev/zero | {NGTPATCH} support {base} --os-release -"
    assert "the most that an os-release file may have" in shell(large, tmp_path).stderr
    empty = shell(f"{NGTPATCH} status - < /dev/null", tmp_path)
    assert (empty.returncode, "is empty: it reports no VM" in empty.stderr) == (3, True)
    # Such as where the command before the pipe failed, or standard input is closed.
    for given in ("< /dev/null", "<&-"):
        nothing = shell(f"{NGTPATCH} support {base} --os-release - {given}", tmp_path)
        assert nothing.returncode == 3
        assert "standard input: is empty: it says nothing of the guest" in nothing.stderr


@pytest.mark.parametrize("words", ["-d rocky, almalinux {}", "{} -d rocky ,almalinux"])
def test_a_blank_beside_a_comma_is_named(base: Path, tmp_path: Path, words: str) -> None:
    told = shell(f"{NGTPATCH} rebuild {words.format(base)} -o o.iso", tmp_path)
    assert told.returncode == 2
    assert "a list has no blank beside its commas" in " ".join(told.stderr.split())
    other = shell(f"{NGTPATCH} rebuild {base} one two -d rocky -o o.iso", tmp_path)
    assert "comma" not in other.stderr


def test_what_needed_nothing_is_followed_by_a_verify_that_works(base: Path, tmp_path: Path) -> None:
    made = shell(f"{NGTPATCH} rebuild {base} -d rhel -o 'o 1.iso'", tmp_path)
    (follows,) = (line for line in made.stdout.splitlines() if line.startswith("next"))
    assert follows.split()[-2:] == ["-d", "rhel"]
    pasted = follows.removeprefix("next").strip().replace("ngtpatch", NGTPATCH, 1)
    seen = shell(pasted, tmp_path)
    assert (seen.returncode, seen.stdout.splitlines()[-1]) == (0, "identical")
    # Without another file and without a record nothing could be held against anything.
    again = shell(f"{NGTPATCH} rebuild 'o 1.iso' -d rhel --in-place", tmp_path)
    assert (again.returncode, "next" in again.stdout) == (0, False)


def test_what_inject_and_a_fleets_page_suggest_takes_no_directory_for_an_option(
    tmp_path: Path,
) -> None:
    fleet = park(tmp_path / "park", 1)
    words = "inject base.iso --inventory vms.csv --certificates certificates --output-dir=-out"
    made = shell(f"{NGTPATCH} {words}", fleet.root)
    assert "ngtpatch identity check ./-out" in made.stdout + made.stderr
    told = shell(f"{NGTPATCH} report -o page.html -- -out/ledger.jsonl", fleet.root)
    assert told.returncode == 0, told.stderr
    assert "ngtpatch reset ./-out/" in (fleet.root / "page.html").read_text()
