# SPDX-License-Identifier: Apache-2.0
"""What a check of identities has to say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from ngtpatch.errors import Refusal

__all__ = ["Finding", "Severity", "refuse"]


class Severity(str, Enum):
    """How bad it is: an error stops the VM from working, a warning will or may.

    A note says what cannot be known of it: neither that it is right nor that it is wrong.
    """

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with one identity.

    Attributes:
        code: stable word: ``expired``, ``expiring``, ``key-mismatch``, ``missing``, ...
        severity: error, warning or note.
        source: the image, directory or row the identity came from.
        path: the file it is about, where there is one.
        message: what was found. Never key material.
        hint: the next step, where there is one.
    """

    code: str
    severity: Severity
    source: str
    message: str
    path: str | None = None
    hint: str | None = None


def refuse(findings: Iterable[Finding]) -> None:
    """Raise the first error among *findings* as a refusal that mentions all of them."""
    errors = [f for f in findings if f.severity is Severity.ERROR]
    if not errors:
        return
    first = errors[0]
    raise Refusal(
        first.code,
        "; ".join(dict.fromkeys(f.message for f in errors)),
        path=first.path or first.source,
        hint=first.hint,
    )
