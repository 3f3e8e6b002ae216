# SPDX-License-Identifier: Apache-2.0
"""What stopped a support, or was not understood: a report from which a patch can be made.

It holds no line of the vendor's unless it is asked for by the file's name, and never
identity: what lies outside the installer is not looked at.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ngtpatch._version import __version__
from ngtpatch.errors import Refusal, UsageError
from ngtpatch.files.digest import sha256_of_bytes
from ngtpatch.flow.opened import open_source
from ngtpatch.flow.verdicts import Refused, Support
from ngtpatch.installer.layout import ROOT, survey
from ngtpatch.installer.payloads import size_of
from ngtpatch.installer.python_source import MAX_SOURCE_SIZE, parse
from ngtpatch.installer.recognition import find_sites
from ngtpatch.patching.doubts import Doubt

__all__ = ["InstallerFile", "ReportedPlace", "UnprovenReport", "report_support"]

_MAX_SHAPE = 2_000


@dataclass(frozen=True)
class InstallerFile:
    """A file of the installer.

    Attributes:
        path: in the image.
        size: in bytes.
        sha256: of its content; None for one too large to be a script.
    """

    path: str
    size: int
    sha256: str | None


@dataclass(frozen=True)
class ReportedPlace:
    """A place that decides, or that is not understood.

    Attributes:
        path: the file.
        line: where in it.
        problem: why it is not understood; None for a chain that is.
        subject: the fact that is compared, and where it comes from; None where not known.
        branches: what its branches lead to.
        shape: the statement's syntax: the kinds of its nodes, without a name or a text.
        text: the line itself, where that was asked for by the file's name.
    """

    path: str
    line: int
    problem: str | None
    subject: str | None
    branches: tuple[str, ...]
    shape: str | None
    text: str | None


@dataclass(frozen=True)
class UnprovenReport:
    """The document that ``ngtpatch support --report`` writes.

    Attributes:
        ngtpatch: the version that wrote it.
        ngt_version: None where it is not known.
        era: the layout of the installer.
        entry_points: what is started.
        refused: each reason for a refusal, once.
        unproven: what is not understood on the way of the installation.
        places: every place that decides by distribution, understood or not.
        files: the installer's files.
    """

    SCHEMA: ClassVar[str] = "ngtpatch.support-report/1"

    ngtpatch: str
    ngt_version: str | None
    era: int
    entry_points: tuple[str, ...]
    refused: tuple[Refused, ...]
    unproven: tuple[ReportedPlace, ...]
    places: tuple[ReportedPlace, ...]
    files: tuple[InstallerFile, ...]


def report_support(
    source: str | Path, found: Support, *, lines_of: Sequence[str] = ()
) -> UnprovenReport:
    """Return what somebody else needs to know about *source* to help.

    Args:
        source: the image or directory that *found* is about.
        found: what ``support`` found.
        lines_of: paths of files whose lines may be told. They are the vendor's.

    Raises:
        UsageError: ``not-of-installer``: a path of *lines_of* is no file of the installer.
    """
    with open_source(source) as opened:
        tree = opened.tree
        layout = survey(tree)
        for path in lines_of:
            if path not in tree or not path.startswith(ROOT):
                raise UsageError(
                    "not-of-installer",
                    f"{path} is no file of the installer",
                    hint=f"name a path that the report has, which starts with {ROOT}",
                )
        read = _ShapeReader(tree, frozenset(lines_of))
        doubts = dict.fromkeys(doubt for row in found.distros for doubt in row.unproven)
        return UnprovenReport(
            ngtpatch=__version__,
            ngt_version=layout.version,
            era=layout.era,
            entry_points=layout.entry_points,
            refused=tuple(
                dict.fromkeys(_without_lines(row.refused) for row in found.distros if row.refused)
            ),
            unproven=tuple(read.doubt(doubt) for doubt in doubts),
            places=tuple(
                ReportedPlace(
                    site.path,
                    site.line,
                    _first_line(site.problem),
                    f"{site.subject.field} of {site.subject.source}" if site.subject else None,
                    tuple(branch.name for branch in site.branches),
                    read.shape(site.path, site.line),
                    read.text(site.path, site.line),
                )
                for site in find_sites(tree, payloads=True)
            ),
            files=tuple(
                InstallerFile(
                    path,
                    size_of(tree, path),
                    sha256_of_bytes(tree[path]) if size_of(tree, path) <= MAX_SOURCE_SIZE else None,
                )
                for path in sorted(tree)
                if path.startswith(ROOT)
            ),
        )


def _without_lines(refused: Refused) -> Refused:
    """Return a refusal without the vendor's lines that its message shows."""
    return Refused(refused.code, refused.path, _first_line(refused.message) or "", refused.hint)


def _first_line(text: str | None) -> str | None:
    return None if text is None else text.partition("\n")[0]


class _ShapeReader:
    """Reads shapes, and lines where that is allowed."""

    def __init__(self, tree: Mapping[str, bytes], allowed: frozenset[str]) -> None:
        self._tree = tree
        self._allowed = allowed

    def doubt(self, doubt: Doubt) -> ReportedPlace:
        """Return one that is not understood."""
        return ReportedPlace(
            doubt.path,
            doubt.line,
            doubt.text,
            None,
            (),
            self.shape(doubt.path, doubt.line),
            self.text(doubt.path, doubt.line),
        )

    def text(self, path: str, line: int) -> str | None:
        """Return a line, where its file was named."""
        if path not in self._allowed:
            return None
        lines = self._tree[path].decode("utf-8", "replace").splitlines()
        return lines[line - 1] if 0 < line <= len(lines) else None

    def shape(self, path: str, line: int) -> str | None:
        """Return the kinds of the nodes of the statement at *line*; None if it has none."""
        if path not in self._tree:
            return None
        try:
            tree = parse(path, self._tree[path]).tree
        except Refusal:
            return None
        for node in ast.walk(tree):
            if isinstance(node, ast.stmt) and node.lineno == line:
                return _shape(node)
        return None


def _shape(statement: ast.stmt) -> str:
    """Return a statement's header as nested kinds of nodes, without a name or a text."""
    header: ast.AST = statement
    match statement:
        case ast.If(test=test) | ast.While(test=test) | ast.Assert(test=test):
            header = test
        case ast.For(iter=iterated):
            header = iterated
    kinds: list[str] = []
    waiting: list[ast.AST | str] = [header]
    while waiting and len(kinds) < _MAX_SHAPE:
        node = waiting.pop()
        if isinstance(node, str):
            kinds.append(node)
            continue
        inner = [
            child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.expr_context)
        ]
        kinds.append(type(node).__name__)
        if inner:
            waiting += [")", *reversed(inner), "("]
    return " ".join(kinds)[:_MAX_SHAPE]
