# SPDX-License-Identifier: Apache-2.0
"""Writes the documents beside the ISO."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

from ngtpatch.disclosure import is_text
from ngtpatch.errors import UsageError
from ngtpatch.files.atomic import check_target, new_file
from ngtpatch.files.digest import sha256_of_bytes
from ngtpatch.files.together import Together, together
from ngtpatch.provenance.envelope import seal, signer
from ngtpatch.provenance.product import Product, moment
from ngtpatch.provenance.sbom import sbom
from ngtpatch.provenance.statement import encode, statement
from ngtpatch.provenance.sums import SUMS, add_sums, read_sums

__all__ = [
    "SBOM_SUFFIX",
    "STATEMENT_SUFFIX",
    "Provenance",
    "require_places",
    "require_provenance",
    "write_provenance",
]

STATEMENT_SUFFIX = ".intoto.jsonl"
SBOM_SUFFIX = ".cdx.json"
_LIBRARIES = ("cyclonedx", "in_toto_attestation", "securesystemslib")


@dataclass(frozen=True)
class Provenance:
    """What was written beside an ISO.

    Attributes:
        statement: the in-toto statement, or the envelope around it.
        sbom: the CycloneDX document.
        sums: SHA256SUMS, which lists all three.
        signed: the statement is in a signed envelope.
    """

    SCHEMA: ClassVar[str] = "ngtpatch.provenance/1"

    statement: str
    sbom: str
    sums: str
    signed: bool


def require_provenance(sign_key: Path | None = None) -> None:
    """Refuse before any work what would fail after it: a missing extra, a key that cannot sign.

    Raises:
        UsageError: ``extra-missing``, ``bad-source-date-epoch``.
        InputError: ``sign-key``.
    """
    moment()
    missing = [name for name in _LIBRARIES if find_spec(name) is None]
    if missing:
        raise UsageError(
            "extra-missing", f"provenance needs {', '.join(missing)}",
            hint="install ngtpatch with its extra 'provenance'",
        )  # fmt: skip
    if sign_key is not None:
        signer(sign_key)


def require_places(iso: Path, source: Path) -> None:
    """Refuse an ISO whose documents could not be written beside it, before it is.

    They name both it and *source*. What is there of theirs is replaced.

    Raises:
        UsageError: ``not-text``; or as :func:`ngtpatch.files.atomic.check_target`.
    """
    _require_names(iso.name, source.name)
    if not iso.parent.is_dir():
        return  # it is made, and is empty then
    for name in (iso.name + STATEMENT_SUFFIX, iso.name + SBOM_SUFFIX, SUMS):
        check_target(iso.parent / name, force=True)


def _require_names(*names: str) -> None:
    for name in names:
        if not is_text(name):
            raise UsageError(
                "not-text", "has a name that is not UTF-8, and no document can state it",
                path=name, hint="rename it, or leave out the provenance",
            )  # fmt: skip


def write_provenance(
    subject: Product, *, sign_key: Path | None = None, outputs: Together | None = None
) -> Provenance:
    """Write ``<iso>.intoto.jsonl``, ``<iso>.cdx.json`` and SHA256SUMS beside the ISO.

    Args:
        subject: the ISO.
        sign_key: an ed25519 private key in PEM: the statement goes into a DSSE envelope.
        outputs: with which these stay or go; by default they do so by themselves.

    Raises:
        UsageError: ``extra-missing``, ``bad-source-date-epoch``, ``not-text``.
        InputError: ``sign-key``.
        OutputError: one of them could not be written; none that is new stays.
    """
    require_provenance(sign_key)
    _require_names(subject.iso.name, *(material.name for material in subject.materials))
    when = moment()
    line = statement(subject, when)
    if sign_key is not None:
        line = encode(seal(line, sign_key))
    files = {
        subject.iso.name + STATEMENT_SUFFIX: line + b"\n",
        subject.iso.name + SBOM_SUFFIX: sbom(subject, when),
    }
    directory = subject.iso.parent
    digests = {name: sha256_of_bytes(content) for name, content in files.items()}
    digests[subject.iso.name] = subject.sha256
    with together() if outputs is None else nullcontext(outputs) as made:
        for name, content in files.items():
            path = directory / name
            with made.new(path), new_file(path, force=True) as file:
                file.write(content)
        before = read_sums(directory)
        made.undone_by(lambda: add_sums(directory, {name: before.get(name) for name in digests}))
        sums = add_sums(directory, digests)
    written, document = (str(directory / name) for name in files)
    return Provenance(written, document, str(sums), sign_key is not None)
