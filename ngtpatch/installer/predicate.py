# SPDX-License-Identifier: Apache-2.0
"""The test of a branch, as a tree that can be asked about any distribution.

Evaluation has three values. None means "depends on something that is not
modelled", and whoever meets it must not guess.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ngtpatch.installer.subject import Constant, DistroFacts, Resolver, Subject

__all__ = ["AllOf", "AnyOf", "Match", "Negation", "Opaque", "Predicate", "model"]

Relation = Literal["in", "==", "startswith", "endswith"]


@dataclass(frozen=True)
class Match:
    """One operand: a text compared with a fact about the distribution.

    Attributes:
        relation: how they are compared.
        needle: the text that stands in the source.
        subject: the fact it is compared with.
        line: the line of the operand.
    """

    relation: Relation
    needle: str
    subject: Subject
    line: int

    def holds(self, facts: DistroFacts) -> bool | None:
        """Return whether it is true on a distribution, or None if that is not known."""
        value = self.subject.value(facts)
        if value is None:
            return None
        match self.relation:
            case "in":
                return self.needle in value
            case "==":
                return self.needle == value
            case "startswith":
                return value.startswith(self.needle)
            case "endswith":
                return value.endswith(self.needle)

    def why(self, facts: DistroFacts) -> Match | None:
        """Return the operand that makes it true where it is, which is this one."""
        return self


@dataclass(frozen=True)
class Opaque:
    """A test that is not modelled."""

    def holds(self, facts: DistroFacts) -> bool | None:
        """Return None: not known."""
        return None

    def why(self, facts: DistroFacts) -> Match | None:
        """Return None: no operand is known."""
        return None


@dataclass(frozen=True)
class AnyOf:
    """True as soon as one operand is."""

    operands: tuple[Predicate, ...]

    def holds(self, facts: DistroFacts) -> bool | None:
        """Return whether one operand is true, or None if that is not known."""
        found: bool | None = False
        for operand in self.operands:
            holds = operand.holds(facts)
            if holds:
                return True
            found = None if holds is None else found
        return found

    def why(self, facts: DistroFacts) -> Match | None:
        """Return what makes the first true operand so; asked only where there is one."""
        return next(operand.why(facts) for operand in self.operands if operand.holds(facts))


@dataclass(frozen=True)
class AllOf:
    """True only if every operand is."""

    operands: tuple[Predicate, ...]

    def holds(self, facts: DistroFacts) -> bool | None:
        """Return whether all operands are true, or None if that is not known."""
        found: bool | None = True
        for operand in self.operands:
            holds = operand.holds(facts)
            if holds is False:
                return False
            found = None if holds is None else found
        return found

    def why(self, facts: DistroFacts) -> Match | None:
        """Return the last operand that was needed to make it true; asked only where it is."""
        return self.operands[-1].why(facts)


@dataclass(frozen=True)
class Negation:
    """True if its operand is not."""

    operand: Predicate

    def holds(self, facts: DistroFacts) -> bool | None:
        """Return the opposite of the operand, or None if that is not known."""
        value = self.operand.holds(facts)
        return None if value is None else not value

    def why(self, facts: DistroFacts) -> Match | None:
        """Return None: nothing matched, which is why it is true."""
        return None


Predicate = Match | Opaque | AnyOf | AllOf | Negation


def matches(predicate: Predicate) -> Iterator[Match]:
    """Yield every operand in *predicate*, in the order of the source."""
    match predicate:
        case Match():
            yield predicate
        case AnyOf() | AllOf():
            for operand in predicate.operands:
                yield from matches(operand)
        case Negation():
            yield from matches(predicate.operand)


def model(test: ast.expr, resolver: Resolver) -> Predicate:  # noqa: PLR0911 - one line a shape
    """Return the model of a branch's *test*."""
    match test:
        case ast.BoolOp(op=ast.Or()):
            return AnyOf(tuple(model(value, resolver) for value in test.values))
        case ast.BoolOp(op=ast.And()):
            return AllOf(tuple(model(value, resolver) for value in test.values))
        case ast.UnaryOp(op=ast.Not()):
            return Negation(model(test.operand, resolver))
        case ast.Compare(ops=[operator], comparators=[right]):
            return _compare(test.left, operator, right, resolver)
        case ast.Call(func=ast.Attribute(attr=("startswith" | "endswith") as name)) if (
            len(test.args) == 1 and not test.keywords
        ):
            return _affix(test, name, resolver)
        case ast.Call(func=ast.Name(id="any"), args=[ast.GeneratorExp() | ast.ListComp() as each]):
            return _any(each, resolver)
    return Opaque()


def _compare(left: ast.expr, operator: ast.cmpop, right: ast.expr, resolver: Resolver) -> Predicate:
    found: Predicate
    match operator:
        case ast.In() | ast.NotIn():
            found = _containment(left, right, resolver)
        case ast.Eq() | ast.NotEq():
            found = _match("==", left, right, resolver)
            if isinstance(found, Opaque):
                found = _match("==", right, left, resolver)
        case _:
            return Opaque()
    if isinstance(operator, ast.NotIn | ast.NotEq) and not isinstance(found, Opaque):
        return Negation(found)
    return found


def _containment(left: ast.expr, right: ast.expr, resolver: Resolver) -> Predicate:
    if isinstance(right, ast.Tuple | ast.List | ast.Set):
        return AnyOf(tuple(_match("==", item, left, resolver) for item in right.elts))
    return _match("in", left, right, resolver)


def _match(
    relation: Relation, needle: ast.expr, value: ast.expr, resolver: Resolver
) -> Match | Opaque:
    text, subject = resolver.resolve(needle), resolver.resolve(value)
    if isinstance(text, Constant) and isinstance(subject, Subject):
        return Match(relation, text.text, subject, needle.lineno)
    return Opaque()


def _affix(
    test: ast.Call, name: Literal["startswith", "endswith"], resolver: Resolver
) -> Predicate:
    if not isinstance(test.func, ast.Attribute):
        return Opaque()
    needles: Sequence[ast.expr] = test.args
    if isinstance(needles[0], ast.Tuple):
        needles = needles[0].elts
    return AnyOf(tuple(_match(name, needle, test.func.value, resolver) for needle in needles))


def _any(each: ast.GeneratorExp | ast.ListComp, resolver: Resolver) -> Predicate:
    """Model ``any(token in distribution for token in ("centos", ...))``."""
    match each:
        case (
            ast.GeneratorExp(elt=element, generators=[loop])
            | ast.ListComp(elt=element, generators=[loop])
        ):
            pass
        case _:
            return Opaque()
    match element, loop:
        case (
            ast.Compare(left=ast.Name(id=used), ops=[ast.In()], comparators=[value]),
            ast.comprehension(
                target=ast.Name(id=bound),
                iter=ast.Tuple(elts=tokens) | ast.List(elts=tokens) | ast.Set(elts=tokens),
                ifs=[],
            ),
        ) if used == bound:
            return AnyOf(tuple(_match("in", token, value, resolver) for token in tokens))
    return Opaque()
