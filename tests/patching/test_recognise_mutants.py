# SPDX-License-Identifier: Apache-2.0
"""Decisions of the kind ``recognise`` that only a small change of its code would show.

Each test holds one that mutation testing found unheld by the others.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from ngtpatch.errors import Refusal
from ngtpatch.installer.python_source import parse
from ngtpatch.installer.recognition import sites_in
from ngtpatch.patching.insertion import insert
from ngtpatch.patching.patch import Patch, load_patches
from ngtpatch.patching.profile import Profile, load_profiles
from ngtpatch.patching.recognise import recognise

FACTORY = next(patch for patch in load_patches() if patch.id == "factory")
ROCKY = load_profiles()["rocky"]

LOWER = "import distro\nnamed = distro.name().lower()\n"
UPPER = "import distro\nnamed = distro.name().upper()\n"
KEPT = "import distro\nnamed = distro.name()\n"
BODY = "    from redhat_installer import RedhatInstaller as LinuxInstaller\n"


def patched(text: str, profile: Profile = ROCKY, patch: Patch = FACTORY) -> str:
    source = parse("factory.py", text.encode())
    return insert(source, recognise(source, patch, [profile]).insertions).decode()


def branch_of(text: str, name: str) -> str:
    """Return the branch that the only chain of *text* takes on a NAME."""
    (site,) = sites_in(parse("factory.py", text.encode()))
    return site.decide(name).branch


def test_a_name_in_capitals_is_compared_with_a_needle_in_capitals() -> None:
    after = patched(f"{UPPER}if 'CENTOS' in named:\n{BODY}")
    assert after == f"{UPPER}if 'CENTOS' in named or 'ROCKY LINUX' in named:\n{BODY}"
    assert branch_of(after, "Rocky Linux") == "redhat"
    assert branch_of(after, "Fedora Linux") == "unsupported"


def test_names_with_no_needle_in_common_get_one_each() -> None:
    names, needles = ("Quartzite", "Basalt", "Quartzite Core"), ("quartzite", "basalt")
    after = patched(
        f"{LOWER}if 'centos' in named:\n{BODY}", replace(ROCKY, names=names, needles=needles)
    )
    assert "'centos' in named or 'quartzite' in named or 'basalt' in named:" in after
    assert {branch_of(after, name) for name in names} == {"redhat"}


def test_a_needle_that_occurs_twice_is_spelt_like_its_first_occurrence() -> None:
    twice = replace(ROCKY, names=("Quartzite QUARTZITE",), needles=("quartzite",))
    after = patched(f"{KEPT}if 'CentOS' in named:\n{BODY}", twice)
    assert "if 'CentOS' in named or 'Quartzite' in named:" in after


def test_a_needle_in_capitals_is_in_no_folded_name() -> None:
    text = f"{LOWER}if 'centos' in named:\n{BODY}"
    with pytest.raises(Refusal, match="no needle of the profile rocky is in") as caught:
        patched(text, replace(ROCKY, needles=("ROCKY LINUX X",)))
    assert caught.value.code == "conflict"


def test_an_id_is_compared_rather_than_what_the_facts_do_not_hold() -> None:
    test = "'fedora' in distro.os_release_attr('id_like') or 'rocky' in distro.id()"
    source = parse("factory.py", f"import distro\nif {test}:\n{BODY}".encode())
    outcome = recognise(source, FACTORY, [ROCKY])
    assert outcome.insertions == ()
    assert [one.profile for one in outcome.already] == ["rocky"]


def test_too_few_chains_are_missing_even_beside_one_that_is_not_understood() -> None:
    text = f"{LOWER}if 'centos' in named:\n{BODY}if 'debian' in other:\n    prefix = 1\n"
    with pytest.raises(Refusal) as caught:
        patched(text, patch=replace(FACTORY, count=2))
    assert caught.value.code == "anchor-missing"
    assert "'debian' in other" in caught.value.message


def test_an_operand_that_makes_another_test_read_otherwise_is_refused() -> None:
    # A text that ends in "os-release" turns the dictionary beside it into that file's.
    text = (
        f"{LOWER}values = dict(line.split('=') for line in lines)\n"
        f"if 'centos' in named:\n{BODY}"
        "if values['NAME'] == 'quartzite':\n    prefix = 1\n"
    )
    strange = replace(ROCKY, names=("Basalt OS-release",), needles=("basalt os-release",))
    with pytest.raises(Refusal, match="the patched copy reads differently") as caught:
        patched(text, strange)
    assert caught.value.code == "shape"
    assert caught.value.path == "factory.py"
    assert "'centos' in named" in caught.value.message
    plain = replace(ROCKY, names=("Basalt",), needles=("basalt",))
    assert "or 'basalt' in named:" in patched(text, plain)
