# SPDX-License-Identifier: Apache-2.0
"""What pydantic found wrong with a user's file, as one error in the file's own words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ngtpatch.errors import InputError

if TYPE_CHECKING:
    from pydantic import ValidationError

__all__ = ["Judge", "unfit"]

_Fault = tuple[str, str]  # the code of a fault, and the sentence about it

Judge = Callable[[str, tuple[int | str, ...], str, Any], _Fault | None]
"""Judges what is special to a format, by pydantic's type of error, the location, the key as it
is written, and the value that was found; None where it is nothing special."""

_LONGEST_QUOTE = 60


def unfit(
    error: ValidationError,
    data: Mapping[str, Any],
    *,
    what: str,
    schema: str,
    source: str,
    special: Judge | None = None,
    hints: Mapping[str, str] | None = None,
) -> InputError:
    """Return the error for *data*, with a sentence for each fault and the code of the worst.

    Args:
        error: pydantic's.
        data: what was validated, as it was read.
        what: the format: its name begins each code, and ``ngtpatch schema`` knows it.
        schema: the version that is understood.
        source: the file, for the message.
        special: judges what is special to the format.
        hints: by the codes that *special* gives, the next step.

    Its code is ``<what>-schema``, one of *special*'s, ``<what>-unknown-key``,
    ``<what>-missing-key`` or ``<what>-value``.
    """
    hints = hints or {}
    faults = [
        _fault(data, one["type"], one["loc"], one["msg"], what, schema, special)
        for one in error.errors()
    ]
    # The most telling first: what else is wrong often follows from it.
    order = [f"{what}-schema", *hints, f"{what}-unknown-key", f"{what}-missing-key"]
    order.append(f"{what}-value")
    faults.sort(key=lambda fault: order.index(fault[0]))
    code = faults[0][0]
    return InputError(
        code,
        "; ".join(dict.fromkeys(sentence for _, sentence in faults)),
        path=source,
        hint=hints.get(code, f"'ngtpatch schema {what}' lists the keys and their values"),
    )


def _fault(
    data: Mapping[str, Any],
    kind: str,
    location: tuple[int | str, ...],
    said: str,
    what: str,
    schema: str,
    special: Judge | None,
) -> _Fault:
    key, found = _at(data, location)
    if special is not None and (fault := special(kind, location, key, found)) is not None:
        return fault
    if location == ("schema",) and kind != "missing":
        return f"{what}-schema", f"schema is {_quoted(found)}, and this ngtpatch reads {schema!r}"
    if kind == "extra_forbidden":
        return f"{what}-unknown-key", f"{key}: no such key"
    if kind == "missing":
        return f"{what}-missing-key", f"{key} is missing"
    said = said.removeprefix("Value error, ")
    return f"{what}-value", f"{key}: {said[:1].lower()}{said[1:]}, found {_quoted(found)}"


def _at(data: Any, location: tuple[int | str, ...]) -> tuple[str, Any]:
    """Return the key as TOML writes it, and what stands there."""
    key = ""
    for part in location:
        if part == "[key]":  # pydantic's word for: the key itself, not what it leads to
            break
        if isinstance(data, Mapping) and isinstance(part, str):
            written = f'"{part}"' if "." in part else part
            key += f".{written}" if key else written
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int):
            key += f"[{part}]"
            data = data[part]
        # What else is in a location is an arm of a union, which has no place in the file.
    return key, data


def _quoted(found: Any) -> str:
    text = repr(found)
    return text if len(text) <= _LONGEST_QUOTE else f"{text[: _LONGEST_QUOTE - 3]}..."
