# SPDX-License-Identifier: Apache-2.0
"""What else stops the installer on a guest whose name it accepts.

Found once in a tree; each hazard then tells whether it concerns a guest with a
given Python and release. Files that serve another family (``ubuntu_installer``)
are left out: they do not run on Enterprise Linux.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ngtpatch.errors import Refusal
from ngtpatch.installer.floors import class_constants, floors
from ngtpatch.installer.gates import Gate, gates
from ngtpatch.installer.layout import ROOT
from ngtpatch.installer.scopes import Module
from ngtpatch.installer.source import MAX_SOURCE_SIZE, Source, parse

__all__ = ["Hazard", "find_hazards", "release_key", "removals_in"]

Python = tuple[int, int]

_OTHER_FAMILIES = ("ubuntu", "suse")
_SHEBANG = re.compile(rb"#!\s*(?:/usr/bin/env\s+)?(?:/\S*/)?(python[\d.]*)\s*$", re.M)
_EL8 = (8,)


@dataclass(frozen=True)
class Hazard:
    """Something in the installer that fails on some guests.

    Attributes:
        code: ``linux-distribution``, ``distutils``, ``python-gate``, ``python2-syntax``,
            ``version-floor``, ``shebang``, ``dracut`` or ``chkconfig``.
        path: the file.
        line: where in it.
        text: what happens.
        stops: whether the installation ends there; otherwise a step has no effect.
        mended_by: the kind of patch that mends it, or None where none does.
    """

    code: str
    path: str
    line: int
    text: str
    stops: bool
    mended_by: str | None = None
    _concerns: Callable[[Python, str | None], bool] = field(
        default=lambda python, release: True, repr=False, compare=False
    )

    def concerns(self, *, python: str, release: str | None = None) -> bool:
        """Tell whether it strikes a guest.

        Args:
            python: the guest's Python, such as ``3.9``.
            release: VERSION_ID of os-release(5), such as ``9.4``; None where not known.
        """
        major, _, minor = python.partition(".")
        return self._concerns((int(major), int(minor)), release)


def find_hazards(tree: Mapping[str, bytes]) -> tuple[Hazard, ...]:
    """Return every hazard in the installer's files, sorted by path and line."""
    found: list[Hazard] = []
    modules: list[tuple[Source, Module]] = []
    for path in sorted(tree):
        if not path.startswith(ROOT) or any(name in path for name in _OTHER_FAMILIES):
            continue
        if path.endswith((".py", ".sh")) or "." not in path.rpartition("/")[2]:
            found += _shebang(path, tree[path])
        if path.endswith(".py") and len(tree[path]) <= MAX_SOURCE_SIZE:
            try:
                source = parse(path, tree[path])
            except Refusal as refusal:
                found.append(_unreadable(path, refusal))
            else:
                modules.append((source, Module(source.tree)))
    spared = ", unless setup_python.sh starts it with its own" if _brings_python(tree) else ""
    for source, module in modules:
        found += _removals(source, module, spared)
        found += _gates(source, module)
        found += _assumptions(source, module)
    found += _floors(modules)
    return tuple(sorted(found, key=lambda one: (one.path, one.line, one.code)))


def removals_in(source: Source) -> tuple[Hazard, ...]:
    """Return what in one parsed file newer releases of Python have removed."""
    return tuple(_removals(source, Module(source.tree), ""))


def _brings_python(tree: Mapping[str, bytes]) -> bool:
    return ROOT + "setup_python.sh" in tree


def _unreadable(path: str, refusal: Refusal) -> Hazard:
    line = re.search(r"line (\d+)", refusal.message)
    return Hazard(
        "python2-syntax",
        path,
        int(line.group(1)) if line else 1,
        f"Python 3 cannot read this file: {refusal.message}",
        stops=True,
        _concerns=lambda python, release: python >= (3, 0),
    )


def _gates(source: Source, module: Module) -> Iterator[Hazard]:
    for gate in gates(module):
        yield _gate(source.path, gate)


def _gate(path: str, gate: Gate) -> Hazard:
    return Hazard(
        "python-gate",
        path,
        gate.line,
        "the installer ends here on this Python; such a gate is reported, never removed",
        stops=True,
        _concerns=lambda python, release: gate.closed(python) is not False,
    )


def _floors(modules: Sequence[tuple[Source, Module]]) -> Iterator[Hazard]:
    attributes: set[str] = set()
    for source, module in modules:
        for floor in floors(module):
            if floor.minimum is not None:
                yield _floor(source.path, floor.line, floor.minimum)
            elif floor.attribute is not None:
                attributes.add(floor.attribute)
    for source, module in modules:
        for name, text, line in class_constants(module):
            if name in attributes:
                yield _floor(source.path, line, text)


def _floor(path: str, line: int, minimum: str) -> Hazard:
    return Hazard(
        "version-floor",
        path,
        line,
        f"the installer demands release {minimum} or newer",
        stops=True,
        _concerns=lambda python, release: (
            release is not None and release_key(release) < release_key(minimum)
        ),
    )


def release_key(release: str) -> tuple[int, ...]:
    """Return the numbers of a release, for comparing: ``8.10`` is after ``8.9``."""
    return tuple(int(number) for number in re.findall(r"\d+", release))


# Python's own removals -----------------------------------------------------------------------


def _removals(source: Source, module: Module, spared: str) -> Iterator[Hazard]:
    yield from _linux_distribution(source, module, spared)
    yield from _distutils(source, module, spared)


def _linux_distribution(source: Source, module: Module, spared: str) -> Iterator[Hazard]:
    if _is_provided(module):
        return
    for node in _uses(module, "platform", ("linux_distribution", "dist")):
        if _caught(module, node, ("ImportError",)) and isinstance(node, ast.ImportFrom):
            continue
        hidden = _caught(module, node, ("AttributeError",))
        yield Hazard(
            "linux-distribution",
            source.path,
            node.lineno,
            "platform.linux_distribution is gone from Python 3.8 on: "
            + (
                "the exception is caught, and what depends on the distribution is skipped"
                if hidden
                else f"the installer fails here{spared}"
            ),
            stops=not hidden,
            mended_by="linux-distribution",
            _concerns=lambda python, release: python >= (3, 8),
        )
        return  # one fallback mends them all


def _is_provided(module: Module) -> bool:
    """Tell whether the file itself defines platform.linux_distribution where it is missing."""
    return any(
        module.dotted(call.func) == "hasattr"
        and len(call.args) == 2
        and module.dotted(call.args[0]) == "platform"
        and isinstance(call.args[1], ast.Constant)
        and call.args[1].value == "linux_distribution"
        for call in module.calls
    )


def _distutils(source: Source, module: Module, spared: str) -> Iterator[Hazard]:
    for node in _uses(module, "distutils", ()):
        if _caught(module, node, ("ImportError",)):
            continue
        yield Hazard(
            "distutils",
            source.path,
            node.lineno,
            "distutils is gone from Python 3.12 on: the installer fails here, unless the guest"
            f" has a setuptools with its distutils shim{spared.replace(', unless', ' or')}",
            stops=True,
            mended_by="loose-version",
            _concerns=lambda python, release: python >= (3, 12),
        )


def _uses(
    module: Module, package: str, names: tuple[str, ...]
) -> Iterator[ast.Call | ast.Import | ast.ImportFrom]:
    """Yield the statements that import *package* (with *names*: those) and calls of *names*."""
    for node in ast.walk(module.tree):
        match node:
            case ast.Import() if not names:
                if any(alias.name.partition(".")[0] == package for alias in node.names):
                    yield node
            case ast.ImportFrom(module=str(origin)) if origin.partition(".")[0] == package:
                if not names or any(alias.name in names for alias in node.names):
                    yield node
            case ast.Call() if names:
                owner, _, name = (module.dotted(node.func) or "").rpartition(".")
                if owner.rpartition(".")[2] == package and name in names:
                    yield node


def _caught(module: Module, node: ast.AST, exceptions: tuple[str, ...]) -> bool:
    """Tell whether a ``try`` around *node* catches one of *exceptions* or everything."""
    inner: ast.AST = node
    for outer in module.enclosing(node):
        if isinstance(outer, ast.Try) and inner in outer.body:
            for handler in outer.handlers:
                caught = ast.unparse(handler.type) if handler.type else "Exception"
                if re.search(rf"\b(?:Base)?Exception\b|\b(?:{'|'.join(exceptions)})\b", caught):
                    return True
        inner = outer
    return False


# What the guest no longer has ----------------------------------------------------------------


def _shebang(path: str, data: bytes) -> Iterator[Hazard]:
    found = _SHEBANG.match(data)
    if found is None:
        return
    interpreter = found.group(1).decode()
    newest = interpreter.startswith("python3")
    yield Hazard(
        "shebang",
        path,
        1,
        f"started by itself it asks for {interpreter!r}, which "
        + ("EL7 does not bring" if newest else "EL8 and newer do not have")
        + "; start it with the guest's own Python",
        stops=False,
        _concerns=lambda python, release: (python < (3, 0)) == newest,
    )


_ASSUMPTIONS = {
    "dracut": (
        re.compile(r"/etc/dracut\.conf(?!\.d)"),
        "the drivers are added to a line of /etc/dracut.conf that EL8 and newer do not have: the"
        " initial RAM disk stays without them, and nothing says so",
    ),
    "chkconfig": (
        re.compile(r"/sbin/chkconfig"),
        "the service is registered with /sbin/chkconfig and an init.d script; EL8 and newer run"
        " systemd units and need not have chkconfig",
    ),
}


def _assumptions(source: Source, module: Module) -> Iterator[Hazard]:
    seen: set[str] = set()
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        if module.is_docstring(node):
            continue
        for code, (pattern, text) in _ASSUMPTIONS.items():
            if code not in seen and pattern.search(node.value):
                seen.add(code)
                yield Hazard(
                    code,
                    source.path,
                    node.lineno,
                    text,
                    stops=False,
                    _concerns=lambda python, release: (
                        release is not None and release_key(release) >= _EL8
                    ),
                )
