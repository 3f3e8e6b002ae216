# SPDX-License-Identifier: Apache-2.0
"""Every dress of a chain: the one insertion it gets, or the refusal it earns."""

from __future__ import annotations

from dataclasses import replace
from textwrap import dedent

import pytest

from ngtpatch.errors import Refusal
from ngtpatch.installer.python_source import parse
from ngtpatch.patching.insertion import insert
from ngtpatch.patching.patch import load_patches
from ngtpatch.patching.profile import Profile, load_profiles
from ngtpatch.patching.recognise import recognise

FACTORY = next(patch for patch in load_patches() if patch.id == "factory")
ROCKY = load_profiles()["rocky"]
ALMA = load_profiles()["almalinux"]

HEAD = "import distro\nnamed = distro.linux_distribution()[0].lower()\n"
BODY = "    from redhat_installer import RedhatInstaller as LinuxInstaller\n"


def patched(data: bytes, *profiles: Profile) -> bytes:
    source = parse("factory.py", data)
    return insert(source, recognise(source, FACTORY, profiles or (ROCKY,)).insertions)


def header(test: str, *profiles: Profile) -> str:
    """Return the ``if`` of a chain with this test after patching."""
    text = f"{HEAD}if {test}:\n{BODY}"
    result = patched(text.encode(), *profiles).decode()
    assert result.startswith(f"{HEAD}if ")
    assert result.endswith(f":\n{BODY}")
    return result[len(HEAD) + 3 : -len(BODY) - 2]


@pytest.mark.parametrize(
    ("test", "after"),
    [
        (
            '"centos" in named',
            '"centos" in named or "rocky linux" in named',
        ),
        (
            '("centos" in named)',
            '("centos" in named) or ("rocky linux" in named)',
        ),
        (
            "'centos' in named or 'oracle' in named",
            "'centos' in named or 'rocky linux' in named or 'oracle' in named",
        ),
        (
            'u"centos" in named or u"oracle" in named',
            'u"centos" in named or u"rocky linux" in named or u"oracle" in named',
        ),
        (
            '("centos" in named or\n      "oracle" in named)',
            '("centos" in named or\n      "rocky linux" in named or\n      "oracle" in named)',
        ),
        (
            '(\n    "centos" in named\n    or "oracle" in named\n)',
            '(\n    "centos" in named\n    or "rocky linux" in named\n    or "oracle" in named\n)',
        ),
        (
            '"centos" in named or \\\n        "oracle" in named',
            '"centos" in named or \\\n        "rocky linux" in named or \\\n'
            '        "oracle" in named',
        ),
        # A comment behind an operand stays there; one on its own line stays with what follows.
        (
            '("centos" in named or  # about a\n      # about b\n      "oracle" in named)',
            '("centos" in named or  # about a\n      "rocky linux" in named or\n'
            '      # about b\n      "oracle" in named)',
        ),
        (
            '("centos" in named  # about a\n    # about b\n    or "oracle" in named  # end\n  )',
            '("centos" in named  # about a\n    or "rocky linux" in named\n'
            '    # about b\n    or "oracle" in named  # end\n  )',
        ),
        # The new operand gets a line of its own where there are lines.
        (
            '("centos" in named or\n    "oracle" in named or "red hat" in named)',
            '("centos" in named or\n    "rocky linux" in named or\n'
            '    "oracle" in named or "red hat" in named)',
        ),
        (
            '("centos" in named) or ("oracle" in named)',
            '("centos" in named) or ("rocky linux" in named) or ("oracle" in named)',
        ),
        (
            '("centos" in named or "oracle" in named) or "red hat" in named',
            '("centos" in named or "oracle" in named) or "rocky linux" in named'
            ' or "red hat" in named',
        ),
        (
            'named == "centos" or "oracle" in named',
            'named == "centos" or "rocky linux" in named or "oracle" in named',
        ),
        (
            '"oracle" in named or named.startswith("centos")',
            '"oracle" in named or "rocky linux" in named or named.startswith("centos")',
        ),
        (
            '"centos" in distro.name().lower() or "oracle" in distro.name().lower()',
            '"centos" in distro.name().lower() or "rocky linux" in distro.name().lower()'
            ' or "oracle" in distro.name().lower()',
        ),
    ],
)
def test_an_operand_is_added_in_the_chains_own_formatting(test: str, after: str) -> None:
    assert header(test) == after


def test_an_operand_is_written_like_its_nearest_neighbour() -> None:
    test = """'centos' in named or "oracle" in named or 'fedora' == named or "red hat" in named"""
    assert """'fedora' == named or "rocky linux" in named or "red hat" in named""" in header(test)
    test = """("centos" in named or 'oracle' in named or\n  named == 'x' or named == 'y')"""
    assert "'oracle' in named or\n  'rocky linux' in named or\n  named == 'x'" in header(test)


def test_a_name_is_compared_rather_than_an_id() -> None:
    test = "'rhel' in distro.id() or 'centos' in named or 'oracle' in distro.id()"
    assert "'centos' in named or 'rocky linux' in named or 'oracle'" in header(test)


def test_every_chain_is_extended_where_any_number_is_expected() -> None:
    anywhere = replace(FACTORY, count=None)
    text = f"{HEAD}if 'centos' in named:\n{BODY}if 'oracle' in named:\n{BODY}"
    source = parse("a.py", text.encode())
    outcome = recognise(source, anywhere, [ROCKY, ALMA])
    assert (outcome.edits, len(outcome.insertions), outcome.already) == (4, 2, ())
    after = parse("a.py", insert(source, outcome.insertions))
    assert after.text.count("or 'almalinux' in named or 'rocky linux' in named:") == 2
    again = recognise(after, anywhere, [ROCKY, ALMA])
    assert again.insertions == ()
    assert [one.profile for one in again.already] == ["almalinux", "rocky"] * 2


@pytest.mark.parametrize(
    "check",
    [
        "if 'fedora' in named:\n    exit(1)\n",
        "if 'centos' in named:\n    prefix = 1\n",
        "if 'rocky' in named:\n    print('Rocky')\n",
        "if 'rocky' in named or 'centos' in named:\n    prefix = 1\n",
    ],
)
def test_a_check_that_treats_it_like_one_it_accepts_is_no_obstacle(check: str) -> None:
    wrapped = f"def choose():\n    if 'centos' in named or 'red hat' in named:\n    {BODY}"
    assert b"'rocky linux' in named" in patched(f"{HEAD}{check}{wrapped}".encode())


@pytest.mark.parametrize(
    "check",
    [
        "if 'rocky' in named:\n    prefix = 1\n",
        "if 'centos' in named or 'red hat' in named or 'oracle' in named or 'xen' in named"
        " or 'kvm' in named:\n    prefix = 1\n",
        # The first only logs; the second does not.
        "if 'rocky' in named:\n    print(1)\nif 'linux' not in named or 'rocky' in named:\n"
        "    exit()\n",
    ],
)
def test_a_check_that_treats_it_like_none_is_an_obstacle(check: str) -> None:
    wrapped = f"def choose():\n    if 'centos' in named or 'red hat' in named:\n    {BODY}"
    with pytest.raises(Refusal) as caught:
        patched(f"{HEAD}{check}{wrapped}".encode())
    assert caught.value.code == "shape"
    assert "stops 'Rocky Linux'" in caught.value.message


def test_several_profiles_are_added_in_the_order_of_their_ids() -> None:
    test = '("centos" in named or  # why\n  "oracle" in named)'
    expected = (
        '("centos" in named or  # why\n  "almalinux" in named or\n'
        '  "rocky linux" in named or\n  "oracle" in named)'
    )
    assert header(test, ROCKY, ALMA) == header(test, ALMA, ROCKY) == expected


def test_only_the_needles_that_are_needed_are_added() -> None:
    names = ("AlmaLinux", "AlmaLinux Kitten")
    both = replace(ALMA, names=names, needles=("almalinux kitten", "almalinux"))
    assert "kitten" not in header('"centos" in named', both)
    none = replace(ALMA, names=("AlmaLinux Kitten",), needles=("almalinux", "almalinux kitten"))
    assert header('"almalinux" in named', none) == '"almalinux" in named'


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("indent", ["  ", "    ", "\t"])
@pytest.mark.parametrize(
    ("encoding", "first"),
    [
        ("utf-8", "# 漢"),
        ("utf-8-sig", "# é"),
        ("latin-1", "# coding: latin-1 é"),
        ("shift_jis", "# vim: set fileencoding=shift_jis : 漢"),
    ],
)
def test_encoding_line_ends_and_indentation_stay(
    newline: str, indent: str, encoding: str, first: str
) -> None:
    lines = [first, "import distro", "def choose():"]
    lines += [
        f"{indent}name = distro.name().lower()",
        f'{indent}if ("centos" in name or  # \u00e9'[:-1],
    ]
    lines += [f'{indent * 3}"oracle" in name):', f"{indent * 2}from redhat_installer import R"]
    lines += [f"{indent}else:", f"{indent * 2}raise SystemExit(1)", ""]
    after = [*lines[:5], f'{indent * 3}"rocky linux" in name or', *lines[5:]]
    data = newline.join(lines).encode(encoding)
    assert patched(data) == newline.join(after).encode(encoding)


def test_a_subject_in_its_own_case_gets_the_names_own_case() -> None:
    text = f"import distro\nname = distro.name()\nif 'CentOS' in name:\n{BODY}"
    assert "'CentOS' in name or 'Rocky Linux' in name:" in patched(text.encode()).decode()


def test_an_id_is_compared_with_the_profiles_ids() -> None:
    text = f"import distro\nname = distro.id()\nif 'rhel' in name:\n{BODY}"
    assert "'rhel' in name or 'rocky' in name:" in patched(text.encode()).decode()
    with pytest.raises(Refusal, match="ID of os-release") as caught:
        patched(text.encode(), replace(ROCKY, ids=()))
    assert caught.value.code == "shape"


@pytest.mark.parametrize(
    ("text", "code", "shown"),
    [
        (
            f"{HEAD}if 'centos' in named and ok:\n{BODY}",
            "shape",
            "'centos' in named and ok",
        ),
        # No known distribution has this name: nothing that is proven.
        (f"{HEAD}if named == 'centos':\n{BODY}", "shape", "=="),
        (f"{HEAD}if 'centos' in named or 'oracle' in other:\n{BODY}", "shape", "other"),
        (f"if 'centos' in name:\n{BODY}", "shape", "could not be followed"),
        (f"{HEAD}DISTROS = {{'centos': 1}}\n", "shape", "DISTROS"),
        (HEAD, "anchor-missing", "redhat"),
        (
            f"{HEAD}if 'suse' in named:\n    import suse_installer\n",
            "anchor-missing",
            "suse",
        ),
        (
            f"{HEAD}if 'centos' in named:\n{BODY}if 'linux' in named and 'cent' in named:\n{BODY}",
            "anchor-ambiguous",
            "'cent' in named",
        ),
        (
            f"{HEAD}if 'rocky' in named:\n    import suse_installer\nelif 'centos' in"
            f" named:\n{BODY}",
            "conflict",
            "suse",
        ),
        (
            f"{HEAD}if 'linux' in named:\n    x = 1\nelif 'centos' in named:\n{BODY}",
            "conflict",
            "unsupported",
        ),
        (
            f"{HEAD}if 'rocky' in named:\n    exit(1)\ndef choose():\n    if 'centos' in"
            f" named:\n    {BODY}",
            "shape",
            "stops 'Rocky Linux'",
        ),
    ],
)
def test_what_is_not_understood_is_refused_and_shown(text: str, code: str, shown: str) -> None:
    with pytest.raises(Refusal) as caught:
        patched(text.encode())
    assert caught.value.code == code
    assert shown in caught.value.message
    assert caught.value.hint
    assert caught.value.path == "factory.py"


@pytest.mark.parametrize(
    ("needle", "code"),
    [
        ('a"b', "lossy"),
        ("café", "lossy"),
        ("li\nnux", "lossy"),
        ("back\\slash", "lossy"),
        ("linux", "conflict"),
        ("kylin", "conflict"),
        ("nowhere", "conflict"),
    ],
)
def test_a_needle_that_cannot_be_right_is_refused(needle: str, code: str) -> None:
    profile = replace(ROCKY, names=("Kylin Linux", 'A"b\\C'), needles=(needle,))
    if needle in ("linux", "kylin"):
        profile = replace(profile, names=("Kylin Linux",))
    with pytest.raises(Refusal) as caught:
        patched(f"{HEAD}if 'centos' in named:\n{BODY}".encode(), profile)
    assert caught.value.code == code


def test_equal_branches_are_one() -> None:
    text = f"{HEAD}if 'centos' in named:\n{BODY}elif 'oracle' in named:\n{BODY}"
    result = patched(text.encode()).decode()
    assert "if 'centos' in named or 'rocky linux' in named:\n" in result
    assert "elif 'oracle' in named:\n" in result


def test_a_chain_that_comes_second_is_extended_behind_its_elif() -> None:
    text = dedent(
        f"""\
        {HEAD.replace(chr(10), chr(10) + " " * 8).rstrip()}
        if 'ubuntu' in named:
            import ubuntu_installer
        elif ('centos' in named or
              'oracle' in named):
            import redhat_installer
        """
    )
    expected = text.replace("'oracle' in", "'rocky linux' in named or\n      'oracle' in")
    assert patched(text.encode()).decode() == expected
