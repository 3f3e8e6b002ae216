# SPDX-License-Identifier: Apache-2.0
"""A constant that gets one more element is used elsewhere: nothing moves, or that is a doubt."""

from __future__ import annotations

import ast

import pytest

from ngtpatch.installer.layout import FACTORY, ROOT
from ngtpatch.patching.apply import Patched, apply
from tests.fuzz.fuzz_shapes import check_shaped, tree_of
from tests.fuzz.fuzz_unseen import PATCHES, ROCKY
from tests.fuzz.shape_variants import Shaped

TOOL = ROOT + "src/ngt_tool.py"


def factory(beside: str = "", row: str = "('centos', 'red hat', 'oracle')") -> str:
    return (
        f"import sys\nimport distro\nRH = {row}\n{beside}\n"
        "def get_linux_installer():\n    name = distro.linux_distribution()[0].lower()\n"
        "    if any(n in name for n in RH):\n"
        "        from redhat_installer import RedhatInstaller as Picked\n"
        "    elif 'ubuntu' in name:\n"
        "        from ubuntu_installer import UbuntuInstaller as Picked\n"
        "    else:\n        sys.exit(1)\n    return Picked\n"
    )


def patched(text: str, tool: str | None = None) -> Patched:
    tree = tree_of(text) | ({} if tool is None else {TOOL: tool.encode()})
    return apply(tree, [ROCKY], PATCHES)


def names(result: Patched) -> list[str]:
    """Return the constant as it is patched."""
    (changed,) = [one for one in result.changed if one.path == FACTORY]
    (row,) = [
        one.value
        for one in ast.parse(changed.after).body
        if isinstance(one, ast.Assign) and getattr(one.targets[0], "id", "") == "RH"
    ]
    return list(ast.literal_eval(row))


OLD = ["centos", "red hat", "oracle"]
BY_PLACE = {
    "an index": "def label():\n    return RH[1]\n",
    "an alias": "SECOND = RH[1]\ndef label():\n    return SECOND\n",
    "a key": "def repo():\n    return {'centos': 'b', RH[1]: 'r'}.get('red hat')\n",
    "zip with as many": "PKG = dict(zip(RH, ('e', 'r', 'o')))\ndef pkg():\n    return PKG['x']\n",
    "a slice": "def first():\n    return RH[:2]\n",
    "where it is": "def where():\n    return RH.index('oracle')\n",
}


@pytest.mark.parametrize("use", BY_PLACE)
def test_an_element_goes_to_the_end_where_the_place_of_others_matters(use: str) -> None:
    text = factory(BY_PLACE[use])
    assert check_shaped(Shaped(text, "NAME", "constant", "none", "one line")) == "patched"
    result = patched(text)
    assert names(result) == [*OLD, "rocky linux"]
    assert result.doubts == ()


@pytest.mark.parametrize(
    ("row", "new"),
    [
        ("('centos', 'red hat')", "('centos', 'red hat', 'rocky linux')"),
        ("('centos', 'red hat',)", "('centos', 'red hat', 'rocky linux',)"),
        (
            "(\n  'centos',  # and Stream\n  'red hat'  # from 6\n)",
            "(\n  'centos',  # and Stream\n  'red hat',  # from 6\n  'rocky linux'\n)",
        ),
        (
            "[\n  'centos',\n  'red hat',  # from 6\n]",
            "[\n  'centos',\n  'red hat',  # from 6\n  'rocky linux',\n]",
        ),
        ("[\n  'centos',\n  'red hat'\n]", "[\n  'centos',\n  'red hat',\n  'rocky linux'\n]"),
    ],
)
def test_the_last_element_is_written_like_its_neighbours(row: str, new: str) -> None:
    (changed,) = patched(factory(BY_PLACE["an index"], row)).changed
    assert changed.after.decode() == factory(BY_PLACE["an index"], new)


@pytest.mark.parametrize(
    "tool",
    [
        "from installer_factory import RH\ndef main():\n    return RH[1]\n",
        "import installer_factory\ndef main():\n    return installer_factory.RH[0]\n",
        "import installer_factory as f\nPKG = dict(zip(f.RH, ('e', 'r', 'o')))\n",
        "from installer_factory import *\nSECOND = RH[1]\n",
    ],
)
def test_a_place_that_another_file_asks_for_stays(tool: str) -> None:
    result = patched(factory(), tool)
    assert names(result) == [*OLD, "rocky linux"]
    assert result.doubts == ()


DOUBTED = {
    "unpacked": "from installer_factory import RH\ndef main():\n    a, b, c = RH\n",
    "by another name": "from installer_factory import RH as N\ndef main():\n    a, b, c = N\n",
    "of a module": "import installer_factory as f\ndef main():\n    a, b, c = f.RH\n",
    "after a star": "from installer_factory import *\ndef main():\n    a, b, c = RH\n",
    "counted": "import installer_factory\n\ndef main():  return len(installer_factory.RH) == 3\n",
    "the last": "from installer_factory import RH\ndef main():\n    return RH[-1]\n",
    "zipped": "from installer_factory import RH\nimport os\nPKG = zip(RH, os.environ)\n",
    "formatted": "from installer_factory import RH\ndef main():\n    return '%s %s %s' % RH\n",
    "handed on": "import installer_factory\nimport os\nos.putenv('N', installer_factory.RH)\n",
    "by text": "import installer_factory\n\ndef main():  return getattr(installer_factory, 'RH')\n",
}


@pytest.mark.parametrize("use", DOUBTED)
def test_a_use_by_number_or_not_understood_is_a_doubt_that_names_its_line(use: str) -> None:
    (doubt,) = patched(factory(), DOUBTED[use]).doubts
    assert (doubt.path, doubt.line, doubt.kind) == (TOOL, 3, "constant")


def test_a_use_of_a_name_that_a_third_file_hands_on_is_found() -> None:
    tree = tree_of(factory()) | {
        ROOT + "src/names.py": b"from installer_factory import RH as KNOWN\n",
        TOOL: b"import names\n\na, b, c = names.KNOWN\n",
    }
    (doubt,) = apply(tree, [ROCKY], PATCHES).doubts
    assert (doubt.path, doubt.line) == (TOOL, 3)


@pytest.mark.parametrize(
    "tool",
    [
        "from installer_factory import RH\ndef known(name):\n    return name in RH\n",
        "from installer_factory import RH\ndef known(d):\n    return any(n in d for n in RH)\n",
        "from installer_factory import RH\ndef known(name):\n    return name.startswith(RH)\n",
        "RH = ('a', 'b')\none, other = RH\n",
        "import redhat_installer\none, other = redhat_installer.RH\n",
        "class Tool(object):\n    def use(self):\n        one, other = self.RH\n",
    ],
)
def test_what_only_asks_and_what_is_another_constant_is_no_doubt(tool: str) -> None:
    assert patched(factory(), tool).doubts == ()


def test_the_factorys_own_number_of_them_is_a_doubt() -> None:
    result = patched(factory("def known():\n    return len(RH)\n"))
    assert {(one.path, one.line, one.kind) for one in result.doubts} == {(FACTORY, 5, "constant")}


#: By what is done with it: what a module has, how the factory asks it, and how a tool uses it.
MADE_OF_IT = {
    "appended": ("EL = []\nEL.append('centos')\nEL.append('red hat')\n", "EL", "len(f.EL)"),
    "added": ("EL = set()\nEL.add('centos')\nEL.add('red hat')\n", "EL", "len(f.EL)"),
    "assigned": ("EL = {}\nEL['centos'] = 1\nEL['red hat'] = 1\n", "EL", "len(f.EL)"),
    "made by a function": (
        "def row(*names):\n    return list(names)\nEL = row('centos', 'red hat')\n", "EL",
        "len(f.EL)"),
    "split": ("EL = 'centos,red hat'.split(',')\n", "EL", "len(f.EL)"),
    "its greatest": ("EL = ['centos', 'red hat']\nONE = max(EL)\n", "EL", "f.ONE.upper()"),
    "joined": ("EL = ['centos', 'red hat']\nALL = '-'.join(EL)\n", "EL", "f.ALL.upper()"),
    "a pattern": (
        "import re\nEL = ['centos', 'red hat']\nRX = re.compile('|'.join(EL))\n", "EL",
        "f.RX.sub('', 'x')"),
    "filled by a loop": (
        "EL = ['centos', 'red hat']\nPKG = {}\nfor one in EL:\n    PKG[one] = 'ngt-' + one\n", "EL",
        "sorted(f.PKG)[0]"),
    "of a class": (
        "EL = ['centos', 'red hat']\nclass Names(object):\n    ALL = '-'.join(EL)\n", "EL",
        "f.Names.ALL.upper()"),
    "a registry": (
        "EL = {}\ndef add(name):\n    EL[name] = 1\nadd('centos')\nadd('red hat')\n", "EL",
        "len(f.EL)"),
    "given by a function": (
        "def names():\n    return ['centos', 'red hat']\n", "names()", "len(f.names())"),
    "yielded": (
        "def names():\n    yield 'centos'\n    yield 'red hat'\n", "names()",
        "len(list(f.names()))"),
    "of an object": (
        "class Names(object):\n    def __init__(self):\n        self.all = ['centos', 'red hat']\n",
        "Names().all", "len(f.Names().all)"),
    "a property": (
        "class Names(object):\n    @property\n    def all(self):\n"
        "        return ['centos', 'red hat']\n",
        "Names().all", "len(f.Names().all)"),
    "a default": (
        "EL = ['centos', 'red hat']\ndef text(names=EL):\n    return '-'.join(names)\n", "EL",
        "f.text().upper()"),
}  # fmt: skip


def with_module(module: str, asked: str, tool: str) -> Patched:
    text = factory().replace("in RH", f"in families.{asked}")
    text = text.replace("RH = ", "import families\nX = ")
    beside = {
        ROOT + "src/families.py": module.encode(),
        TOOL: f"import families as f\nimport os\ndef main():  return {tool}\n".encode(),
    }
    return apply(tree_of(text) | beside, [ROCKY], PATCHES)


@pytest.mark.parametrize("what", MADE_OF_IT)
def test_a_use_of_what_a_constant_is_made_of_or_goes_into_is_a_doubt(what: str) -> None:
    result = with_module(*MADE_OF_IT[what])
    assert [one.path for one in result.changed] == [ROOT + "src/families.py"]
    assert (TOOL, 3, "constant") in {(one.path, one.line, one.kind) for one in result.doubts}


@pytest.mark.parametrize("what", ["appended", "a registry", "given by a function", "a default"])
def test_what_asks_another_module_for_such_a_name_is_no_doubt(what: str) -> None:
    module, asked, tool = MADE_OF_IT[what]
    result = with_module(module, asked, tool.replace("f.", "os.path."))
    assert TOOL not in {one.path for one in result.doubts}


def test_a_place_that_stays_where_it_is_is_no_doubt() -> None:
    module = "EL = []\nEL.append('red hat')\nEL.append('centos')\n"
    assert with_module(module, "EL", "f.EL[0]").doubts == ()


VALUES = {
    "its place": "    tool = ('rpm', 'rpm', 'deb', 'zypp')[RH.index(name)]\n",
    "its number in a table": "    tool = dict((n, i) for i, n in enumerate(RH))[name]\n",
    "its number, told": "    print('tool %d' % dict((n, i) for i, n in enumerate(RH))[name])\n",
    "how many there are": "    print('bucket %d' % (len(name) % len(RH)))\n",
    "a sum": "    print('cache-%d' % sum(map(ord, ''.join(RH))))\n",
    "an argument": "    import subprocess\n"
    "    print(subprocess.call(['t', str(len(','.join(RH)))]))\n",
    "a score": "    score = 0\n    for n in RH:\n        score = score * 2 + (n in name)\n"
    "    print('score %d' % score)\n",
}


@pytest.mark.parametrize("what", VALUES)
@pytest.mark.parametrize("row", ["['centos linux', 'red hat', 'ubuntu']", "('centos linux',)"])
def test_a_value_that_one_more_element_makes_another_is_a_doubt(what: str, row: str) -> None:
    result = patched(deciding(VALUES[what], row))
    assert {one.kind for one in result.doubts} == {"constant"}


def deciding(line: str, row: str) -> str:
    return factory(row=row).replace(
        "    if any", f"    if name not in RH:\n        sys.exit(1)\n{line}    if any"
    )


@pytest.mark.parametrize(
    "line",
    [
        "    print('supported: %s' % ', '.join(RH))\n",
        "    print('%d are supported' % len(RH))\n",
        "    try:\n        RH.index(name)\n    except ValueError:\n        sys.exit(1)\n",
    ],
)
def test_a_list_that_is_told_and_what_only_asks_is_no_doubt(line: str) -> None:
    assert patched(deciding(line, "['centos linux', 'red hat', 'ubuntu']")).doubts == ()


TABLE = """import sys
import platform
import redhat_installer, ubuntu_installer
TABLE = {
    "centos": redhat_installer.RedhatInstaller,%s
    "ubuntu": ubuntu_installer.UbuntuInstaller,
}
def get_linux_installer():
    name = platform.linux_distribution()[0].lower()
    for token, installer in %s:
        if token in name:
            return installer
    sys.exit(1)
"""
TWICE = """
    "red hat": redhat_installer.RedhatInstaller,
    "linux server": ubuntu_installer.UbuntuInstaller,"""


@pytest.mark.parametrize("source", ["", "print 'two'\n"])
def test_a_dictionary_whose_order_decides_for_somebody_is_a_doubt(source: str) -> None:
    result = patched(TABLE % (TWICE, "TABLE.items()") + source)
    assert {(one.line, one.kind) for one in result.doubts} == {(12, "constant")}
    for row, asked in (
        ("", "TABLE.items()"),
        (TWICE, "sorted(TABLE.items())"),
        (TWICE, "TABLE.items() if (x := 1) else ()"),
    ):
        if ":=" not in asked or not source:
            assert patched(TABLE % (row, asked) + source).doubts == ()


def test_the_first_key_of_a_dictionary_is_a_doubt() -> None:
    text = TABLE % ("", "TABLE.items()")
    result = patched(text.replace("    sys.exit", "    print(list(TABLE)[0])\n    sys.exit"))
    assert 13 in {one.line for one in result.doubts}


#: What comes first, or is taken out, of a set or dictionary; the loop is over something else.
TAKEN = {
    "by a step": "for step in ('a', 'b'):\n        if found[0] == 'red hat':\n"
    "            os.system(step)",
    "popitem": "rest = dict(RH)\n    os.system('true %s' % rest.popitem()[1])",
    "pop of a set": "rest = set(RH)\n    os.system('true ' + rest.pop())",
}


@pytest.mark.parametrize("row", ["{'centos': 1, 'red hat': 2, 'linux server': 3}"])
@pytest.mark.parametrize("taken", TAKEN)
def test_what_the_order_gives_is_a_doubt_in_any_loop(taken: str, row: str) -> None:
    text = factory(row=row).replace(
        "    if any",
        "    import os\n    found = [one for one in RH if one in name]\n"
        "    if not found and 'ubuntu' not in name:\n        sys.exit(1)\n"
        f"    {TAKEN[taken]}\n    if any",
    )
    result = patched(text)
    assert result.doubts
    assert {one.kind for one in result.doubts} == {"constant"}


@pytest.mark.parametrize(("given", "doubted"), [("found", True), ("True", False)])
def test_a_tool_that_gives_what_the_first_key_has_is_a_doubt(given: str, doubted: bool) -> None:
    row = "{'centos': 1, 'red hat': 1, 'linux server': 2}"
    tool = (
        "from installer_factory import RH\ndef kind(name):\n    for token, found in RH.items():\n"
        f"        if token in name:\n            return {given}\n"
    )
    result = patched(factory(row=row), tool)
    assert [(one.path, one.line) for one in result.doubts] == [(TOOL, 3)] * doubted
