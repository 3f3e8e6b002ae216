# SPDX-License-Identifier: Apache-2.0
"""Reading JSON, with one clear error for each way in which it cannot be read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ngtpatch.errors import InputError
from ngtpatch.files.bounded import read_small
from ngtpatch.files.json_members import Members

__all__ = ["json_documents", "parse_json", "read_json_object"]


def parse_json(
    text: str | bytes, *, path: str, code: str = "not-json", hint: str | None = None
) -> Any:
    """Return the one document in *text*. Raises InputError *code*."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise InputError(code, f"is not JSON: {error}", path=path, hint=hint) from None


def read_json_object(
    path: Path, *, limit: int, what: str, code: str = "not-json", hint: str | None = None
) -> dict[str, Any]:
    """Return the object in *path*, which should be a *what* ("file of variables").

    Raises:
        InputError: *code*, or as :func:`~ngtpatch.files.bounded.read_small`.
    """
    raw = read_small(path, limit=limit, what=what, hint=hint)
    found = parse_json(raw, path=str(path), code=code, hint=hint)
    if not isinstance(found, dict):
        raise InputError(code, f"is not a JSON object: a {what} is one", path=str(path), hint=hint)
    return found


def json_documents(
    text: str, *, path: str, code: str = "not-json", hint: str | None = None
) -> Iterator[Any]:
    """Yield the documents in *text*: one, several in a row, or one a line.

    Their objects are :class:`~ngtpatch.files.json_members.Members`.

    Raises:
        InputError: *code*, with the line where it ends to be JSON.
    """
    decoder, at = json.JSONDecoder(object_pairs_hook=Members), 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        try:
            document, at = decoder.raw_decode(text, at)
        except (json.JSONDecodeError, RecursionError) as error:
            line = text.count("\n", 0, getattr(error, "pos", at)) + 1
            said = getattr(error, "msg", error)
            raise InputError(
                code, f"is not JSON: {said} (line {line})", path=path, hint=hint
            ) from None
        yield document
