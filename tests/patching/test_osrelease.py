# SPDX-License-Identifier: Apache-2.0
"""os-release files, good and bad."""

from pathlib import Path

import pytest

from ngtpatch.errors import InputError
from ngtpatch.patching.osrelease import read_os_release, running_os_release


def write(directory: Path, content: str | bytes) -> Path:
    path = directory / "os-release"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_quoting_follows_the_shell_as_the_man_page_says(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "# a comment\n\nNAME='Rocky Linux'\nID=rocky\nID_LIKE=\"rhel  centos\"\n"
        'VERSION_ID=9.5\nPLATFORM_ID="platform:el9"\nPRETTY_NAME="a \\"quoted\\" \\$name"\n',
    )
    release = read_os_release(path)
    assert release.name == "Rocky Linux"
    assert release.id == "rocky"
    assert release.id_like == ("rhel", "centos")
    assert (release.version_id, release.platform_id) == ("9.5", "platform:el9")
    assert release.source == str(path)


def test_keys_that_are_missing_are_empty(tmp_path: Path) -> None:
    release = read_os_release(write(tmp_path, 'NAME="Arch Linux"\r\n'))
    assert (release.name.strip(), release.id, release.id_like) == ("Arch Linux", "", ())


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("", "not-os-release"),
        ("Rocky Linux 8.4 (Green Obsidian)\n", "not-os-release"),
        ('NAME="Rocky\n', "not-os-release"),
        ("PATH=/bin\nHOME=/root\n", "not-os-release"),
        (b"\x7fELF\x00\xff", "not-os-release"),
        (b"NAME=R\xf6cky\n", "not-os-release"),
        ("NAME=a\n" + "X=" + "y" * 70_000, "too-large"),
        ('NAME="Ro\x07cky"\n', "not-os-release"),
        ('ID=eurolinux\nVERSION_ID="7.9"\n', "os-release-name"),
        ('NAME=""\nID=acme\n', "os-release-name"),
    ],
)
def test_a_bad_file_is_one_error_that_names_it(
    tmp_path: Path, content: str | bytes, code: str
) -> None:
    path = write(tmp_path, content)
    with pytest.raises(InputError) as caught:
        read_os_release(path)
    assert caught.value.code == code
    assert caught.value.path == str(path)
    assert caught.value.hint
    assert caught.value.exit_code == 3


def test_the_content_of_a_wrong_file_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_os_release(write(tmp_path, "hunter2-is-the-password\n"))
    assert "hunter2" not in str(caught.value)


def test_absent_and_unreadable(tmp_path: Path) -> None:
    for path, code in ((tmp_path / "none", "not-found"), (tmp_path, "is-directory")):
        with pytest.raises(InputError) as caught:
            read_os_release(path)
        assert (caught.value.code, caught.value.path) == (code, str(path))


def test_the_running_host_says_its_name() -> None:
    if not Path("/etc/os-release").exists():
        pytest.skip("this host has no /etc/os-release")
    assert running_os_release().name == read_os_release("/etc/os-release").name
