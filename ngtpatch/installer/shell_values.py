# SPDX-License-Identifier: Apache-2.0
"""What a word or a test of a shell script is on a guest, where that can be told."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING

from ngtpatch.installer.execution.worlds import World

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["RELEASE_KEYS", "ShellValues", "pattern_of", "text_of"]

#: What an os-release or lsb-release may set.
RELEASE_KEYS = frozenset({
    "NAME", "ID", "ID_LIKE", "VERSION_ID", "VERSION", "PLATFORM_ID", "PRETTY_NAME", "CPE_NAME",
    "VARIANT_ID", "VERSION_CODENAME", "DISTRIB_ID", "DISTRIB_RELEASE", "DISTRIB_DESCRIPTION",
})  # fmt: skip


class ShellValues:
    """The values of a script's words.

    Attributes:
        _sources: whether the script sources an os-release.
        _values: the assignments to each variable.
    """

    _sources: bool
    _values: dict[str, list[Node]]

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
                name = text_of(node.child_by_field_name("name"))
                return {"true": True, ":": True, "false": False}.get(name)
        return None

    def _of_unary(self, node: Node, world: World) -> bool | None:
        operator = text_of(node.child_by_field_name("operator")) or text_of(node.children[0])
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
        operator = text_of(node.child_by_field_name("operator"))
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
            wanted = pattern_of(right) if glob and right is not None else other
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
                text = text_of(node)
                return None if set(text) & set("*?[~{\\") else text
            case "raw_string":
                return text_of(node)[1:-1]
            case "string":
                parts = [self._value(one, world, depth + 1) for one in node.named_children]
                return None if None in parts else "".join(part or "" for part in parts)
            case "string_content":
                return text_of(node)
            case "concatenation":
                parts = [self._value(one, world, depth + 1) for one in node.named_children]
                return None if None in parts else "".join(part or "" for part in parts)
            case "simple_expansion" | "expansion":
                names = [one for one in node.named_children if one.type == "variable_name"]
                if len(node.named_children) != 1 or len(names) != 1:
                    return None
                if node.type == "expansion" and text_of(node) != "${" + text_of(names[0]) + "}":
                    return None
                return self._variable(text_of(names[0]), world, depth)
        return None

    def _variable(self, name: str, world: World, depth: int) -> str | None:
        assigned = self._values.get(name, [])
        if name in RELEASE_KEYS and self._sources:
            # An assignment beside the one that sourcing makes: which of them counts is not known.
            return None if assigned else world.attributes().get(name, "")
        if len(assigned) == 1:
            return self._value(assigned[0].child_by_field_name("value"), world, depth + 1)
        return None


def _both(first: bool | None, second: bool | None, *, conjunction: bool) -> bool | None:
    decisive = not conjunction
    if decisive in (first, second):
        return decisive
    return None if None in (first, second) else conjunction


def pattern_of(node: Node) -> str:
    """Return a pattern of a case, without its quotes."""
    text = text_of(node)
    return text[1:-1] if text[:1] in ("'", '"') else text


def text_of(node: Node | None) -> str:
    """Return the text of a node; empty for none."""
    return "" if node is None else (node.text or b"").decode("utf-8", "replace")
