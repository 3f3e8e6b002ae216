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
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ngtpatch.errors import Refusal
from ngtpatch.installer.execution.worlds import World
from ngtpatch.installer.shell_values import RELEASE_KEYS, ShellValues, pattern_of, text_of

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["ShellScript", "ShellUse", "read_shell"]

_MAX_SIZE = 1 << 20
_MAX_NODES = 300_000
# Files and programs that tell the distribution.
_ASKING = re.compile(
    rb"os-release|lsb[_-]release|[a-zA-Z]+-release\b|debian_version|/etc/issue|hostnamectl"
    rb"|rpm\s+(?:-E|--eval)|/etc/system-release|\bdistro\.\w|linux_distribution"
)
_NAMES = re.compile(
    rb"centos|red ?hat|rhel|oracle ?linux|ubuntu|suse|sles|debian|fedora|rocky|alma ?linux", re.I
)
_DECIDING = frozenset({"case_statement", "if_statement", "while_statement", "list"})
_BINDING = frozenset({"read", "mapfile", "eval", "export", "local", "declare"})
_TELLING = frozenset({"echo", "printf", ".", "source", "export", "logger"})
# These do nothing else.
_SAYING = frozenset({"echo", "printf", "logger", ":", "true"})
_LEAVING = frozenset({"exit", "return", "kill", "die", "false", "abort"})
_STATEMENTS = frozenset({
    "command", "test_command", "pipeline", "subshell", "redirected_statement", "negated_command",
    "list", "variable_assignment",
})  # fmt: skip
# In which a statement stands whose status ends the script with set -e.
_BODIES = frozenset({
    "program", "compound_statement", "if_statement", "elif_clause", "else_clause", "case_item",
    "do_group", "subshell", "command_substitution",
})  # fmt: skip
_STRICT = re.compile(rb"^set\s+(?:-\w*e|.*-o\s+errexit)")
_BOUND = re.compile(rb"^set\s+(?:-\w*u|.*-o\s+nounset)")
# Takes a text that another shell or program executes.
_EXECUTING = frozenset({"eval", "trap", "sh", "bash", "dash", "ksh", "python", "python3", "env"})


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
    _direct: bool = True
    _led: tuple[Any, ...] = ()

    def alike(self, world: World, like: World) -> bool:
        """Tell whether two guests come here with the same, for all that is decided before."""
        if self._direct:
            return False
        ways = [(self._script.way(node, world), self._script.way(node, like)) for node in self._led]
        return all(mine is not None and mine == theirs for mine, theirs in ways)

    def ended(self, world: World) -> bool | None:
        """Return whether the script ends here for *world*, or None where that is not known."""
        return self._script.ended(self._node, world)

    def parts(self, world: World, like: World) -> bool:
        """Tell whether something else is done here for these two guests.

        Where a test is not understood, that may be if it has a distribution's name.
        """
        mine, theirs = (self._script.done(self._node, one) for one in (world, like))
        if mine is None or theirs is None:
            return self._script.does_by_name(self._node)
        return mine != theirs


def read_shell(path: str, data: bytes, sourced: Iterable[bytes] = ()) -> ShellScript:
    """Parse the script at *path*.

    Args:
        path: where it is.
        data: its content.
        sourced: the files that it reads as a part of itself. What these decide by themselves is
            not told here.

    Raises:
        Refusal: ``unparsable``: it is too large, or no shell script that can be read.
    """
    # What they define is known before the script's own lines; its first line may say how it runs.
    first, end, rest = data.partition(b"\n")
    before = b"".join(one.rstrip(b"\n") + b"\n" for one in sourced)
    whole = first + end + before + rest if first.startswith(b"#!") else before + data
    if len(whole) > _MAX_SIZE:
        raise Refusal("unparsable", f"{len(whole)} bytes are more than a script has", path=path)
    # Deferred: only a disc with shell scripts on the way needs a parser for them.
    import tree_sitter
    import tree_sitter_bash

    language = tree_sitter.Language(tree_sitter_bash.language())
    tree = tree_sitter.Parser(language).parse(whole)
    if tree.root_node.has_error:
        raise Refusal("unparsable", "is not a shell script that can be read", path=path)
    return ShellScript(path, whole, tree, added=before.count(b"\n"))


class ShellScript(ShellValues):
    """One script, and where its facts go."""

    def __init__(self, path: str, data: bytes, tree: Any, *, added: int = 0) -> None:
        """*added*: how many lines of it, before its own or behind the first, are another's."""
        self.path = path
        self._added = added
        self._headed = int(data.startswith(b"#!"))
        self._tree = tree  # keeps the nodes alive
        self._nodes = _all_nodes(tree.root_node, path)
        self._text = data
        self._sources = any(self._is_sourcing(node) for node in self._nodes)
        self._values: dict[str, list[Node]] = {}
        self._functions: dict[str, Node] = {}
        for node in self._nodes:
            if node.type == "variable_assignment":
                self._values.setdefault(text_of(node.child_by_field_name("name")), []).append(node)
            elif node.type == "function_definition":
                self._functions[text_of(node.child_by_field_name("name"))] = node
        self._facts: set[str] = set(RELEASE_KEYS) if self._sources else set()
        self._knowing: set[str] = set()
        self._arguments: set[str] = set()
        self._spread()
        commands = [node.text or b"" for node in self._nodes if node.type == "command"]
        head = data.partition(b"\n")[0]
        self._strict = any(map(_STRICT.match, commands)) or bool(re.match(rb"#!.*\s-\w*e", head))
        self._bound = any(map(_BOUND.match, commands))
        self._leaving = self._find_leaving()
        self._led: dict[str, set[Node]] = {}
        self._lead()

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
                        self._facts.add(text_of(node.child_by_field_name("name")))
                elif node.type == "for_statement":
                    if self._tells(node):
                        self._facts.add(text_of(node.child_by_field_name("variable")))
                elif node.type == "command":
                    self._spread_command(node)
            self._knowing |= {name for name, one in self._functions.items() if self._tells(one)}
            if len(self._facts) + len(self._knowing) + len(self._arguments) == before:
                return

    def _spread_command(self, node: Node) -> None:
        name = text_of(node.child_by_field_name("name"))
        if name in _BINDING and self._tells(node.parent):
            self._facts.update(text_of(one) for one in node.named_children if one.type == "word")
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
            if self._is_fact(one):
                return True
            waiting.extend(child for child in one.named_children if child.type != "comment")
        return False

    def _is_fact(self, node: Node) -> bool:
        match node.type:
            case "variable_name" if node.parent is not None:
                name = text_of(node)
                return node.parent.type in ("simple_expansion", "expansion") and (
                    name in self._facts or (name.isdigit() and self._has_arguments(node))
                )
            case "expansion" | "extglob_pattern" | "regex":  # also in what is cut off or fits
                return self._mentions_facts(text_of(node))
            case "special_variable_name":
                return self._has_arguments(node)
            case "command":
                return text_of(node.child_by_field_name("name")) in self._knowing
        return False

    def _has_arguments(self, node: Node) -> bool:
        outer = node.parent
        while outer is not None:
            if outer.type == "function_definition":
                return text_of(outer.child_by_field_name("name")) in self._arguments
            outer = outer.parent
        return False

    def _find_leaving(self) -> set[str]:
        """Return the functions that may end the script: they leave, or call one that does."""
        found: set[str] = set()
        while True:
            more = {
                name for name, node in self._functions.items()
                if name not in found
                and any(_leaves(one, found, exits=True) for one in _below(node))
            }  # fmt: skip
            if not more:
                return found
            found |= more

    def _lead(self) -> None:
        """Find the variables that are set where a fact decides, and what they decide in turn."""
        while True:
            before = sum(map(len, self._led.values()))
            for node in self._nodes:
                if node.type == "variable_assignment":
                    name = text_of(node.child_by_field_name("name"))
                    led = set(self._led_in(node.child_by_field_name("value")))
                    outer = node.parent
                    while outer is not None:
                        if outer.type in _DECIDING:
                            tests = list(_tests(outer))
                            if any(self._tells(one) for one in tests):
                                led.add(outer)
                            led.update(inner for one in tests for inner in self._led_in(one))
                        outer = outer.parent
                    if led:
                        self._led.setdefault(name, set()).update(led)
            if sum(map(len, self._led.values())) == before:
                return

    def _led_in(self, node: Node | None) -> Iterator[Node]:
        """Yield where the variables in *node* were decided about."""
        for one in _below(node) if node is not None and self._led else ():
            if one.type == "variable_name" and text_of(one) in self._led:
                yield from self._led[text_of(one)]

    # Uses ----------------------------------------------------------------------------------

    def uses(self) -> Iterator[ShellUse]:
        """Yield what decides by a fact, or compares anything with a distribution's name."""
        for use in self._all_uses():
            if use.line <= self._headed:
                yield use
            elif use.line > self._headed + self._added:
                yield replace(use, line=use.line - self._added)

    def _all_uses(self) -> Iterator[ShellUse]:
        for node in self._nodes:
            if node.type in _DECIDING:
                tests = list(_tests(node))
                led = {inner for one in tests for inner in self._led_in(one)}
                direct = any(
                    self._tells(one) or (_names_one(one) and not set(self._led_in(one)))
                    for one in tests
                )
                status = any(self._asks_status(one) for one in tests)
                if direct or led or status:
                    line = next((_line(one) for one in tests if _names_one(one)), _line(tests[0]))
                    direct = direct or status
                    yield ShellUse(line, self._may_end(node), node, self, direct, tuple(led))
            if node.type in _STATEMENTS:
                yield from self._by_status(node)
            # A here-document with what is done where its program fails, on one line.
            if node.type == "heredoc_redirect" and self._tells(node) and self._may_end(node):
                yield ShellUse(_line(node), True, node, self)

    def _by_status(self, node: Node) -> Iterator[ShellUse]:
        """Yield *node* where it ends the script by a status that a fact decides."""
        parent = node.parent
        stands = parent is not None and parent.type in _BODIES and not _is_test(node)
        last = parent is not None and parent.type == "program" and node == _last(parent)
        command = node
        if node.type == "redirected_statement" and node.named_children:
            command = node.named_children[0]
        name = text_of(command.child_by_field_name("name")) if command.type == "command" else ""
        led = tuple(self._led_in(node))
        tells = self._tells(node) and not self._only_tells(name)
        if node.type == "command" and (name in ("exit", "return") or self._is_made(node, name)):
            yield from self._of_command(node, name, led)
            return
        insists = self._bound or b":?" in (node.text or b"")
        if led and insists and node.type in ("command", "variable_assignment"):
            yield ShellUse(_line(node), True, node, self, False, led)
        if not stands or not (self._strict or last):
            return
        if node.type == "variable_assignment" and not (
            self._strict and re.search(rb"[$]\(|`", node.text or b"")
        ):
            return
        if node.type == "list" and not last and not self._may_end(node):
            return
        if tells and name not in _TELLING:
            # With set -e what fails ends the script; what is last gives its status.
            yield ShellUse(_line(node), True, node, self)
        elif led and name not in _TELLING:
            yield ShellUse(_line(node), True, node, self, False, led)

    def _is_made(self, node: Node, name: str) -> bool:
        """Tell whether what a command executes is a value, or a text."""
        return (name in _EXECUTING and self._mentions(node)) or "$" in name or "`" in name

    def _of_command(self, node: Node, name: str, led: tuple[Node, ...]) -> Iterator[ShellUse]:
        """Yield a command that leaves, or executes what a value says."""
        called = node.child_by_field_name("name")
        if name in ("exit", "return"):
            direct = self._tells(node) or self._asks_status(node)
        elif name in _EXECUTING:
            direct = True
        else:
            direct = self._tells(called) or self._mentions_facts(name)
        if direct or led:
            yield ShellUse(_line(node), True, node, self, direct, led)

    def _mentions_facts(self, text: str) -> bool:
        return any(word in self._facts for word in re.findall(r"\$\{?!?(\w+)", text))

    def _only_tells(self, name: str) -> bool:
        """Tell whether a command is one that only writes something, or a function of such."""
        if name in _TELLING:
            return True
        function = self._functions.get(name)
        return function is not None and name not in self._leaving and all(
            text_of(one.child_by_field_name("name")) in (*_TELLING, "date", "tee", "cat", "local")
            for one in _below(function) if one.type == "command"
        )  # fmt: skip

    def _mentions(self, node: Node) -> bool:
        """Tell whether the text of a command names a fact, as another shell would read it."""
        text = text_of(node)
        names = {*self._facts, *self._led}
        return bool(_ASKING.search(node.text or b"")) or any(
            word in names for word in re.findall(r"\$\{?!?(\w+)", text)
        )

    def _asks_status(self, node: Node) -> bool:
        """Tell whether the status of what was before is asked for, which a fact may decide."""
        return b"$?" in (node.text or b"") and any(
            one.type in ("command", "test_command", "redirected_statement")
            and self._tells(one)
            and text_of(one.child_by_field_name("name")) not in _TELLING
            for one in self._nodes
        )

    def _may_end(self, node: Node) -> bool:
        return any(_leaves(one, self._leaving) for one in _below(node))

    def way(self, node: Any, world: World) -> int | None:
        """Return which way a guest takes at *node*; None where that is not known."""
        match node.type:
            case "case_statement":
                return self._way_of_case(node, world)
            case "list":
                holds = self._holds(node.named_children[0], world)
                return None if holds is None else int(holds)
            case "if_statement":
                conditions = [node.child_by_field_name("condition")] + [
                    child.named_children[0] for child in node.named_children
                    if child.type == "elif_clause" and child.named_children
                ]  # fmt: skip
                for number, condition in enumerate(conditions):
                    holds = None if condition is None else self._holds(condition, world)
                    if holds is None or holds:
                        return None if holds is None else number
                return -1
        return None

    def _way_of_case(self, node: Node, world: World) -> int | None:
        value = self._value(node.child_by_field_name("value"), world)
        items = [one for one in node.named_children if one.type == "case_item"]
        for number, item in enumerate(items if value is not None else ()):
            patterns = [pattern_of(one) for one in item.children_by_field_name("value")]
            if any(set(one) & set("$`") for one in patterns):
                return None
            if any(fnmatch.fnmatchcase(value or "", one) for one in patterns):
                return number
        return None if value is None else -1

    # Meaning -------------------------------------------------------------------------------

    def ended(self, node: Any, world: World) -> bool | None:
        """Return whether the script ends at *node* for *world*, or None where not known."""
        if node.type in ("test_command", "negated_command"):
            holds = self._holds(node, world)
            return None if holds is None else not holds
        if node.type not in ("case_statement", "if_statement", "list"):
            return None
        taken = self._taken(node, world)
        if taken is None:
            return None if self._may_end(node) else False
        found = [self._leaves_certainly(one) for one in taken]
        return True if True in found else None if None in found else False

    def done(self, node: Any, world: World) -> tuple[str, ...] | None:
        """Return what is done at *node* for *world* beside telling; None where not known."""
        taken = self._taken(node, world)
        return None if taken is None else tuple(map(text_of, filter(self._acts, taken)))

    def does_by_name(self, node: Any) -> bool:
        """Tell whether something is done at *node*, beside telling, by what has a name in it."""
        tests = list(_tests(node)) if node.type in _DECIDING else []
        body = [one for one in node.named_children if one not in tests]
        return any(map(_names_one, tests)) and any(map(self._acts, body))

    def _taken(self, node: Any, world: World) -> Sequence[Node] | None:
        """Return the statements that a guest comes to at *node*; None where that is not known."""
        way = self.way(node, world)
        if way is None:
            return None
        if node.type == "list":
            operator = node.children[1].type if len(node.children) > 2 else ""
            return node.named_children[-1:] if (operator == "&&") is bool(way) else ()
        if node.type == "case_statement":
            items = [one for one in node.named_children if one.type == "case_item"]
            values = items[way].children_by_field_name("value") if way >= 0 else ()
            body = items[way].named_children if way >= 0 else ()
            return [one for one in body if one not in values]
        parts = [one for one in node.named_children if one.type == "elif_clause"]
        other = [one for one in node.named_children if one.type == "else_clause"]
        if way < 0:
            return other[0].named_children if other else ()
        taken = node if way == 0 else parts[way - 1]
        condition = node.child_by_field_name("condition") if way == 0 else taken.named_children[0]
        left = (condition, *parts, *other)
        return [one for one in taken.named_children if one not in left]

    def _acts(self, statement: Node) -> bool:
        """Tell whether *statement* does more than to tell something."""
        return any(
            one.type == "variable_assignment"
            or (one.type == "command" and not self._only_says(one))
            for one in _below(statement)
        )

    def _only_says(self, command: Node) -> bool:
        name = text_of(command.child_by_field_name("name"))
        return name in _SAYING or (name in self._functions and self._only_tells(name))

    def _leaves_certainly(self, node: Node) -> bool | None:
        """Tell whether *node* ends the script: yes, no, or it depends on more."""
        if not self._may_end(node):
            return False
        inner = {one.type for one in _below(node)} & (_DECIDING | {"function_definition"})
        exits = any(text_of(one).startswith("exit") for one in _below(node) if _leaves(one, ()))
        return True if exits and not inner else None


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


def _leaves(node: Node, functions: Collection[str], *, exits: bool = False) -> bool:
    """Tell whether a command leaves: by itself, as one of *functions*, or as something unknown."""
    if node.type != "command":
        return False
    name = text_of(node.child_by_field_name("name"))
    if name in ("return", "false") and exits:
        # Of a function that is only its status.
        return False
    if name == "exec":
        return any(one.type != "file_redirect" for one in node.named_children[1:])
    return name in _LEAVING or name in functions or "$" in name or name == "eval"


def _is_test(node: Node) -> bool:
    """Tell whether *node* is what a condition asks."""
    parent = node.parent
    if parent is None:
        return False
    if parent.type in ("if_statement", "while_statement"):
        return bool(node == parent.child_by_field_name("condition"))
    return bool(parent.type == "elif_clause" and node == parent.named_children[0])


def _last(program: Node) -> Node | None:
    statements = [one for one in program.named_children if one.type != "comment"]
    return statements[-1] if statements else None


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


def _line(node: Node) -> int:
    row: int = node.start_point[0]
    return row + 1
