# SPDX-License-Identifier: Apache-2.0
"""Lists, sets, dictionaries and tuples as they are written, and comprehensions."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from types import GeneratorType

from ngtpatch.installer.execution.comparing import Comparing, Cond
from ngtpatch.installer.execution.container_methods import as_iterator
from ngtpatch.installer.execution.either_python import by_python, may_be_2, may_be_3
from ngtpatch.installer.execution.frames import Frame
from ngtpatch.installer.execution.lifting import unknown
from ngtpatch.installer.execution.objects import Container, InstanceObject, NameStore
from ngtpatch.installer.execution.varied import NOTHING, Plain, Unknown, Varied, is_vague

__all__ = ["Displays"]


class Displays(Comparing):
    """Makes containers."""

    def evaluate(self, node: ast.expr) -> Varied:
        """Return what *node* is."""
        raise NotImplementedError

    def condition(self, node: ast.expr) -> Cond:
        """Return the guests on which *node* is true, false, and in doubt."""
        raise NotImplementedError

    def iterate(
        self,
        value: Varied,
        target: ast.expr,
        body: Callable[[], None],
        *,
        unsure: list[bool] | None = None,
    ) -> None:
        """Execute *body* for each element of *value*."""
        raise NotImplementedError

    def display(self, kind: type, nodes: Sequence[ast.expr]) -> Varied:
        """Return the tuple, list or set of these expressions."""
        rows: list[tuple[int, list[Plain]]] = [(self.mask, [])]
        for node in nodes:
            starred = isinstance(node, ast.Starred)
            value = self.evaluate(node.value if isinstance(node, ast.Starred) else node)
            parts = list(self.elements(value)) if starred else list(value.each(self.mask))
            if any(starred and isinstance(part, Unknown) for _, part in parts):
                return unknown(tainted=self.depends(value))
            rows = _appended(rows, parts, starred=starred)
            self.spend(len(rows))
        return self.gather((mask, self.made(kind, row)) for mask, row in rows)

    def made(self, kind: type, items: Sequence[Plain]) -> Plain:
        """Return a new container, or a tuple."""
        if kind is tuple:
            return tuple(items)
        if kind is list:
            return Container(list, tuple(items))
        if any(is_vague(one) or isinstance(one, Container) for one in items):
            self.perhaps()  # a list can be no member
            self.expose(Varied.of(tuple(items)))
            return Unknown(tainted=True)
        self.note_operated(*(Varied.of(one) for one in items if isinstance(one, InstanceObject)))
        return Container(set, frozenset(items))

    def _dictionary(self, row: Sequence[Plain]) -> Plain:
        self.note_operated(*(Varied.of(one) for one in row[::2] if isinstance(one, InstanceObject)))
        if any(is_vague(one) or isinstance(one, Container) for one in row[::2]):
            self.perhaps()
            self.expose(Varied.of(tuple(row)))
            return Unknown(tainted=True)
        return Container(dict, dict(zip(row[::2], row[1::2], strict=True)))

    def _comprehended(
        self,
        generators: Sequence[ast.comprehension],
        element: Callable[[], Varied],
        kind: type,
        *,
        leaks: bool = False,
    ) -> Varied:
        frame = self.frames[-1]
        inner = Frame(
            frame.module, frame.function, NameStore(),
            closure=(frame.local, *frame.closure)
            if frame.local is not frame.module.store and not frame.is_class
            else frame.closure,
            is_inner=True,
        )  # fmt: skip
        rows = Container(list, ())
        unsure, tainted = [False], [False]

        def each(index: int) -> None:
            if index == len(generators):
                self.append(rows, element())
                return
            loop = generators[index]
            # The first is evaluated outside.
            rows_of = first if index == 0 else self.evaluate(loop.iter)
            self.iterate(rows_of, loop.target, lambda: filtered(index), unsure=unsure)

        def filtered(index: int) -> None:
            skipped = 0
            for test in generators[index].ifs:
                true, false, doubt = self.condition(test)
                if true & false:
                    unsure[0] = True
                    tainted[0] = tainted[0] or bool(doubt)
                skipped |= self.mask & ~true
                self.mask &= true
            if self.mask:
                each(index + 1)
            self.mask |= skipped

        first = self.evaluate(generators[0].iter)
        self.frames.append(inner)
        try:
            each(0)
        finally:
            self.frames.pop()
        if leaks and may_be_2(self):
            self._leak(inner.local)
        if unsure[0]:
            self.expose(Varied.of(rows), inner=True)
            return unknown(tainted=tainted[0] or self.depends(Varied.of(rows)))
        return self.converted(rows, kind)

    def _leak(self, inner: NameStore) -> None:
        """Bind what a list comprehension of Python 2 has bound last."""
        frame = self.frames[-1]
        places = [frame.outside.get(name, frame.local) for name in inner.slots]
        for place, (name, last) in zip(places, list(inner.slots.items()), strict=True):
            if not isinstance(name, str) or name.startswith("\x00"):
                continue
            outer = [place, *frame.closure, frame.module.store]
            old = next((one.get(name) for one in outer if one.get(name).mask), NOTHING)
            now = last.within(self.mask)
            if not now.mask:
                continue
            if frame.is_class and may_be_3(self):
                now = unknown(tainted=True).within(now.mask)  # an attribute on one of them
            elif old.mask or not may_be_3(self):
                now = by_python(self, now, old)
            self.write(place, name, now, now.mask & self.mask)

    def converted(self, rows: Container, kind: type) -> Varied:
        """Return the list *rows* as a container of another kind."""
        if kind is list:
            return Varied.of(rows)
        groups = []
        for mask, items in rows.store.get("items").each(self.mask):
            if isinstance(items, Unknown):
                groups.append((mask, items))
            elif kind is set:
                groups.append((mask, self.made(set, items)))
            else:
                groups.append((mask, self._dictionary([one for pair in items for one in pair])))
        return self.gather(groups)

    def append(self, rows: Container, value: Varied) -> None:
        """Add *value* at the end of a list, on the guests that are here."""
        groups = []
        for mask, items in rows.store.get("items").each(self.mask):
            for guests, one in value.each(mask):
                known = not isinstance(items, Unknown)
                self.spend(1 + (len(items) >> 4 if known else 0))
                groups.append((guests, (*items, one) if known else items))
        self.write(rows.store, "items", self.gather(groups))

    def _tuple(self, node: ast.Tuple) -> Varied:
        return self.display(tuple, node.elts)

    def _list(self, node: ast.List) -> Varied:
        return self.display(list, node.elts)

    def _set(self, node: ast.Set) -> Varied:
        return self.display(set, node.elts)

    def _dict(self, node: ast.Dict) -> Varied:
        rows: list[tuple[int, list[Plain]]] = [(self.mask, [])]
        for key, one in zip(node.keys, node.values, strict=True):
            value = self.evaluate(one)
            if key is None:
                parts = list(self._pairs_of(value))
                if any(isinstance(part, Unknown) for _, part in parts):
                    return unknown(tainted=self.depends(value))
                rows = _appended(rows, parts, starred=True)
                continue
            rows = _appended(rows, list(self.evaluate(key).each(self.mask)), starred=False)
            rows = _appended(rows, list(value.each(self.mask)), starred=False)
            self.spend(len(rows))
        return self.gather((mask, self._dictionary(row)) for mask, row in rows)

    def _pairs_of(self, value: Varied) -> Iterator[tuple[int, Plain]]:
        """Yield the keys and values of a dictionary, in one row."""
        for mask, one in value.each(self.mask):
            if not isinstance(one, Container) or one.kind is not dict:
                yield mask, Unknown(tainted=True)
                continue
            for guests, items in one.store.get("items").each(mask):
                known = isinstance(items, dict)
                yield guests, [x for row in items.items() for x in row] if known else items

    def _generatorexp(self, node: ast.GeneratorExp) -> Varied:
        found: list[Varied] = []

        def run() -> None:
            found.append(self._comprehended(node.generators, lambda: self.evaluate(node.elt), list))

        sources = self.done_late(run)
        return as_iterator(self, GeneratorType, found[0], sources)

    def _listcomp(self, node: ast.ListComp) -> Varied:
        return self._comprehended(
            node.generators, lambda: self.evaluate(node.elt), list, leaks=True
        )

    def _setcomp(self, node: ast.SetComp) -> Varied:
        return self._comprehended(node.generators, lambda: self.evaluate(node.elt), set)

    def _dictcomp(self, node: ast.DictComp) -> Varied:
        pair = ast.Tuple(elts=[node.key, node.value], ctx=ast.Load())
        ast.copy_location(pair, node)
        return self._comprehended(node.generators, lambda: self.evaluate(pair), dict)


def _appended(
    rows: list[tuple[int, list[Plain]]], parts: Sequence[tuple[int, Plain]], *, starred: bool
) -> list[tuple[int, list[Plain]]]:
    if len(parts) == 1 and all(mask & ~parts[0][0] == 0 for mask, _ in rows):
        for _, row in rows:
            row.extend(parts[0][1] if starred else [parts[0][1]])
        return rows
    return [
        (mask & guests, [*row, *(one if starred else [one])])
        for mask, row in rows
        for guests, one in parts
        if mask & guests
    ]
