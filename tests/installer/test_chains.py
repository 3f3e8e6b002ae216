# SPDX-License-Identifier: Apache-2.0
"""Where a chain begins and ends, and what its branches are named after."""

from __future__ import annotations

from textwrap import dedent

import pytest

from ngtpatch.installer.recognition import Site, find_sites
from ngtpatch.installer.subject import Subject

HEAD = "import distro\nn = distro.name().lower()\n"


def sites(body: str) -> tuple[Site, ...]:
    return find_sites({"a.py": (HEAD + dedent(body)).encode()})


def names(site: Site) -> list[str]:
    return [branch.name for branch in site.branches]


ROWS = """
    def choose():
        if 'ubuntu' in n:
            return ubuntu_installer
        {between}
        if 'centos' in n:
            return redhat_installer
        {rest}
"""


@pytest.mark.parametrize(
    ("between", "rest", "expected"),
    [
        ("", "raise SystemExit(1)", ["ubuntu", "redhat", "unsupported"]),
        ("", "return suse_installer", ["ubuntu", "redhat", "suse"]),
        ("", "", ["ubuntu", "redhat", "unsupported"]),
        ("x = log('not Ubuntu')", "", ["ubuntu", "redhat", "unsupported"]),
        ("log('not Ubuntu')", "log('none')", ["ubuntu", "redhat", "unsupported"]),
    ],
)
def test_rows_of_tests_that_each_leave_are_one_chain(
    between: str, rest: str, expected: list[str]
) -> None:
    (site,) = sites(ROWS.format(between=between, rest=rest))
    assert names(site) == expected
    assert (site.line, site.last_line) == (5, 8)


def test_rows_of_tests_that_stay_are_chains_of_their_own() -> None:
    found = sites("if 'ubuntu' in n:\n    ubuntu()\nif 'centos' in n:\n    redhat()\n")
    assert [names(site) for site in found] == [["ubuntu", "unsupported"], ["redhat", "unsupported"]]
    staying = "if 'a' in n:\n    redhat()\nelif 'b' in n:\n    exit(1)\nif 'c' in n:\n    suse()\n"
    assert [names(site) for site in sites(staying)] == [
        ["redhat", "unsupported", "unsupported"],
        ["suse", "unsupported"],
    ]


def test_a_chain_goes_on_behind_an_else() -> None:
    (site,) = sites(
        """
        if 'ubuntu' in n:
            ubuntu()
        else:
            log('not Ubuntu')
            if 'centos' in n:
                redhat()
            else:
                exit(1)
        """
    )
    assert names(site) == ["ubuntu", "redhat", "unsupported"]
    assert site.decide("CentOS").branch == "redhat"


def test_a_test_that_is_not_modelled_keeps_its_place_in_the_chain() -> None:
    (site,) = sites(
        "if 'centos' in n:\n    redhat()\nelif ready():\n    ubuntu()\nelse:\n    exit(1)\n"
    )
    assert names(site) == ["redhat", "ubuntu", "unsupported"]
    assert [site.decide(name).branch for name in ("CentOS", "Rocky")] == ["redhat", "unknown"]
    (site,) = sites("if ready():\n    ubuntu()\nelif 'centos' in n:\n    redhat()\n")
    assert site.decide("CentOS").branch == "unknown"
    assert site.subject == Subject("distro.name", "name", "lower")


@pytest.mark.parametrize(
    "around",
    [
        "try:\n    pass\nfinally:\n    {}",
        "try:\n    pass\nexcept OSError:\n    {}",
        "for i in ():\n    pass\nelse:\n    {}",
        "class A:\n    def f(self):\n        {}",
        "with x:\n    {}",
    ],
)
def test_a_chain_is_found_in_every_kind_of_block(around: str) -> None:
    (site,) = sites(around.format("if 'centos' in n: redhat()"))
    assert names(site) == ["redhat", "unsupported"]


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("from redhat_installer import Installer", "redhat"),
        ("import redhat_installer as x", "redhat"),
        ("import src.redhat_installer", "redhat"),
        ("from src import redhat_installer", "redhat"),
        ("__import__('redhat_installer')", "redhat"),
        ("importlib.import_module('src.redhat_installer')", "redhat"),
        ("uninstall_ngt_daemon_redhat()", "redhat"),
        ("Chosen = RedHatInstaller", "redhat"),
        ("service.remove_suse()", "suse"),
        ("if new:\n        redhat_new()\n    else:\n        redhat_old()", "redhat"),
        ("redhat()\n    sys.exit(0)", "redhat"),
        ("redhat()\n    sys.exit(1)", "unsupported"),
        ("redhat()\n    raise NotYet()", "unsupported"),
        ("raise NotRedhatError()", "unsupported"),
        ("print('redhat')", "continues"),
        ("def redhat():\n        pass", "continues"),
        ("load('redhat_installer')", "continues"),
        ("redhat() or suse()", "unknown"),
        ("return_code = 1", "continues"),
    ],
)
def test_a_branch_is_named_after_what_it_does(code: str, name: str) -> None:
    (site,) = sites(f"if 'centos' in n:\n    {code}\n")
    assert site.branches[0].name == name
    assert site.decide("CentOS").branch == name


def test_names_that_mean_several_things_are_taken_as_they_stand() -> None:
    (site,) = sites(
        """
        if 'centos' in n:
            from redhat_installer import Redhat as Chosen
            start(Chosen)
        elif 'ubuntu' in n:
            from ubuntu_installer import Ubuntu as Chosen
            start(Chosen)
        """
    )
    assert names(site) == ["redhat", "ubuntu", "unsupported"]


def test_a_check_stops_or_lets_pass() -> None:
    stopping, passing = sites(
        "def a():\n    if 'fedora' in n:\n        exit(1)\n"
        "def b():\n    if 'fedora' in n:\n        x = 1\n"
    )
    assert names(stopping) == ["unsupported", "continues"]
    assert names(passing) == ["continues", "continues"]
    assert not stopping.picks_installer
    assert [one.idle for one in passing.branches] == [False, True]
    assert [one.gives_up for one in stopping.branches] == [True, False]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_lines_are_counted_as_python_counts_them(newline: str) -> None:
    text = HEAD + "if ('centos' in n or\n    'red hat' in n):\n    redhat()\n"
    (site,) = find_sites({"a.py": text.replace("\n", newline).encode()})
    assert (site.line, site.last_line) == (3, 4)
    assert site.decide("Red Hat").line == 4


@pytest.mark.parametrize("colon", [":", " :", "  # why\n    ) :", " \\\n    :", ")  :"])
def test_a_header_reaches_to_its_colon(colon: str) -> None:
    opened = "((" if "\n    )" in colon or ")" in colon else ""
    test = f"{opened}'centos' in n{')' if opened else ''}"
    text = f"{HEAD}if {test}{colon}\n    redhat()\n"
    (site,) = find_sites({"a.py": text.encode()})
    header = site.branches[0].header
    assert header is not None
    assert text[slice(*header)] == f"if {test}{colon}"
