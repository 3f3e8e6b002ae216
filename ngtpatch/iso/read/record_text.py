# SPDX-License-Identifier: Apache-2.0
"""The text of a record: its schema, with bounds. ``ngtpatch schema record`` prints it.

Everything in it is a claim by whoever wrote the image. It is valid as a whole or not at all.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

__all__ = ["About", "RecordText", "parse_text"]

_Word = Annotated[str, Field(min_length=1, max_length=100)]
_Path = Annotated[str, Field(min_length=1, max_length=4096)]
_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Kind = Annotated[str, Field(pattern=r"^[a-z][a-z-]{0,31}$")]
_Range = tuple[Annotated[int, Field(ge=0, lt=1 << 63)], Annotated[int, Field(gt=0, lt=1 << 63)]]
_Ranges = Annotated[tuple[_Range, ...], Field(max_length=50_000)]
_FORBID = ConfigDict(frozen=True, extra="forbid", strict=True)


class AppliedPatch(BaseModel):
    """A patch that was applied: its id, and the SHA-256 of its file."""

    model_config = _FORBID

    id: _Word
    sha256: _Digest


class UnprovenLine(BaseModel):
    """A line of the vendor's that is not understood, and that a person has accepted."""

    model_config = _FORBID

    path: _Path
    line: Annotated[int, Field(ge=1, description="In the vendor's file.")]
    kind: _Word
    sha256: _Digest


class About(BaseModel):
    """What the caller wrote down: who did it, for whom, with which patches. No secrets."""

    model_config = _FORBID

    ngtpatch: Annotated[str, Field(max_length=100, description="The version that wrote it.")] = ""
    profiles: Annotated[
        tuple[_Word, ...], Field(max_length=1000, description="Ids, over all rebuilds.")
    ] = ()
    patches: Annotated[tuple[AppliedPatch, ...], Field(max_length=1000)] = ()
    unproven: Annotated[
        tuple[UnprovenLine, ...],
        Field(max_length=1000, description="What was uncertain when it was made, and accepted."),
    ] = ()


class ChangeText(BaseModel):
    """A file that differs from the vendor's."""

    model_config = _FORBID

    path: Annotated[_Path, Field(description="In the most expressive tree.")]
    within: Annotated[
        _Path | None,
        Field(description="The archive on the image that the path is in; null: the image itself."),
    ] = None
    kind: Annotated[
        _Kind, Field(description="changed, added or removed; a later version may know more.")
    ]
    sha256_before: Annotated[
        _Digest | None, Field(description="Of the vendor's content; null: none, or scrubbed.")
    ]
    sha256_after: Annotated[
        _Digest | None, Field(description="Of the new content; null: none, or a secret.")
    ]
    scrubbed: Annotated[
        bool, Field(description="The vendor's content was overwritten wherever it stood.")
    ]


class RecordText(BaseModel):
    """What a record says in JSON. Ranges are (offset, length) in bytes, in order."""

    model_config = _FORBID

    about: About
    changes: Annotated[tuple[ChangeText, ...], Field(max_length=50_000)]
    ranges: Annotated[
        _Ranges, Field(description="Changed in the vendor's image; the undo has their originals.")
    ]
    scrubbed: Annotated[
        _Ranges, Field(description="Changed in the vendor's image, and their originals are gone.")
    ]
    rooms: Annotated[_Ranges, Field(description="Extents with reserved room.")]


def parse_text(text: bytes) -> RecordText:
    """Return a record's text, checked.

    Raises:
        ValueError: it is not one. The message names the place and quotes nothing.
    """
    try:
        return RecordText.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"] if _is_plain(part))
        where = f"at {place}" if place else "at its start"
        raise ValueError(f"its text is not valid {where}: {first['type']}") from None


def _is_plain(part: object) -> bool:
    """Tell whether a part of a place is a field of ours or a number, and not a foreign name."""
    known = {*RecordText.model_fields, *About.model_fields, *ChangeText.model_fields}
    return isinstance(part, int) or part in known | set(AppliedPatch.model_fields)
