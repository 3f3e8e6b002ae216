# SPDX-License-Identifier: Apache-2.0
"""The way of an installation: which scripts of a disc are started, and what these start."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from ngtpatch.installer.execution.library import BUNDLED, MODELLED
from ngtpatch.installer.layout import FACTORY, ROOT
from ngtpatch.installer.payloads import head_of, size_of
from ngtpatch.installer.python_source import MAX_SOURCE_SIZE

__all__ = [
    "importing",
    "is_python",
    "is_shell",
    "parts_of",
    "programs",
    "shell_scripts",
    "started_by",
]

_PYTHON = ("install_ngt.py", "uninstall_ngt.py", "uninstall_ngt_core.py")
_SHELL = ("install_ngt.sh", "setup_python.sh", "uninstall_ngt.sh")
_WORD = re.compile(rb"[\w.-]+")
# What starts another program.
_STARTING = re.compile(
    rb"subprocess|os\.(?:system|exec|spawn|popen)|runpy|Popen|commands\.|execfile"
)
# ``. FILE``, ``source FILE`` and ``sh FILE``, with the quotes.
_CALLED = (
    rb"(?:^|[;&|({]|\b(?:if|then|else|do|exec)\b|!)\s*(?:%s)[ \t]+"
    rb"((?:\"[^\"\n]*\"|'[^'\n]*'|[^\s;&|)\"'])+)"
)
_PART = re.compile(_CALLED % rb"\.|source", re.M)
_SOURCED = re.compile(_CALLED % rb"\.|source|/?(?:\w+/)*(?:ba|da|k)?sh", re.M)
_EXPANDED = re.compile(r"\$\([^)]*\)|\$\{[^}]*\}|\$\w+|`[^`]*`")
_SHELL_NAME = re.compile(rb"(?:[\w.*?-]|\$\{\w+\}|\$\w+)+")
_MODULE = re.compile(rb"\s-m[ \t]*([\w.]+)")
_PYTHON_SHEBANG = re.compile(rb"#!\s*\S*?(?:env\s+)?\S*python")
_SHELL_SHEBANG = re.compile(rb"#!\s*\S*?(?:env\s+)?\S*(?:ba|da|k)?sh\b")


def is_python(tree: Mapping[str, bytes], path: str) -> bool:
    """Tell whether a file is a Python script, by its name or its first line."""
    name = posixpath.basename(path)
    return name.endswith(".py") or (
        "." not in name and _PYTHON_SHEBANG.match(head_of(tree, path, 128)) is not None
    )


def is_shell(tree: Mapping[str, bytes], path: str) -> bool:
    """Tell whether a file is a shell script, by its name or its first line."""
    name = posixpath.basename(path)
    return name.endswith(".sh") or (
        "." not in name
        and not is_python(tree, path)
        and _SHELL_SHEBANG.match(head_of(tree, path, 128)) is not None
    )


def programs(tree: Mapping[str, bytes]) -> tuple[str, ...]:
    """Return the Python files of *tree* that are started, and the one that picks the installer."""
    found = [ROOT + name for name in _PYTHON if ROOT + name in tree]
    for path in shell_scripts(tree, ()):
        found += [one for one in _mentioned(tree, path) if is_python(tree, one)]
    if FACTORY in tree:
        found.append(FACTORY)
    return tuple(dict.fromkeys(found))


def started_by(tree: Mapping[str, bytes], path: str) -> Iterator[str]:
    """Yield the Python scripts that the Python file at *path* names and may start."""
    if _STARTING.search(tree[path]):
        for one in _mentioned(tree, path):
            if is_python(tree, one) and one != path:
                yield one


def importing(tree: Mapping[str, bytes], paths: Sequence[str]) -> list[str]:
    """Return the Python files that import one of *paths*, by its name, or one that does."""
    found: dict[str, None] = {}
    waiting = list(paths)
    while waiting:
        folder, _, name = waiting.pop().rpartition("/")
        stem = folder.rpartition("/")[2] if name == "__init__.py" else name.removesuffix(".py")
        line = re.compile(
            rb"^[ \t]*(?:from|import)\b[^#\r\n]*\b%s\b" % re.escape(stem.encode()), re.M
        )
        for path in sorted(tree):
            if path not in found and path not in paths and line.search(tree[path]):
                found[path] = None
                waiting.append(path)
    return sorted(found)


def shell_scripts(
    tree: Mapping[str, bytes], files: Iterable[str], started: Iterable[str] = ()
) -> tuple[str, ...]:
    """Return the shell scripts on the way: the entries, what they name, what *files* start."""
    waiting = [ROOT + name for name in _SHELL if ROOT + name in tree]
    waiting += [path for path in sorted(started) if is_shell(tree, path)]
    for path in sorted(files):
        if path in tree and _STARTING.search(tree[path]):
            waiting += [one for one in _mentioned(tree, path) if is_shell(tree, one)]
    waiting = list(dict.fromkeys(waiting))
    for path in waiting:
        named = [one for one in _mentioned(tree, path) if is_shell(tree, one)]
        waiting += [one for one in (*named, *_sourced(tree, path)) if one not in waiting]
    return tuple(waiting)


def parts_of(tree: Mapping[str, bytes], path: str) -> tuple[str, ...]:
    """Return the files that a shell script reads as a part of itself, and those that these do."""
    found: dict[str, None] = {}
    waiting = [path]
    for one in waiting:
        more = [part for part in _sourced(tree, one, _PART) if part not in (path, *found)]
        found.update(dict.fromkeys(more))
        waiting += more
    return tuple(found)


def _sourced(
    tree: Mapping[str, bytes], path: str, called: re.Pattern[bytes] = _SOURCED
) -> Iterator[str]:
    """Yield the files below the installer that a shell script reads as a part of it, or starts.

    By their names: the folder may be a variable's, and such a file needs no suffix. Where a part of
    the name is a variable's, all that fit; where all of it is, those that the script names.
    """
    if size_of(tree, path) > MAX_SOURCE_SIZE:
        return
    operands = {_pattern(word) for word in called.findall(tree[path])}
    if any(not one.strip("*?") for one in operands):
        operands |= {
            _pattern(word)
            for word in _SHELL_NAME.findall(tree[path])
            if b"." in word and _pattern(word).strip("*?.-")
        }
    for one in sorted(tree):
        name = posixpath.basename(one)
        wanted = any(fnmatchcase(name, operand) for operand in operands if operand.strip("*?"))
        if wanted and one.startswith(ROOT) and one != path and not is_python(tree, one):
            yield one


def _pattern(word: bytes) -> str:
    """Return the last part of a word of a shell, with ``*`` for what is not known of it."""
    text = _EXPANDED.sub("*", word.decode("latin-1"))
    return posixpath.basename(text.replace('"', "").replace("'", ""))


def _mentioned(tree: Mapping[str, bytes], path: str) -> Iterator[str]:
    """Yield the files that stand in *path* by name; those of other folders by folder and name."""
    if size_of(tree, path) > MAX_SOURCE_SIZE:
        return
    text = tree[path]
    words = {word.decode() for word in _WORD.findall(text)}
    modules = {word.decode().replace(".", "/") for word in _MODULE.findall(text)}
    for one in sorted(tree):
        folder, name = posixpath.split(one)
        beside = folder in (posixpath.dirname(path), ROOT.rstrip("/"), ROOT + "src")
        named = name in words and (
            beside or (one.startswith(ROOT) and _with_folder(one).encode() in text)
        )
        stem = name.partition(".")[0]
        started = any(one == f"{ROOT}{module}.py" for module in modules)
        if started or (named and stem not in MODELLED and stem not in BUNDLED):
            yield one


def _with_folder(path: str) -> str:
    return "/".join(path.split("/")[-2:])
