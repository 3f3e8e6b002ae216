# SPDX-License-Identifier: Apache-2.0
"""Distributions that NGT knows by itself: asked of the disc, by every command that takes -d."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.interpreters import interpreter
from tests.program import run
from tests.sample.guests import Guest


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stock") / "ngt.iso"
    assert run("sample", "-o", path).returncode == 0
    return path


def document(*words: object) -> tuple[int, dict[str, Any]]:
    ran = run("--json", *words)
    return ran.returncode, json.loads(ran.stdout)


@pytest.mark.parametrize("name", ["centos", "rhel", "oracle"])
def test_each_known_release_is_judged(vendor: Path, name: str) -> None:
    """Accepted by name, and ended on the tenth release's Python, which has no distutils."""
    _, found = document("support", vendor, "-d", name)
    tenth = [one for one in found["distros"] if one["version"].partition(".")[0] == "10"]
    assert [one["runs"] for one in tenth] == [False]
    assert "distutils" in {one["code"] for one in tenth[0]["hazards"]}
    ninth = [one["runs"] for one in found["distros"] if one["version"].partition(".")[0] == "9"]
    assert ninth
    assert all(ninth)
    versions = [(one["name"], one["version"]) for one in found["distros"]]
    assert len(versions) == len({*versions})
    said = run("support", vendor, "-d", name).stdout
    assert "1 accepted by name, but a hazard that no rebuild for it mends stops" in said


def test_what_was_not_judged_is_said(vendor: Path, tmp_path: Path) -> None:
    """Which Python an Ubuntu has is not known here: its name alone is told to be accepted."""
    said = run("support", vendor, "-d", "ubuntu").stdout
    assert "Every distribution asked for is recognised as it is by its name." in said
    assert "Where the Python is not known (?), hazards were not judged." in said
    output = tmp_path / "out.iso"
    made = run("rebuild", vendor, "-d", "ubuntu", "-o", output)
    assert "by name ('ngtpatch support' tells what may stop it all the same)" in made.stdout
    seen = run("verify", output, "--base", vendor, "-d", "ubuntu")
    assert "not looked at: what else may stop it there; 'ngtpatch support' tells" in seen.stdout


def test_an_agent_is_not_said_to_be_patched_for_whom_no_rebuild_is(vendor: Path) -> None:
    _, found = document("support", vendor, "-d", "oracle")
    sites = [site for one in found["distros"] for site in one["sites"]]
    assert all(site["shipped"] == site["patched"] for site in sites)


@pytest.mark.parametrize("name", ["centos", "rhel", "ubuntu", "oracle"])
def test_verify_asks_the_image(vendor: Path, tmp_path: Path, name: str) -> None:
    output = tmp_path / "out.iso"
    assert run("rebuild", vendor, "-d", f"rocky,{name}", "-o", output).returncode == 0
    code, found = document("verify", output, "--base", vendor, "-d", f"{name},rocky")
    assert (code, found["verdict"]) == (0, "verified")
    assert {name, "rocky"} <= set(found["accepts"])


def test_verify_says_no_where_the_disc_does(vendor: Path, tmp_path: Path) -> None:
    """A disc whose factory does not ask for Ubuntu: known names are no promise about a disc."""
    tree = tmp_path / "tree"
    assert run("rebuild", vendor, "-d", "centos", "--output-tree", tree).returncode == 0
    factory = tree / "installer/linux/src/installer_factory.py"
    text = factory.read_text()
    assert '"ubuntu" in' in text
    factory.write_text(text.replace('"ubuntu" in', '"minix" in'))
    code, found = document("rebuild", tree, "-d", "ubuntu", "-o", tmp_path / "o.iso")
    assert (code, found["error"]["code"]) == (4, "unknown-profile")
    assert run("rebuild", tree, "-d", "rocky", "-o", tmp_path / "o.iso").returncode == 0
    code, found = document("verify", tmp_path / "o.iso", "-d", "ubuntu")
    assert code == 5
    (said,) = [one for one in found["problems"] if one["code"] == "not-accepted"]
    assert "'ubuntu'" in said["message"]
    assert "ubuntu" not in found["accepts"]


def test_packer_gets_a_disc_for_them(vendor: Path, tmp_path: Path) -> None:
    """And one by one: a disc for rhel is not told as one for centos, though the bytes are alike."""
    for name in ("centos", "rhel"):
        code, found = document(
            "packer", "prepare", vendor, "-d", name, "-o", tmp_path / "discs",
            "--variables", tmp_path / "v.auto.pkrvars.json",
        )  # fmt: skip
        assert code == 0
        assert found["profile"] == name
        assert name in found["iso_name"]
        variables = json.loads((tmp_path / "v.auto.pkrvars.json").read_text())
        assert variables["ngt_profile"] == name
        assert Path(variables["ngt_iso_path"]).is_file()


def test_the_report_shows_them(vendor: Path, tmp_path: Path) -> None:
    output, page = tmp_path / "out.iso", tmp_path / "page.html"
    assert run("rebuild", vendor, "-d", "rocky", "-o", output).returncode == 0
    assert "centos stream" not in report(vendor, output, page, "rocky")
    assert "centos stream" in report(vendor, output, page, "centos")


def report(vendor: Path, output: Path, page: Path, name: str) -> str:
    ran = run("report", vendor, output, "-d", name, "-o", page, "-f")
    assert ran.returncode == 0, ran.stderr
    return page.read_text()


def test_who_says_the_id_of_another_is_not_meant(vendor: Path) -> None:
    """Vanilla OS says ID=ubuntu; who asks for ubuntu gets Ubuntu's answer, as from rebuild."""
    code, found = document("support", vendor, "-d", "ubuntu")
    assert code == 0
    names = {one["name"] for one in found["distros"]}
    assert "ubuntu" in names
    assert not any("vanilla" in name for name in names)


@pytest.mark.parametrize(
    ("release", "word"),
    [
        ('NAME="CentOS Linux"\nVERSION_ID="8"\nID="centos"\nID_LIKE="rhel fedora"\n', "centos"),
        ("CentOS release 6.10 (Final)\n", "centos"),
        ('NAME="Red Hat Enterprise Linux"\nVERSION_ID="9.4"\nID="rhel"\n', "rhel"),
        ('NAME="Oracle Linux Server"\nVERSION_ID="8.9"\nID="ol"\n', "oracle"),
        ('NAME="Ubuntu"\nVERSION_ID="22.04"\nID=ubuntu\nID_LIKE=debian\n', "ubuntu"),
    ],
)
def test_auto_asks_the_disc_as_the_name_does(
    vendor: Path, tmp_path: Path, release: str, word: str
) -> None:
    guest = tmp_path / "os-release"
    guest.write_text(release)
    auto = document("rebuild", vendor, "-d", "auto", "--os-release", guest, "-n")
    named = document("rebuild", vendor, "-d", word, "-n")
    assert auto[0] == named[0] == 0
    assert auto[1]["already"] == named[1]["already"] != []
    made = run("rebuild", vendor, "-d", "auto", "--os-release", guest, "-o", tmp_path / "o.iso")
    assert "nothing needed" in made.stdout
    assert (tmp_path / "o.iso").read_bytes() == vendor.read_bytes()


def unaccepted_centos(vendor: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Return a tree of NGT that does not accept CentOS, and the os-release of one."""
    tree = tmp_path / "tree"
    assert run("rebuild", vendor, "-d", "rocky", "--output-tree", tree).returncode == 0
    for path in (*tree.glob("installer/linux/src/*.py"), tree / "installer/linux/uninstall_ngt.py"):
        path.write_text(path.read_text().replace("centos", "someone else"))
    guest = tmp_path / "os-release"
    guest.write_text('NAME="CentOS Linux"\nVERSION_ID="8"\nID="centos"\nID_LIKE="rhel fedora"\n')
    return tree, guest


def test_auto_says_of_a_disc_that_does_not_accept_it_what_the_name_says(
    vendor: Path, tmp_path: Path
) -> None:
    tree, guest = unaccepted_centos(vendor, tmp_path)
    code, auto = document("rebuild", tree, "-d", "auto", "--os-release", guest, "-n")
    named_code, named = document("rebuild", tree, "-d", "centos", "-n")
    assert code == named_code == 4
    assert auto["error"]["code"] == named["error"]["code"] == "unknown-profile"
    # It asks for this guest, and the name asks for all who have it.
    sentence = "there is no profile 'centos', and this NGT is not seen to accept 'centos linux'"
    assert auto["error"]["message"].startswith(sentence)
    assert "'centos linux'" in named["error"]["message"]
    assert auto["error"]["hint"] == named["error"]["hint"]


def test_a_known_name_that_a_disc_does_not_accept_is_not_sent_to_a_profile_there_is_none_of(
    vendor: Path, tmp_path: Path
) -> None:
    """'profile new' makes none for CentOS: neither command may send anybody there."""
    tree, guest = unaccepted_centos(vendor, tmp_path)
    makes_none = run("profile", "new", "--os-release", guest, "-o", tmp_path / "c.toml")
    assert makes_none.stdout.startswith("no new profile is needed")
    hints = set()
    for asked in (("-d", "centos"), ("--os-release", guest)):
        code, found = document("support", tree, *asked)
        assert code == 4
        assert {one["verdict"] for one in found["distros"]} == {"refused"}
        assert {one["refused"]["code"] for one in found["distros"]} == {"unknown-profile"}
        hints |= {one["refused"]["hint"] for one in found["distros"]}
        assert "has no profile yet" not in run("support", tree, *asked).stdout
    code, refused = document("rebuild", tree, "-d", "centos", "-n")
    assert (code, refused["error"]["code"]) == (4, "unknown-profile")
    assert hints == {refused["error"]["hint"]}
    assert "makes no profile; compare this disc with the vendor's" in refused["error"]["hint"]


@pytest.mark.parametrize(
    ("disc", "asked", "code", "said"),
    [
        ("vendor", "support ISO -d rocky", 0, "3 patchable"),
        ("vendor", "verify ISO --base ISO -d rocky", 5, "for what is patchable, rebuild"),
        ("vendor", "verify ISO", 5, "no record: not written by ngtpatch, or grown"),
        ("rebuilt", "support ISO -d rocky", 0, "recognised as it is: no patch is needed."),
        ("rebuilt", "rebuild ISO -d rocky -n", 0, "nothing needed: the installer accepts"),
        ("vendor", "support ISO -d rokcy", 4, "did you mean 'rocky' (Rocky Linux)?"),
        ("vendor", "support ISO -d nosuch", 4, "'ngtpatch profile list' shows them all"),
        ("vendor", "support ISO -d debian", 4, "--os-release FILE --accept debian"),
        ("vendor", "rebuild ISO -d debian -n", 4, "'ngtpatch profile new' makes a profile"),
        ("vendor", "support ISO --os-release acme", 0, "Acme Linux has no profile yet"),
        ("vendor", "rebuild ISO -d auto --os-release acme -n", 4, "make one: ngtpatch profile new"),
    ],
)  # fmt: skip
def test_each_case_has_its_own_sentence(
    vendor: Path, tmp_path: Path, disc: str, asked: str, code: int, said: str
) -> None:
    image, guest = vendor, tmp_path / "acme"
    guest.write_text('NAME="Acme Linux"\nID=acme\nVERSION_ID=9\nID_LIKE="rhel fedora"\n')
    if disc == "rebuilt":
        image = tmp_path / "el.iso"
        assert run("rebuild", vendor, "-d", "rocky", "-o", image).returncode == 0
    words = {"ISO": image, "acme": guest}
    ran = run(*(words.get(word, word) for word in asked.split()))
    assert ran.returncode == code, ran.stderr
    assert said in ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("version", "python", "told", "ends"),
    [
        ("13", "3.13", {"distutils", "version-floor"}, "No module named 'distutils'"),
        ("12", "3.11", {"version-floor"}, "is older than"),
    ],
)
def test_hazards_are_those_of_the_branch_that_a_guest_takes(
    vendor: Path, tmp_path: Path, version: str, python: str, told: set[str], ends: str
) -> None:
    """A Debian is installed by the files for Ubuntu: what stops it there is told, and is run."""
    release = tmp_path / "etc/os-release"
    release.parent.mkdir()
    text = f'NAME="Debian GNU/Linux"\nID=debian\nVERSION_ID="{version}"\n'
    release.write_text(text)
    profile = tmp_path / "profiles/debian.toml"
    profile.parent.mkdir()
    words = ("--os-release", release, "--accept", "debian", "--python", python, "-o", profile)
    assert run("profile", "new", *words).returncode == 0
    asked = ("--profiles", profile.parent, "-d", "debian")
    _, found = document("support", vendor, *asked)
    (row,) = found["distros"]
    assert (row["verdict"], row["runs"]) == ("patchable", False)
    assert {one["code"] for one in row["hazards"] if one["stops"]} == told
    assert all("ubuntu" in one["path"] for one in row["hazards"] if one["stops"])
    tree = tmp_path / "tree"
    assert run("rebuild", vendor, *asked, "--output-tree", tree).returncode == 0
    guest = Guest(release.parent, interpreter(python), tmp_path / "guest")
    ran = guest.run(tree / "installer/linux/install_ngt.py")
    assert ran.code == 1
    assert any(ends in line for line in ran.lines), ran.lines
