# SPDX-License-Identifier: Apache-2.0
"""What is known of an image that was written: the record that everybody who tells of one shares."""

from __future__ import annotations

from dataclasses import dataclass

from ngtpatch.patching.doubts import Doubt

__all__ = ["ChangedEntry", "WrittenImage"]


@dataclass(frozen=True)
class ChangedEntry:
    """A file that the rebuild changes.

    Attributes:
        path: in the image; ``archive!member`` in an archive on it.
        done: ``patched``; ``repacked`` for an archive of which members changed; ``removed``: a
            compiled file that some Python would run instead of a patched source; for identity
            ``replaced``, ``added`` or ``removed``.
        sha256_before: of the vendor's content; None where it held identity.
        sha256_after: of the new content; None where it holds identity, or is gone.
        edits: how many operands or statements the patches added; 0 for identity.
        diff: unified diff of a patched file; None where it holds identity.
    """

    path: str
    done: str
    sha256_before: str | None
    sha256_after: str | None
    edits: int
    diff: str | None


@dataclass(frozen=True)
class WrittenImage:
    """An image that a rebuild wrote.

    Attributes:
        sha256: of the whole of it; None with ``digest=False`` and for a dry run.
        size: in bytes; of a directory, that of its files.
        profiles: ids of the profiles it accepts now.
        changed: the files that differ from the source's.
        carries_identity: whether it belongs to one VM.
        unread: compressed files that were not looked into for identity; None: none was looked
            for, since it carries one.
        overwritten: how many bytes of identity outside of files are zero in it now.
        notices: what a person should know.
        unproven: lines on the way of the installation that are not understood, and that a person
            has accepted by their digest.
    """

    sha256: str | None
    size: int
    profiles: tuple[str, ...]
    changed: tuple[ChangedEntry, ...]
    carries_identity: bool
    unread: tuple[str, ...] | None
    overwritten: int
    notices: tuple[str, ...]
    unproven: tuple[Doubt, ...]
