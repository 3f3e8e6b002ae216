# SPDX-License-Identifier: Apache-2.0
"""Whether the documents beside an ISO are about this ISO, and unchanged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

from ngtpatch.errors import InputError, VerificationError
from ngtpatch.files.bounded import read_small
from ngtpatch.files.digest import sha256_of_file
from ngtpatch.flow.verification import FirstProblem, Verification
from ngtpatch.provenance.documents import STATEMENT_SUFFIX, require_provenance
from ngtpatch.provenance.envelope import PublicKey, decoded, open_envelope, verifier
from ngtpatch.provenance.statement import encode, parse
from ngtpatch.provenance.sums import read_sums

__all__ = ["ProvenanceVerification", "Verified", "verify_provenance"]

MAX_BYTES = 16 << 20
_TELLING = frozenset({"signature", "other-key"})


@dataclass(frozen=True)
class ProvenanceVerification:
    """What the documents are worth.

    Attributes:
        iso: as it was named.
        iso_sha256: what it hashes to now.
        statement: the file that was judged.
        signed_by: the public key that its signature was checked with; None: not checked.
        source: name of the vendor's ISO by the statement; None where it does not say.
        source_sha256: its digest.
        problems: what is wrong, each with its code; empty when nothing is.
        ok: nothing is wrong.
        unseen: what was not looked at.
    """

    SCHEMA: ClassVar[str] = "ngtpatch.provenance-verify/1"

    iso: str
    iso_sha256: str
    statement: str
    signed_by: str | None
    source: str | None
    source_sha256: str | None
    problems: tuple[tuple[str, str], ...]
    ok: bool
    unseen: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verified(Verification):
    """The document of ``ngtpatch verify``.

    Its verdict is ``not-verified`` as well where what the documents say does not hold.

    Attributes:
        provenance: what the documents beside the image are worth; None when not asked for.
    """

    provenance: ProvenanceVerification | None = None

    @classmethod
    def of(cls, image: Verification, stated: ProvenanceVerification | None = None) -> Verified:
        """Return the one verdict: every part of what was asked must hold."""
        found = {one.name: getattr(image, one.name) for one in fields(image)}
        found["ok"] = image.ok and (stated is None or stated.ok)
        if stated is not None and not stated.ok:
            found["verdict"] = "not-verified"
        if image.error is None and stated is not None and stated.problems:
            code, message = stated.problems[0]
            found["error"] = FirstProblem(code, image.image, message, None)
        return cls(**found, provenance=stated)


def verify_provenance(
    iso: str | Path,
    *,
    statement: str | Path | None = None,
    key: str | Path | None = None,
    base: str | Path | None = None,
) -> ProvenanceVerification:
    """Check an ISO against its statement, and against SHA256SUMS where that is beside it.

    Without *key* a statement proves only that it and the ISO belong together: whoever can
    change one can change the other.

    Args:
        iso: the ISO.
        statement: its statement or envelope, or several, one on a line; by default
            ``<iso>.intoto.jsonl``.
        key: the public key that must have signed it.
        base: the vendor's ISO, which the statement must name; a directory has no digest that it
            could name.

    Raises:
        InputError: a file is not there, or *key* is no key.
    """
    iso = Path(iso)
    public = None
    if key is not None:
        require_provenance()
        public = verifier(Path(key))  # whatever the statement is, a wrong key is said
    digests = {iso.name: sha256_of_file(iso)}
    path = Path(statement) if statement else _beside(iso)
    digests[path.name] = sha256_of_file(path)
    problems: list[tuple[str, str]] = []
    document: dict[str, Any] = {}
    try:
        document = _statement(path, public, digests[iso.name])
    except VerificationError as error:
        problems.append((error.code, f"{path.name} {error.message}"))
    else:
        problems += _about(document, iso, digests[iso.name])
    vendor = _vendor(document)
    unseen: tuple[str, ...] = ()
    if base is not None and Path(base).is_dir():
        unseen = (f"whether {base} is what the statement names: a directory has no digest",)
    elif base is not None and document and sha256_of_file(Path(base)) != vendor.get("sha256"):
        problems.append(("base", f"{base} is not the ISO that the statement names as its source"))
    problems += _against_sums(iso.parent, digests)
    return ProvenanceVerification(
        iso=str(iso),
        iso_sha256=digests[iso.name],
        statement=str(path),
        signed_by=public.name if public is not None and document else None,
        source=vendor.get("name"),
        source_sha256=vendor.get("sha256"),
        problems=tuple(problems),
        ok=not problems,
        unseen=unseen,
    )


def _beside(iso: Path) -> Path:
    """Return where the statement of an ISO stands.

    Raises:
        InputError: ``not-found``: nothing is there. The name was typed by nobody, so that one which
            comes close is no other spelling of it: it is the statement of another ISO.
    """
    path = iso.with_name(iso.name + STATEMENT_SUFFIX)
    if not path.exists() and not path.is_symlink():
        raise InputError(
            "not-found", "there is no such file", path=str(path),
            hint="the statement has to stand beside the ISO, under this name; 'rebuild"
            " --provenance' writes it",
        )  # fmt: skip
    return path


def _statement(path: Path, key: PublicKey | None, iso_sha256: str) -> dict[str, Any]:
    """Return the statement in a file: of several lines, the first that is about the ISO.

    Raises:
        VerificationError: no line is one; with *key*, none that this signed.
    """
    found: list[dict[str, Any]] = []
    errors: list[VerificationError] = []
    for outer in _lines(path):
        try:
            found.append(parse(_payload(outer, key, path), path=str(path)))
        except VerificationError as error:
            errors.append(error)
    for document in found:
        if any(subject["digest"]["sha256"] == iso_sha256 for subject in document["subject"]):
            return document
    if found:
        return found[0]
    # What is signed and does not fit tells more than a line that is something else.
    raise next((error for error in errors if error.code in _TELLING), errors[0])


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a file: one over several lines, or one on each."""
    lines = read_small(path, limit=MAX_BYTES, what="statement")
    damaged = VerificationError(
        "statement", "is not a JSON object, nor one on each line", path=str(path)
    )
    try:
        documents = [json.loads(lines)]
    except (ValueError, RecursionError):
        try:
            documents = [json.loads(line) for line in lines.splitlines() if line.strip()]
        except (ValueError, RecursionError):
            raise damaged from None
    if not documents or not all(isinstance(one, dict) for one in documents):
        raise damaged
    yield from documents


def _payload(outer: dict[str, Any], key: PublicKey | None, path: Path) -> bytes:
    if "payload" not in outer:
        if key is not None:
            raise VerificationError("unsigned", "carries no signature", path=str(path))
        try:
            return encode(outer)
        except RecursionError:  # it is nested as deep as could just be read
            return b""
    if key is not None:
        return open_envelope(outer, key, path=str(path))
    try:
        return decoded(outer["payload"])
    except (ValueError, TypeError):
        return b""


def _about(document: dict[str, Any], iso: Path, sha256: str) -> list[tuple[str, str]]:
    stated = [(subject["name"], subject["digest"]["sha256"]) for subject in document["subject"]]
    names = [name for name, digest in stated if digest == sha256]
    if not names:
        expected = ", ".join(f"{name} with {digest}" for name, digest in stated) or "no ISO"
        return [("iso", f"{iso.name} hashes to {sha256}; the statement is about {expected}")]
    if iso.name not in names:
        called = " and ".join(names)
        return [("name", f"the statement calls this ISO {called}, not {iso.name}")]
    return []


def _vendor(document: dict[str, Any]) -> dict[str, str]:
    try:
        dependencies = document["predicate"]["buildDefinition"]["resolvedDependencies"]
        for one in dependencies:
            if one["annotations"]["kind"] == "iso":
                return {"name": str(one["name"]), "sha256": str(one["digest"]["sha256"])}
    except (KeyError, TypeError):
        pass
    return {}


def _against_sums(directory: Path, digests: dict[str, str]) -> list[tuple[str, str]]:
    sums = read_sums(directory)
    return [
        ("sums", f"{name} is not what SHA256SUMS says")
        for name, digest in digests.items()
        if name in sums and sums[name] != digest
    ]
