# SPDX-License-Identifier: Apache-2.0
"""What an ISO is, before anything is done to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ngtpatch.flow.opened import OpenedSource, open_source

# Not for type checkers alone: the document's schema is read from the annotations.
from ngtpatch.identity.describe import CertificateFacts, KeyFacts

if TYPE_CHECKING:
    from ngtpatch.installer.recognition import Site

__all__ = ["Identified", "Inspection", "Ngt", "SiteFound", "VolumeFacts", "inspect"]


@dataclass(frozen=True)
class VolumeFacts:
    """The image itself.

    Attributes:
        id: the volume identifier (ECMA-119 8.4.7).
        trees: of ``iso9660``, ``rock_ridge``, ``joliet``, ``udf``.
        size: of the file or device, in bytes.
    """

    id: str
    trees: tuple[str, ...]
    size: int


@dataclass(frozen=True)
class Ngt:
    """Which NGT it is.

    Attributes:
        version: ``ngt_version`` of config/ngt_config.json; None when it is not known.
        era: 1, 2 or 3: the layout of the installer.
        entry_points: the files that start the installation, in the order callers try them.
    """

    version: str | None
    era: int
    entry_points: tuple[str, ...]


@dataclass(frozen=True)
class SiteFound:
    """A place that decides by distribution.

    Attributes:
        path: the file.
        line: where the chain starts.
        branches: what its branches do, in the order they are tried.
        problem: why it is not understood; None when it is.
    """

    path: str
    line: int
    branches: tuple[str, ...]
    problem: str | None


@dataclass(frozen=True)
class Identified:
    """The VM's identity that it carries. Never a byte of the key.

    Attributes:
        present: whether there is anything that belongs to one VM alone, in any byte.
        authority: the cluster's; it does not make a disc one VM's.
        elsewhere: identity outside of its files: in other files, in earlier sessions, in
            sectors of removed files, behind the end.
        unread: compressed files, in which nothing was looked for.
    """

    present: bool
    ngt_uuid: str | None
    cluster_ip: str | None
    certificate: CertificateFacts | None
    key: KeyFacts | None
    authority: CertificateFacts | None
    elsewhere: tuple[str, ...]
    unread: tuple[str, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Inspection:
    """The document of ``ngtpatch inspect``.

    Attributes:
        source: as it was named.
        volume: None for a directory.
        record: what ngtpatch did to the image; None for a vendor's image or a directory.
        record_problem: why a record that is there cannot be trusted.
        notices: what a person should know about the disc.
    """

    SCHEMA: ClassVar[str] = "ngtpatch.inspect/1"

    source: str
    volume: VolumeFacts | None
    ngt: Ngt
    sites: tuple[SiteFound, ...]
    identity: Identified
    record: dict[str, object] | None
    record_problem: str | None
    notices: tuple[str, ...]


def inspect(source: str | Path) -> Inspection:
    """Return what *source*, an ISO, a block device or a directory, holds.

    Raises:
        InputError: it cannot be read, or holds no NGT installer.
    """
    from ngtpatch.installer.layout import survey
    from ngtpatch.installer.recognition import find_sites

    with open_source(source) as opened:
        layout = survey(opened.tree)
        record, problem = _record(opened)
        return Inspection(
            source=str(source),
            volume=_volume(opened),
            ngt=Ngt(layout.version, layout.era, layout.entry_points),
            sites=tuple(_site(site) for site in find_sites(opened.tree, payloads=True)),
            identity=_identity(opened),
            record=record,
            record_problem=problem,
            notices=_notices(opened),
        )


def _volume(source: OpenedSource) -> VolumeFacts | None:
    if source.volume is None:
        return None
    return VolumeFacts(source.volume.volume_id, source.volume.trees, source.volume.size)


def _notices(source: OpenedSource) -> tuple[str, ...]:
    from ngtpatch.flow.readiness import lone_notices, readiness_notices
    from ngtpatch.flow.remarks import remarks

    if source.volume is None:
        return readiness_notices(source.tree, None)
    return (*(one.text for one in remarks(source.volume)), *lone_notices(source.tree))


def _site(site: Site) -> SiteFound:
    branches = tuple(branch.name for branch in site.branches)
    return SiteFound(site.path, site.line, branches, site.problem)


def _identity(source: OpenedSource) -> Identified:
    from ngtpatch.flow.traces import find_traces
    from ngtpatch.identity.bundle import Identity
    from ngtpatch.identity.describe import describe

    traces = find_traces(source)
    elsewhere = (*map(str, traces.found), *(f"in {path}" for path in traces.beside))
    facts = describe(Identity.from_tree(source.tree, source=str(source.path)))
    return Identified(
        present=facts.present or bool(elsewhere),
        ngt_uuid=facts.ngt_uuid,
        cluster_ip=facts.cluster_ip,
        certificate=facts.certificate,
        key=facts.key,
        authority=facts.authority,
        elsewhere=elsewhere,
        unread=traces.unread,
        problems=facts.problems,
    )


def _record(source: OpenedSource) -> tuple[dict[str, object] | None, str | None]:
    if source.volume is None or source.volume.record is None:
        return None, None
    from ngtpatch.iso.read.build_record import BuildRecord

    record = source.volume.record
    if not isinstance(record, BuildRecord):
        return None, record.reason
    if not record.intact(source.volume.source, source.volume.pieces):
        return None, "the image was changed after it was written"
    return record.as_json(), None
