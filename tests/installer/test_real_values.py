# SPDX-License-Identifier: Apache-2.0
"""What the execution on paper claims to know is what CPython makes, 3 and 2.7."""

from __future__ import annotations

import pytest

from tests.fuzz.fuzz_execution import compare, programs_of


@pytest.mark.parametrize(("python", "count"), [("3.11", 150), ("2.7", 100)])
def test_what_is_claimed_to_be_known_is_so(python: str, count: int) -> None:
    wrong, counted = compare(programs_of("gate", count, python=python), python)
    assert not wrong, wrong[0]
    # And it is no empty claim.
    assert counted["claimed to be one"] > count
    assert counted["unreadable"] < count / 10


#: Found by such programs, and mended.
ONCE_WRONG = {
    "a return that may be": (
        "r0 = []\ndef f():\n    if len(sys.argv) > 5:\n        return 1\n    r0.append(1)\nf()\n"
        "def g():\n    global r1\n    for i in range(2):\n        if len(sys.argv) < 5:\n"
        "            break\n        r1 = 'b'\nr1 = 'a'\ng()\n"
    ),
    "an exception that may be": (
        "r0 = 'a'\ndef f():\n    global r0\n    if len(sys.argv) < 5:\n        raise ValueError()\n"
        "    r0 = 'b'\ntry:\n    f()\nexcept ValueError:\n    pass\n"
    ),
    "one of two values ends": "r0 = 6 % (True / 2 or 4)\n",
    "a key that is no function": "r0 = sorted(['b', 'a'], key=None)\n",
    "a list in a set": "try:\n    r0 = set([[]])\nexcept TypeError:\n    r0 = 1\n",
    "a dictionary and names": "r0 = dict({'a': 1}, b=2)\n",
    "a property without an attribute": (
        "class A(object):\n    @property\n    def p(self):\n        return None.x\n"
        "    def __getattr__(self, name):\n        return name\n"
        "r0 = A().p\nr1 = hasattr(A(), 'p')\n"
    ),
    "next of what is no iterator": (
        "try:\n    r0 = next(range(3))\nexcept TypeError:\n    r0 = 1\n"
    ),
    "what a comprehension leaves in a class": (
        "class A(object):\n    rows = [b for b in 'xy']\nr0 = hasattr(A, 'b')\n"
    ),
    "a number of something unknown": (
        "try:\n    r0 = int(sys.argv[0] + 'x')\nexcept ValueError:\n    r0 = 1\n"
    ),
    "division": "r0 = (1 / 2, 4 / 2, 7 // 2, 1.0 / 2)\n",
    "rounding": "r0 = (round(2.5), round(0.5), round(-1.5))\n",
    "a filtered text": "r0 = filter(None, 'abc')\nr1 = filter(None, (1, 0))\n",
    "a list in a dictionary": (
        "try:\n    r0 = [d] in {}\nexcept TypeError:\n    r0 = 'no'\n"
        "try:\n    r1 = (1, set()) not in {'a': 1}\nexcept TypeError:\n    r1 = 'no'\n"
        "r2 = (1, frozenset('a')) in {(1, frozenset('a')): 1}\n"
    ),
    "a range": "r0 = range(3) == [0, 1, 2]\nr1 = isinstance(range(3), list)\n",
    "kinds of text": (
        "r0 = isinstance('a', bytes)\nr1 = isinstance(d, str)\nr2 = repr('a')\nr3 = '%r' % 'a'\n"
        "r4 = str(['a'])\n"
    ),
    "a pattern that matches nothing": (
        "import re\nr0 = re.split('x*', 'axbc')\nr1 = re.sub('x*', '-', 'abxd')\n"
    ),
    "unlike things": (
        "try:\n    r0 = None < 1\nexcept TypeError:\n    r0 = 'no'\n"
        "try:\n    r1 = sorted([1, 'a'])\nexcept TypeError:\n    r1 = 'no'\n"
    ),
    "a name that a comprehension leaves": (
        "x = 'old'\nr0 = [x for x in ['a', 'b']]\nr1 = x\ndef f(x):\n    [x for x in 'ab']\n"
        "    return x\nr2 = f(3)\n"
    ),
    "asked for": "r0 = hasattr(d, 'decode')\nr1 = hasattr({}, 'iteritems')\n",
    "bytes": "r0 = b'abc'[0]\nr1 = list(b'abc')\nr2 = b'a' == 'a'\n",
    "names of some Pythons": (
        "try:\n    r0 = unicode is not None\nexcept NameError:\n    r0 = 'none'\n"
    ),
}


@pytest.mark.parametrize("python", ["2.7", "3.11"])
def test_what_was_wrong_once_is_so_on_both(python: str) -> None:
    head = "import sys\nimport distro\nd = distro.linux_distribution()[0].lower()\n"
    wrong, counted = compare([head + text for text in ONCE_WRONG.values()], python)
    assert not wrong, wrong[0]
    assert counted["claimed"]
    if python == "2.7":
        only = [f"{head}print 1\n{text}" for text in ONCE_WRONG.values()]
        wrong, _ = compare(only, python)
        assert not wrong, wrong[0]


LATE = {
    "enumerate": "enumerate(a)",
    "an iterator": "((0, x) for x in iter(a))",
    "map": "map(lambda x: (0, x), a)",
    "filter": "zip('abcdefg', filter(None, a))",
    "a generator expression": "((0, x) for x in a)",
    "a generator": "g()",
    "zip": "zip('abcdefg', a)",
    "zip of zip": "zip('abcdefg', (x for x, _ in zip(a, 'abcdefg')))",
    "a chain": "zip('abcdefg', itertools.chain(a, [9]))",
    "a slice": "zip('abcdefg', itertools.islice(a, 7))",
}


@pytest.mark.parametrize("python", ["2.7", "3.6", "3.12"])
def test_what_is_gone_through_late_sees_changes_on_the_way(python: str) -> None:
    head = "import itertools\na = [1, 2, 3]\ndef g():\n    for x in a:\n        yield 0, x\n"
    loop = "r0 = []\nfor _, x in {}:\n    if len(a) < 5:\n        a.append(x)\n    r0.append(x)\n"
    texts = [head + loop.format(late) for late in LATE.values()]
    wrong, _ = compare(texts, python)
    assert not wrong, wrong[0]


def test_what_else_changes_on_the_way_is_no_doubt() -> None:
    loop = "a = [1, 2, 3]\nr0 = []\nfor at, x in enumerate(a):\n    r0.append((at, x))\n"
    wrong, counted = compare([loop, loop.replace("enumerate(a)", "zip('abc', a)")], "3.12")
    assert not wrong
    assert counted["claimed to be one"] == counted["claimed"] == 6


@pytest.mark.parametrize("python", ["3.6", "3.12"])
def test_zip_may_be_strict(python: str) -> None:
    text = "try:\n    r0 = list(zip([1], {}, strict={}))\nexcept Exception:\n    r0 = 1\n"
    cases = [("[1]", True), ("[1]", False), ("[1, 2]", True), ("[1, 2]", False)]
    wrong, _ = compare([text.format(*case) for case in cases], python)
    assert not wrong, wrong[0]
