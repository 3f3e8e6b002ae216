# SPDX-License-Identifier: Apache-2.0
"""The chain as a model: what it decides, and why."""

import time
from textwrap import dedent

import pytest

from ngtpatch.installer.recognition import ASKED, Site, find_sites
from ngtpatch.installer.subject import DistroFacts
from tests.installer.texts import FACTORY, ROOT, UNINSTALLER, tree


def only(text: str) -> Site:
    (site,) = find_sites({"a.py": dedent(text).encode()})
    return site


@pytest.mark.parametrize(
    ("name", "branch", "operand", "line"),
    [
        ("CentOS Linux", "redhat", "centos", 8),
        ("Oracle Linux Server", "redhat", "oracle linux server", 9),
        ("Red Hat Enterprise Linux", "redhat", "red hat", 10),
        ("TencentOS Server", "redhat", "centos", 8),
        ("Ubuntu", "ubuntu", "ubuntu", 13),
        ("openSUSE Leap", "suse", "suse", 15),
        ("SLES", "unsupported", None, 18),
        ("Rocky Linux", "unsupported", None, 18),
    ],
)
def test_a_factory_is_read_as_it_would_decide(
    name: str, branch: str, operand: str | None, line: int
) -> None:
    decision = only(FACTORY).decide(name)
    assert (decision.branch, decision.operand, decision.line) == (branch, operand, line)


@pytest.mark.parametrize(
    ("name", "branch"),
    [("CentOS Linux", "redhat"), ("openSUSE Leap", "redhat"), ("Rocky Linux", "unsupported")],
)
def test_an_uninstaller_is_named_after_the_functions_it_calls(name: str, branch: str) -> None:
    assert only(UNINSTALLER).decide(name).branch == branch


def test_every_place_in_a_tree_is_found_in_order() -> None:
    files = tree() | {
        ROOT + "install_ngt.sh": b'#!/bin/sh\ncase "$ID" in\n  centos) ;;\nesac\n',
        ROOT + "src/notes.py": b'"""Runs on centos and red hat."""\n',
        ROOT + "src/old.py": b"print 'centos' 1\n",
    }
    sites = find_sites(files)
    assert [(site.path.removeprefix(ROOT), site.line) for site in sites] == [
        ("install_ngt.sh", 3),
        ("src/installer_factory.py", 8),
        ("src/old.py", 1),
        ("uninstall_ngt.py", 16),
    ]
    assert [bool(site.problem) for site in sites] == [True, False, True, False]
    assert sites[0].decide("Rocky Linux").branch == "unknown"
    assert "shell script" in (sites[0].problem or "")
    assert "unparsable" in (sites[2].problem or "")


def test_a_file_that_only_asks_is_found_too() -> None:
    site = only("import platform\nprint(platform.linux_distribution())\n")
    assert (site.line, site.problem) == (2, ASKED)
    version = "import platform\nx = platform.linux_distribution()[1]\n"
    assert find_sites({"a.py": version.encode()}) == ()
    both = only(version + "print(platform.linux_distribution())\n")
    assert (both.line, both.last_line) == (3, 3)


def test_a_name_outside_a_chain_is_found_as_not_understood() -> None:
    site = only("x = 1\nINSTALLERS = {'centos': 1, 'ubuntu': 2}\n")
    assert site.line == 2
    assert "not in a chain" in (site.problem or "")


def test_an_id_needs_more_than_a_name() -> None:
    site = only(
        """
        import distro
        if "rhel" in distro.id() or "oracle" in distro.id():
            from redhat_installer import RedhatInstaller
        """
    )
    assert site.decide("Oracle Linux Server").branch == "unknown"
    assert site.decide(DistroFacts("Oracle Linux Server", "ol")).branch == "redhat"
    assert site.decide(DistroFacts("Rocky Linux", "rocky")).branch == "unsupported"


def test_a_chain_of_thousands_of_branches_takes_no_time() -> None:
    text = "import distro\nname = distro.name().lower()\nif 'centos' in name:\n  a = 1\n"
    text += "".join(f"elif 'other{at:04}' in name:\n  a = {at}\n" for at in range(2_500))
    started = time.process_time()
    assert only(text).decide("Other2499 Linux").line == 5_003
    assert time.process_time() - started < 3
