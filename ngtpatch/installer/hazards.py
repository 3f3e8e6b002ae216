# SPDX-License-Identifier: Apache-2.0
"""What else stops the installer on a guest whose name it accepts.

Found once in a tree; each hazard then tells whether it concerns a guest with a
given Python and release, in a given branch: a file that serves another family
(``ubuntu_installer`` on Enterprise Linux) is not run.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ngtpatch.errors import Refusal
from ngtpatch.installer.compiled import is_cached, lone_compiled, source_of
from ngtpatch.installer.floors import class_constants, floors
from ngtpatch.installer.gates import Gate, gates
from ngtpatch.installer.layout import ROOT
from ngtpatch.installer.payloads import head_of, size_of
from ngtpatch.installer.python_source import MAX_SOURCE_SIZE, PythonSource, parse
from ngtpatch.installer.recognition import FAMILIES, REDHAT
from ngtpatch.installer.removals import Removal, removals

__all__ = ["Hazard", "find_hazards", "release_key"]

Python = tuple[int, int]

_SHEBANG = re.compile(rb"#!\s*(?:/usr/bin/env\s+)?(?:/\S*/)?(python[\d.]*)\s*$", re.M)
_EL8 = (8,)


@dataclass(frozen=True)
class Hazard:
    """Something in the installer that fails on some guests.

    Attributes:
        code: ``linux-distribution``, ``distutils``, ``python-gate``, ``python2-syntax``,
            ``version-floor``, ``shebang``, ``dracut``, ``chkconfig``, ``compiled`` or
            ``compiled-only``; of the disc itself ``label``, ``no-config``, or the code that a
            rebuild refuses its image with.
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

    def concerns(self, *, python: str, release: str | None = None, branch: str = REDHAT) -> bool:
        """Tell whether it strikes a guest.

        Args:
            python: the guest's Python, such as ``3.9``.
            release: VERSION_ID of os-release(5), such as ``9.4``; None where not known.
            branch: whose files install it.
        """
        if any(one in self.path for one in FAMILIES if one != branch):
            return False
        major, _, minor = python.partition(".")
        return self._concerns((int(major), int(minor)), release)


def find_hazards(tree: Mapping[str, bytes], *, with_gates: bool = True) -> tuple[Hazard, ...]:
    """Return every hazard in the installer's files, sorted by path and line.

    Args:
        tree: the files.
        with_gates: look for gates of the running Python, too. They need the whole tree.
    """
    found: list[Hazard] = []
    sources: list[PythonSource] = []
    found += _compiled(tree)
    for path in sorted(tree):
        if not path.startswith(ROOT):
            continue
        if path.endswith((".py", ".sh")) or "." not in path.rpartition("/")[2]:
            found += _shebang(path, head_of(tree, path, 128))
        if path.endswith(".py") and size_of(tree, path) <= MAX_SOURCE_SIZE:
            try:
                sources.append(source := parse(path, tree[path]))
                if source.translated is not None:
                    found.append(_python_2_only(source))
            except Refusal as refusal:
                found.append(_unreadable(path, refusal))
    spared = ", unless setup_python.sh starts it with its own" if _brings_python(tree) else ""
    for source in sources:
        found += _removals(source, spared)
        found += _assumptions(source)
    found += _floors(sources)
    found += [_gate(gate) for gate in gates(tree)] if with_gates else []
    return tuple(sorted(found, key=lambda one: (one.path, one.line, one.code)))


def _compiled(tree: Mapping[str, bytes]) -> Iterator[Hazard]:
    for path in lone_compiled(tree):
        text = "compiled code without its source: what it does was not looked into"
        yield Hazard("compiled-only", path, 1, text, stops=False)
    for path in sorted(tree):
        source = source_of(path)
        if source is not None and path.startswith(ROOT) and source in tree and not is_cached(path):
            text = (
                f"Python 2 runs this instead of {source.rpartition('/')[2]}, if the time recorded "
                "in it is that file's: what it does was not looked into"
            )
            yield Hazard(
                "compiled",
                path,
                1,
                text,
                stops=False,
                mended_by="removal",
                _concerns=lambda python, release: python < (3, 0),
            )


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


def _python_2_only(source: PythonSource) -> Hazard:
    return Hazard(
        "python2-syntax",
        source.path,
        source.refused,
        "only a Python 2 can read this file; where it is run by Python 3, it fails at once",
        stops=True,
        _concerns=lambda python, release: python >= (3, 0),
    )


def _gate(gate: Gate) -> Hazard:
    return Hazard(
        "python-gate",
        gate.path,
        gate.line,
        "the installer ends here on this Python, or may; such a gate is reported, never removed",
        stops=True,
        _concerns=lambda python, release: gate.closed(python) is not False,
    )


def _floors(sources: Sequence[PythonSource]) -> Iterator[Hazard]:
    attributes: dict[str, bool] = {}
    for source in sources:
        for floor in floors(source.module):
            if floor.minimum is not None:
                yield _floor(source.path, floor.line, floor.minimum, loose=floor.loose)
            elif floor.attribute is not None:
                attributes[floor.attribute] = floor.loose
    for source in sources:
        for name, text, line in class_constants(source.module):
            if name in attributes:
                yield _floor(source.path, line, text, loose=attributes[name])


def _floor(path: str, line: int, minimum: str, *, loose: bool) -> Hazard:
    def concerns(python: Python, release: str | None) -> bool:
        if release is None:
            return False
        if loose and python >= (3, 0) and not release[:1].isdigit():
            return True
        return release_key(release) < release_key(minimum)

    return Hazard(
        "version-floor",
        path,
        line,
        f"the installer demands release {minimum} or newer"
        + (", and fails on one that does not start with a number" if loose else ""),
        stops=True,
        _concerns=concerns,
    )


def release_key(release: str) -> tuple[int, ...]:
    """Return the numbers of a release, for comparing: ``8.10`` is after ``8.9``."""
    return tuple(int(number) for number in re.findall(r"\d+", release))


def _removals(source: PythonSource, spared: str) -> Iterator[Hazard]:
    for removal in removals(source):
        if removal.code == "distutils":
            text = (
                "distutils is gone from Python 3.12 on: the installer fails here, unless the guest"
                f" has a setuptools with its distutils shim{spared.replace(', unless', ' or')}"
            )
            yield _removal(source.path, removal, text, (3, 12), "loose-version")
        else:
            text = "platform.linux_distribution is gone from Python 3.8 on: "
            text += (
                "the exception is swallowed, and what depends on the distribution is skipped"
                if removal.hidden
                else f"the installer fails here{spared}"
            )
            yield _removal(source.path, removal, text, (3, 8), "linux-distribution")


def _removal(path: str, removal: Removal, text: str, since: Python, kind: str) -> Hazard:
    return Hazard(
        removal.code,
        path,
        removal.line,
        text,
        stops=not removal.hidden,
        mended_by=kind if removal.imports else None,
        _concerns=lambda python, release: python >= since,
    )


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


def _assumptions(source: PythonSource) -> Iterator[Hazard]:
    seen: set[str] = set()
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        if source.module.is_docstring(node):
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
