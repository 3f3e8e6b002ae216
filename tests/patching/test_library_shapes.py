# SPDX-License-Identifier: Apache-2.0
"""Decisions by what Python's library makes of texts: patched where executing it proves one element.

Each is run before and after, for the new names and for every known one; what is inserted is
looked at as well. What only looks like the library is not taken for it.
"""

from __future__ import annotations

from textwrap import indent

import pytest

from ngtpatch.errors import Refusal
from ngtpatch.installer.layout import FACTORY, ROOT
from ngtpatch.patching.apply import apply
from tests.fuzz.fuzz_shapes import check_shaped, tree_of
from tests.fuzz.fuzz_unseen import PATCHES, ROCKY
from tests.fuzz.shape_variants import Shaped

RED, DEB = "redhat_installer.RedhatInstaller", "ubuntu_installer.UbuntuInstaller"
IMPORTS = "import redhat_installer\nimport ubuntu_installer\n"
ENDS = "\nsys.exit(1)"


def factory(top: str, body: str) -> str:
    return (
        f"import sys\nimport distro\n{IMPORTS}{top}\n\ndef get_linux_installer():\n"
        f"    d = distro.linux_distribution()[0].lower()\n{indent(body, '    ')}\n"
    )


def picked(test: str) -> str:
    """Return a body that picks by *test*."""
    return f"if {test}:\n    return {RED}\nif 'ubuntu' in d:\n    return {DEB}{ENDS}"


def became(text: str) -> str:
    return check_shaped(Shaped(text, "NAME", "library", "none", "one line"))


def inserted(text: str) -> str:
    """Return what *text* is given, after it was run before and after."""
    assert became(text) == "patched"
    (changed,) = apply(tree_of(text), [ROCKY], PATCHES).changed
    after = changed.after.decode()
    start = next(at for at, (old, new) in enumerate(zip(text, after, strict=False)) if old != new)
    return after[start : start + len(after) - len(text)]


ROW = "('centos linux', 'oracle linux server')"
GIVEN = {
    "dict.fromkeys": ("", picked(f"d in dict.fromkeys({ROW})")),
    "dict.fromkeys, a value": (
        f"F = dict.fromkeys({ROW}, 'rpm')",
        picked("F.get(d) == 'rpm'"),
    ),
    "dict.fromkeys, updated": (
        f"F = dict.fromkeys({ROW}, 'rpm')\nF.update(dict.fromkeys(('ubuntu',), 'deb'))",
        picked("F.get(d) == 'rpm'"),
    ),
    "two dictionaries in one": (
        "A = {'centos linux': 1, 'oracle linux server': 1}\nF = {**A, 'ubuntu': 2}",
        picked("F.get(d) == 1"),
    ),
    "MappingProxyType": (
        "from types import MappingProxyType\n"
        "F = MappingProxyType({'centos linux': 'rpm', 'ubuntu': 'deb'})",
        picked("F.get(d) == 'rpm'"),
    ),
    "MappingProxyType of what changes": (
        "import types\nD = {'ubuntu': 'deb'}\nF = types.MappingProxyType(D)\n"
        "D['centos linux'] = 'rpm'",
        picked("d in F and F[d] == 'rpm'"),
    ),
    "chain": (f"import itertools\nA = {ROW}", picked("d in itertools.chain(A, ('xen',))")),
    "chain by another name": (
        f"from itertools import chain as c\nA = {ROW}",
        picked("any(one in d for one in c(A, ('xen',)))"),
    ),
    "chain of values": (
        f"import itertools\nA = {{'rpm': {ROW}, 'apk': ('alpine',)}}",
        picked("d in set(itertools.chain.from_iterable(A.values()))"),
    ),
    "operator.contains": ("import operator", picked(f"operator.contains({ROW}, d)")),
    "operator.eq": ("from operator import eq", picked("eq(d, 'centos linux')")),
    "itemgetter": (
        "import operator\nF = {'centos linux': 1, 'ubuntu': 2}",
        "try:\n    which = operator.itemgetter(d)(F)\nexcept KeyError:\n    sys.exit(1)\n"
        f"return {RED} if which == 1 else {DEB}",
    ),
    "defaultdict": (
        "from collections import defaultdict\n"
        "F = defaultdict(lambda: 'none', {'centos linux': 'rpm', 'ubuntu': 'deb'})",
        picked("F[d] == 'rpm'"),
    ),
    "defaultdict that ends": (
        "import collections\nF = collections.defaultdict(lambda: sys.exit(1), "
        "{'centos linux': 'rpm', 'ubuntu': 'deb'})",
        f"return {RED} if F[d] == 'rpm' else {DEB}",
    ),
    "defaultdict filled": (
        f"import collections\nF = collections.defaultdict(list)\nF['rpm'] += list({ROW})",
        picked("d in F['rpm']"),
    ),
    "count of a tuple": ("", picked(f"{ROW}.count(d)")),
    "index of a tuple": (
        f"F = {ROW}",
        f"try:\n    F.index(d)\nexcept ValueError:\n    sys.exit(1)\nreturn {RED}",
    ),
    "a text's __contains__": ("", picked("d.__contains__('centos')")),
    "a tuple's __contains__": (f"F = {ROW}", picked("F.__contains__(d)")),
    "a map of __contains__": ("F = ('centos', 'oracle')", picked("any(map(d.__contains__, F))")),
    "__getitem__": (
        f"F = {{'centos linux': {RED}, 'ubuntu': {DEB}}}",
        "try:\n    return F.__getitem__(d)\nexcept KeyError:\n    sys.exit(1)",
    ),
    "subset": (f"F = frozenset({ROW})", picked("{d} <= F")),
    "str.startswith": ("", picked("str.startswith(d, 'centos')")),
    "set.union": (f"A = set({ROW})", picked("d in set.union(A, {'xen'})")),
    "joined": (f"F = {ROW}", picked("d in ','.join(F)")),
}


@pytest.mark.parametrize("given", GIVEN)
def test_one_more_element_where_the_library_gives_the_elements(given: str) -> None:
    assert inserted(factory(*GIVEN[given])).count("rocky linux") == 1


@pytest.mark.parametrize(
    ("test", "new"),
    [
        ("fnmatch.fnmatch(d, 'centos*')", "fnmatch.fnmatch(d, 'rocky linux*')"),
        ("fnmatch.fnmatch(d, '*centos*')", "fnmatch.fnmatch(d, '*rocky linux*')"),
        ("fnmatch.fnmatchcase(d, 'centos linux')", "fnmatch.fnmatchcase(d, 'rocky linux')"),
        ("re.search('centos', d)", "re.search('rocky linux', d)"),
        ("re.match('^centos.*', d)", "re.match('^rocky linux.*', d)"),
        ("re.match('CentOS', d, re.I)", "re.match('rocky linux', d, re.I)"),
        ("re.compile('centos linux$').match(d)", "re.compile('rocky linux$').match(d)"),
        ("'centos' in d.split()", "'rocky' in d.split()"),
    ],
)
def test_one_more_operand_beside_a_pattern_or_a_word(test: str, new: str) -> None:
    assert inserted(factory("import fnmatch\nimport re", picked(test))) == f" or {new}"


@pytest.mark.parametrize(
    ("row", "test", "new"),
    [
        ("'centos*', 'oracle*'", "any(fnmatch.fnmatch(d, one) for one in F)", "rocky linux*"),
        ("'centos.*', 'oracle.*'", "any(re.match(one, d) for one in F)", "rocky linux.*"),
        ("'centos', 'oracle'", "re.search('|'.join(F), d)", "rocky linux"),
        ("'CentOS', 'Oracle'", "any(one.lower() in d for one in F)", "Rocky Linux"),
        ("'CentOS Linux', 'SLES'", "d in list(map(str.lower, F))", "Rocky Linux"),
    ],
)
def test_one_more_entry_written_as_its_neighbours(row: str, test: str, new: str) -> None:
    text = factory(f"import fnmatch\nimport re\nF = ({row})", picked(test))
    assert inserted(text) == f"{new}', '"


# Its meaning is another, though its name is the library's; what decides is followed, or refused.
OTHERWISE = {
    "chain of another kind": (
        f"from itertools import chain\nA = {ROW}\ndef chain(*rows):\n    return rows[0][:1]",
        picked("d in chain(A, ('xen',))"),
    ),
    "operator.contains assigned": (
        f"import operator\nA = {ROW}\noperator.contains = lambda one, other: other == 'xen'",
        picked("operator.contains(A, d) or d.startswith('centos')"),
    ),
    "dict of another kind": (
        "class dict(object):\n    @staticmethod\n    def fromkeys(row):\n        return row[:1]",
        picked(f"d in dict.fromkeys({ROW})"),
    ),
    "an iterator that was used": (
        f"import itertools\nA = {ROW}\nC = itertools.chain(A, ('xen',))\nused = 'xen' in C",
        picked("d in C or d.startswith('centos')"),
    ),
    "an iterator of what changes": (
        f"import itertools\nA = list({ROW})\nC = itertools.chain(A)\nA.remove('centos linux')",
        picked("d in C"),
    ),
    "a dictionary's number": (f"F = dict.fromkeys({ROW})", picked("d in F and len(F) == 2")),
    "a joined row's number": (f"F = {ROW}", picked("d in ','.join(F) and len(F) == 2")),
    "one list as all values": (
        f"F = dict.fromkeys(('rpm', 'deb'), [])\nF['deb'] += list({ROW})",
        picked("d in F['rpm']"),
    ),
    "what it lacked is there": (
        "import collections\nF = collections.defaultdict(int, {'centos linux': 1, 'ubuntu': 2})",
        "F[d]\n" + picked("len(F) == 2 and F[d] == 1"),
    ),
    "what is shown cannot be set": (
        "import types\nF = types.MappingProxyType({'centos linux': 1})",
        "try:\n    F[d] = 1\nexcept TypeError:\n    pass\n" + picked("d in F"),
    ),
    "fnmatch of another kind": (
        "from fnmatch import fnmatch\ndef fnmatch(one, other):\n    return one.endswith('-')",
        picked("fnmatch(d, 'centos*') or d == 'centos linux'"),
    ),
    "a pattern's group": (
        "import re",
        "found = re.match('(centos|ubuntu)', d)\nif not found:\n    sys.exit(1)\n"
        f"return {RED} if found.group(1) == 'centos' else {DEB}",
    ),
    "a class of file patterns": ("import fnmatch", picked("fnmatch.fnmatch(d, '[c]entos*')")),
    "one key above another": (
        "A = {'centos linux': 'deb', 'oracle linux server': 'rpm'}\n"
        "F = {**A, 'centos linux': 'rpm'}",
        picked("F.get(d) == 'rpm'"),
    ),
}


@pytest.mark.parametrize("given", OTHERWISE)
def test_what_has_another_meaning_is_never_patched_wrongly(given: str) -> None:
    """``check_shaped`` runs it before and after, and asserts that nothing else changed."""
    assert became(factory(*OTHERWISE[given])) in (
        "patched", "shape", "anchor-missing", "anchor-ambiguous", "accepts nobody", "uncertain",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("module", "test"),
    [
        ("fnmatch", "fnmatch.fnmatch(d, 'centos*')"),
        ("operator", "operator.eq(d, 'centos linux')"),
        ("itertools", "d in itertools.chain(('centos linux', 'xen'))"),
    ],
)
def test_a_module_that_the_disc_brings_is_not_the_librarys(module: str, test: str) -> None:
    own = (
        "def fnmatch(one, other):\n    return one == 'ubuntu'\n"
        "def eq(one, other):\n    return one == 'ubuntu'\n"
        "def chain(*rows):\n    return ['ubuntu']\n"
    )
    tree = tree_of(factory(f"import {module}", picked(test)))
    apply(tree, [ROCKY], PATCHES)  # by Python's own it is patched
    with pytest.raises(Refusal):
        apply({**tree, f"{ROOT}src/{module}.py": own.encode()}, [ROCKY], PATCHES)


def test_a_text_of_python_2_with_its_prefix_gets_the_same() -> None:
    text = factory("", picked("d in (b'centos linux', b'oracle linux server')"))
    both = text.replace("import sys\n", "import sys\nprint 'x'\n", 1)
    (changed,) = apply(tree_of(both), [ROCKY], PATCHES).changed
    assert changed.path == FACTORY
    assert "(b'centos linux', b'rocky linux', b'oracle linux server')" in changed.after.decode()
    with pytest.raises(Refusal):  # on a Python 3 no text is equal to those
        apply(tree_of(text), [ROCKY], PATCHES)
