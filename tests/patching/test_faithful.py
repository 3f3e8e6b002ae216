# SPDX-License-Identifier: Apache-2.0
"""Containers are changed as Python changes them, or the factory is refused: aliases, errors, loops.

Each accepts nobody new, as its own lines show when Python runs them before and after: where it
is patched all the same, ``check_shaped`` finds the guest for whom the patch decides otherwise.
"""

from __future__ import annotations

from textwrap import indent

import pytest

from ngtpatch.errors import Refusal
from ngtpatch.patching.apply import apply
from tests.fuzz.fuzz_shapes import check_shaped, tree_of
from tests.fuzz.fuzz_unseen import PATCHES, ROCKY
from tests.fuzz.shape_variants import Shaped

RED = "redhat_installer.RedhatInstaller"
DEB = "ubuntu_installer.UbuntuInstaller"
CHAIN = (
    f"if 'centos' in d or 'oracle' in d:\n    return {RED}\n"
    f"if 'ubuntu' in d:\n    return {DEB}\nsys.exit(1)"
)
REFUSED = "if d in REFUSED:\n    sys.exit(1)\n"
IN_PLACE = {
    "a second name": ("REFUSED = []\nOLD = REFUSED\nOLD += ['rocky linux']", REFUSED),
    "a second name of a set": (
        "REFUSED = set()\nOLD = REFUSED\nOLD |= {'rocky linux'}",
        REFUSED,
    ),
    "what a set loses": (
        "ALL = {'rocky linux', 'xen'}\nOLD = ALL\nOLD -= {'rocky linux'}",
        "if d == 'rocky linux' and d not in ALL:\n    sys.exit(1)\n",
    ),
    "what a set keeps": (
        "ALL = {'rocky linux', 'xen'}\nOLD = ALL\nOLD &= {'xen'}",
        "if d.startswith('rocky') and d not in ALL:\n    sys.exit(1)\n",
    ),
    "what a set has else": ("REFUSED = set()\nOLD = REFUSED\nOLD ^= {'rocky linux'}", REFUSED),
    "a second name of a dictionary": (
        "REFUSED = {}\nOLD = REFUSED\nOLD |= {'rocky linux': 1}",
        REFUSED,
    ),
    "a parameter": (
        "REFUSED = []\ndef put(row):\n    row += ['rocky linux']\nput(REFUSED)",
        REFUSED,
    ),
    "a default argument": (
        "def put(more, row=[]):\n    row += more\n    return row\nput(['rocky linux'])\n"
        "REFUSED = put([])",
        REFUSED,
    ),
    "a class attribute": (
        "class A(object):\n    row = []\na = A()\na.row += ['rocky linux']\nREFUSED = A.row",
        REFUSED,
    ),
    "an item": (
        "REFUSED = []\nD = {'no': REFUSED}\nD['no'] += ['rocky linux']",
        REFUSED,
    ),
    "an attribute": (
        "REFUSED = []\nclass A(object):\n    pass\na = A()\na.row = REFUSED\n"
        "a.row += ['rocky linux']",
        REFUSED,
    ),
    "a text's letters": ("REFUSED = []\nOLD = REFUSED\nOLD += ('rocky linux',)", REFUSED),
    "what cannot be changed": (
        "ALL = frozenset(['xen'])\nOLD = ALL\nOLD |= {'rocky linux'}",
        "if d.startswith('rocky') and d not in ALL:\n    sys.exit(1)\n",
    ),
    "many times": ("REFUSED = ['rocky linux']\nOLD = REFUSED\nOLD *= 0",
                   "if 'rocky' in d and not REFUSED:\n    sys.exit(1)\n"),
}  # fmt: skip
METHODS = {
    "setdefault": (
        "G = {}\nG.setdefault('no', []).append('rocky linux')",
        "if d in G['no']:\n    sys.exit(1)\n",
    ),
    "setdefault of what is there": (
        "G = {'no': []}\nG.setdefault('no', ['xen']).append('rocky linux')",
        "if d in G['no']:\n    sys.exit(1)\n",
    ),
    "setdefault comes last": (
        "G = {'xen': 0}\nG.setdefault('rocky', 1)",
        "for k in G:\n    if k == 'xen':\n        break\n    if k in d:\n        pass\n"
        "    sys.exit(1)\nif list(G)[-1] in d:\n    sys.exit(1)\n",
    ),
    "insert": (
        "REFUSED = []\nG = [1]\nG.insert(0, REFUSED)\nG[0].append('rocky linux')",
        REFUSED,
    ),
    "pop of what is not there": (
        "G = {}\nREFUSED = []\ntry:\n    G.pop('xen')\nexcept KeyError:\n"
        "    REFUSED.append('rocky linux')",
        REFUSED,
    ),
    "pop of who is not there": (
        "G = {'ubuntu': 1, 'centos linux': 1, 'oracle linux server': 1}",
        "try:\n    G.pop(d)\nexcept KeyError:\n    sys.exit(1)\n",
    ),
    "pop of an empty list": (
        "REFUSED = []\ntry:\n    [].pop()\nexcept IndexError:\n    REFUSED.append('rocky linux')",
        REFUSED,
    ),
    "remove from a set": (
        "REFUSED = []\nG = set()\ntry:\n    G.remove('xen')\nexcept KeyError:\n"
        "    REFUSED.append('rocky linux')",
        REFUSED,
    ),
    "update by keywords": (
        "G = {}\nG.update(rocky=1)",
        "if d.split()[0] in G:\n    sys.exit(1)\n",
    ),
    "update by both": (
        "G = {}\nG.update({'xen': 1}, rocky=1)",
        "if d.split()[0] in G:\n    sys.exit(1)\n",
    ),
    "update by pairs": (
        "G = {}\nG.update([['rocky linux', 1]])",
        "if d in G:\n    sys.exit(1)\n",
    ),
    "a list in a set": (
        "REFUSED = []\ntry:\n    set().add([])\nexcept TypeError:\n"
        "    REFUSED.append('rocky linux')",
        REFUSED,
    ),
    "remove of an equal list": (
        "G = [['rocky linux'], []]\nG.remove(['rocky linux'])",
        "if 'rocky' in d and len(G) == 1:\n    sys.exit(1)\n",
    ),
}
UNMODELLED = {
    "operator.setitem": (
        "import operator\nREFUSED = {}\noperator.setitem(REFUSED, 'rocky linux', 1)",
        REFUSED,
    ),
    "operator.iadd": (
        "import operator\nREFUSED = []\noperator.iadd(REFUSED, ['rocky linux'])",
        REFUSED,
    ),
}
COPIES = {
    "a slice": ("REFUSED = []\nG = [REFUSED]\nH = G[:]\nH[0].append('rocky linux')", REFUSED),
    "twice": ("G = [[]] * 2\nG[0].append('rocky linux')\nREFUSED = G[1]", REFUSED),
    "a sum": ("REFUSED = []\nG = [REFUSED] + [1]\nG[0].append('rocky linux')", REFUSED),
    "a sum of tuples": ("REFUSED = []\nG = (REFUSED,) + (1,)\nG[0].append('rocky linux')", REFUSED),
    "reversed": (
        "REFUSED = []\nG = list(reversed([REFUSED]))\nG[0].append('rocky linux')",
        REFUSED,
    ),
    "zip": ("REFUSED = []\nfor a, b in zip([REFUSED], [1]):\n    a.append('rocky linux')", REFUSED),
    "a view of keys": ("B = {}\nREFUSED = B.keys()\nB['rocky linux'] = 1", REFUSED),
    "a view of values": ("B = {}\nREFUSED = B.values()\nB.update({1: 'rocky linux'})", REFUSED),
    "a view of items": (
        "B = {}\nV = B.items()\nB['rocky linux'] = 1",
        "if (d, 1) in V:\n    sys.exit(1)\n",
    ),
}
LOOPS = {
    "as many names as there are": (
        "REFUSED = []\nif len(globals()) > 3:\n    REFUSED.append('rocky linux')",
        REFUSED,
    ),
    "grows": (
        "G = ['xen']\nREFUSED = []\nfor one in G:\n    if one == 'xen':\n"
        "        G.append('rocky linux')\n    REFUSED.append(one)",
        REFUSED,
    ),
    "shrinks": (
        "G = ['xen', 'rocky linux']\nfor one in G:\n    G.remove(one)\nREFUSED = G",
        REFUSED,
    ),
    "by another name": (
        "G = ['xen']\nH = G\nREFUSED = []\nfor one in G:\n    if one == 'xen':\n"
        "        H += ['rocky linux']\n    REFUSED += [one]",
        REFUSED,
    ),
    "a dictionary": (
        "G = {'xen': 1}\nREFUSED = []\ntry:\n    for one in G:\n        G['other'] = 1\n"
        "except RuntimeError:\n    REFUSED.append('rocky linux')",
        REFUSED,
    ),
    "the keys of one": (
        "G = {'xen': 1}\nREFUSED = []\ntry:\n    for one in G.keys():\n        G['other'] = 1\n"
        "except RuntimeError:\n    REFUSED.append('rocky linux')",
        REFUSED,
    ),
    "in a comprehension": (
        "G = ['xen']\nREFUSED = [G.append('rocky linux') if one == 'xen' else one for one in G]",
        REFUSED,
    ),
}


def _text(top: str, body: str) -> str:
    return (
        "import sys\nimport distro\nimport redhat_installer\nimport ubuntu_installer\n"
        f"{top}\n\ndef get_linux_installer():\n"
        f"    d = distro.linux_distribution()[0].lower()\n{indent(body + CHAIN, '    ')}\n"
    )


def _became(top: str, body: str) -> str:
    return check_shaped(Shaped(_text(top, body), "NAME", "faithful", "none", "one line"))


@pytest.mark.parametrize(
    ("top", "body"),
    [
        pytest.param(*given, id=f"{kind}: {name}")
        for kind, table in (
            ("in place", IN_PLACE),
            ("a method", METHODS),
            ("what is not modelled", UNMODELLED),
            ("a copy", COPIES),
            ("a loop", LOOPS),
        )
        for name, given in table.items()
    ],
)
def test_who_is_refused_by_what_a_container_became_is_never_patched_in_silence(
    top: str, body: str
) -> None:
    """``check_shaped`` runs it before and after, and asserts that Rocky Linux is accepted then."""
    assert _became(top, body) != "accepts nobody"


@pytest.mark.parametrize(
    "given",
    [
        "import bisect\nREFUSED = []\nbisect.insort(REFUSED, 'rocky linux')",
        "import heapq\nREFUSED = []\nheapq.heappush(REFUSED, 'rocky linux')",
        "import heapq\nREFUSED = []\nheapq.heappush([REFUSED][0], 'rocky linux')",
        "import other\nREFUSED = []\nother.prepare({'all': [REFUSED]})",
    ],
)
def test_what_something_unknown_was_given_is_not_known_any_more(given: str) -> None:
    try:
        patched = apply(tree_of(_text(given, REFUSED)), [ROCKY], PATCHES)
    except Refusal:
        return
    assert patched.doubts
