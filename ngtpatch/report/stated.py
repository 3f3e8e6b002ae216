# SPDX-License-Identifier: Apache-2.0
"""Digests, provenance, signature and the way back: each with what was checked of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ngtpatch.disclosure import shell_word
from ngtpatch.files.bounded import STDIN

if TYPE_CHECKING:
    from ngtpatch.flow.rebuild import RebuildResult
    from ngtpatch.iso.read.build_record import BuildRecord
    from ngtpatch.provenance import ProvenanceVerification

__all__ = [
    "Standing",
    "Stated",
    "Undo",
    "check_statement",
    "state_digests",
    "state_provenance",
    "state_record",
    "undo_of",
]

Standing = Literal["good", "warn", "bad", "unknown"]
"""How good something is, for the eye; words say it too."""


@dataclass(frozen=True)
class Stated:
    """A digest or signature, and what was checked of it.

    Attributes:
        checked: what was held against what, and with which result; or that nothing was.
        state: how good that is.
        code: where it is wrong, and no other problem says so, what it is called.
    """

    what: str
    value: str | None
    checked: str
    state: Standing = "unknown"
    code: str | None = None


@dataclass(frozen=True)
class Undo:
    """How the vendor's bytes come back; *command* None where they do not."""

    command: str | None
    sentence: str


def state_digests(
    base: Path, base_sha256: str | None, image: Path, sha256: str | None,
    document: tuple[Path, RebuildResult] | None,
) -> Iterator[Stated]:  # fmt: skip
    """Yield the digests of the two, computed now; None of a directory."""
    yield _of_the_base(base, base_sha256)
    yield _of_the_image(image, sha256, document)


def check_statement(image: Path, base: Path, key: Path | None) -> ProvenanceVerification | None:
    """Check the statement beside the image, where there is one, or a key that wants one."""
    from ngtpatch.provenance import verify_provenance
    from ngtpatch.provenance.documents import STATEMENT_SUFFIX

    if image.is_dir():
        return None
    statement = image.with_name(image.name + STATEMENT_SUFFIX)
    if key is None and not statement.is_file():
        return None
    return verify_provenance(image, key=key, base=base)


def _of_the_base(base: Path, sha256: str | None) -> Stated:
    what = "What it was made from, SHA-256"
    if sha256 is None:
        return Stated(what, None, f"{base} is a directory, which has no digest")
    return Stated(what, sha256, f"computed from {base} for this page", "good")


def _of_the_image(
    image: Path, sha256: str | None, document: tuple[Path, RebuildResult] | None
) -> Stated:
    what = "The image, SHA-256"
    if sha256 is None:
        return Stated(what, None, f"{image} is a directory, which has no digest")
    computed = f"computed from {image} for this page"
    if document is None or document[1].sha256 is None:
        return Stated(what, sha256, computed, "good")
    if document[1].sha256 == sha256:
        return Stated(what, sha256, f"{computed}; {document[0]} says the same", "good")
    said = f"{computed}; {document[0]} says another: {document[1].sha256}"
    return Stated(what, sha256, said, "bad", "document-untrue")


def state_record(record: BuildRecord, base_sha256: str | None) -> Iterator[Stated]:
    """Yield what a record says, and what of it was held against what."""
    what, named = "The vendor's image by the record, SHA-256", record.vendor_sha256
    if named is None:
        yield Stated(what, None, "the record names none")
    elif base_sha256 is None:
        yield Stated(what, named, "not compared: what it was made from is a directory")
    elif named == base_sha256:
        yield Stated(what, named, "is that of what it was made from", "good")
    else:
        yield Stated(what, named, "is not that of what it was made from", "bad")
    version = record.about.get("ngtpatch")
    if version is not None:
        yield Stated("Written by ngtpatch", str(version), "said by the record, which is not signed")
    for patch in record.about.get("patches", ()):
        yield Stated(
            f"Patch {patch['id']}, SHA-256", patch["sha256"],
            "said by the record, which is not signed; no file was held against it",
        )  # fmt: skip


def state_provenance(
    image: Path, stated: ProvenanceVerification | None, sha256: str | None, key: Path | None
) -> Iterator[Stated]:
    """Yield what the documents beside an image are worth, by *key* where there is one."""
    from ngtpatch.provenance.sums import read_sums

    named = read_sums(image.parent).get(image.name)
    what = "SHA256SUMS beside it"
    if named is None:
        yield Stated(what, None, "there is none that names it: nothing was checked")
    elif named == sha256:
        yield Stated(what, named, "is the image's; it is not signed", "good")
    else:
        yield Stated(what, named, "is not the image's", "bad", "sums")
    if stated is None:
        yield Stated("Statement (in-toto)", None, "none stands beside it: nothing was checked")
        yield Stated("Signature", None, "not checked: there is no statement")
        return
    wrong = "; ".join(f"{code}: {message}" for code, message in stated.problems)
    yield Stated(
        "Statement (in-toto)", Path(stated.statement).name,
        wrong or f"is about this image, and names {stated.source} as what it was made from",
        "bad" if wrong else "good",
    )  # fmt: skip
    if stated.source_sha256 is not None:
        held = not stated.unseen  # of a base that is a directory nothing was
        same = "base" not in {code for code, _ in stated.problems}
        yield Stated(
            "The vendor's image by the statement, SHA-256", stated.source_sha256,
            "not compared: what it was made from is a directory" if not held
            else "held against what it was made from" if same else "is not what it was made from",
            "unknown" if not held else "good" if same else "bad",
        )  # fmt: skip
    given = "on standard input" if key == STDIN else str(key)
    if key is None:
        yield Stated("Signature", None, "not checked: no public key was named (--key)")
    elif stated.signed_by is None or wrong:
        # Of a statement that the key did not sign nothing is known, not even who signed it.
        said = f"does not hold with the public key {given}: see the statement"
        yield Stated("Signature", None, said, "bad")
    else:
        yield Stated("Signature", None, f"fits the public key {given}", "good")


def undo_of(image: str, base: str, *, scrubbed: bool) -> Undo:
    """Return the command that gives the vendor's bytes again."""
    ours = ("--base", Path(base)) if scrubbed else ()
    words = ("ngtpatch", "reset", Path(image), *ours, "-o", "FILE")
    command = " ".join(map(shell_word, words))
    sentence = "Gives the vendor's bytes again, and checks them."
    if scrubbed:
        sentence = (
            "Gives the vendor's bytes again, and checks them. What held identity was overwritten in"
            " the image, so that what it was made from is needed."
        )
    return Undo(command, sentence)
