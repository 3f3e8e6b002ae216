# SPDX-License-Identifier: Apache-2.0
"""The in-toto statement (v1) with SLSA provenance (v1) about an ISO."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from ngtpatch._version import __version__
from ngtpatch.errors import VerificationError
from ngtpatch.flow.materials import Material
from ngtpatch.patching.doubts import doubts_digest
from ngtpatch.provenance.product import Product

__all__ = ["PREDICATE_TYPE", "STATEMENT_TYPE", "encode", "parse", "statement"]

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:ngtpatch:rebuild:1"
BUILDER = "urn:ngtpatch"


def statement(subject: Product, when: datetime) -> bytes:
    """Return the statement as JSON, each time the same for the same arguments.

    Checked by in-toto's own library before anybody gets to see it.
    """
    # fmt: off
    from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]
    from in_toto_attestation.v1 import (  # type: ignore[import-untyped]
        resource_descriptor as descriptors,
    )
    from in_toto_attestation.v1 import statement as statements
    # fmt: on

    iso = descriptors.ResourceDescriptor(name=subject.iso.name, digest={"sha256": subject.sha256})
    built = statements.Statement([iso.pb], PREDICATE_TYPE, _predicate(subject, when))
    built.validate()
    return encode(MessageToDict(built.pb))


def encode(document: Any) -> bytes:
    """Return JSON with sorted keys and without blanks: one form, whoever writes it."""
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _predicate(subject: Product, when: datetime) -> dict[str, Any]:
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "source": subject.vendor.name,
                "distros": list(subject.image.profiles),
                "carriesIdentity": subject.image.carries_identity,
                **_accepted(subject),
            },
            "resolvedDependencies": [_dependency(material) for material in subject.materials],
        },
        "runDetails": {
            "builder": {"id": BUILDER, "version": {"ngtpatch": __version__}},
            "metadata": {"finishedOn": f"{when:%Y-%m-%dT%H:%M:%SZ}"},
            "byproducts": [_byproduct(entry.path, entry) for entry in subject.image.changed],
        },
    }


def _accepted(subject: Product) -> dict[str, Any]:
    """Tell what was uncertain, and accepted by its digest."""
    doubts = subject.image.unproven
    if not doubts:
        return {}
    return {
        "acceptUnproven": doubts_digest(doubts),
        "unproven": [
            {"path": one.path, "line": one.line, "kind": one.kind, "sha256": one.sha256}
            for one in doubts
        ],
    }


def _dependency(material: Material) -> dict[str, Any]:
    return {
        "name": material.name,
        "digest": {"sha256": material.sha256},
        "annotations": {"kind": material.kind},
    }


def _byproduct(path: str, entry: Any) -> dict[str, Any]:
    """Describe a changed file. What held identity has no digests: they could confirm a guess."""
    if entry.sha256_before is None and entry.sha256_after is None:
        return {"name": path, "annotations": {"change": "identity"}}
    described: dict[str, Any] = {"name": path, "annotations": {"change": entry.done}}
    if entry.sha256_before is not None:
        described["annotations"]["sha256Before"] = entry.sha256_before
    if entry.sha256_after is not None:
        described["digest"] = {"sha256": entry.sha256_after}
    return described


def parse(payload: bytes, *, path: str) -> dict[str, Any]:
    """Return a statement of ours from JSON.

    Raises:
        VerificationError: ``statement``: it is not a statement with SLSA provenance.
    """
    try:
        document = json.loads(payload)
        ours = _is_ours(document)
    except (ValueError, KeyError, TypeError, RecursionError):
        ours = False
    if not ours:
        raise VerificationError(
            "statement", "is not an in-toto statement with SLSA provenance, or was damaged",
            path=path,
        )  # fmt: skip
    return dict(document)


def _is_ours(document: Any) -> bool:
    texts = [
        text
        for subject in document["subject"]
        for text in (subject["name"], subject["digest"]["sha256"])
    ]
    return (
        document["_type"] == STATEMENT_TYPE
        and document["predicateType"] == PREDICATE_TYPE
        and isinstance(document["predicate"]["buildDefinition"]["resolvedDependencies"], list)
        and all(isinstance(text, str) for text in texts)
    )
