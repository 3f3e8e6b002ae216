# SPDX-License-Identifier: Apache-2.0
"""Where a compared value comes from: which fact about the distribution an expression holds.

A chain of ``"centos" in x`` decides by distribution only if ``x`` is one. This
follows names, assignments, tuple unpacking, parameters and the file's own
functions back to a known source, and stops at the first doubt: an expression
it cannot follow has no subject, and nothing is patched on it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from ngtpatch.installer.scopes import Assignment, Module

__all__ = ["Case", "Constant", "DistroFacts", "Resolver", "Subject", "normalized_id"]

Case = Literal["kept", "lower", "upper"]

# distro.id() folds some IDs (its NORMALIZED_OS_ID table); os-release itself does not.
_NORMALIZED_IDS = {"ol": "oracle", "opensuse-leap": "opensuse"}


def normalized_id(identifier: str) -> str:
    """Return what distro.id() makes of ID."""
    return _NORMALIZED_IDS.get(identifier, identifier)


_CASES: dict[str, Case] = {"lower": "lower", "casefold": "lower", "upper": "upper"}
# str methods that leave a NAME or an ID as it is, if they take no letters away.
_NEUTRAL = frozenset({"strip", "lstrip", "rstrip"})
_CONVERSIONS = frozenset({"str", "unicode", "text_type"})
_MAX_DEPTH = 24


@dataclass(frozen=True)
class DistroFacts:
    """What a running distribution says about itself.

    Attributes:
        name: NAME of os-release(5), in its own case.
        id: ID of os-release(5), or None where it is not known.
        version: VERSION_ID of os-release(5), or None where it is not known.
    """

    name: str
    id: str | None = None
    version: str | None = None


@dataclass(frozen=True)
class Subject:
    """A value that is a fact about the distribution.

    Attributes:
        source: the call or file it comes from, such as ``distro.linux_distribution``.
        field: ``name``, ``id``, ``version`` or another key of os-release in lower case.
        case: whether the value was folded.
    """

    source: str
    field: str
    case: Case = "kept"

    def value(self, facts: DistroFacts) -> str | None:
        """Return what the expression holds on a distribution, or None if that is not known."""
        if self.field == "name":
            value: str | None = facts.name
        elif self.field == "id":
            value = facts.id
            if value is not None and self.source.startswith("distro."):
                value = normalized_id(value)
        else:
            value = None
        if value is None or self.case == "kept":
            return value
        return value.lower() if self.case == "lower" else value.upper()


@dataclass(frozen=True)
class Constant:
    """A string that stands in the source."""

    text: str


@dataclass(frozen=True)
class _Fields:
    """A tuple of facts, such as linux_distribution() returns."""

    source: str
    fields: tuple[str, ...]


@dataclass(frozen=True)
class _OsRelease:
    """A mapping with the keys of os-release."""

    source: str


_Value = Subject | Constant | _Fields | _OsRelease

# What installers start from or fall back to; no chain accepts it.
_NOT_FOUND = (Constant(""), Constant("unknown"))


class Resolver:
    """Finds what expressions of one module hold."""

    def __init__(self, module: Module) -> None:
        self._module = module
        # What a node holds; None also while it is being found out, since a value that is made
        # of itself is followed no further.
        self._found: dict[ast.expr, _Value | None] = {}

    def resolve(self, expression: ast.expr) -> Subject | Constant | None:
        """Return the fact or the constant that *expression* holds, or None in any doubt."""
        value = self._value(expression, 0)
        return value if isinstance(value, Subject | Constant) else None

    def sources(self) -> Iterator[ast.Call]:
        """Yield every call that asks for the distribution."""
        for node in self._module.calls:
            if self._known_call(node) is not None:
                yield node

    def _value(self, node: ast.expr, depth: int) -> _Value | None:
        if depth > _MAX_DEPTH:
            return None
        if node not in self._found:
            self._found[node] = None
            self._found[node] = self._followed(node, depth + 1)
        return self._found[node]

    def _followed(self, node: ast.expr, depth: int) -> _Value | None:  # noqa: PLR0911 - one line a shape
        match node:
            case ast.Constant(value=str(text)):
                return Constant(text)
            case ast.Name() | ast.Attribute():
                return self._variable(node, depth)
            case ast.Call():
                return self._call(node, depth)
            case ast.Subscript():
                return _item(self._value(node.value, depth), node.slice)
            case ast.NamedExpr():
                return self._value(node.value, depth)
            case ast.IfExp():
                return self._agreed((node.body, node.orelse), depth)
            case ast.BoolOp(op=ast.Or()):
                return self._agreed(node.values, depth)
            case ast.Dict() | ast.DictComp() if self._module.reads_os_release(node):
                return _OsRelease("os-release")
        return None

    def _agreed(self, nodes: Iterable[ast.expr], depth: int) -> _Value | None:
        return _agree(self._value(node, depth) for node in nodes)

    # Calls ---------------------------------------------------------------------------------

    def _call(self, node: ast.Call, depth: int) -> _Value | None:
        known = self._known_call(node)
        if known is not None:
            return known
        if isinstance(node.func, ast.Name) and node.func.id in _CONVERSIONS and node.args:
            return self._value(node.args[0], depth)
        if isinstance(node.func, ast.Name) and node.func.id == "dict":
            return _OsRelease("os-release") if self._module.reads_os_release(node) else None
        function = self._module.function(node.func)
        if function is not None:
            return _agree(
                self._value(statement.value, depth) or _os_release_line(self._module, statement)
                for statement in self._module.returns(function)
                if statement.value is not None and not _is_none(statement.value)
            )
        if isinstance(node.func, ast.Attribute):
            return _method(self._value(node.func.value, depth), node.func.attr, node.args)
        return None

    def _known_call(self, node: ast.Call) -> _Value | None:
        dotted = self._module.dotted(node.func)
        if dotted is None or not self._module.is_imported(node.func):
            return None
        owner, _, name = dotted.rpartition(".")
        package = owner.rpartition(".")[2]
        if name == "linux_distribution" and owner:
            return _linux_distribution(package, node)
        if package == "distro":
            return _distro_call(name, node)
        if dotted == "platform.freedesktop_os_release":
            return _OsRelease(dotted)
        return None

    # Variables -----------------------------------------------------------------------------

    def _variable(self, node: ast.Name | ast.Attribute, depth: int) -> _Value | None:
        assignments, certain = self._module.assignments(node)
        found = [self._assigned(assignment, depth) for assignment in assignments]
        if isinstance(node, ast.Name) and not certain:
            found += [self._value(passed, depth) for passed in self._module.arguments(node)]
        return _agree(found)

    def _assigned(self, assignment: Assignment, depth: int) -> _Value | None:
        if assignment.value is None:
            return None
        value = self._value(assignment.value, depth)
        if value is None and assignment.index is None:
            value = _os_release_line(self._module, assignment.statement)
        if assignment.index is None:
            return value
        if isinstance(value, _Fields) and assignment.index < len(value.fields):
            return Subject(value.source, value.fields[assignment.index])
        return None


def _agree(values: Iterable[_Value | None]) -> _Value | None:
    """Return the value that all alternatives are, apart from words for "not found"."""
    alternatives = list(values)
    facts = [value for value in alternatives if value not in _NOT_FOUND]
    if not facts:
        return alternatives[0] if alternatives else None
    first = facts[0]
    if any(_meaning(value) != _meaning(first) for value in facts[1:]):
        return None
    return first


def _meaning(value: _Value | None) -> object:
    """Return *value* without its source: two sources of one fact agree."""
    if isinstance(value, Subject | _Fields | _OsRelease):
        return replace(value, source="")
    return value


def _item(value: _Value | None, index: ast.expr) -> _Value | None:
    match value, index:
        case _Fields(source, fields), ast.Constant(value=int(number)) if number < len(fields):
            return Subject(source, fields[number])
        case _Fields(source, fields), ast.Slice(None, ast.Constant(value=int(stop)), None):
            return _Fields(source, fields[:stop])
        case _OsRelease(source), ast.Constant(value=str(key)):
            return _os_release_field(source, key)
    return None


def _method(value: _Value | None, name: str, arguments: list[ast.expr]) -> _Value | None:
    match value:
        case Subject() if name in _CASES:
            return replace(value, case=_CASES[name])
        case Subject() if name in _NEUTRAL and all(map(_has_no_letters, arguments)):
            return value
        case Subject() if name == "replace" and _drops_quotes(arguments):
            return value
        case _OsRelease() if name == "get" and arguments:
            return _item(value, arguments[0])
    return None


def _has_no_letters(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and not re.search(r"\w", str(node.value or ""))


def _drops_quotes(arguments: list[ast.expr]) -> bool:
    match arguments:
        case [ast.Constant(value=str(old)), ast.Constant(value="")]:
            return not old.strip("'\"\r\n")
    return False


def _linux_distribution(package: str, call: ast.Call) -> _Value | None:
    """Return the tuple of ``linux_distribution()``.

    Its first item is NAME in every release of the distro package; asked for the
    short name, distro gives its id and platform a file name's prefix.
    """
    short = [keyword.value for keyword in call.keywords if keyword.arg == "full_distribution_name"]
    if package == "distro":
        short += call.args[:1]
    elif call.args or len(call.keywords) > len(short):
        return None
    if all(isinstance(value, ast.Constant) and value.value for value in short):
        first = "name"
    elif package == "distro" and all(isinstance(value, ast.Constant) for value in short):
        first = "id"
    else:
        return None
    return _Fields(f"{package}.linux_distribution", (first, "version", "codename"))


def _distro_call(name: str, call: ast.Call) -> _Value | None:
    source = f"distro.{name}"
    match name:
        case "id" if not call.args:
            return Subject(source, "id")
        case "name" if not call.args and not call.keywords:
            return Subject(source, "name")
        case "os_release_attr" if call.args:
            return _item(_OsRelease(source), call.args[0])
        case "os_release_info":
            return _OsRelease(source)
    return None


def _os_release_field(source: str, key: str) -> Subject:
    key = key.lower()
    return Subject(source, "version" if key == "version_id" else key)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _os_release_line(module: Module, statement: ast.stmt) -> Subject | None:
    """Recognise the loop that picks one line of os-release.

    ``if line.startswith("NAME="): distribution = line.split("=")[1].strip().lower()``
    """
    if not module.reads_os_release(statement):
        return None
    expression = getattr(statement, "value", None)
    if not isinstance(expression, ast.expr) or not module.is_text_of_line(expression):
        return None
    key = module.guarding_key(statement)
    if key is None:
        return None
    return replace(_os_release_field("os-release", key), case=_spine(expression))


def _spine(node: ast.expr) -> Case:
    """Return the folding that is applied last in a chain of method calls and subscripts."""
    while True:
        match node:
            case ast.Call(func=ast.Attribute(attr=name)) if name in _CASES:
                return _CASES[name]
            case ast.Call(func=ast.Attribute(value=inner)) | ast.Subscript(value=inner):
                node = inner
            case _:
                return "kept"
