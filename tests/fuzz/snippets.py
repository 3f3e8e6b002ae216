# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: E501 - programs, each statement in a row
"""Small programs of every construct: operators, methods, classes, closures, loops, handlers.

Each binds the names ``r0``, ``r1``, ... at the top of its module; what these are is asked of a
real Python and of the execution on paper.
"""

from __future__ import annotations

import random
from textwrap import indent

__all__ = ["HEAD", "snippet"]

HEAD = "import sys\nimport distro\nd = distro.linux_distribution()[0].lower()\n"
_WORDS = ("rocky", "centos", "linux", "ubuntu", "a", "b", "", "Rocky Linux", "x1", "10", " 8.4 ")


class _Maker:
    """Makes expressions of a kind, and statements with them."""

    def __init__(self, chance: random.Random, *, new: bool) -> None:
        self.chance = chance
        self.new = new
        self.depth = 0
        self.count = 0

    def pick(self, *choices: str) -> str:
        return self.chance.choice(choices)

    def fresh(self) -> str:
        self.count += 1
        return f"v{self.count}"

    # Expressions ---------------------------------------------------------------------------

    def number(self) -> str:
        if self.depth > 2:
            return self.pick("0", "1", "2", "3", "-1", "7", "True", "2.5", "len(d)")
        self.depth += 1
        try:
            n, m = self.number(), self.number()
            t, row = self.text(), self.row()
            return self.pick(
                f"({n} + {m})", f"({n} - {m})", f"({n} * {m})", f"({n} // ({m} or 1))",
                f"({n} % ({m} or 1))", f"({n} / ({m} or 1))", f"-{n}", f"abs({n})",
                f"len({t})", f"len({row})", f"{t}.count({t})", f"{t}.find({self.text()})",
                f"sum([{n}, {m}])", f"max({n}, {m})", f"min([{n}, {m}])", f"int({n})",
                f"round({n})", f"({n} if {self.truth()} else {m})", f"({n} and {m})",
                f"({n} or {m})", f"{row}.count({t})", f"divmod(int({n}), 3)[0]",
                f"ord(({t} or 'q')[0])", f"(int({n}) & 3)", f"(int({n}) | 4)", f"(int({n}) ^ 5)",
                f"(1 << (int({n}) % 5))", f"len(range(int({n}) % 7))", f"bool({n})", f"float({n})",
                f"sum(x for x in range(int({n}) % 5))", f"{self.table()}.get({t}, {n})",
                f"len(set({row}))", f"int('1' + str(int({n}) % 10))",
            )  # fmt: skip
        finally:
            self.depth -= 1

    def text(self) -> str:
        if self.depth > 2:
            return self.pick("d", "d", *(repr(one) for one in _WORDS))
        self.depth += 1
        try:
            t, u = self.text(), self.text()
            row = self.row()
            choices = [
                f"({t} + {u})", f"{t}.upper()", f"{t}.lower()", f"{t}.title()", f"{t}.strip()",
                f"{t}.replace({u} or 'q', 'y')", f"{t}[{self.at()}]", f"{t}[::-1]",
                f"{t}.split()[0]", f"({t} or 'q').split('l')[-1]", f"{t}.split(' ')[-1]",
                f"'-'.join({row})", f"str({self.number()})", f"'%s:%s' % ({t}, {u})",
                f"'%s' % {t}", f"'%d' % {self.number()}", f"'{{0}}{{1}}'.format({t}, {u})",
                f"'{{}}'.format({self.number()})", f"({t} if {self.truth()} else {u})",
                f"({t} or {u})", f"({t} and {u})", f"({t} * 2)", f"{t}.partition('o')[2]",
                f"{t}.center(9, '*')", f"{t}.lstrip('r')", f"{t}.rstrip('x')", f"{t}.zfill(4)",
                f"sorted({row})[0]", f"max({row})", f"{row}[0]", f"{row}[{self.at()}][0]",
                f"list({t})[0]", f"{self.table()}[{t}]", f"chr(97 + len({t}) % 20)",
                f"repr({self.number()})", f"str(({self.number()}, None))", f"{t}.capitalize()",
                f"''.join(reversed({t}))", f"str({self.truth()})", f"{t}.swapcase()",
                f"{t}.rsplit('o', 1)[0]", f"next(iter({row}))", f"{t}.expandtabs()",
                f"str([{self.number()}])",
            ]  # fmt: skip
            if self.new:
                choices += [f"f'{{{self.name_of('d')}}}-{{{self.number()}}}'", "f'<{d}>'"]
            return self.chance.choice([one for one in choices if one.count("f'") < 2])
        finally:
            self.depth -= 1

    def name_of(self, name: str) -> str:
        return self.pick(name, f"{name}!r", f"{name}.upper()")

    def at(self) -> str:
        return self.pick("0:3", "1:", ":-1", "::2", "-2:", "2:1", "0:0", ":")

    def truth(self) -> str:
        if self.depth > 2:
            return self.pick("True", "False", "d.startswith('r')", "'linux' in d", "not d")
        self.depth += 1
        try:
            t, u, row = self.text(), self.text(), self.row()
            return self.pick(
                f"{t} in {u}", f"{t} not in {row}", f"{t} == {u}", f"{t} != {u}", f"({t} < {u})",
                f"({self.number()} <= {self.number()})", f"{t}.startswith({u})",
                f"{t}.endswith(({u}, 'x'))", f"(not {self.truth()})",
                f"({self.truth()} and {self.truth()})", f"({self.truth()} or {self.truth()})",
                f"any(x in {t} for x in {row})", f"all(x for x in {row})", f"isinstance({t}, str)",
                f"isinstance({row}, (list, tuple))", f"bool({row})", f"{t}.isalpha()",
                f"{t}.isdigit()", f"({t} in {self.table()})", f"set({row}) <= set({self.row()})",
                f"({row} == {self.row()})", f"(1 < {self.number()} < 5)", f"hasattr({t}, 'lower')",
                f"callable({t})", f"({t} is None)", f"(None in ({t}, None))", f"{row} < {self.row()}",
                f"isinstance({self.number()}, int)", f"set({row}).isdisjoint([{t}])",
            )  # fmt: skip
        finally:
            self.depth -= 1

    def row(self) -> str:
        if self.depth > 2:
            return self.pick(
                "['rocky', 'centos']", "['b', 'a', 'b']", "d.split()", "[d]", "list('ab')"
            )
        self.depth += 1
        try:
            t, u, row = self.text(), self.text(), self.row()
            return self.pick(
                f"[{t}, {u}]", f"({row} + [{t}])", f"{row}[{self.at()}]", f"sorted({row})",
                f"sorted({row}, key=len)", f"sorted({row}, reverse=True)", f"list(reversed({row}))",
                f"[x.upper() for x in {row}]", f"[x for x in {row} if x in {t}]", f"{t}.split('o')",
                f"list(map(str.lower, {row}))", f"list(filter(None, {row}))", f"list(set([{t}]))",
                f"[x for y in {row} for x in y.split()]", f"list({self.table()})[:1]",
                f"sorted({self.table()}.keys())", f"sorted({self.table()}.values())[:0] + [{t}]",
                f"[a + b for a, b in zip({row}, {self.row()})]", f"({row} * 2)", f"list(({t},))",
                f"[str(i) + x for i, x in enumerate({row})]", f"{t}.splitlines()",
                f"sorted(set({row}) | set([{t}]))", f"sorted(set({row}) & set({self.row()}))",
                f"sorted(set({row}) - set([{t}]))", f"sorted({{x: 1 for x in {row}}})",
                f"({row} if {self.truth()} else [{u}])", f"list({t}[0:2])", f"[{t} for i in range(2)]",
            )  # fmt: skip
        finally:
            self.depth -= 1

    def table(self) -> str:
        t = self.text() if self.depth < 2 else "d"
        return self.pick(
            f"{{{t}: 'one', 'centos': 'two'}}", "{'rocky': 'r', 'ubuntu': 'u'}", f"dict(a={t})",
            f"dict([(x, x) for x in ({t}, 'b')])", f"{{x: x[:1] for x in ({t}, 'q')}}",
            f"dict.fromkeys(['a', {t}], 'k')", f"dict({{'a': 'z'}}, b={t})",
        )  # fmt: skip

    def any(self) -> str:
        return self.chance.choice((self.number, self.text, self.truth, self.row, self.table))()

    # Statements ----------------------------------------------------------------------------

    def block(self, name: str) -> str:
        """Return statements that bind *name*."""
        kinds = [
            self._plain, self._plain, self._plain, self._if, self._loop, self._while, self._try,
            self._function, self._closure, self._class, self._inherited, self._generator,
            self._changed, self._unpacked, self._finally, self._manager, self._defaults,
            self._stars, self._dictionary, self._sorted, self._augmented, self._deleted,
            self._global, self._method, self._property, self._raised, self._shared,
            self._aliased, self._iterator, self._operators, self._scopes, self._leaks,
        ]  # fmt: skip
        if self.new:
            kinds += [self._nonlocal, self._walrus, self._match, self._starred, self._keyword]
        return self.chance.choice(kinds)(name)

    def _plain(self, r: str) -> str:
        return f"{r} = {self.any()}"

    def _if(self, r: str) -> str:
        return (
            f"if {self.truth()}:\n    {r} = {self.any()}\nelif {self.truth()}:\n    {r} = 1\n"
            f"else:\n    {r} = {self.any()}"
        )

    def _loop(self, r: str) -> str:
        end = self.pick("break", "continue", "pass", f"{r} += 1")
        return (
            f"{r} = 0\nfor x in {self.row()}:\n    if {self.pick('x in d', self.truth())}:\n"
            f"        {end}\n    {r} += len(x)\nelse:\n    {r} = ({r}, 'else')"
        )

    def _while(self, r: str) -> str:
        return (
            f"n = {self.number()}\n{r} = []\nwhile n < 6:\n    n += 2\n    if n == 4:\n"
            f"        {self.pick('break', 'continue')}\n    {r}.append(n)\n"
            f"else:\n    {r}.append('end')"
        )

    def _try(self, r: str) -> str:
        risk = self.pick(
            f"int({self.text()})", f"{self.row()}[3]", f"{self.table()}[{self.text()}]", "1 // 0",
            "None.x", "undefined_name", f"{self.text()} + 1", "[].pop()", "{}.pop('a')", "int(None)",
            f"{self.row()}.index('zz')", "next(iter([]))", "len(1)", "'a'.nope", "set([[]])",
            "{}[[]]", "(1)[0]", "a, b = 1, 2, 3", f"{self.row()}.remove('zz')", "'abc'.index('z')",
            "'abc'[9]", "chr(-1)", "max([])", "'%d' % 'a'", "'%s %s' % 'a'", "(lambda: 1)(2)",
            "iter(3)", "'a'[0] = 'b'", "(1, 2)[0] = 1", "del undefined_name", "5()", "range('a')",
        )  # fmt: skip
        return (
            f"try:\n    {r} = 'before'\n    {risk}\n    {r} = 'after'\n"
            f"except (KeyError, IndexError):\n    {r} = 'lookup'\n"
            f"except {self.pick('ValueError', 'ArithmeticError', 'TypeError')}:\n    {r} = 'kind'\n"
            f"except Exception:\n    {r} = 'any'\nelse:\n    {r} = (r'else', {r})"
        )

    def _function(self, r: str) -> str:
        return (
            f"def f_{r}(a, b={self.any()}):\n    if {self.pick('a in d', 'not a')}:\n"
            f"        return b\n    return {self.pick('a', 'None', '(a, b)')}\n"
            f"{r} = f_{r}({self.text()}{self.pick('', ', 3', ', b=4')})"
        )

    def _closure(self, r: str) -> str:
        return (
            f"def outer_{r}(x):\n    rows = []\n    def inner(y):\n        rows.append(x + y)\n"
            f"        return rows\n    return inner\ng_{r} = outer_{r}({self.text()})\n"
            f"g_{r}('1')\n{r} = g_{r}('2') + [f('3') for f in [lambda z: z]]\n"
            f"fs = [lambda: i for i in range(3)]\n{r} = ({r}, fs[0](), fs[2]())"
        )

    def _class(self, r: str) -> str:
        return (
            f"class C_{r}(object):\n    kind = {self.text()}\n    rows = []\n"
            f"    def __init__(self, a):\n        self.a = a\n        self.rows.append(a)\n"
            f"    def both(self):\n        return self.a, self.kind, len(self.rows)\n"
            f"one = C_{r}({self.number()})\ntwo = C_{r}(2)\n{self.pick('', 'two.kind = 5')}\n"
            f"{r} = (one.both(), two.both(), C_{r}.kind, hasattr(two, 'b'),"
            f" getattr(two, 'c', 9), isinstance(two, C_{r}))"
        )

    def _inherited(self, r: str) -> str:
        supered = f"super(B_{r}, self)"
        return (
            f"class O_{r}(object):\n    def f(self):\n        return ['O']\n"
            f"class A_{r}(O_{r}):\n    def f(self):\n        return ['A'] + super(A_{r}, self).f()\n"
            f"class B_{r}(O_{r}):\n    x = {self.any()}\n    def f(self):\n"
            f"        return ['B'] + {supered}.f()\n"
            f"class D_{r}(A_{r}, B_{r}):\n    pass\n"
            f"{r} = (D_{r}().f(), D_{r}.x, issubclass(D_{r}, O_{r}), isinstance(D_{r}(), B_{r}))"
        )

    def _generator(self, r: str) -> str:
        return (
            f"def gen_{r}(n):\n    for i in range(n):\n        if i == 2:\n            continue\n"
            f"        yield i\n    yield {self.text()}\nit = gen_{r}(4)\n"
            f"{r} = [{self.pick('next(it)', 'list(it)', '0 in it')}]\n{r}.append(list(it))"
        )

    def _changed(self, r: str) -> str:
        change = self.pick(
            ".append('n')", ".extend(['p', 'q'])", ".insert(0, 'z')", ".reverse()", ".sort()",
            ".pop()", ".pop(0)", "[0:1] and None", ".remove('m')", ".insert(-1, 'y')",
        )  # fmt: skip
        return (
            f"m_{r} = {self.row()} + ['m']\nsame = m_{r}\ncopy = m_{r}[:]\nm_{r}{change}\n"
            f"{r} = (m_{r}, same, copy, same is m_{r})"
        )

    def _unpacked(self, r: str) -> str:
        return (
            f"a, (b, c) = {self.any()}, ({self.any()}, {self.text()})\nb, a = a, b\n{r} = (a, b, c)\n"
            f"for i, (j, k) in enumerate([(1, 2), (3, 4)]):\n    {r} = ({r}, i, j, k)"
        )

    def _finally(self, r: str) -> str:
        return (
            f"log_{r} = []\ndef t_{r}(x):\n    for i in range(3):\n        try:\n"
            f"            if x in d:\n                {self.pick('return i', 'continue', 'break')}\n"
            f"            if i == 1:\n                raise ValueError(x)\n"
            f"        except ValueError:\n            log_{r}.append('caught')\n"
            f"        finally:\n            log_{r}.append(i)\n"
            f"    return 'end'\n{r} = (t_{r}({self.text()}), log_{r})"
        )

    def _manager(self, r: str) -> str:
        return (
            f"class M_{r}(object):\n    log = []\n    def __enter__(self):\n"
            f"        self.log.append('in')\n        return self\n    def __exit__(self, *row):\n"
            f"        self.log.append('out')\n"
            f"def w_{r}(x):\n    for i in range(2):\n        with M_{r}() as m:\n"
            f"            if x in d:\n                {self.pick('return 1', 'break', 'continue', 'pass')}\n"
            f"            m.log.append(i)\n    return 2\n"
            f"{r} = (w_{r}({self.text()}), M_{r}.log)"
        )

    def _defaults(self, r: str) -> str:
        return (
            f"def k_{r}(x, rows=[]):\n    rows.append(x)\n    return rows\n"
            f"k_{r}({self.text()})\n{r} = list(k_{r}(2)) + k_{r}(3, [1])"
        )

    def _stars(self, r: str) -> str:
        return (
            f"def s_{r}(*a, **k):\n    return a, sorted(k.items())\n"
            f"{r} = s_{r}(1, *{self.row()}, **{{'z': {self.number()}}})\n"
            f"def u_{r}(a, b, c=3):\n    return a, b, c\n"
            f"{r} = ({r}, u_{r}(*(1, 2)), u_{r}(b=1, a={self.text()}))"
        )

    def _dictionary(self, r: str) -> str:
        return (
            f"t_{r} = {self.table()}\nt_{r}[{self.text()}] = 'n'\nt_{r}.update(x='y')\n"
            f"t_{r}.setdefault('s', []){self.pick('', '.append(1)')}\n"
            f"{r} = (sorted(map(str, t_{r}.keys())), len(t_{r}), t_{r}.get('nope'),"
            f" t_{r}.pop('x'), 'x' in t_{r}, t_{r}.pop('x', 5))"
        )

    def _sorted(self, r: str) -> str:
        key = self.pick("lambda x: -len(x)", "len", "str.lower", "lambda x: (x in d, x)", "None")
        return (
            f"{r} = (sorted({self.row()}, key={key}), max({self.row()} + ['k'], key=len),"
            f" min(['zz', 'y'], key={self.pick('len', 'str')}), sorted({{'b': 1, 'a': 2}}.items()))"
        )

    def _augmented(self, r: str) -> str:
        return (
            f"g_{r} = {{'a': [1], 'n': 1}}\nh_{r} = g_{r}['a']\ng_{r}['a'] += [2]\n"
            f"g_{r}['n'] {self.pick('+=', '-=', '*=')} 3\nx = ({self.number()},)\ny = x\nx += (4,)\n"
            f"z = {self.text()}\nz {self.pick('+=', '+=')} 'q'\n"
            f"s = set(['a'])\nq = s\ns |= set([z])\n{r} = (g_{r}, h_{r}, x, y, z, sorted(q))"
        )

    def _deleted(self, r: str) -> str:
        return (
            f"x = 5\ndef l_{r}():\n    x = 6\n    del x\n    try:\n        return x\n"
            f"    except NameError:\n        return 'gone'\n{r} = (l_{r}(), x)"
        )

    def _global(self, r: str) -> str:
        return (
            f"c_{r} = {self.number()}\ndef i_{r}():\n    global c_{r}, e_{r}\n    c_{r} = c_{r} + 1\n"
            f"    e_{r} = {self.text()}\ni_{r}()\ni_{r}()\n{r} = (c_{r}, e_{r})"
        )

    def _method(self, r: str) -> str:
        return (
            f"class S_{r}(object):\n    n = 0\n    @classmethod\n    def up(cls):\n"
            f"        cls.n += 1\n        return cls.n\n    @staticmethod\n    def at(x):\n"
            f"        return x in d\n    def __getitem__(self, i):\n        return i * 2\n"
            f"    def __call__(self, x):\n        return (x,)\n    def __str__(self):\n"
            f"        return 'S' + d\n"
            f"S_{r}.up()\n{r} = (S_{r}.up(), S_{r}().at({self.text()}), S_{r}()[3], S_{r}()({self.any()}),"
            f" str(S_{r}()), '%s' % S_{r}())"
        )

    def _property(self, r: str) -> str:
        return (
            f"class P_{r}(object):\n    asked = []\n    @property\n    def p(self):\n"
            f"        self.asked.append(1)\n        return {self.text()}\n"
            f"    def __getattr__(self, name):\n        return name + '!'\n"
            f"o = P_{r}()\n{r} = (o.p, o.q, len(o.asked), getattr(o, 'p'))"
        )

    def _raised(self, r: str) -> str:
        return (
            f"class E_{r}(ValueError):\n    pass\ntry:\n    if {self.truth()}:\n"
            f"        raise E_{r}({self.text()})\n    raise KeyError('k')\n"
            f"except {self.pick('E_' + r, 'ValueError', '(TypeError, ValueError)')} as e_{r}:\n"
            f"    {r} = (str(e_{r}), e_{r}.args)\nexcept LookupError:\n    {r} = 'lookup'"
        )

    def _shared(self, r: str) -> str:
        return (
            f"z_{r} = [[]] * 2\nz_{r}[0].append({self.text()})\ny_{r} = {{'k': z_{r}[1]}}\n"
            f"y_{r}['k'].append(1)\n{r} = (z_{r}, list(y_{r}.values()), z_{r}[0] is z_{r}[1],"
            f" dict(y_{r})['k'] is z_{r}[0])"
        )

    def _aliased(self, r: str) -> str:
        call = self.pick(
            f"sorted(['b', 'a'], key=lambda x: n_{r}.append(x) or x)",
            f"list(map(n_{r}.append, ['x', 'y']))", f"[n_{r}.append(x) for x in 'ab']",
            f"max(['q', 'w'], key=lambda x: n_{r}.append(x) or x)", f"['p'].sort(key=n_{r}.append)",
            f"any(n_{r}.append(x) for x in 'ab')", f"n_{r}.__iadd__(['z'])",
            f"list(filter(n_{r}.append, 'ab'))", f"dict((n_{r}.append(x), x) for x in 'ab')",
        )  # fmt: skip
        return f"n_{r} = [{self.text()}]\n{call}\n{r} = n_{r}"

    def _iterator(self, r: str) -> str:
        made = self.pick(
            f"iter({self.row()})", f"map(str.upper, {self.row()})", f"zip({self.row()}, 'ab')",
            f"(x for x in {self.row()})", f"reversed({self.row()})", f"enumerate({self.row()})",
            f"filter(None, {self.row()})", f"iter({self.table()}.items())", "range(3)",
            f"{self.table()}.keys()", f"{self.table()}.values()",
        )  # fmt: skip
        use = self.pick("list(j)", "next(j, None)", "'a' in j", "len(list(j))", "tuple(j)[:1]")
        return f"j = {made}\n{r} = [len(list(j)[:1])]\n{r}.append({use})\n{r} = ({r}, bool(j), [0] == j)"

    def _operators(self, r: str) -> str:
        a, b = self.any(), self.any()
        kind = self.pick("+", "*", "<", "==", "!=", "in", "-", "%", "and", "or", "is", ">=")
        return f"try:\n    {r} = ({a}) {kind} ({b})\nexcept TypeError:\n    {r} = 'no'"

    def _scopes(self, r: str) -> str:
        return (
            f"w_{r} = {self.text()}\nclass K_{r}(object):\n    w_{r} = 'inner'\n"
            f"    rows = [w_{r} for i in range(1)]\n    gen = list(w_{r} for i in range(1))\n"
            f"    class L(object):\n        v = w_{r}\n    def f(self):\n        return w_{r}\n"
            f"{r} = (K_{r}().f(), K_{r}.L.v, K_{r}.gen, K_{r}.w_{r})"
        )

    def _leaks(self, r: str) -> str:
        return (
            f"x = 'old'\n{r} = [x for x in {self.row()}]\n{r} = ({r}, x)\n"
            f"def o_{r}(i):\n    [i for i in range(3)]\n    list(i for i in 'zz')\n    return i\n"
            f"{r} = ({r}, o_{r}({self.text()}))"
        )

    # Of Python 3 alone ---------------------------------------------------------------------

    def _nonlocal(self, r: str) -> str:
        return (
            f"def a_{r}():\n    n = {self.number()}\n    def up():\n        nonlocal n\n"
            f"        n += 1\n        return n\n    up()\n    return up(), n\n{r} = a_{r}()"
        )

    def _walrus(self, r: str) -> str:
        return (
            f"def b_{r}():\n    rows = [last := x for x in {self.row()} + ['z']]\n"
            f"    if (n := len(rows)) > 2:\n        return last, n\n    return n\n{r} = b_{r}()"
        )

    def _match(self, r: str) -> str:
        subject = self.pick(self.text(), self.row(), self.number(), f"({self.text()}, 1)")
        return (
            f"match {subject}:\n    case 'rocky' | 'rocky linux' | 1:\n        {r} = 1\n"
            f"    case ['rocky', 'linux']:\n        {r} = 2\n    case [x, *rest] if rest:\n"
            f"        {r} = (3, x, rest)\n    case str(y):\n        {r} = (4, y)\n"
            f"    case None | True:\n        {r} = 5\n    case z:\n        {r} = (6, z)"
        )

    def _starred(self, r: str) -> str:
        return (
            f"a, *b = {self.row()} + ['s']\n*c, e = [*{self.row()}, *'xy']\n"
            f"{r} = (a, b, c, e, {{**{self.table()}, 'n': 1}}, (*b, 1))"
        )

    def _keyword(self, r: str) -> str:
        return (
            f"def kw_{r}(a, /, b, *, c={self.any()}, **k):\n    return a, b, c, k\n"
            f"try:\n    {r} = kw_{r}(1, {self.pick('2', 'b=2', 'b=2, c=3', '2, z=4', 'a=2, b=3', '2, 3')})\n"
            f"except TypeError:\n    {r} = 'no'"
        )


def snippet(chance: random.Random, *, new: bool = False) -> str:
    """Return a program; *new*: it may have what only a Python 3 reads."""
    maker = _Maker(chance, new=new)
    parts = []
    for number in range(chance.randint(2, 4)):
        block = maker.block(f"r{number}")
        if chance.random() < 0.2:
            name = f"in_{number}"
            block = f"def {name}():\n{indent(block, '    ')}\n    return r{number}\nr{number} = {name}()"
            if "global " in block:
                continue
        parts.append(block)
    return HEAD + "\n".join(parts) + "\n"
