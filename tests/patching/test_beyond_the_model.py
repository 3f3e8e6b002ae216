# SPDX-License-Identifier: Apache-2.0
"""What has no model is not known, nor is what it can reach: never patched wrongly in silence.

Each refuses Rocky Linux by what code without a model has done; ``became`` runs it before and
after, and asserts that what is patched without a doubt accepts Rocky Linux, and changes nobody.
"""

from __future__ import annotations

import pytest

from tests.patching.test_library_shapes import became, factory, picked

CHAIN = picked("'centos' in d or 'oracle' in d")
REFUSED = "if d in REFUSED:\n    sys.exit(1)\n" + CHAIN
COUNTED = "if 'rocky' in d and len(REFUSED) == 2:\n    sys.exit(1)\n" + CHAIN
ADD = "REFUSED = []\ndef f(*row):\n    REFUSED.append('rocky linux')\n    return 0\n"
CALLED_BACK = {
    "sort": (ADD + "[1].sort(key=f)", REFUSED),
    "sort, a method": ("REFUSED = []\n['rocky linux'].sort(key=REFUSED.append)", REFUSED),
    "sort, in the function": (ADD, "[1].sort(key=f)\n" + REFUSED),
    "as often as it likes": (ADD + "[1, 2].sort(key=f)", COUNTED),
    "re.sub": ("import re\n" + ADD + "re.sub('a', lambda m: str(f()), 'a')", REFUSED),
    "reduce": ("import functools\n" + ADD + "functools.reduce(f, [1, 2])", REFUSED),
    "starmap": ("import itertools\n" + ADD + "list(itertools.starmap(f, [(1,)]))", REFUSED),
    "takewhile": ("import itertools\n" + ADD + "list(itertools.takewhile(f, [1]))", REFUSED),
    "map of two rows": (ADD + "list(map(f, [1], [2]))", REFUSED),
    "filter of nothing known": (ADD + "list(filter(f, sys.argv or [1]))", REFUSED),
    "max with a default": (ADD + "max([1], default=0, key=f)", REFUSED),
    "a key of what is not known": (ADD + "sorted(sys.path, key=f)", REFUSED),
    "a class": (
        "import functools\nREFUSED = []\nclass F(object):\n    def __init__(self, *row):\n"
        "        REFUSED.append('rocky linux')\nfunctools.reduce(F, [1, 2])",
        REFUSED,
    ),
    "an object": (
        "import functools\nREFUSED = []\nclass F(object):\n    def __call__(self, *row):\n"
        "        REFUSED.append('rocky linux')\nfunctools.reduce(F(), [1, 2])",
        REFUSED,
    ),
    "a partial": (
        "import functools\n" + ADD + "functools.reduce(functools.partial(f, 1), [1, 2])",
        REFUSED,
    ),
    "in a list": (
        "import functools\n" + ADD + "functools.reduce(lambda a, b: b(), [1, f])",
        REFUSED,
    ),
    "by a decorator": (
        "import contextlib\nREFUSED = []\n@contextlib.contextmanager\ndef f():\n"
        "    REFUSED.append('rocky linux')\n    yield\nwith f():\n    pass",
        REFUSED,
    ),
    "by a decorator, later": (
        "import contextlib\n@contextlib.contextmanager\ndef f():\n"
        "    REFUSED.append('rocky linux')\n    yield\nREFUSED = []\nwith f():\n    pass",
        REFUSED,
    ),
    "once something is ready": (
        "import functools\nREFUSED, READY = [], []\n@functools.singledispatch\ndef f(one):\n"
        "    if READY:\n        REFUSED.append('rocky linux')\nREADY.append(1)\nf(1)",
        REFUSED,
    ),
    "a name": (
        "import functools\nREFUSED = ''\ndef f(*row):\n    global REFUSED\n"
        "    REFUSED = 'rocky linux'\nfunctools.reduce(f, [1, 2])",
        "if d == REFUSED:\n    sys.exit(1)\n" + CHAIN,
    ),
    "a comparison": (
        "import operator\nREFUSED = []\nclass A(object):\n    def __lt__(self, other):\n"
        "        REFUSED.append('rocky linux')\n        return True\noperator.lt(A(), A())",
        REFUSED,
    ),
    "sorted by what its class says": (
        "REFUSED = []\nclass A(object):\n    def __lt__(self, other):\n"
        "        REFUSED.append('rocky linux')\n        return True\nsorted([A(), A()])",
        REFUSED,
    ),
    "a length": (
        "REFUSED = []\nclass A(object):\n    def __len__(self):\n"
        "        REFUSED.append('rocky linux')\n        return 1\nlen(A())",
        REFUSED,
    ),
    "equal to a member": (
        "class A(object):\n    def __eq__(self, other):\n        return other == 'rocky linux'\n"
        "REFUSED = [A()]",
        REFUSED,
    ),
    "printed to": (
        "REFUSED = []\nclass A(object):\n    def write(self, text):\n"
        "        REFUSED.append('rocky linux')\nA.flush = A.write\nimport functools\n"
        "functools.partial(sys.stdout.__class__.__repr__)\nsys.exc_info()",
        "A().write('')\n" + REFUSED,
    ),
}
REACHED = {
    "an attribute": (
        "import operator\nclass A(object):\n    pass\nREFUSED = []\na = A()\na.row = REFUSED\n"
        "operator.methodcaller('__getattribute__', 'row')(a).append('rocky linux')",
        REFUSED,
    ),
    "an attribute that is set": (
        "import operator\nclass A(object):\n    no = ''\na = A()\n"
        "operator.methodcaller('__setattr__', 'no', 'rocky linux')(a)",
        "if d == a.no:\n    sys.exit(1)\n" + CHAIN,
    ),
    "an attribute of a class": (
        "import operator\nclass A(object):\n    no = []\n"
        "operator.attrgetter('no')(A).append('rocky linux')",
        "if d in A.no:\n    sys.exit(1)\n" + CHAIN,
    ),
    "what was chosen": (
        "import itertools\nREFUSED = []\n"
        "next(itertools.islice([REFUSED], 1)).append('rocky linux')",
        REFUSED,
    ),
    "what was chosen by a key": (
        "REFUSED = []\n{'a': REFUSED}[sys.byteorder and 'a'].append('rocky linux')",
        REFUSED,
    ),
    "what an unknown key gives": (
        "REFUSED = []\n{len(sys.argv) * 0: REFUSED}[len(sys.argv) * 0].append('rocky linux')",
        REFUSED,
    ),
    "a function by an unknown key": (
        ADD + "{len(sys.argv) * 0: f}[len(sys.argv) * 0]()",
        REFUSED,
    ),
    "kept for later": (
        "import collections\nREFUSED = []\nq = collections.deque()\nq.append(REFUSED)\n"
        "q.pop().append('rocky linux')",
        REFUSED,
    ),
    "set in something unknown": (
        "import collections\nREFUSED = []\nq = collections.Counter()\nq['a'] = REFUSED\n"
        "q['a'].append('rocky linux')",
        REFUSED,
    ),
    "a default": (
        "import collections\nREFUSED = []\nq = collections.Counter()\n"
        "q.get('a', REFUSED).append('rocky linux')",
        REFUSED,
    ),
    "the names of a function": (
        ADD + "f.__globals__['REFUSED'].append('rocky linux')",
        REFUSED,
    ),
    "the defaults of a function": (
        "def f(no=''):\n    return no\nf.__defaults__ = ('rocky linux',)",
        "if d == f():\n    sys.exit(1)\n" + CHAIN,
    ),
    "the module itself": (
        "REFUSED = []\nimport operator\n"
        "operator.itemgetter('REFUSED')(globals()).append('rocky linux')",
        REFUSED,
    ),
    "a name by setdefault": (
        "globals().setdefault('REFUSED', []).append('rocky linux')\nREFUSED = REFUSED or []",
        REFUSED,
    ),
    "an iterator in a tuple": (
        "M = (iter(['rocky linux']),)\nlist(M[0])\nREFUSED = [] if list(M[0]) else ['rocky linux']",
        REFUSED,
    ),
    "an iterator is no list": (
        "REFUSED = []\nif iter([1]) != [1]:\n    REFUSED.append('rocky linux')",
        REFUSED,
    ),
    "iterators in a list are no lists": (
        "REFUSED = []\nif [iter([1])] != [[1]]:\n    REFUSED.append('rocky linux')",
        REFUSED,
    ),
}
CLASSES = {
    "lru_cache of what changes": (
        "import functools\nREFUSED = ['rocky linux']\n@functools.lru_cache(None)\ndef f():\n"
        "    return len(REFUSED)\nf()\nREFUSED.append('x')\nREFUSED.remove('rocky linux')\n"
        "REFUSED.remove('x')",
        "if 'rocky' in d and f():\n    sys.exit(1)\n" + CHAIN,
    ),
    "lru_cache is called once": (
        "import functools\nREFUSED = []\n@functools.lru_cache()\ndef f():\n"
        "    REFUSED.append('rocky linux')\nf()\nf()",
        "if 'rocky' in d and len(REFUSED) == 1:\n    sys.exit(1)\n" + CHAIN,
    ),
    "lru_cache gives the same list": (
        "import functools\n@functools.lru_cache()\ndef f():\n    return []\n"
        "f().append('rocky linux')",
        "if d in f():\n    sys.exit(1)\n" + CHAIN,
    ),
    "a namedtuple is a tuple": (
        "import collections\nT = collections.namedtuple('T', 'a b')\nREFUSED = []\n"
        "if T('rocky', 1) == ('rocky', 1):\n    REFUSED.append('rocky linux')",
        REFUSED,
    ),
    "a namedtuple's members": (
        "import collections\nT = collections.namedtuple('T', 'a b')\nREFUSED = T('rocky linux', 1)",
        REFUSED,
    ),
    "a namedtuple's number": (
        "import collections\nT = collections.namedtuple('T', 'a b')\nREFUSED = []\n"
        "if isinstance(T(1, 2), tuple) and len(T(1, 2)) == 2:\n    REFUSED.append('rocky linux')",
        REFUSED,
    ),
    "a namedtuple replaced": (
        "import collections\nT = collections.namedtuple('T', 'a b')\n"
        "REFUSED = T('x', 1)._replace(a='rocky linux')",
        REFUSED,
    ),
    "a descriptor": (
        "class D(object):\n    def __get__(self, one, cls):\n        return ['rocky linux']\n"
        "class A(object):\n    no = D()",
        "if d in A().no:\n    sys.exit(1)\n" + CHAIN,
    ),
    "a descriptor that is set": (
        "REFUSED = []\nclass D(object):\n    def __set__(self, one, value):\n"
        "        REFUSED.append('rocky linux')\nclass A(object):\n    no = D()\nA().no = 1",
        REFUSED,
    ),
    "__set_name__": (
        "REFUSED = []\nclass D(object):\n    def __set_name__(self, owner, name):\n"
        "        REFUSED.append('rocky linux')\nclass A(object):\n    no = D()",
        REFUSED,
    ),
    "__del__": (
        "REFUSED = []\nclass D(object):\n    def __del__(self):\n"
        "        REFUSED.append('rocky linux')\nD()",
        REFUSED,
    ),
    "__class_getitem__": (
        "REFUSED = []\nclass D(object):\n    def __class_getitem__(cls, key):\n"
        "        REFUSED.append('rocky linux')\nD[1]",
        REFUSED,
    ),
    "a metaclass by type": (
        "M = type('M', (type,), {'__call__': lambda cls: ['rocky linux']})\n"
        "A = M('A', (), {})\nREFUSED = A()",
        REFUSED,
    ),
    "a name in a class is not seen by its methods": (
        "no = 'rocky linux'\nclass A(object):\n    no = ''\n    class B(object):\n        it = no\n"
        "    def f(self):\n        return no",
        "if d in (A().f(), A.B.it):\n    sys.exit(1)\n" + CHAIN,
    ),
    "nor by an inner class": (
        "no = 'rocky linux'\nclass A(object):\n    no = ''\n    class B(object):\n        it = no",
        "if d == A.B.it:\n    sys.exit(1)\n" + CHAIN,
    ),
    "nor by a comprehension": (
        "no = 'rocky linux'\nclass A(object):\n    no = ''\n    row = tuple(no for _ in '1')\n",
        "if d in A.row:\n    sys.exit(1)\n" + CHAIN,
    ),
    "nor by the methods of an inner class": (
        "no = 'rocky linux'\nclass A(object):\n    no = ''\n    class B(object):\n"
        "        def f(self):\n            return no\n",
        "if d == A.B().f():\n    sys.exit(1)\n" + CHAIN,
    ),
    "a base of bases": (
        "class O(object):\n    no = ''\nclass A(O):\n    pass\n"
        "class B(O):\n    no = 'rocky linux'\n"
        "class C(A, B):\n    pass",
        "if d == C.no:\n    sys.exit(1)\n" + CHAIN,
    ),
    "another class": (
        "class A(object):\n    no = ''\nclass B(object):\n    no = 'rocky linux'\na = A()\n"
        "a.__class__ = B",
        "if d == a.no:\n    sys.exit(1)\n" + CHAIN,
    ),
    "a class's names": (
        "class A(object):\n    no = 'rocky linux'",
        "if d in A.__dict__.values():\n    sys.exit(1)\n" + CHAIN,
    ),
    "a text's own method": ("", "if d.__eq__('rocky linux') is True:\n    sys.exit(1)\n" + CHAIN),
    "a row's own method": (
        "",
        "if ('rocky linux',).__len__() and d[0] == 'r':\n    sys.exit(1)\n" + CHAIN,
    ),
    "a manager that was left by return": (
        "REFUSED = []\nclass A(object):\n    def __enter__(self):\n        pass\n"
        "    def __exit__(self, *row):\n        REFUSED.append('rocky linux')\n"
        "def f():\n    with A():\n        return 1\nf()",
        REFUSED,
    ),
    "a manager that swallows": (
        "import contextlib\nfrom contextlib import suppress as quiet\nREFUSED = []\n"
        "with quiet(KeyError):\n    {}['a']\nREFUSED.append('rocky linux')",
        REFUSED,
    ),
    "an enum of numbers": (
        "import enum\nclass A(enum.IntEnum):\n    a = 1\nREFUSED = []\nif A.a == 1:\n"
        "    REFUSED.append('rocky linux')",
        REFUSED,
    ),
    "an enum of the same": (
        "import enum\nclass A(enum.Enum):\n    a = 1\n    b = 1\nREFUSED = []\nif A.a is A.b:\n"
        "    REFUSED.append('rocky linux')",
        REFUSED,
    ),
    "an enum of tuples": (
        "import enum\nclass A(enum.Enum):\n    a = (1,)\nREFUSED = []\nif A.a != (1,):\n"
        "    REFUSED.append('rocky linux')",
        REFUSED,
    ),
}
PATCHED_PYTHON = {
    "a builtin": (
        "import builtins\nREFUSED = []\nbuiltins.len = lambda one: 5",
        "if 'rocky' in d and len(REFUSED) == 5:\n    sys.exit(1)\n" + CHAIN,
    ),
    "a builtin by setattr": (
        "import builtins\nREFUSED = []\nsetattr(builtins, 'le' + 'n', lambda one: 5)",
        "if 'rocky' in d and len(REFUSED) == 5:\n    sys.exit(1)\n" + CHAIN,
    ),
    "a builtin by its dictionary": (
        "import builtins\nREFUSED = []\nvars(builtins)['len'] = lambda one: 5",
        "if 'rocky' in d and len(REFUSED) == 5:\n    sys.exit(1)\n" + CHAIN,
    ),
    "a builtin by __builtins__": (
        "REFUSED = []\n__builtins__['len'] = lambda one: 5",
        "if 'rocky' in d and len(REFUSED) == 5:\n    sys.exit(1)\n" + CHAIN,
    ),
    "a star": (
        "from operator import *\nREFUSED = []",
        "if 'rocky' in d and pow('a', 'b') == 0:\n    pass\n"
        "try:\n    concat(d, '')\nexcept Exception:\n    pass\n" + CHAIN,
    ),
    "hasattr": (
        "",
        "if 'rocky' in d and not hasattr(d, 'decode'):\n    sys.exit(1)\n" + CHAIN,
    ),
    "getattr": (
        "",
        "if 'rocky' in d and getattr(d, 'decode', None) is None:\n    sys.exit(1)\n" + CHAIN,
    ),
}
SCOPES = {
    "an assignment in a comprehension": (
        "no = ''\ndef f():\n    any((last := one) for one in ('x', 'rocky linux') if one != 'x')\n"
        "    return last",
        "if d == f():\n    sys.exit(1)\n" + CHAIN,
    ),
    "an assignment in a comprehension of the module": (
        "no = ''\n[no := one for one in ('x', 'rocky linux')]",
        "if d == no:\n    sys.exit(1)\n" + CHAIN,
    ),
    "an item is found once": (
        "REFUSED = []\nG = {}\ndef f():\n    REFUSED.append('rocky linux')\n    return 'a'\n"
        "G['a'] = 1\nG[f()] += 1",
        "if 'rocky' in d and len(REFUSED) == 1:\n    sys.exit(1)\n" + CHAIN,
    ),
    "a text has no items to set": (
        "REFUSED = []\ntry:\n    'abc'[0] = 'x'\nexcept TypeError:\n"
        "    REFUSED.append('rocky linux')",
        REFUSED,
    ),
    "a set has no items to set": (
        "REFUSED = []\nG = {'a'}\ntry:\n    G[0] = 'x'\nexcept TypeError:\n"
        "    REFUSED.append('rocky linux')",
        REFUSED,
    ),
    "what an error says": (
        "no = ''\ntry:\n    {}['rocky linux']\n"
        "except KeyError as error:\n    no = str(error)[1:-1]",
        "if d == no:\n    sys.exit(1)\n" + CHAIN,
    ),
    "a value that is sent": (
        "REFUSED = []\ndef f():\n    x = yield\n    if x:\n        REFUSED.append('rocky linux')\n"
        "    yield\nG = f()\nnext(G)\nG.send(1)",
        REFUSED,
    ),
    "an error under another name": (
        "REFUSED = []\ntry:\n    raise OSError()\nexcept EnvironmentError:\n"
        "    REFUSED.append('rocky linux')",
        REFUSED,
    ),
    "a rest that is matched": (
        "match ['a', 'rocky linux']:\n    case ['a', *REFUSED]:\n        pass\n"
        "    case _:\n        REFUSED = []",
        REFUSED,
    ),
    "a set's order": (
        "G = list({'a', 'rocky linux', 'c', 'b', 'e', 'f'})\nno = max(G, key=G.index)",
        "if d.startswith('rocky') and sorted(G) != G:\n    sys.exit(1)\n" + CHAIN,
    ),
    "a function that sees what is bound later": (
        "def f():\n    x = ''\n    def g():\n        return x\n    if sys.argv is not None:\n"
        "        x = 'rocky linux'\n        return g\n    return g",
        "if d == f()():\n    sys.exit(1)\n" + CHAIN,
    ),
}


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(given, id=f"{kind}: {name}")
        for kind, table in (
            ("called back", CALLED_BACK),
            ("reached", REACHED),
            ("a class", CLASSES),
            ("patched Python", PATCHED_PYTHON),
            ("scopes", SCOPES),
        )
        for name, given in table.items()
    ],
)
def test_what_has_no_model_is_never_patched_wrongly_in_silence(given: tuple[str, str]) -> None:
    assert became(factory(*given)) not in ("accepts nobody", "accepted as it is")
