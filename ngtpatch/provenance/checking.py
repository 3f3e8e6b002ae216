# SPDX-License-Identifier: Apache-2.0
"""Whether the documents beside an ISO are about this ISO, and unchanged."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

from ngtpatch.errors import VerificationError
from ngtpatch.files.bounded import read_small
from ngtpatch.files.digest import sha256_of_file
from ngtpatch.flow.verify import Verification, verify
from ngtpatch.provenance.documents import STATEMENT_SUFFIX, require_provenance
from ngtpatch.provenance.envelope import open_envelope, verifier
from ngtpatch.provenance.statement import parse
from ngtpatch.provenance.sums import read_sums

__all__ = ["ProvenanceVerification", "Verified", "verify_provenance", "verify_stated"]

MAX_BYTES = 16 << 20


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


@dataclass(frozen=True)
class Verified(Verification):
    """The document of ``ngtpatch verify``.

    Attributes:
        provenance: what the documents beside the image are worth; None when not asked for.
    """

    provenance: ProvenanceVerification | None = None

    @classmethod
    def of(cls, image: Verification, stated: ProvenanceVerification | None = None) -> Verified:
        """Return the one verdict: every part of what was asked must hold."""
        found = {one.name: getattr(image, one.name) for one in fields(image)}
        found["ok"] = image.ok and (stated is None or stated.ok)
        return cls(**found, provenance=stated)


def verify_stated(
    iso: str | Path, *, key: str | Path | None = None, base: str | Path | None = None
) -> Verified:
    """Check an ISO as :func:`ngtpatch.verify` does, and the documents beside it.

    Raises:
        InputError: the ISO, *base* or a document cannot be read, or *key* is no key.
    """
    image = verify(iso, base=base)
    return Verified.of(image, verify_provenance(iso, key=key, base=base))


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
        statement: its statement or envelope; by default ``<iso>.intoto.jsonl``.
        key: the public key that must have signed it.
        base: the vendor's ISO, which the statement must name.

    Raises:
        InputError: a file is not there, or *key* is no key.
    """
    iso = Path(iso)
    path = Path(statement) if statement else iso.with_name(iso.name + STATEMENT_SUFFIX)
    if key is not None:
        require_provenance()
        verifier(Path(key))  # whatever the statement is, a wrong key is said
    digests = {iso.name: sha256_of_file(iso), path.name: sha256_of_file(path)}
    problems: list[tuple[str, str]] = []
    document: dict[str, Any] = {}
    try:
        document = _statement(path, None if key is None else Path(key))
    except VerificationError as error:
        problems.append((error.code, f"{path.name} {error.message}"))
    else:
        problems += _about(document, iso, digests[iso.name])
    vendor = _vendor(document)
    if base is not None and document and sha256_of_file(Path(base)) != vendor.get("sha256"):
        problems.append(("base", f"{base} is not the ISO that the statement names as its source"))
    problems += _against_sums(iso.parent, digests)
    return ProvenanceVerification(
        iso=str(iso),
        iso_sha256=digests[iso.name],
        statement=str(path),
        signed_by=str(key) if key is not None and document else None,
        source=vendor.get("name"),
        source_sha256=vendor.get("sha256"),
        problems=tuple(problems),
        ok=not problems,
    )


def _statement(path: Path, key: Path | None) -> dict[str, Any]:
    """Return the statement in a file. Raises InputError, VerificationError."""
    lines = read_small(path, limit=MAX_BYTES, what="statement")
    try:
        outer = json.loads(lines)
    except (ValueError, RecursionError):
        outer = None
    if not isinstance(outer, dict):
        raise VerificationError("statement", "is not one JSON object on one line", path=str(path))
    if key is not None:
        if "payload" not in outer:
            raise VerificationError("unsigned", "carries no signature", path=str(path))
        return parse(open_envelope(outer, key, path=str(path)), path=str(path))
    if "payload" not in outer:
        return parse(lines, path=str(path))
    from base64 import b64decode

    try:
        payload = b64decode(outer["payload"], validate=True)
    except (ValueError, TypeError):
        payload = b""
    return parse(payload, path=str(path))


def _about(document: dict[str, Any], iso: Path, sha256: str) -> list[tuple[str, str]]:
    stated = {subject["digest"]["sha256"]: subject["name"] for subject in document["subject"]}
    if sha256 not in stated:
        expected = ", ".join(f"{name} with {digest}" for digest, name in stated.items())
        return [("iso", f"{iso.name} hashes to {sha256}; the statement is about {expected}")]
    if stated[sha256] != iso.name:
        return [("name", f"the statement calls this ISO {stated[sha256]}, not {iso.name}")]
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
