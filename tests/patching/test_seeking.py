# SPDX-License-Identifier: Apache-2.0
"""What executing a file proves: the one element it gets, written like its neighbours."""

from __future__ import annotations

import subprocess
from pathlib import Path
from textwrap import dedent

import pytest

from ngtpatch.errors import Refusal
from ngtpatch.installer.layout import FACTORY as FACTORY_FILE
from ngtpatch.installer.layout import ROOT
from ngtpatch.installer.python_source import parse
from ngtpatch.patching.apply import apply
from ngtpatch.patching.insertion import insert
from ngtpatch.patching.patch import load_patches
from ngtpatch.patching.profile import Profile, load_profiles
from ngtpatch.patching.recognise import recognise
from tests.interpreters import interpreter

PATCHES = load_patches()
FACTORY = next(patch for patch in PATCHES if patch.id == "factory")
ROCKY = load_profiles()["rocky"]
ALMA = load_profiles()["almalinux"]
RED = "    from redhat_installer import RedhatInstaller as Installer\n"
ELSE = "else:\n    raise SystemExit(1)\n"


def patched(text: str, *profiles: Profile) -> str:
    source = parse("factory.py", text.encode())
    outcome = recognise(source, FACTORY, profiles or (ROCKY,))
    return insert(source, outcome.insertions).decode()


def chosen(test: str, asked: str = "distro.name().lower()", top: str = "") -> str:
    """Return a file that picks by *test*."""
    return f"import distro\n{top}d = {asked}\nif {test}:\n{RED}{ELSE}"


def condition(text: str) -> str:
    """Return the test of such a file."""
    return text[text.index("\nif ") + 4 : text.index(f":\n{RED}")]


@pytest.mark.parametrize(
    ("asked", "test", "after"),
    [
        (
            "distro.id()",
            "d == 'centos' or d == 'rhel'",
            "d == 'centos' or d == 'rocky' or d == 'rhel'",
        ),
        ("distro.id()", "'centos' == d", "'centos' == d or 'rocky' == d"),
        ("distro.name()", "d == u'CentOS Linux'", "d == u'CentOS Linux' or d == u'Rocky Linux'"),
        (
            "distro.name().upper()",
            "d in ['CENTOS LINUX', 'RED HAT ENTERPRISE LINUX']",
            "d in ['CENTOS LINUX', 'ROCKY LINUX', 'RED HAT ENTERPRISE LINUX']",
        ),
        (
            "distro.name().lower().split()[0]",
            "d in {'red', 'centos'}",
            "d in {'red', 'rocky', 'centos'}",
        ),
        ("distro.id()", "d in ('centos',)", "d in ('rocky', 'centos',)"),
        ("distro.id()", "d in (\n  'centos',\n)", "d in (\n  'rocky',\n  'centos',\n)"),
        (
            "distro.name().lower()",
            "d.startswith('centos')",
            "d.startswith('centos') or d.startswith('rocky linux')",
        ),
        (
            "distro.name().lower()",
            "not ('centos' not in d)",
            "not ('centos' not in d and 'rocky linux' not in d)",
        ),
        (
            "distro.name().lower()",
            "not 'centos' not in d",
            "not ('centos' not in d and 'rocky linux' not in d)",
        ),
        (
            "distro.name().lower()",
            "len(d) and 'centos' in d",
            "len(d) and ('centos' in d or 'rocky linux' in d)",
        ),
        (
            "distro.name().lower()",
            "bool('centos' in d)",
            "bool('centos' in d or 'rocky linux' in d)",
        ),
        (
            "distro.name().lower()",
            "d.find('centos') != -1",
            "d.find('centos') != -1 or d.find('rocky linux') != -1",
        ),
        (
            "distro.name().lower()",
            "any(x in d for x in ('centos', 'red hat'))",
            "any(x in d for x in ('centos', 'rocky linux', 'red hat'))",
        ),
        (
            "distro.name().lower()",
            "any(['red hat' in d, 'centos' in d])",
            "any(['red hat' in d, 'rocky linux' in d, 'centos' in d])",
        ),
        (
            "distro.name().lower()",
            '"cent" "os" == d[:6] or ("cent" + "os") == d',
            '"cent" "os" == d[:6] or "rocky " == d[:6] or ("cent" + "os") == d',
        ),
        (
            "distro.id()",
            "d in ('rhel', 'sl') + ('centos', 'oracle')",
            "d in ('rhel', 'sl') + ('centos', 'rocky', 'oracle')",
        ),
        ("distro.id()", "d in 'rhel:centos'.split(':')", "d in 'rhel:centos:rocky'.split(':')"),
        (
            "distro.id()",
            "{'centos', 'rhel'} & {d}",
            "{'centos', 'rocky', 'rhel'} & {d}",
        ),
        (
            "distro.id()",
            "not set(['rhel', 'centos']).isdisjoint([d])",
            "not set(['rhel', 'rocky', 'centos']).isdisjoint([d])",
        ),
        (
            "distro.name().lower()",
            "__import__('re').match('centos|red hat', d)",
            "__import__('re').match('centos|rocky linux|red hat', d)",
        ),
        (
            "distro.id()",
            "dict(centos=1, rhel=1).get(d)",
            "dict(centos=1, rocky=1, rhel=1).get(d)",
        ),
    ],
)
def test_a_test_gets_one_element(asked: str, test: str, after: str) -> None:
    text = chosen(test, asked)
    result = patched(text)
    assert condition(result) == after
    assert result.replace(after, test) == text
    assert patched(result) == result


@pytest.mark.parametrize(
    ("asked", "top", "test", "after"),
    [
        ("id()", "CENTOS = 'centos'\n", "d == CENTOS", "d == CENTOS or d == 'rocky'"),
        (
            "id()",
            "CENTOS = 'cent' + 'os'\nRHEL = OTHER = 'rhel'\n",
            "d in (CENTOS, RHEL)",
            "d in (CENTOS, 'rocky', RHEL)",
        ),
        (
            "id()",
            "class Known:\n    CENTOS = 'centos'\n",
            "d in (Known.CENTOS, 'rhel')",
            "d in (Known.CENTOS, 'rocky', 'rhel')",
        ),
        (
            "id()",
            "import enum\nclass Known(enum.Enum):\n    CENTOS = 'centos'\n",
            "d in (Known.CENTOS.value, 'rhel')",
            "d in (Known.CENTOS.value, 'rocky', 'rhel')",
        ),
        (
            "id()",
            "CENTOS = 'centos'\n",
            "d in {CENTOS: 1, 'rhel': 2}",
            "d in {CENTOS: 1, 'rocky': 1, 'rhel': 2}",
        ),
        ("id()", "", "d in ('cent' + 'os', 'rhel')", "d in ('cent' + 'os', 'rocky', 'rhel')"),
        ("id()", "", "d in (f'centos', 'rhel')", "d in (f'centos', 'rocky', 'rhel')"),
        (
            "name().lower()",
            "",
            "d in ('CentOS Linux'.lower(), 'rhel')",
            "d in ('CentOS Linux'.lower(), 'rocky linux', 'rhel')",
        ),
        (
            "name().upper()",
            "",
            "d == 'CentOS Linux'.upper()",
            "d == 'CentOS Linux'.upper() or d == 'ROCKY LINUX'",
        ),
    ],
)
def test_a_text_with_a_name_or_in_parts_gets_a_neighbour(
    asked: str, top: str, test: str, after: str
) -> None:
    text = chosen(test, f"distro.{asked}", top)
    result = patched(text)
    assert condition(result) == after
    assert result.replace(after, test) == text


@pytest.mark.parametrize("first", ["debian", "centos"])
def test_a_name_that_is_assigned_twice_is_no_text(first: str) -> None:
    top = f"CENTOS = '{first}'\nCENTOS = 'centos'\n"
    with pytest.raises(Refusal):
        patched(chosen("d == CENTOS", "distro.id()", top))


@pytest.mark.parametrize(
    ("row", "after"),
    [
        (
            "(\n    'centos',  # first\n    # then\n    'rhel',\n)",
            "(\n    'centos',  # first\n    'rocky',\n    # then\n    'rhel',\n)",
        ),
        (
            "(\n    'rhel'\n    , 'centos'  # last\n)",
            "(\n    'rhel'\n    , 'rocky'\n    , 'centos'  # last\n)",
        ),
        ("['rhel',\n\n      'centos']", "['rhel',\n      'rocky',\n\n      'centos']"),
        ("('rhel', \\\n    'centos')", "('rhel', \\\n    'rocky', \\\n    'centos')"),
        ("('rhel'), ('centos')", "('rhel'), ('rocky'), ('centos')"),
    ],
)
def test_an_entry_is_laid_out_as_its_neighbours_are(row: str, after: str) -> None:
    text = chosen("d in KNOWN", "distro.id()", f"KNOWN = {row}\n")
    result = patched(text).replace("'rocky',\n\n      'centos'", "'rocky',\n\n      'centos'")
    normal = result.replace("\n\n", "\n")
    assert normal == text.replace(row, after).replace("\n\n", "\n")


def test_a_constant_that_is_used_twice_must_do_for_both() -> None:
    top = "NAMES = ['centos', 'rhel']\n"
    both = chosen("d in NAMES", "distro.id()", top + "print(', '.join(NAMES))\n")
    assert "NAMES = ['centos', 'rocky', 'rhel']" in patched(both)
    counted = chosen("d in NAMES", "distro.id()", top + "assert len(NAMES) == 2\n")
    with pytest.raises(Refusal, match="understood"):
        patched(counted)
    hashed = "import hashlib\nif hashlib.md5(repr(NAMES).encode()).hexdigest() != 'x':\n    y = 1\n"
    with pytest.raises(Refusal, match="understood"):
        patched(chosen("d in NAMES", "distro.id()", top + hashed))


def test_what_registers_the_kin_is_written_once_more() -> None:
    kept = "known = []\nknown.append('centos')  # first\nknown.append('rhel')\n"
    result = patched(chosen("d in known", "distro.id()", kept))
    assert "known.append('centos')  # first\nknown.append('rocky')\nknown" in result
    table = (
        "table = {}\n"
        "def serves(*names):\n    def kept(function):\n        for name in names:\n"
        "            table[name] = function\n        return function\n    return kept\n"
        "@serves('rhel')\n@serves('oracle', 'centos')\ndef rpm():\n    pass\n"
    )
    result = patched(chosen("d in table", "distro.id()", table))
    assert "@serves('rhel')\n@serves('oracle', 'rocky', 'centos')\ndef rpm" in result


def test_two_places_that_would_do_are_one_too_many() -> None:
    top = "A = ['centos', 'rhel']\nB = ['oracle', 'centos']\n"
    with pytest.raises(Refusal, match="2 places would each") as caught:
        patched(chosen("d in A + B", "distro.id()", top))
    assert caught.value.code == "anchor-ambiguous"
    assert "A = ['centos'" in caught.value.message
    assert "B = ['oracle'" in caught.value.message


def test_a_text_that_differs_between_releases_is_not_enough() -> None:
    asked = "distro.name().lower() + ' ' + distro.version()"
    with pytest.raises(Refusal):
        patched(chosen("d in ('centos linux 8', 'centos linux 9')", asked))
    partly = patched(chosen("'centos linux 8' in d or 'centos' in d", asked))
    assert condition(partly) == "'centos linux 8' in d or 'rocky linux' in d or 'centos' in d"


def test_who_is_accepted_by_id_like_or_platform_needs_nothing() -> None:
    for asked in ("distro.like()", "distro.os_release_attr('platform_id')"):
        text = chosen("'rhel' in d.split() or d.startswith('platform:el')", asked)
        assert patched(text) == text


def test_several_profiles_come_in_the_order_of_their_ids() -> None:
    result = patched(chosen("d in ('centos', 'rhel')", "distro.id()"), ROCKY, ALMA)
    assert condition(result) == "d in ('centos', 'almalinux', 'rocky', 'rhel')"


def test_a_row_that_needs_two_changes_is_refused() -> None:
    text = dedent(
        f"""\
        import distro
        d = distro.id()
        if d not in ["centos", "rhel", "ubuntu"]:
            raise SystemExit(1)
        if d in ("centos", "rhel"):
        {RED}else:
            import ubuntu_installer
        """
    )
    with pytest.raises(Refusal):
        patched(text)


def tree(factory: str) -> dict[str, bytes]:
    return {
        ROOT + "install_ngt.py": b"import installer_factory\n"
        b"installer_factory.get_linux_installer()().install()\n",
        FACTORY_FILE: factory.encode(),
        ROOT
        + "src/redhat_installer.py": b"class RedhatInstaller(object):\n  def install(self): pass\n",
    }


def test_where_the_chain_that_is_read_does_not_decide_the_other_place_is_found() -> None:
    factory = dedent(
        """\
        import distro

        def pick(name):
            if "centos" in name or "red hat" in name:
                from redhat_installer import RedhatInstaller
                return RedhatInstaller
            raise SystemExit(1)

        def get_linux_installer():
            return pick(distro.id())
        """
    )
    outcome = apply(tree(factory), [ROCKY], [FACTORY])
    assert not outcome.doubts
    (changed,) = outcome.changed
    assert b'"centos" in name or "rocky" in name or "red hat"' in changed.after


PYTHON_2 = """\
# -*- coding: latin-1 -*-
import platform
MODE = 0755
SIZE = 10L
KNOWN = (ur"centos linux", u"red hat enterprise linux server")  # \xe9
class Told(Exception):
\tpass
def get_linux_installer():
\ttry:
\t\tname = platform.linux_distribution()[0].lower()
        except Exception, error:
\t\traise Told, `error`
\texec "checked = 1"
\tif name <> "" and name in KNOWN:
\t\tfrom redhat_installer import RedhatInstaller
\t\treturn RedhatInstaller
\tprint >>open("/dev/null", "w"), "Unsupported : %s" % name
\traise SystemExit, 1
"""
RUNNER = """\
import imp, sys
told = imp.new_module("platform")
told.linux_distribution = lambda: (sys.argv[2], "9", "")
red = imp.new_module("redhat_installer")
red.RedhatInstaller = "red"
sys.modules.update(platform=told, redhat_installer=red)
scope = {}
execfile(sys.argv[1], scope)
try:
    print(scope["get_linux_installer"]())
except SystemExit:
    print("exit")
"""


def test_what_only_a_python_2_reads_is_patched_and_runs_there(tmp_path: Path) -> None:
    python = interpreter("2.7")
    data = PYTHON_2.encode("latin-1")
    source = parse("factory.py", data)
    result = insert(source, recognise(source, FACTORY, (ROCKY,)).insertions)
    assert result.replace(b'ur"rocky linux", ', b"") == data
    again = parse("factory.py", result)
    assert not recognise(again, FACTORY, (ROCKY,)).insertions
    (tmp_path / "run.py").write_text(RUNNER)
    for file, content in (("before.py", data), ("after.py", result)):
        (tmp_path / file).write_bytes(content)

    def run(file: str, name: str) -> str:
        command = [python, str(tmp_path / "run.py"), str(tmp_path / file), name]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    assert run("before.py", "Rocky Linux") == "exit"
    assert run("after.py", "Rocky Linux") == "red"
    for name in ("CentOS Linux", "Ubuntu", "AlmaLinux"):
        assert run("before.py", name) == run("after.py", name)


def test_what_is_not_understood_beside_a_sought_place_is_a_doubt_too() -> None:
    factory = (
        "import distro\nRH = ('centos', 'red hat')\n"
        "def get_linux_installer():\n  d = distro.name().lower()\n"
        "  if any(n in d for n in RH):\n"
        "    from redhat_installer import RedhatInstaller as Installer\n    return Installer\n"
        "  raise SystemExit(1)\n"
    )
    program = (
        "import distro, somelib\nfrom installer_factory import get_linux_installer\n"
        "if somelib.verdict(distro.name()):\n  raise SystemExit(2)\n"
        "get_linux_installer()().install()\n"
    )
    tree = {
        FACTORY_FILE: factory.encode(),
        ROOT + "install_ngt.py": program.encode(),
        ROOT + "src/redhat_installer.py": b"class RedhatInstaller(object):\n  def install(self):\n"
        b"    pass\n",
    }
    result = apply(tree, [ROCKY], [FACTORY])
    assert [(one.path, one.line) for one in result.doubts] == [(ROOT + "install_ngt.py", 3)] * 2
