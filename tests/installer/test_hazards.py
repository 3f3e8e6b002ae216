# SPDX-License-Identifier: Apache-2.0
"""What else stops the installer: found, placed, and judged by the guest's Python and release."""

from textwrap import dedent

import pytest

from ngtpatch.installer.hazards import Hazard, find_hazards, release_key
from tests.installer.texts import ROOT

PATH = ROOT + "install_ngt.py"
GUESTS = {"el6": ("2.6", "6.3"), "el7": ("2.7", "7.9"), "el8": ("3.6", "8.10")}
GUESTS |= {"el9": ("3.9", "9.4"), "el10": ("3.12", "10.0")}


def hazards(text: str, path: str = PATH) -> tuple[Hazard, ...]:
    return find_hazards({path: dedent(text).encode()})


def only(text: str) -> Hazard:
    (hazard,) = hazards(text)
    return hazard


def struck(hazard: Hazard) -> list[str]:
    return [
        name
        for name, (python, release) in GUESTS.items()
        if hazard.concerns(python=python, release=release)
    ]


@pytest.mark.parametrize(
    ("text", "code", "line", "guests", "stops", "mended_by"),
    [
        (
            "import platform\nplatform.linux_distribution()",
            "linux-distribution",
            2,
            ["el9", "el10"],
            True,
            "linux-distribution",
        ),
        (
            "import platform as p\nprint(p.linux_distribution())",
            "linux-distribution",
            2,
            ["el9", "el10"],
            True,
            "linux-distribution",
        ),
        (
            "from platform import linux_distribution as ask",
            "linux-distribution",
            1,
            ["el9", "el10"],
            True,
            "linux-distribution",
        ),
        (
            "import platform\ntry:\n  platform.linux_distribution()\nexcept:\n  pass",
            "linux-distribution",
            3,
            ["el9", "el10"],
            False,
            "linux-distribution",
        ),
        (
            "import platform; platform.linux_distribution()",
            "linux-distribution",
            1,
            ["el9", "el10"],
            True,
            None,
        ),
        (
            "import platform\nplatform.linux_distribution(full_distribution_name=0)",
            "linux-distribution",
            2,
            ["el9", "el10"],
            True,
            None,
        ),
        ("import platform\nplatform.dist()", "linux-distribution", 2, ["el9", "el10"], True, None),
        (
            "\nfrom distutils.version import LooseVersion",
            "distutils",
            2,
            ["el10"],
            True,
            "loose-version",
        ),
        ("import distutils.version", "distutils", 1, ["el10"], True, None),
        ("from distutils.spawn import find_executable", "distutils", 1, ["el10"], True, None),
        ("print 'hello'", "python2-syntax", 1, ["el8", "el9", "el10"], True, None),
        ("a = 1\nexcept_me(\n", "python2-syntax", 2, ["el8", "el9", "el10"], True, None),
        ("#!/usr/bin/env python\n", "shebang", 1, ["el8", "el9", "el10"], False, None),
        ("#!/usr/bin/python2.7\n", "shebang", 1, ["el8", "el9", "el10"], False, None),
        ("#!/usr/bin/env python3\n", "shebang", 1, ["el6", "el7"], False, None),
        ("conf = '/etc/dracut.conf'", "dracut", 1, ["el8", "el9", "el10"], False, None),
        ("run('/sbin/chkconfig --add x')", "chkconfig", 1, ["el8", "el9", "el10"], False, None),
    ],
)
def test_each_hazard_strikes_the_guests_it_is_known_for(
    text: str, code: str, line: int, guests: list[str], stops: bool, mended_by: str | None
) -> None:
    hazard = only(text)
    assert (hazard.code, hazard.line) == (code, line)
    assert struck(hazard) == guests
    assert (hazard.stops, hazard.mended_by) == (stops, mended_by)
    assert hazard.path == PATH
    assert hazard.text


@pytest.mark.parametrize(
    "text",
    [
        "try:\n  from distutils.version import LooseVersion\nexcept ImportError:\n  pass",
        "try:\n  import distutils\nexcept Exception:\n  pass",
        "import platform\nif hasattr(platform, 'linux_distribution'):\n"
        "  platform.linux_distribution()",
        "try:\n  from platform import linux_distribution\nexcept (ImportError, OSError):\n  pass",
        "import platform\nprint(platform.machine())",
        "'''Adds to /etc/dracut.conf, and runs /sbin/chkconfig.'''",
        "conf = '/etc/dracut.conf.d/ngt.conf'",
        "import sys\nif sys.version_info < (3,):\n  print('old')",
        "#!/bin/sh\n",
    ],
)
def test_what_the_installer_sees_to_itself_is_no_hazard(text: str) -> None:
    assert hazards(text) == ()


@pytest.mark.parametrize(
    ("test", "closed"),
    [
        ("sys.version_info[:2] not in ((2, 6), (2, 7))", ["el8", "el9", "el10"]),
        ("not (sys.version_info[0] == 2 and sys.version_info[1] >= 6)", ["el8", "el9", "el10"]),
        ("sys.version_info.major > 2", ["el8", "el9", "el10"]),
        ("sys.version_info >= (3, 0)", ["el8", "el9", "el10"]),
        ("(3, 0) <= sys.version_info < (3, 7)", ["el8"]),
        ("sys.version_info < (2, 7) or sys.version_info > (3, 8)", ["el6", "el9", "el10"]),
        ("sys.hexversion >= 0x03000000", ["el8", "el9", "el10"]),
        ("not sys.version.startswith('2.')", ["el8", "el9", "el10"]),
        ("sys.version[:3] != '2.7'", ["el6", "el8", "el9", "el10"]),
        ("sys.version_info.minor == 12", ["el10"]),
        # What cannot be evaluated may strike anybody.
        ("fits(sys.version_info)", list(GUESTS)),
        ("sys.version_info[9] == 1", list(GUESTS)),
    ],
)
def test_a_gate_is_asked_about_each_python(test: str, closed: list[str]) -> None:
    gate = only(f"import sys\nif {test}:\n    print('no')\n    sys.exit(1)\n")
    assert (gate.code, gate.line, gate.stops, gate.mended_by) == ("python-gate", 2, True, None)
    assert struck(gate) == closed
    opened = only(f"import sys\nif {test}:\n    pass\nelse:\n    raise SystemExit(1)\n")
    if len(closed) < len(GUESTS):
        assert struck(opened) == [name for name in GUESTS if name not in closed]


def test_an_assertion_is_a_gate() -> None:
    assert struck(only("import sys\nassert sys.version_info < (3, 0)")) == ["el8", "el9", "el10"]


@pytest.mark.parametrize(
    "comparison",
    [
        "LooseVersion(version) < LooseVersion('6.4')",
        "LooseVersion('6.4') > LooseVersion(version)",
        "as_numbers(version) < as_numbers('6.4')",
        "not version >= '6.4'",
    ],
)
def test_a_floor_is_found_through_what_wraps_it(comparison: str) -> None:
    floor = only(
        f"import distro\nversion = distro.linux_distribution()[1]\nif {comparison}:\n  quit()\n"
    )
    assert (floor.code, floor.line, struck(floor)) == ("version-floor", 3, ["el6"])
    assert "6.4" in floor.text


def test_a_floor_in_a_class_attribute_is_found_in_another_file() -> None:
    base = """
        import distro
        class Base:
            MINIMUM = "0"
            def validate(self):
                if numbers(distro.linux_distribution()[1]) < numbers(self.MINIMUM):
                    raise SystemExit(1)
    """
    found = find_hazards(
        {
            ROOT + "src/base_installer.py": dedent(base).encode(),
            ROOT + "src/redhat_installer.py": b"class Redhat(Base):\n    MINIMUM = '7.2'\n",
            ROOT + "src/suse_installer.py": b"class Suse(Base):\n    MINIMUM = '11'\n",
        }
    )
    assert [(one.path, one.line, struck(one)) for one in found] == [
        (ROOT + "src/base_installer.py", 4, []),
        (ROOT + "src/redhat_installer.py", 2, ["el6"]),
        (ROOT + "src/suse_installer.py", 2, []),
    ]
    assert found[2].concerns(python="2.7", release="10", branch="suse")
    assert not found[1].concerns(python="2.7", release="6.3", branch="suse")


def test_letters_in_a_release_fail_where_loose_versions_do_not_compare() -> None:
    text = "import distro\nLooseVersion(distro.linux_distribution()[1]) < LooseVersion('6.4')\n"
    assert only(text).concerns(python="3.7", release="V10")
    assert not only(text).concerns(python="2.7", release="V10")
    assert not only(text).concerns(python="3.7")


def test_releases_compare_by_their_numbers() -> None:
    assert release_key("8.9") < release_key("8.10") < release_key("10")


def test_a_family_s_files_concern_that_family_alone() -> None:
    text = "import distutils\n"
    (found,) = hazards(text, ROOT + "src/ubuntu_installer.py")
    assert not found.concerns(python="3.12")
    assert found.concerns(python="3.12", branch="ubuntu")
    assert not found.concerns(python="3.12", branch="suse")
    (every,) = hazards(text, ROOT + "src/utils.py")
    assert all(every.concerns(python="3.12", branch=one) for one in ("redhat", "ubuntu", "suse"))
    # Other trees are no installer's.
    assert hazards(text, "installer/windows/setup.py") == ()


def test_a_disc_that_brings_its_python_says_so() -> None:
    disc = {PATH: b"import distutils\n", ROOT + "setup_python.sh": b"#!/bin/sh\n"}
    assert "setup_python.sh" in find_hazards(disc)[0].text
