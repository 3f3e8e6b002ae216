# SPDX-License-Identifier: Apache-2.0
"""``support``, ``profile`` and ``patch`` as scripts and people meet them."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from ngtpatch.cli.app import app
from ngtpatch.patching.profile import load_profiles
from ngtpatch.sample import write_sample
from tests.sample.guests import DISTROS
from tests.told import InProcess

STRANGER = """\
NAME="Acme Enterprise Linux"
ID=acme
ID_LIKE="rhel centos fedora"
VERSION_ID="9.10"
PLATFORM_ID="platform:el9"
"""

AGENT = "installer/linux/src/ngt_guest_agent.tar.gz"


def ngtpatch(*arguments: object) -> Result:
    return InProcess().invoke(app, [str(one) for one in arguments])


def document(*arguments: object) -> dict[str, Any]:
    result = ngtpatch("--json", *arguments)
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def os_release(directory: str) -> Path:
    return DISTROS / directory / "etc" / "os-release"


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    directory = tmp_path_factory.mktemp("images")
    return {era: write_sample(directory / f"{era}.iso", era=era).output for era in (1, 2, 3)}


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "os-release"
    path.write_text(STRANGER)
    return path


# support ----------------------------------------------------------------------------


def test_support_document_has_what_is_relied_upon(images: dict[int, Path]) -> None:
    found = document("support", images[2], "--distro", "rocky")
    assert found["schema"] == "ngtpatch.support/1"
    assert [(one["profile"], one["version"]) for one in found["distros"]] == [
        ("rocky", "8"),
        ("rocky", "9"),
        ("rocky", "10"),
    ]
    for one in found["distros"]:
        assert one["verdict"] == "patchable"
        assert {site["path"]: (site["shipped"], site["patched"]) for site in one["sites"]} == {
            "installer/linux/src/installer_factory.py": ("unsupported", "redhat"),
            "installer/linux/uninstall_ngt.py": ("unsupported", "redhat"),
            f"{AGENT}!./bin/mobility_linux.py": ("unsupported", "redhat"),
            # Neither is CentOS there.
            f"{AGENT}!./bin/iscsi_linux.py": ("unsupported", "unsupported"),
        }
        for hazard in one["hazards"]:
            assert {"code", "path", "line", "text"} <= set(hazard)


def test_support_of_everything_names_every_profile(images: dict[int, Path]) -> None:
    found = document("support", images[1])
    assert {one["profile"] for one in found["distros"]} == set(load_profiles())


def test_support_says_a_refusal_once_with_all_whom_it_concerns(tmp_path: Path) -> None:
    src = tmp_path / "installer/linux/src"
    src.mkdir(parents=True)
    (src.parent / "install_ngt.py").write_text("pass\n")
    (src / "installer_factory.py").write_text(
        "import distro\n"
        "name = distro.linux_distribution()[0].lower()\n"
        'if name == "centos linux" and True:\n'
        "    from redhat_installer import RedhatInstaller as LinuxInstaller\n"
        "else:\n"
        "    raise SystemExit(1)\n"
    )
    result = ngtpatch("support", tmp_path, "-d", "rocky", "-d", "navy")
    assert result.exit_code == 4
    assert result.stdout.count("refused: ") == 1
    assert "refused: rocky 8, 9, 10; navy 8\n[" in result.stdout
    refused = document("support", tmp_path, "-d", "rocky")["distros"][0]["refused"]
    assert refused["code"]
    assert refused["path"] == "installer/linux/src/installer_factory.py"


def test_support_marks_what_is_known_by_name_only(images: dict[int, Path]) -> None:
    plain = ngtpatch("support", images[2], "-d", "navy", "-d", "rocky").stdout
    assert "known by name only, no release of it was read: navy\n" in plain


def test_support_tells_a_gate_that_no_name_opens(images: dict[int, Path]) -> None:
    found = document("support", images[1], "-d", "rocky")
    for one in found["distros"]:
        assert one["runs"] is False
        gates = [hazard for hazard in one["hazards"] if hazard["code"] == "python-gate"]
        assert gates[0]["stops"]
        assert gates[0]["mended_by"] is None
    plain = ngtpatch("support", images[1], "-d", "rocky")
    assert "patchable, but stops" in plain.stdout
    assert "python-gate" in plain.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["-d", "rocky"], 0, "no patch is needed"),
        (["--os-release", os_release("ubuntu-22.04")], 0, "recognised as it is by its name."),
        (["--os-release", os_release("debian-12")], 4, "not-el"),
        (["--os-release", os_release("amazon-2023")], 0, "patchable"),
        (["-d", "rocky", "--os-release", os_release("sles-15.6")], 4, "SUSE family"),
    ],
)
def test_support_exits_by_what_was_asked_for(
    images: dict[int, Path], arguments: list[object], code: int, said: str
) -> None:
    result = ngtpatch("support", images[3], *arguments)
    assert result.exit_code == code, result.output
    assert said in result.stdout


def test_recognised_is_said_of_names_and_not_of_what_is_not_understood(
    images: dict[int, Path], tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    assert ngtpatch("rebuild", images[3], "-d", "rocky", "--output-tree", tree).exit_code == 0
    program = tree / "installer/linux/install_ngt.py"
    asks = 'if "rocky" in open("/etc/redhat-release").read().lower():\n  sys.exit(1)\n\n\ndef main'
    program.write_text(program.read_text().replace("def main", asks))
    said = ngtpatch("support", tree, "-d", "rocky").stdout
    assert "not understood, and may decide too: install_ngt.py" in said
    assert "what is not may decide otherwise" in said
    assert "no patch is needed" not in said


@pytest.mark.parametrize(
    "text", ["import platform\nname = platform.linux_distribution()\n", "print 'for Python 2'\n"]
)
def test_a_hazard_beside_the_way_is_told_and_does_not_stop_the_installation(
    images: dict[int, Path], tmp_path: Path, text: str
) -> None:
    tree = tmp_path / "tree"
    assert ngtpatch("rebuild", images[2], "-d", "rocky", "--output-tree", tree).exit_code == 0
    (tree / "installer/linux/src/old_probe.py").write_text(text)
    asked = ("support", tree, "-d", "rocky")
    said = ngtpatch(*asked).stdout
    assert "but stops" not in said
    assert "not seen to be on the way of the installation" in said
    assert (
        "A hazard stands in src/old_probe.py. The installation was followed, and not seen" in said
    )
    assert "no patch is needed" not in said
    rows = json.loads(ngtpatch(*asked, "--json").stdout)["distros"]
    [row] = [one for one in rows if one["version"] == "9"]
    [found] = [one for one in row["hazards"] if one["path"].endswith("old_probe.py")]
    assert (row["verdict"], row["runs"]) == ("recognised", None)
    assert (found["stops"], found["on_way"], found["mended_by"]) == (True, False, None)
    # Where a file of the way names it, it may be reached, by whatever that file does with the name.
    program = tree / "installer/linux/install_ngt.py"
    program.write_text(program.read_text() + "# See old_probe.\n")
    assert "recognised, but stops" in ngtpatch(*asked).stdout


def test_a_rebuild_is_said_to_mend_only_what_one_does(
    images: dict[int, Path], tmp_path: Path
) -> None:
    """CentOS Stream 10 lacks distutils as Rocky 10 does; for it there is no profile to ask for."""
    release = tmp_path / "os-release"
    release.write_text(
        'NAME="CentOS Stream"\nID=centos\nVERSION_ID=10\nPLATFORM_ID="platform:el10"'
    )
    said = ngtpatch("support", images[2], "--os-release", release).stdout
    assert "recognised, but stops" in said
    assert "a rebuild mends" not in said
    older = tmp_path / "rocky.toml"
    shown = (Path(__file__).parents[2] / "distro_profiles/rocky.toml").read_text()
    older.write_text(shown[: shown.index("[versions.10]")])
    once = tmp_path / "once.iso"
    asked = ("rebuild", images[2], "-d", "rocky", "--profiles", older, "-o", once)
    assert ngtpatch(*asked).exit_code == 0
    said = ngtpatch("support", once, "-d", "rocky").stdout
    assert "recognised as it is; a rebuild mends the hazards that say so" in said
    again = ngtpatch("rebuild", once, "-d", "rocky", "-o", tmp_path / "twice.iso")
    assert "patched  installer/linux/src/redhat_installer.py" in again.stdout


@pytest.mark.parametrize(
    ("arguments", "exit_code", "code"),
    [
        (["-d", "rokcy"], 4, "unknown-profile"),
        (["-d", "auto"], 2, "os-release-needed"),
        (["--os-release", "nowhere"], 3, "not-found"),
        (["--os-release", "/dev/null"], 3, "not-os-release"),
        (["--profiles", "nowhere"], 3, "not-found"),
    ],
)
def test_support_ends_in_one_error(
    images: dict[int, Path], arguments: list[object], exit_code: int, code: str
) -> None:
    result = ngtpatch("--json", "support", images[2], *arguments)
    assert result.exit_code == exit_code
    error = json.loads(result.stdout)["error"]
    assert error["code"] == code
    assert error["hint"] or error["path"]


# profile ----------------------------------------------------------------------------


def test_profile_list_and_show_agree() -> None:
    listed = document("profile", "list")
    assert listed["schema"] == "ngtpatch.profile-list/1"
    assert [one["id"] for one in listed["profiles"]] == list(load_profiles())
    for one in listed["profiles"]:
        shown = document("profile", "show", one["id"])
        assert shown["profile"] == one
    plain = ngtpatch("profile", "list")
    rows = {line.split()[0]: line for line in plain.stdout.splitlines() if line.strip()}
    assert "by its id only" in rows["fedora"]
    assert "by its id only" not in rows["rocky"]
    assert "name" in rows["navy"]


def test_profile_show_says_what_is_not_proven() -> None:
    result = ngtpatch("profile", "show", "amazon")
    assert "not known" in result.stdout
    assert ngtpatch("profile", "show", "amazn").exit_code == 4


def test_profile_new_then_rebuild(images: dict[int, Path], stranger: Path) -> None:
    made = document("profile", "new", "--os-release", stranger)
    assert made["needed"]
    assert made["kind"] == "el"
    assert made["output"] == "acme.toml"
    profile = stranger.parent / "acme.toml"
    assert stat.S_IMODE(profile.stat().st_mode) == 0o644
    rebuilt = ngtpatch(
        "rebuild", images[2], "--distro", "acme", "--profiles", stranger.parent, "-o", "out.iso"
    )
    assert rebuilt.exit_code == 0, rebuilt.output
    found = document("support", "out.iso", "--os-release", stranger, "--profiles", profile)
    assert [one["verdict"] for one in found["distros"]] == ["recognised"]


def test_profile_new_does_not_clobber(stranger: Path) -> None:
    assert ngtpatch("profile", "new", "--os-release", stranger).exit_code == 0
    before = Path("acme.toml").read_bytes()
    again = ngtpatch("profile", "new", "--os-release", stranger, "--needle", "acme enterprise")
    assert again.exit_code == 2
    assert "--force" in again.stderr
    assert Path("acme.toml").read_bytes() == before
    forced = ngtpatch(
        "profile", "new", "--os-release", stranger, "--needle", "acme enterprise", "-f"
    )
    assert forced.exit_code == 0
    assert b'"acme enterprise"' in Path("acme.toml").read_bytes()
    assert sorted(path.name for path in Path().iterdir()) == ["acme.toml", "os-release"]


def test_profile_new_writes_where_it_is_told(stranger: Path) -> None:
    Path("mine").mkdir()
    assert ngtpatch("profile", "new", "--os-release", stranger, "-o", "mine").exit_code == 0
    assert Path("mine/acme.toml").is_file()
    named = ngtpatch("profile", "new", "--os-release", stranger, "-o", "mine/acme9.toml")
    assert named.exit_code == 0, named.output
    assert 'id = "acme9"' in Path("mine/acme9.toml").read_text()
    printed = ngtpatch("profile", "new", "--os-release", stranger, "-o", "-")
    assert printed.stdout == Path("mine/acme.toml").read_text()
    dry = ngtpatch("profile", "new", "--os-release", stranger, "-n")
    assert 'id = "acme"' in dry.stdout
    assert not Path("acme.toml").exists()
    for bad in ("nowhere/acme.toml", "mine/acme.txt"):
        assert ngtpatch("profile", "new", "--os-release", stranger, "-o", bad).exit_code == 2


def test_profile_new_says_that_none_is_needed(stranger: Path) -> None:
    for directory, profile in (("rocky-9", "rocky"), ("rhel-9", None)):
        made = document("profile", "new", "--os-release", os_release(directory))
        assert (made["needed"], made["profile"]) == (False, profile)
    assert not list(Path().glob("*.toml"))


def test_profile_new_refuses_debian_unless_told_by_name(stranger: Path) -> None:
    debian = os_release("debian-12")
    refused = ngtpatch("profile", "new", "--os-release", debian, "--python", "3.11")
    assert refused.exit_code == 4
    assert "--accept debian" in refused.stderr
    assert not list(Path().glob("*.toml"))
    told = ngtpatch(
        "profile", "new", "--os-release", debian, "--python", "3.11", "--accept", "debian"
    )
    assert told.exit_code == 0, told.output
    assert "not known to be an Enterprise Linux clone" in told.stdout


@pytest.mark.parametrize("era", [1, 2, 3])
def test_profile_test_proves_it(images: dict[int, Path], stranger: Path, era: int) -> None:
    assert ngtpatch("profile", "new", "--os-release", stranger).exit_code == 0
    found = document("profile", "test", "acme.toml", images[era])
    assert found["schema"] == "ngtpatch.profile-test/1"
    assert found["names_changed"] == []
    assert found["names_kept"] > 100
    assert {one["verdict"] for one in found["distros"]} == {"patchable"}
    assert ngtpatch("profile", "test", "acme.toml", images[era]).exit_code == 0


def test_profile_test_of_a_bad_file(images: dict[int, Path], tmp_path: Path) -> None:
    bad = tmp_path / "acme.toml"
    bad.write_text('schema = "ngtpatch.profile/1"\nid = "acme"\n')
    result = ngtpatch("profile", "test", bad, images[2])
    assert result.exit_code == 3
    assert "names is missing" in result.stderr
    assert ngtpatch("profile", "test", "acne", images[2]).exit_code == 4


# patch ------------------------------------------------------------------------------


def test_patch_list_and_show() -> None:
    listed = document("patch", "list")["patches"]
    ids = [one["id"] for one in listed]
    assert {"factory", "uninstaller"} <= set(ids)
    assert document("patch", "show", "factory")["patch"] == listed[ids.index("factory")]
    missing = ngtpatch("patch", "show", "facttory")
    assert missing.exit_code == 4
    assert "factory" in missing.stderr


def test_patch_test_runs_the_examples(tmp_path: Path) -> None:
    assert ngtpatch("patch", "test").exit_code == 0
    found = document("patch", "test", "factory")
    assert found["passed"]
    source = Path(found["patches"][0]["source"])
    own = tmp_path / "factory.toml"
    text = source.read_text()
    assert 'refused = "conflict"' in text
    own.write_text(text.replace('refused = "conflict"', 'refused = "shape"', 1))
    result = ngtpatch("patch", "test", own)
    assert result.exit_code == 5
    assert "FAILED" in result.stdout
    assert document("patch", "test", own)["passed"] is False
