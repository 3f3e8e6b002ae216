# SPDX-License-Identifier: Apache-2.0
"""Decisions at the edges: what one more statement, operand or byte does to them."""

from __future__ import annotations

import gzip
from textwrap import dedent

import pytest

from ngtpatch.errors import Refusal
from ngtpatch.installer.python_source import MAX_SOURCE_SIZE, parse
from ngtpatch.installer.recognition import ASKED, Site, find_sites
from ngtpatch.patching.apply import apply
from ngtpatch.patching.outcome import Already
from ngtpatch.patching.patch import load_patches
from ngtpatch.patching.profile import load_profiles
from tests.installer.texts import FACTORY, ROOT, tree

HEAD = "import distro\nn = distro.name().lower()\n"
PATH = ROOT + "src/installer_factory.py"
PATCHES = tuple(patch for patch in load_patches() if patch.id == "factory")
ROCKY = load_profiles()["rocky"]


def only(text: str) -> Site:
    (site,) = find_sites({"a.py": text.encode()})
    return site


def factory(body: str) -> dict[str, bytes]:
    return tree(HEAD + dedent(body))


# Which branch a name takes ---------------------------------------------------------------------

ELIFS = """
def choose():
    if 'ubuntu' in n:
        {first}
    elif 'centos' in n:
        return redhat_installer
    return suse_installer
"""


@pytest.mark.parametrize(
    ("first", "branch"),
    [("return ubuntu_installer", "suse"), ("ubuntu()", "unsupported")],
    ids=["every branch leaves", "one stays"],
)
def test_what_follows_a_chain_is_for_the_others_only_where_every_branch_leaves(
    first: str, branch: str
) -> None:
    site = only(HEAD + ELIFS.format(first=first))
    assert [site.decide(name).branch for name in ("CentOS", "Rocky Linux")] == ["redhat", branch]


def test_an_else_that_stops_is_told_from_one_that_lets_pass() -> None:
    text = HEAD + "if 'fedora' in n:\n    x = 1\nelse:\n    {}\n"
    stopping, passing = (only(text.format(last)) for last in ("exit(1)", "x = 2"))
    assert [site.decide("Rocky Linux").branch for site in (stopping, passing)] == [
        "unsupported",
        "continues",
    ]
    assert [site.branches[-1].leaves for site in (stopping, passing)] == [True, False]
    assert [site.branches[-1].gives_up for site in (stopping, passing)] == [True, False]


def test_of_several_conditions_the_last_one_is_named() -> None:
    test = "'cent' in n and\n    'os' in n and\n    'linux' in n"
    decision = only(f"{HEAD}if ({test}):\n    redhat()\n").decide("CentOS Linux")
    assert (decision.branch, decision.operand, decision.line) == ("redhat", "linux", 5)


# Where it is said to be ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "data", "line", "where"),
    [
        ("a.sh", b"\n\n[ $x = centos ] || exit\n", 3, "a.sh"),
        ("a.py", b"\nprint 'centos'\n", 2, "a.py"),
        ("a.py", b"x = {\n    'centos': 1}\n", 2, "a.py"),
        ("a.tar.gz", gzip.compress(b"no tar" * 200), 1, "a.tar.gz"),
    ],
    ids=["shell", "Python 2", "no chain", "archive"],
)
def test_what_is_not_understood_is_one_line_of_its_file(
    path: str, data: bytes, line: int, where: str
) -> None:
    (site,) = find_sites({path: data}, payloads=True)
    assert site.problem
    assert (site.path, site.line, site.last_line) == (where, line, line)
    assert site.decide("CentOS").branch == "unknown"


def test_a_question_after_one_for_the_version_is_found() -> None:
    asked = "platform.linux_distribution()"
    site = only(f"import platform\nx = {asked}[1]\ny = {asked}[0]\n")
    assert (site.path, site.line, site.last_line, site.problem) == ("a.py", 3, 3, ASKED)


def test_a_file_may_be_as_long_as_the_limit_and_no_longer() -> None:
    chain = f"{HEAD}if 'centos' in n:\n    redhat()\n#".encode()
    longest = chain.ljust(MAX_SOURCE_SIZE, b"x")
    (site,) = find_sites({"a.py": longest})
    assert site.decide("CentOS").branch == "redhat"
    assert find_sites({"a.py": longest + b"x"}) == ()


# Patched or refused ----------------------------------------------------------------------------


def test_an_else_with_the_branchs_own_code_is_the_same_branch() -> None:
    files = factory(
        """
        if 'centos' in n:
            redhat()
        elif 'ubuntu' in n:
            ubuntu()
        else:
            redhat()
        """
    )
    patched = apply(files, [ROCKY], PATCHES)
    assert patched.changed == ()
    assert patched.already == (Already(PATH, "rocky", "redhat"),)


def test_an_else_with_other_code_is_another_branch() -> None:
    files = factory("if 'centos' in n:\n    redhat_old()\nelse:\n    redhat_new()\n")
    with pytest.raises(Refusal) as caught:
        apply(files, [ROCKY], PATCHES)
    assert caught.value.code == "anchor-ambiguous"


@pytest.mark.parametrize("last", ["exit(1)", "raise NotYet(n)"])
def test_a_check_whose_else_stops_the_program_is_an_obstacle(last: str) -> None:
    check = f"if 'centos' in n:\n  family = 1\nelse:\n  {last}\n"
    with pytest.raises(Refusal, match="stops 'Rocky Linux'") as caught:
        apply(tree(f"{HEAD}{check}{FACTORY}"), [ROCKY], PATCHES)
    assert caught.value.code == "shape"


def test_bytes_that_depend_on_their_neighbours_are_not_inserted_into() -> None:
    # UTF-7 ends a run of other letters with "-" or without, as what comes next may need it.
    text = f"# coding: utf-7\n{HEAD}namé = n\nif 'centos' in namé:\n    redhat()\n"
    data = text.encode("utf-7")
    assert parse(PATH, data).text == text
    with pytest.raises(Refusal) as caught:
        apply(tree(data), [ROCKY], PATCHES)
    assert (caught.value.code, caught.value.path) == ("lossy", PATH)
    assert "utf-7" in caught.value.message
    assert caught.value.hint
