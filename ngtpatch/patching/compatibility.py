# SPDX-License-Identifier: Apache-2.0
"""Kinds ``linux-distribution`` and ``loose-version``: what a newer Python lacks is provided.

Chosen by hazard: only where a release in one of the profiles has a Python that
lacks it. The vendor's import keeps its text; on a Python that has the original
nothing else is used.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from textwrap import indent

from ngtpatch.errors import Refusal
from ngtpatch.installer.python_source import PythonSource, parse
from ngtpatch.installer.removals import Removal, removals
from ngtpatch.patching.fallbacks import LINUX_DISTRIBUTION, LOOSE_VERSION
from ngtpatch.patching.insertion import Insertion, insert
from ngtpatch.patching.outcome import ORDER_HAZARD, Outcome
from ngtpatch.patching.patch import Patch
from ngtpatch.patching.profile import Profile

__all__ = ["provide_linux_distribution", "provide_loose_version"]


def provide_linux_distribution(
    source: PythonSource, patch: Patch, profiles: Sequence[Profile]
) -> Outcome:
    """Plan a platform.linux_distribution for Python 3.8 and newer.

    Raises:
        Refusal: ``lossy``.
    """
    return _provide(source, profiles, "linux-distribution", (3, 8))


def provide_loose_version(
    source: PythonSource, patch: Patch, profiles: Sequence[Profile]
) -> Outcome:
    """Plan a distutils.version.LooseVersion for Python 3.12 and newer.

    Raises:
        Refusal: ``lossy``.
    """
    return _provide(source, profiles, "distutils", (3, 12))


def _provide(
    source: PythonSource, profiles: Sequence[Profile], code: str, gone: tuple[int, int]
) -> Outcome:
    pythons = [version.python for profile in profiles for version in profile.versions.values()]
    if not any(_numbers(python) >= gone for python in pythons):
        return Outcome()
    places = [place for found in _found(source, code) for place in found.imports]
    insertions = [one for place in places for one in _around(source, place)]
    if insertions and any(found.imports for found in _found(_result(source, insertions), code)):
        raise Refusal(
            "shape",
            f"the import at line {places[0].lineno} could not be given a replacement:\n"
            + source.excerpt(places[0].lineno, places[0].end_lineno),
            path=source.path,
            hint=ORDER_HAZARD,
        )
    return Outcome(tuple(insertions), len(places))


def _numbers(python: str) -> tuple[int, ...]:
    return tuple(int(number) for number in python.split("."))


def _found(source: PythonSource, code: str) -> list[Removal]:
    return [found for found in removals(source) if found.code == code]


def _result(source: PythonSource, insertions: Sequence[Insertion]) -> PythonSource:
    return parse(source.path, insert(source, insertions))


def _around(source: PythonSource, place: ast.Import | ast.ImportFrom) -> list[Insertion]:
    """Return what goes before and after one import statement."""
    margin = source.line(place.lineno)[: place.col_offset]
    if isinstance(place, ast.Import):
        bound = next(one.asname or one.name for one in place.names if one.name == "platform")
        after = (
            f'if not hasattr({bound}, "linux_distribution"):  # gone from Python 3.8 on\n'
            + indent(LINUX_DISTRIBUTION.format(name="_linux_distribution"), "    ")
            + f"    {bound}.linux_distribution = _linux_distribution\n"
        )
        return [_below(source, place, after, margin)]
    unit = _unit(source)
    if place.module == "platform":
        fallback, release = _platform_names(place), "3.8"
    else:
        bound = place.names[0].asname or place.names[0].name
        fallback, release = LOOSE_VERSION.format(name=bound), "3.12"
    after = f"except ImportError:  # gone from Python {release} on\n" + indent(fallback, "    ")
    start = source.offset(place.lineno, place.col_offset)
    return [
        Insertion(start, f"try:{_newline(source)}{margin}{unit}"),
        _below(source, place, after, margin),
    ]


def _platform_names(place: ast.ImportFrom) -> str:
    """Return the fallback for ``from platform import linux_distribution``, and its neighbours."""
    kept = [one for one in place.names if one.name != "linux_distribution"]
    kept_import = f"{ast.unparse(ast.ImportFrom('platform', kept, 0))}\n\n" if kept else ""
    return kept_import + "\n".join(
        LINUX_DISTRIBUTION.format(name=one.asname or one.name)
        for one in place.names
        if one.name == "linux_distribution"
    )


def _below(source: PythonSource, place: ast.stmt, code: str, margin: str) -> Insertion:
    """Return *code* as lines of their own under *place*, indented like the file."""
    unit = _unit(source)
    lines = []
    for line in code.splitlines():
        text = line.lstrip(" ")
        lines.append(margin + unit * ((len(line) - len(text)) // 4) + text if text else "")
    end = place.end_lineno or place.lineno
    newline = _newline(source)
    if end < len(source.starts):
        return Insertion(source.starts[end], "".join(f"{line}{newline}" for line in lines))
    return Insertion(len(source.text), "".join(f"{newline}{line}" for line in lines))


def _unit(source: PythonSource) -> str:
    """Return one step of the file's own indentation."""
    for node in ast.walk(source.tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and isinstance(node, ast.stmt) and body:
            first = body[0]
            if first.lineno > node.lineno and first.col_offset > node.col_offset:
                return source.line(first.lineno)[node.col_offset : first.col_offset]
    return "    "


def _newline(source: PythonSource) -> str:
    found = re.search(r"\r\n|\r|\n", source.text)
    return found.group() if found else "\n"
