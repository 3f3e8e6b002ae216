# SPDX-License-Identifier: Apache-2.0
"""The places where the installer decides by distribution, as a model that can be asked.

A *chain* is an ``if``/``elif``/``else`` (or a row of ``if``s that each leave)
whose tests compare the distribution with texts. A branch is named after what
it does, not after what it tests: one that imports ``redhat_installer`` or
calls ``uninstall_ngt_daemon_redhat()`` is ``redhat``. A chain is *evaluated*
on a distribution's names; no vendor code runs.
"""

from __future__ import annotations

import ast
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from ngtpatch.errors import Refusal
from ngtpatch.installer.collector import paused_collector
from ngtpatch.installer.payloads import SearchEnded, head_of, is_archive, scripts, size_of
from ngtpatch.installer.predicate import Predicate, matches, model
from ngtpatch.installer.python_source import MAX_SOURCE_SIZE, PythonSource, parse
from ngtpatch.installer.scopes import Module, gives_up, leaves, only_logs
from ngtpatch.installer.shell_source import read_shell
from ngtpatch.installer.subject import DistroFacts, Resolver, Subject

__all__ = [
    "ASKED",
    "CONTINUES",
    "FAMILIES",
    "REDHAT",
    "UNKNOWN",
    "UNSUPPORTED",
    "Branch",
    "Decision",
    "Site",
    "families_named",
    "find_sites",
    "sites_in",
]

REDHAT = "redhat"
UNSUPPORTED = "unsupported"
#: The chain is no chain of installers, and lets this distribution pass.
CONTINUES = "continues"
#: The model cannot tell; nothing may be built on it.
UNKNOWN = "unknown"

#: The problem of a place that asks for the distribution and compares it with nothing.
ASKED = "the distribution is asked for, but no test compares it with a name"

#: The branches that lead to an installer, as its files are named after them.
FAMILIES = (REDHAT, "ubuntu", "suse")
_TOKENS = re.compile(
    r"centos|red ?hat|rhel|oracle linux(?: server)?|ubuntu|suse|sles|debian|fedora|rocky"
    r"|alma ?linux",
    re.I,
)


@dataclass(frozen=True)
class Decision:
    """What a site does on one distribution, and why.

    Attributes:
        branch: ``redhat``, ``ubuntu``, ``suse``, ``unsupported``; ``continues`` where a
            mere check lets it pass; ``unknown`` where the model cannot tell.
        operand: the text that matched, or None where no single one did.
        line: the line of that operand, or of the branch.
    """

    branch: str
    operand: str | None
    line: int


@dataclass(frozen=True)
class Branch:
    """One branch of a chain.

    Attributes:
        name: what it does: ``redhat``, ``ubuntu``, ``suse``, ``unsupported``, ``continues``.
        line: where it starts.
        test: the model of its test; None for what happens when no test was true.
        header: start and end of ``if ... :`` in the source's text, in characters; None
            without a test, and where Python 3 would write it otherwise.
        digest: equal for two branches of one site whose bodies are the same code.
        leaves: whether it ends by leaving its block, so that what follows is not reached.
        gives_up: whether it ends by ending the program, and not with success.
        idle: whether it has no effect but on a log.
    """

    name: str
    line: int
    test: Predicate | None
    header: tuple[int, int] | None
    digest: str = field(repr=False)
    leaves: bool
    gives_up: bool
    idle: bool


@dataclass(frozen=True)
class Site:
    """One place that decides by distribution.

    Attributes:
        path: the file; ``archive.tar.gz!member`` for one inside a payload.
        line: the line at which the chain starts.
        last_line: the line at which its last test ends.
        subject: what is compared; None where the place is not understood.
        branches: in the order in which they are tried; empty where not understood.
        problem: why the place is not understood, or None.
    """

    path: str
    line: int
    last_line: int
    subject: Subject | None
    branches: tuple[Branch, ...]
    problem: str | None = None

    @property
    def picks_installer(self) -> bool:
        """Whether a branch leads to a family's installer; otherwise it is a mere check."""
        return any(branch.name in FAMILIES for branch in self.branches)

    def decide(self, distribution: str | DistroFacts) -> Decision:
        """Return what happens on *distribution*, a NAME in its own case or all its facts."""
        facts = DistroFacts(distribution) if isinstance(distribution, str) else distribution
        branch = self.taken(facts)
        if branch is None:
            return Decision(UNKNOWN, None, self.line)
        why = branch.test.why(facts) if branch.test else None
        if why is None:
            return Decision(branch.name, None, branch.line)
        return Decision(branch.name, why.needle, why.line)

    def outcome(self, facts: DistroFacts) -> str:
        """Return the name of the branch that is taken; ``unknown`` where that cannot be told."""
        branch = self.taken(facts)
        return UNKNOWN if branch is None else branch.name

    def taken(self, facts: DistroFacts) -> Branch | None:
        """Return the branch that is taken, or None where that cannot be told."""
        for branch in self.branches:
            holds = branch.test is None or branch.test.holds(facts)
            if holds is None:
                return None
            if holds:
                return branch
        return None

    def treatment(self, facts: DistroFacts) -> tuple[bool | None, ...]:
        """Return what each test gives; two distributions with the same are treated alike."""
        return tuple(branch.test.holds(facts) for branch in self.branches if branch.test)


def find_sites(tree: Mapping[str, bytes], *, payloads: bool = False) -> tuple[Site, ...]:
    """Return every place in *tree* that decides by distribution, sorted by path and line.

    A file that cannot be parsed but has the known tokens, and a shell script
    that has them, is returned as a site with a :attr:`Site.problem`.

    Args:
        tree: the files.
        payloads: look into archives, too. That unpacks them, as a stream: seconds for a
            large agent.
    """
    found: list[Site] = []
    for path in sorted(tree):
        if _is_script(tree, path) and size_of(tree, path) <= MAX_SOURCE_SIZE:
            found += _sites_of_file(path, tree[path])
        elif payloads and is_archive(path):
            found += _sites_of_archive(tree, path)
    return tuple(found)


def _sites_of_archive(tree: Mapping[str, bytes], path: str) -> Iterator[Site]:
    try:
        for script in scripts(tree, path, largest=MAX_SOURCE_SIZE):
            yield from _sites_of_file(script.path, script.data)
    except SearchEnded as end:
        yield _puzzle(path, 1, str(end))


def _sites_of_file(path: str, data: bytes) -> Sequence[Site]:
    first = _first_token(data)
    if first is None:
        return ()
    if path.endswith(".sh") or _SHELL_SHEBANG.match(data):
        return _sites_of_shell(path, data, first)
    if path.endswith(".pyc"):
        return (_puzzle(path, 1, "it is compiled, names distributions, and has no source"),)
    try:
        return sites_in(parse(path, data))
    except Refusal as refusal:
        return (_puzzle(path, first, f"{refusal.code}: {refusal.message}"),)


_SCRIPT_SHEBANG = re.compile(rb"#!\s*\S*?(?:env\s+)?\S*(?:python|sh\b)")
_SHELL_SHEBANG = re.compile(rb"#!\s*\S*?(?:env\s+)?\S*(?:ba|da|k)?sh\b")


def _is_script(tree: Mapping[str, bytes], path: str) -> bool:
    """Tell whether *path* is a script, or a compiled one that has no source."""
    folder, _, name = path.rpartition("/")
    if name.endswith((".py", ".sh")):
        return True
    if name.endswith(".pyc"):
        module = name.partition(".")[0] + ".py"
        parent = folder.removesuffix("/__pycache__").removesuffix("__pycache__")
        return f"{parent}/{module}".lstrip("/") not in tree
    return "." not in name and _SCRIPT_SHEBANG.match(head_of(tree, path, 128)) is not None


def _sites_of_shell(path: str, data: bytes, first: int) -> Sequence[Site]:
    try:
        uses = list(read_shell(path, data).uses())
    except Refusal as refusal:
        return (_puzzle(path, first, f"{refusal.code}: {refusal.message}"),)
    lines = sorted({use.line for use in uses})
    return [_puzzle(path, line, "a shell script decides by distribution here") for line in lines]


def _first_token(data: bytes) -> int | None:
    text = data.decode("latin-1")
    found = _TOKENS.search(text) or re.search(r"linux_distribution\s*\(|os-release", text)
    return None if found is None else text.count("\n", 0, found.start()) + 1


def _is_token(value: object) -> bool:
    return isinstance(value, str) and _TOKENS.fullmatch(value.strip()) is not None


def _puzzle(path: str, line: int, problem: str) -> Site:
    return Site(path, line, line, None, (), problem)


@lru_cache(maxsize=32)
def sites_in(source: PythonSource) -> tuple[Site, ...]:
    """Return every place in one parsed file that decides by distribution."""
    try:
        with paused_collector():
            return tuple(_Finder(source).find())
    except RecursionError:
        return (_puzzle(source.path, 1, "its expressions are nested too deeply to be read"),)


def _with_blocks(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield what statements stand in, in the order of ast.walk() but without expressions."""
    waiting: list[ast.AST] = [tree]
    for node in waiting:
        yield node
        for name in node._fields:
            parts = getattr(node, name, None)
            if type(parts) is list:
                waiting += [one for one in parts if isinstance(one, _HOLDING)]


_HOLDING = (ast.stmt, ast.ExceptHandler, ast.match_case)


class _Finder:
    """Walks the statements of one file and reads its chains."""

    def __init__(self, source: PythonSource) -> None:
        self._source = source
        self._module = source.module
        self._resolver = Resolver(self._module)
        self._seen: set[ast.If] = set()

    def find(self) -> Iterator[Site]:
        sites = list(self._in_blocks())
        yield from sites
        if sites:
            return
        for node in ast.walk(self._source.tree):
            if isinstance(node, ast.Constant) and _is_token(node.value):
                yield _puzzle(self._source.path, node.lineno, _UNREAD)
                return
        for call in self._resolver.sources():
            if self._module.is_subscripted(call, 1):
                continue  # the version alone is a floor, see ngtpatch.installer.hazards
            yield _puzzle(self._source.path, call.lineno, ASKED)
            return

    def _in_blocks(self) -> Iterator[Site]:
        for node in _with_blocks(self._source.tree):
            for name in ("body", "orelse", "finalbody"):
                block = getattr(node, name, None)
                if not isinstance(block, list):
                    continue
                for position, statement in enumerate(block):
                    if isinstance(statement, ast.If) and statement not in self._seen:
                        yield from self._site(block, position, statement)

    def _site(self, block: Sequence[ast.stmt], position: int, first: ast.If) -> Iterator[Site]:
        if self._subject(first) is None and not self._names_distributions(first):
            return
        subject = self._subject(first)
        branches = _named(tuple(self._branches(block, position)))
        yield Site(
            path=self._source.path,
            line=first.lineno,
            last_line=max(self._last_line(branch) for branch in branches),
            subject=subject,
            branches=branches,
            problem=None if subject else _UNFOLLOWED,
        )

    def _last_line(self, branch: Branch) -> int:
        if branch.header is None:
            return branch.line if branch.test is not None else 0
        return bisect_right(self._source.starts, branch.header[1])

    def _subject(self, statement: ast.If) -> Subject | None:
        """Return the first fact that the tests of *statement*, with its elifs, compare."""
        for test in _tests(statement):
            for match in matches(model(test, self._resolver)):
                return match.subject
        return None

    def _names_distributions(self, statement: ast.If) -> bool:
        return any(
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and _TOKENS.search(node.value)
            for test in _tests(statement)
            for node in ast.walk(test)
        )

    def _branches(self, block: Sequence[ast.stmt], position: int) -> Iterator[Branch]:
        """Yield the branches from ``block[position]`` on, ending with the one without a test."""
        statement = block[position]
        assert isinstance(statement, ast.If)  # noqa: S101 - for the type checker; callers pass an if
        every_one_leaves = True
        while True:
            self._seen.add(statement)
            every_one_leaves = every_one_leaves and leaves(statement.body)
            yield self._branch(statement)
            following = statement.orelse
            if len(following) == 1 and isinstance(following[0], ast.If):
                statement = following[0]
                continue
            break
        rest = statement.orelse or (block[position + 1 :] if every_one_leaves else [])
        for offset, after in enumerate(rest):
            if isinstance(after, ast.If) and self._subject(after) is not None:
                yield from self._branches(rest, offset)
                return
            if not isinstance(after, ast.Expr | ast.Assign | ast.AnnAssign | ast.Import):
                break
        yield Branch(
            name=self._name(rest),
            line=rest[0].lineno if rest else statement.lineno,
            test=None,
            header=None,
            digest=_digest(rest),
            leaves=leaves(rest),
            gives_up=gives_up(rest),
            idle=only_logs(rest),
        )

    def _branch(self, statement: ast.If) -> Branch:
        return Branch(
            name=self._name(statement.body),
            line=statement.lineno,
            test=model(statement.test, self._resolver),
            header=self._header(statement),
            digest=_digest(statement.body),
            leaves=leaves(statement.body),
            gives_up=gives_up(statement.body),
            idle=only_logs(statement.body),
        )

    def _header(self, statement: ast.If) -> tuple[int, int] | None:
        try:
            return self._source.header(statement)
        except Refusal:
            return None

    def _name(self, body: Sequence[ast.stmt]) -> str:
        """Name a branch after the installer that its code leads to; nothing if to none."""
        if gives_up(body):
            return ""
        names = {name for one in body for name in families_named(self._module, one)}
        if len(names) > 1:
            return UNKNOWN
        return names.pop() if names else ""


def families_named(module: Module, statement: ast.stmt) -> frozenset[str]:
    """Return the families whose installers *statement* names."""
    return frozenset(
        family
        for identifier in _identifiers(module, statement)
        for family in FAMILIES
        if family in identifier.lower()
    )


def _identifiers(module: Module, statement: ast.stmt) -> Iterator[str]:
    # To define is not to do, and the name of an exception says what did not happen.
    if isinstance(statement, ast.Raise | ast.FunctionDef | ast.ClassDef):
        return
    for node in ast.walk(statement):
        match node:
            case ast.ImportFrom():
                yield node.module or ""
                yield from (alias.name for alias in node.names)
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.Name() | ast.Attribute():
                yield module.dotted(node) or ""
            case ast.Call(args=[ast.Constant(value=str(text)), *_]) if module.dotted(node.func) in (
                "__import__",
                "importlib.import_module",
            ):
                yield text


_UNREAD = "distributions are named here, but not in a chain of tests"
_UNFOLLOWED = "the value compared with distributions could not be followed to its source"


def _tests(statement: ast.If) -> Iterator[ast.expr]:
    """Yield the tests of an ``if`` and its ``elif``s."""
    yield statement.test
    while len(statement.orelse) == 1 and isinstance(statement.orelse[0], ast.If):
        statement = statement.orelse[0]
        yield statement.test


def _named(branches: tuple[Branch, ...]) -> tuple[Branch, ...]:
    """Name the branches that lead to no installer.

    Beside installers such a branch is the refusal, even where it only logs.
    Where no branch leads to one the whole is a check that stops or lets pass.
    """
    picks = any(branch.name for branch in branches)
    return tuple(
        replace(branch, name=UNSUPPORTED if picks or branch.leaves else CONTINUES)
        if not branch.name
        else branch
        for branch in branches
    )


def _digest(body: Sequence[ast.stmt]) -> str:
    return "\n".join(ast.dump(statement) for statement in body)
