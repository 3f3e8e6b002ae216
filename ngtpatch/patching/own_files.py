# SPDX-License-Identifier: Apache-2.0
"""Who looks at the size or content of a file of the disc: programs and shell scripts.

They may compare it, and refuse one that is changed. Which file is meant by a name that is not
known shows by what gives the names: a list on the disc, or a folder that is gone through.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from fnmatch import fnmatchcase

from ngtpatch.installer.execution.measuring import ANY_FILE, CHECKING, OF_A_LIST, OF_A_PATH, READING
from ngtpatch.installer.execution.program import execute
from ngtpatch.installer.execution.watching import Watch
from ngtpatch.installer.execution.way import is_python, is_shell, shell_scripts
from ngtpatch.installer.layout import ROOT
from ngtpatch.installer.payloads import is_archive, size_of
from ngtpatch.patching.guests import known_worlds

__all__ = ["checks_files", "is_listed", "lists_with", "looked_at", "who_looks"]

_SHELL_LINE = re.compile(rb"(?<![\w.-])" + CHECKING.encode() + rb"|\s-size\b")
_SHELL_READER = re.compile(rb"(?<![\w.-])" + READING.encode())
_SHELL_WORD = re.compile(rb"[\w.*?-]+")
_SHELL_FOLDER = re.compile(rb"([\w.-]+/\*)(?![\w.*?/-])")
_SHELL_COMMENT = re.compile(rb"\s*#")
_LARGEST_LIST = 1 << 20


def who_looks(tree: Mapping[str, bytes]) -> Callable[[str], str | None]:
    """Return what tells of a file which script, and line, looks at its size or content.

    The programs are executed for everybody that is known: what is changed is changed for all.
    """
    watch = Watch()
    execution = execute(tree, known_worlds(), watch=watch)
    scripts = shell_scripts(tree, execution.files, execution.started)

    def looking(path: str) -> str | None:
        lists = lists_with(tree, path)
        # An archive is opened to be unpacked.
        only_read = not is_archive(path)
        places = set(looked_at(watch, path, tree=tree, lists=lists, only_read=only_read))
        for script in scripts:
            lines = checks_files(tree[script], path, listed=is_listed(tree[script], lists))
            places |= {(script, line) for line in lines}
        return "{}:{}".format(*min(places)) if places else None

    return looking


def looked_at(
    watch: Watch,
    path: str,
    *,
    tree: Mapping[str, bytes],
    lists: Collection[str],
    only_read: bool,
) -> frozenset[tuple[str, int]]:
    """Return where the size or content of a file is looked at, or may be.

    Args:
        watch: what was seen.
        path: the file.
        tree: all files.
        lists: the lists on the disc that have its name.
        only_read: whether it counts that its content is read at all.
    """
    found = set(watch.measured.get(path, ()))
    found |= watch.opened.get(path, set()) if only_read else set()
    found |= watch.measured.get(OF_A_LIST, set()) if lists else set()
    # A name that is not known is the guest's, unless something on the disc has given it.
    is_given = any(one in watch.opened for one in lists)
    if is_given or any(path.startswith(folder) for folder in watch.listed):
        found |= watch.measured.get(ANY_FILE, set())
    # Who makes a path of objects has its parts as texts.
    name = posixpath.basename(path).encode()
    found |= {
        place for place in watch.measured.get(OF_A_PATH, ()) if name in tree.get(place[0], b"")
    }
    return frozenset(found)


def is_listed(script: bytes, lists: Collection[str]) -> bool:
    """Tell whether a shell script may go by one of *lists*: one beside it, or one that it names."""
    return any(one.startswith(ROOT) or posixpath.basename(one).encode() in script for one in lists)


def lists_with(tree: Mapping[str, bytes], path: str) -> frozenset[str]:
    """Return the files that have the name of *path* and are no programs, such as lists of sums."""
    name = posixpath.basename(path).encode()
    return frozenset(
        one
        for one in tree
        if one != path
        and not (is_archive(one) or is_python(tree, one) or is_shell(tree, one))
        and size_of(tree, one) <= _LARGEST_LIST
        and name in tree[one]
        and b"\0" not in tree[one]
    )


def checks_files(script: bytes, path: str, *, listed: bool) -> Iterator[int]:
    """Yield the lines of a shell script that print or check digests and sizes.

    Args:
        script: its content.
        path: the file that it may look at: by its name, by a pattern, or by a list.
        listed: whether a list on the disc has its name.
    """
    name = posixpath.basename(path)

    def is_named(text: bytes) -> bool:
        words = {word.decode("latin-1") for word in _SHELL_WORD.findall(text)}
        folders = {word.decode("latin-1") for word in _SHELL_FOLDER.findall(text)}
        return any(fnmatchcase(name, word) for word in words if word.strip("*?.-")) or any(
            fnmatchcase(path, f"*/{word}") for word in folders
        )

    may_be_meant = listed or is_named(script)
    for number, line in enumerate(script.splitlines(), 1):
        checks = may_be_meant and _SHELL_LINE.search(line) is not None
        # What only prints it has to name it on the same line.
        reads = may_be_meant and _SHELL_READER.search(line) is not None and is_named(line)
        if (checks or reads) and not _SHELL_COMMENT.match(line):
            yield number
