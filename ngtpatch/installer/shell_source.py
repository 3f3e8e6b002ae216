# SPDX-License-Identifier: Apache-2.0
"""Shell scripts of the installer, parsed: what they know about the distribution, and decide by it.

tree-sitter's bash grammar reads them (POSIX sh is part of it). A fact is what comes from
os-release or a program that tells the distribution, and every variable, function and
argument that it flows into. What a test makes of a fact is evaluated where it is a plain
comparison, and otherwise named.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ngtpatch.errors import Refusal
from ngtpatch.installer.execution.worlds import World

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["ShellScript", "ShellUse", "read_shell"]

_MAX_SIZE = 1 << 20
_MAX_NODES = 300_000
# Files and programs that tell the distribution.
_ASKING = re.compile(
    rb"os-release|lsb[_-]release|[a-zA-Z]+-release\b|debian_version|/etc/issue|hostnamectl"
    rb"|rpm\s+(?:-E|--eval)|/etc/system-release"
)
_NAMES = re.compile(
    rb"centos|red ?hat|rhel|oracle ?linux|ubuntu|suse|sles|debian|fedora|rocky|alma ?linux", re.I
)
_KEYS = frozenset({
    "NAME", "ID", "ID_LIKE", "VERSION_ID", "VERSION", "PLATFORM_ID", "PRETTY_NAME", "CPE_NAME",
    "VARIANT_ID", "VERSION_CODENAME", "DISTRIB_ID", "DISTRIB_RELEASE", "DISTRIB_DESCRIPTION",
})  # fmt: skip
_DECIDING = frozenset({"case_statement", "if_statement", "while_statement", "list"})
_BINDING = frozenset({"read", "mapfile", "eval", "export", "local", "declare"})
_TELLING = frozenset({"echo", "printf", ".", "source", "export", "logger"})
_LEAVING = frozenset({b"exit", b"return", b"kill", b"die", b"false", b"abort"})


@dataclass(frozen=True)
class ShellUse:
    """A place of a script that decides by a fact about the distribution.

    Attributes:
        line: where it stands.
        ends: whether one of its ways may end the script.
        ended: what becomes of a guest there, as far as it is understood: whether it ends; None
            where that is not known.
    """

    line: int
    ends: bool
    _node: Any
    _script: ShellScript

    def ended(self, world: World) -> bool | None:
        """Return whether the script ends here for *world*, or None where that is not known."""
        return self._script.ended(self._node, world)


def read_shell(path: str, data: bytes) -> ShellScript:
    """Parse the script at *path*.

    Raises:
        Refusal: ``unparsable``: it is too large, or no shell script that can be read.
    """
    if len(data) > _MAX_SIZE:
        raise Refusal("unparsable", f"{len(data)} bytes are more than a script has", path=path)
    # Deferred: only a disc with shell scripts on the way needs a parser for them.
    import tree_sitter
    import tree_sitter_bash

    language = tree_sitter.Language(tree_sitter_bash.language())
    tree = tree_sitter.Parser(language).parse(data)
    if tree.root_node.has_error:
        raise Refusal("unparsable", "is not a shell script that can be read", path=path)
    return ShellScript(path, data, tree)


class ShellScript:
    """One script, and where its facts go."""

    def __init__(self, path: str, data: bytes, tree: Any) -> None:
        self.path = path
        self._tree = tree  # keeps the nodes alive
        self._nodes = _all_nodes(tree.root_node, path)
        self._text = data
        self._sources = any(self._is_sourcing(node) for node in self._nodes)
        self._values: dict[str, list[Node]] = {}
        self._functions: dict[str, Node] = {}
        for node in self._nodes:
            if node.type == "variable_assignment":
                self._values.setdefault(_text(node.child_by_field_name("name")), []).append(node)
            elif node.type == "function_definition":
                self._functions[_text(node.child_by_field_name("name"))] = node
        self._facts: set[str] = set(_KEYS) if self._sources else set()
        self._knowing: set[str] = set()
        self._arguments: set[str] = set()
        self._spread()
        self._strict = any(
            node.type == "command" and re.match(rb"set\s+-\w*e", node.text or b"")
            for node in self._nodes
        )

    # Facts ---------------------------------------------------------------------------------

    def _is_sourcing(self, node: Node) -> bool:
        return node.type == "command" and bool(
            re.match(rb"(?:\.|source)\s+\S*release", node.text or b"")
        )

    def _spread(self) -> None:
        """Follow the facts through assignments, functions and arguments until no more come."""
        while True:
            before = len(self._facts) + len(self._knowing) + len(self._arguments)
            for node in self._nodes:
                if node.type == "variable_assignment":
                    if self._tells(node.child_by_field_name("value")):
                        self._facts.add(_text(node.child_by_field_name("name")))
                elif node.type == "for_statement":
                    if self._tells(node):
                        self._facts.add(_text(node.child_by_field_name("variable")))
                elif node.type == "command":
                    self._spread_command(node)
            self._knowing |= {name for name, one in self._functions.items() if self._tells(one)}
            if len(self._facts) + len(self._knowing) + len(self._arguments) == before:
                return

    def _spread_command(self, node: Node) -> None:
        name = _text(node.child_by_field_name("name"))
        if name in _BINDING and self._tells(node.parent):
            self._facts.update(_text(one) for one in node.named_children if one.type == "word")
        elif name in self._functions and self._tells(node):
            self._arguments.add(name)

    def _tells(self, node: Node | None) -> bool:
        """Tell whether a fact is in *node*."""
        if node is None:
            return False
        if _ASKING.search(node.text or b"") and node.type != "comment":
            return True
        waiting = [node]
        while waiting:
            one = waiting.pop()
            if one.type == "variable_name" and one.parent is not None:
                name = _text(one)
                if one.parent.type in ("simple_expansion", "expansion") and (
                    name in self._facts or (name.isdigit() and self._has_arguments(one))
                ):
                    return True
            elif one.type == "special_variable_name":
                if self._has_arguments(one):
                    return True
            elif one.type == "command" and _text(one.child_by_field_name("name")) in self._knowing:
                return True
            waiting.extend(child for child in one.named_children if child.type != "comment")
        return False

    def _has_arguments(self, node: Node) -> bool:
        outer = node.parent
        while outer is not None:
            if outer.type == "function_definition":
                return _text(outer.child_by_field_name("name")) in self._arguments
            outer = outer.parent
        return False

    # Uses ----------------------------------------------------------------------------------

    def uses(self) -> Iterator[ShellUse]:
        """Yield what decides by a fact, or compares anything with a distribution's name."""
        for node in self._nodes:
            if node.type in _DECIDING:
                tests = list(_tests(node))
                if any(self._tells(one) or _names_one(one) for one in tests):
                    line = next((_line(one) for one in tests if _names_one(one)), _line(tests[0]))
                    yield ShellUse(line, self._may_end(node), node, self)
            elif (
                self._strict
                and node.type == "command"
                and node.parent is not None
                and node.parent.type == "program"
                and _text(node.child_by_field_name("name")) not in _TELLING
                and self._tells(node)
            ):
                # With set -e a command that fails ends the script.
                yield ShellUse(_line(node), True, node, self)

    def _may_end(self, node: Node) -> bool:
        return any(_leaves(one) for one in _below(node))

    # Meaning -------------------------------------------------------------------------------

    def ended(self, node: Any, world: World) -> bool | None:  # noqa: PLR0911 - one a shape
        """Return whether the script ends at *node* for *world*, or None where not known."""
        match node.type:
            case "case_statement":
                value = self._value(node.child_by_field_name("value"), world)
                if value is None:
                    return None if self._may_end(node) else False
                for item in node.named_children:
                    if item.type == "case_item" and any(
                        fnmatch.fnmatchcase(value, _pattern(one))
                        for one in item.children_by_field_name("value")
                    ):
                        return self._leaves_certainly(item)
                return False
            case "if_statement":
                return self._of_if(node, world)
            case "list":
                left, right = node.named_children[0], node.named_children[-1]
                operator = node.children[1].type if len(node.children) > 2 else ""
                holds = self._holds(left, world)
                if holds is None:
                    return None if self._may_end(node) else False
                runs = holds if operator == "&&" else not holds
                return self._leaves_certainly(right) if runs else False
        return None

    def _of_if(self, node: Node, world: World) -> bool | None:
        ways: list[tuple[Node | None, Node]] = [(node.child_by_field_name("condition"), node)]
        for child in node.named_children:
            if child.type == "elif_clause":
                ways.append((child.named_children[0] if child.named_children else None, child))
            elif child.type == "else_clause":
                ways.append((None, child))
        for condition, way in ways:
            holds = True if condition is None else self._holds(condition, world)
            if holds is None:
                return None if self._may_end(node) else False
            if holds:
                body = [
                    one for one in way.named_children
                    if one != condition and one.type not in ("elif_clause", "else_clause")
                ]  # fmt: skip
                found = [self._leaves_certainly(one) for one in body]
                return True if True in found else None if None in found else False
        return False

    def _leaves_certainly(self, node: Node) -> bool | None:
        """Tell whether *node* ends the script: yes, no, or it depends on more."""
        if not any(_leaves(one) for one in _below(node)):
            return False
        inner = {one.type for one in _below(node)} & (_DECIDING | {"function_definition"})
        exits = any(_text(one).startswith("exit") for one in _below(node) if _leaves(one))
        return True if exits and not inner else None

    def _holds(self, node: Node, world: World) -> bool | None:  # noqa: PLR0911 - one a shape
        match node.type:
            case "test_command" | "parenthesized_expression" | "compound_statement":
                children = node.named_children
                return self._holds(children[0], world) if len(children) == 1 else None
            case "negated_command":
                found = self._holds(node.named_children[0], world)
                return None if found is None else not found
            case "unary_expression":
                return self._of_unary(node, world)
            case "binary_expression":
                return self._of_binary(node, world)
            case "list":
                first = self._holds(node.named_children[0], world)
                second = self._holds(node.named_children[-1], world)
                return _both(first, second, conjunction=node.children[1].type == "&&")
            case "command":
                name = _text(node.child_by_field_name("name"))
                return {"true": True, ":": True, "false": False}.get(name)
        return None

    def _of_unary(self, node: Node, world: World) -> bool | None:
        operator = _text(node.child_by_field_name("operator")) or _text(node.children[0])
        inner = node.named_children[-1]
        if operator == "!":
            found = self._holds(inner, world)
            return None if found is None else not found
        value = self._value(inner, world)
        if operator in ("-f", "-e", "-r") and value in ("/etc/os-release", "/usr/lib/os-release"):
            return bool(world.id)
        if operator in ("-f", "-e", "-r") and value == "/etc/redhat-release":
            return world.is_red_hat_like
        if value is None or operator not in ("-z", "-n"):
            return None
        return bool(value) == (operator == "-n")

    def _of_binary(self, node: Node, world: World) -> bool | None:
        operator = _text(node.child_by_field_name("operator"))
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if operator in ("&&", "||", "-a", "-o") and left and right:
            return _both(
                self._holds(left, world), self._holds(right, world),
                conjunction=operator in ("&&", "-a"),
            )  # fmt: skip
        one, other = self._value(left, world), self._value(right, world)
        if one is None or (other is None and right is None):
            return None
        if operator in ("=", "==", "!="):
            glob = right is not None and right.type == "extglob_pattern"
            wanted = _pattern(right) if glob and right is not None else other
            if wanted is None:
                return None
            same = fnmatch.fnmatchcase(one, wanted) if glob else one == wanted
            return same == (operator != "!=")
        return None

    def _value(self, node: Node | None, world: World, depth: int = 0) -> str | None:  # noqa: PLR0911
        """Return what a word is on a guest, or None where that is not known."""
        if node is None or depth > 8:
            return None
        match node.type:
            case "word" | "number":
                text = _text(node)
                return None if set(text) & set("*?[~{\\") else text
            case "raw_string":
                return _text(node)[1:-1]
            case "string":
                parts = [self._value(one, world, depth + 1) for one in node.named_children]
                return None if None in parts else "".join(part or "" for part in parts)
            case "string_content":
                return _text(node)
            case "concatenation":
                parts = [self._value(one, world, depth + 1) for one in node.named_children]
                return None if None in parts else "".join(part or "" for part in parts)
            case "simple_expansion" | "expansion":
                names = [one for one in node.named_children if one.type == "variable_name"]
                if len(node.named_children) != 1 or len(names) != 1:
                    return None
                if node.type == "expansion" and _text(node) != "${" + _text(names[0]) + "}":
                    return None
                return self._variable(_text(names[0]), world, depth)
        return None

    def _variable(self, name: str, world: World, depth: int) -> str | None:
        assigned = self._values.get(name, [])
        if name in _KEYS and self._sources:
            # An assignment beside the one that sourcing makes: which of them counts is not known.
            return None if assigned else world.attributes().get(name, "")
        if len(assigned) == 1:
            return self._value(assigned[0].child_by_field_name("value"), world, depth + 1)
        return None


def _all_nodes(root: Node, path: str) -> Sequence[Node]:
    nodes = [root]
    for node in nodes:
        nodes.extend(node.named_children)
        if len(nodes) > _MAX_NODES:
            raise Refusal("unparsable", "is longer than any script of an installer", path=path)
    return nodes


def _below(node: Node) -> Iterator[Node]:
    waiting = [node]
    while waiting:
        one = waiting.pop()
        yield one
        waiting.extend(one.named_children)


def _leaves(node: Node) -> bool:
    if node.type != "command":
        return False
    name = node.child_by_field_name("name")
    return (name.text if name is not None else b"") in _LEAVING


def _tests(node: Node) -> Iterator[Node]:
    """Yield what a statement decides by: the value of a case and its patterns, conditions."""
    match node.type:
        case "case_statement":
            for child in node.named_children:
                if child.type == "case_item":
                    yield from child.children_by_field_name("value")
                else:
                    yield child
        case "list":
            yield node.named_children[0]
        case "if_statement" | "while_statement":
            condition = node.child_by_field_name("condition")
            yield condition if condition is not None else node.named_children[0]
            for child in node.named_children:
                if child.type == "elif_clause" and child.named_children:
                    yield child.named_children[0]


def _names_one(node: Node) -> bool:
    return node.type != "comment" and _NAMES.search(node.text or b"") is not None


def _both(first: bool | None, second: bool | None, *, conjunction: bool) -> bool | None:
    decisive = not conjunction
    if decisive in (first, second):
        return decisive
    return None if None in (first, second) else conjunction


def _pattern(node: Node) -> str:
    text = _text(node)
    return text[1:-1] if text[:1] in ("'", '"') else text


def _text(node: Node | None) -> str:
    return "" if node is None else (node.text or b"").decode("utf-8", "replace")


def _line(node: Node) -> int:
    row: int = node.start_point[0]
    return row + 1
