# SPDX-License-Identifier: Apache-2.0
"""The CycloneDX document: the ISO, its ancestor, and each patch with its diff."""

from __future__ import annotations

import uuid
from datetime import datetime

from ngtpatch._version import __version__
from ngtpatch.provenance.product import Product

__all__ = ["sbom"]


def sbom(subject: Product, when: datetime) -> bytes:
    """Return the document as JSON (CycloneDX 1.6), the same for the same arguments.

    ``pedigree.patches`` holds a diff for each patched file; what held a VM's identity
    is named in ``pedigree.notes``, and never shown.
    """
    from cyclonedx.model import AttachedText, HashAlgorithm, HashType, XsUri
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import (
        Component,
        ComponentType,
        Diff,
        Patch,
        PatchClassification,
        Pedigree,
    )
    from cyclonedx.output import make_outputter
    from cyclonedx.schema import OutputFormat, SchemaVersion

    def component(name: str, sha256: str, pedigree: Pedigree | None = None) -> Component:
        return Component(
            name=name,
            type=ComponentType.FILE,
            version=subject.ngt_version,
            bom_ref=f"sha256:{sha256}",
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=sha256)],
            pedigree=pedigree,
        )

    pedigree = Pedigree(
        ancestors=[component(subject.vendor.name, subject.vendor.sha256)],
        patches=[
            Patch(
                type=PatchClassification.UNOFFICIAL,
                diff=Diff(
                    text=AttachedText(content=entry.diff, content_type="text/x-diff"),
                    url=XsUri(entry.path),
                ),
            )
            for entry in subject.image.changed
            if entry.diff is not None
        ],
        notes=_notes(subject),
    )
    metadata = BomMetaData(
        timestamp=when,
        tools=[],
        component=component(subject.iso.name, subject.sha256, pedigree),
    )
    metadata.tools.components.add(
        Component(
            name="ngtpatch",
            type=ComponentType.APPLICATION,
            version=__version__,
            bom_ref=f"ngtpatch@{__version__}",
        )
    )
    # A random serial number would make two runs differ; the content's own is as unique.
    serial = uuid.uuid5(uuid.NAMESPACE_URL, f"sha256:{subject.sha256}")
    bom = Bom(serial_number=serial, metadata=metadata)
    outputter = make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6)
    return outputter.output_as_string(indent=2).encode() + b"\n"


def _notes(subject: Product) -> str | None:
    secret = [entry for entry in subject.image.changed if entry.sha256_before == entry.sha256_after]
    identity = [entry.path for entry in secret]
    compiled = [
        entry.path
        for entry in subject.image.changed
        if entry.done == "removed" and entry not in secret
    ]
    notes = []
    if identity:
        done = "replaced" if subject.image.carries_identity else "removed"
        notes.append(f"A VM's identity was {done}; not shown: {', '.join(identity)}")
    if compiled:
        notes.append(f"Compiled files of patched sources were removed: {', '.join(compiled)}")
    return "\n".join(notes) or None
