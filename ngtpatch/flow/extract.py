# SPDX-License-Identifier: Apache-2.0
"""One file out of an image or a directory."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ngtpatch.disclosure import shell_word, stream_holds_private_key
from ngtpatch.errors import InputError, Refusal
from ngtpatch.files.atomic import check_target, new_file
from ngtpatch.files.wellknown import KEY
from ngtpatch.flow.opened import open_source

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

    from ngtpatch.files.tree import FileTree

__all__ = ["Extracted", "extract"]

_COMPARED = 5000
"""With how many names one is compared that is not there."""


@dataclass(frozen=True)
class Extracted:
    """The document of ``ngtpatch extract``.

    Attributes:
        source: as it was named.
        path: of the file, in the image.
        size: in bytes.
        output: the file that was written; None for stdout, where the document gives way, and for a
            dry run.
    """

    SCHEMA: ClassVar[str] = "ngtpatch.extract/1"

    source: str
    path: str
    size: int
    output: str | None


def extract(
    source: str | Path,
    path: str,
    output: Path | SupportsWrite[bytes],
    *,
    force: bool = False,
    allow_identity: bool = False,
    dry_run: bool = False,
) -> Extracted:
    """Copy the file at *path* to *output*, a file to be made or a stream.

    The file is searched for private keys first; what is compressed in it is not looked into.
    With *allow_identity* one that holds a key becomes a file of mode 0600; a stream gets none.
    A *dry_run* looks for all that would be refused, and writes nothing.

    Raises:
        InputError: *source* cannot be read; ``no-such-entry``.
        Refusal: ``secret``: it holds a private key.
        UsageError: *output* exists, or has no directory.
    """
    if isinstance(output, Path):
        check_target(output, force=force, source=Path(source))
    with open_source(source) as opened:
        if path not in opened.tree:
            raise _no_such(opened.tree, path, Path(source))
        secret = _is_secret(opened.tree, path)
        if secret and not (allow_identity and isinstance(output, Path)):
            raise Refusal(
                "secret",
                f"{path} holds a private key"
                + (", which is not printed" if allow_identity else ""),
                path=str(source),
                hint="--allow-identity -o FILE writes it to a file that only you may read",
            )
        size = opened.tree.size(path)
        if dry_run:
            return Extracted(str(source), path, size, None)
        with opened.tree.open(path) as stream:
            if isinstance(output, Path):
                with new_file(output, force=force, mode=0o600 if secret else 0o644) as file:
                    shutil.copyfileobj(stream, file, 1 << 20)
            else:
                shutil.copyfileobj(stream, output, 1 << 20)
    return Extracted(str(source), path, size, str(output) if isinstance(output, Path) else None)


def _no_such(tree: FileTree, path: str, source: Path) -> InputError:
    """Return that there is no file at *path*, and which one was meant where that can be told."""
    from difflib import get_close_matches
    from itertools import islice

    told = f"holds no file {path}"
    hint = f"list what it holds with: ngtpatch ls {shell_word(source)}"
    if any(one.startswith(f"{path}/") for one in tree):
        told += ", but a directory of that name"
    else:
        name = path.rpartition("/")[2]
        meant = [one for one in tree if one.rpartition("/")[2] == name]
        if close := (meant or get_close_matches(path, islice(tree, _COMPARED), 1))[:3]:
            hint = f"did you mean {' or '.join(close)}?"
    return InputError("no-such-entry", told, path=str(source), hint=hint)


def _is_secret(tree: FileTree, path: str) -> bool:
    if path == KEY:
        return True  # whatever is in it
    with tree.open(path) as stream:
        return stream_holds_private_key(stream)
