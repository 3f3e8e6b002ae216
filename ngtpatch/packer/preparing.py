# SPDX-License-Identifier: Apache-2.0
"""The ISO that a build attaches: made once, named by its content, reused while it is sound."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, ClassVar, Literal, cast

from ngtpatch._version import __version__
from ngtpatch.errors import InputError, OutputError, UsageError, changed_meanwhile
from ngtpatch.files.digest import sha256_of_bytes, sha256_of_file
from ngtpatch.files.wellknown import AUTHORITY_NAME, CERTIFICATE_NAME, CONFIG_NAME, KEY_NAME
from ngtpatch.flow.changes import IdentityRequest
from ngtpatch.flow.materials import Material, deciding
from ngtpatch.flow.opened import OpenedSource
from ngtpatch.flow.readiness import require_ready
from ngtpatch.flow.rebuild import RebuildResult, rebuild
from ngtpatch.flow.written_image import ChangedEntry, WrittenImage
from ngtpatch.packer.store import Store, StoredDisc
from ngtpatch.patching.choice import choose
from ngtpatch.patching.doubts import Doubt
from ngtpatch.patching.patch import load_patches
from ngtpatch.provenance.product import Product

__all__ = ["PrepareResult", "prepare"]

CACHE_AGE = timedelta(days=30)
_NAMED_PROFILES = 3

Origin = Literal["built", "cache", "output", "planned"]


@dataclass(frozen=True)
class PrepareResult:
    """The document of ``ngtpatch packer prepare``.

    Attributes:
        source: the vendor's ISO, as it was named.
        materials: what decides about the result: that ISO, the profiles, the patches.
        iso_path: the ISO to attach, absolute.
        iso_name: its file name, under which the Nutanix plugin uploads it.
        iso_sha256: its digest.
        size: in bytes.
        ngt_version: the NGT on it; None where it is not known.
        profile: the profiles it accepts, joined by ``+``.
        origin: ``built`` now, or found sound in the ``cache`` or at the ``output``; ``planned``: a
            dry run, and it is not at the output yet.
        as_shipped: it is the vendor's ISO, byte for byte: nothing was needed.
        carries_identity: it belongs to one VM; never share it.
        unread: compressed files that were not looked into for identity; None: it carries one.
        overwritten: how many bytes of identity outside of files were overwritten.
        changed: what differs from the vendor's.
        notices: what a person should know.
        unproven: what was not understood on the way of the installation, and accepted.
    """

    SCHEMA: ClassVar[str] = "ngtpatch.packer-prepare/1"

    source: str
    materials: tuple[Material, ...]
    iso_path: str
    iso_name: str
    iso_sha256: str
    size: int
    ngt_version: str | None
    profile: str
    origin: Origin
    as_shipped: bool
    carries_identity: bool
    unread: tuple[str, ...] | None
    overwritten: int
    changed: tuple[ChangedEntry, ...]
    notices: tuple[str, ...]
    unproven: tuple[Doubt, ...]

    @classmethod
    def of(
        cls,
        source: str,
        made_from: tuple[Material, ...],
        place: Path,
        entry: StoredDisc,
        origin: Origin,
    ) -> PrepareResult:
        """Return what is told of *entry*, which stands at *place*."""
        image = entry.image
        return cls(
            source=source,
            materials=made_from,
            iso_path=str(place.resolve()),
            iso_name=entry.name,
            iso_sha256=str(image.sha256),
            size=image.size,
            ngt_version=entry.ngt_version,
            profile="+".join(image.profiles),
            origin=origin,
            as_shipped=not (image.changed or image.overwritten),
            carries_identity=image.carries_identity,
            unread=image.unread,
            overwritten=image.overwritten,
            changed=image.changed,
            notices=image.notices,
            unproven=image.unproven,
        )

    @property
    def subject(self) -> Product:
        """The ISO as what provenance is written about."""
        image = WrittenImage(
            self.iso_sha256,
            self.size,
            tuple(self.profile.split("+")),
            self.changed,
            self.carries_identity,
            self.unread,
            self.overwritten,
            self.notices,
            self.unproven,
        )
        return Product(Path(self.iso_path), image, self.ngt_version, self.materials)


def prepare(
    iso: str | Path,
    *,
    distros: Sequence[str],
    output: str | Path = ".",
    vm_config: str | Path | None = None,
    keep_identity: bool = False,
    allowed: Sequence[str] = (),
    cache_dir: str | Path | None = None,
    profile_dirs: Sequence[str | Path] = (),
    patch_dirs: Sequence[str | Path] = (),
    accept_unproven: Sequence[str] = (),
    force: bool = False,
    dry_run: bool = False,
) -> PrepareResult:
    """Return the ISO for *distros*, made now or found as an earlier or parallel call made it.

    An image that many VMs will come from must not be one VM's: it is stripped of
    identity, unless *vm_config* or *keep_identity* asks otherwise. What carries identity
    never enters the cache.

    Args:
        iso: the vendor's ISO.
        distros: ids of profiles.
        output: a directory, where it gets a name that says what it is; or a file, when it
            ends in ``.iso``.
        vm_config: one VM's ngt_config.json, or a directory with its certificate and key.
        keep_identity: leave the vendor ISO's identity on it.
        allowed: paths of files on the ISO that hold a private key and are meant to.
        cache_dir: where other builds find it again.
        profile_dirs: directories of profiles beside the shipped ones.
        patch_dirs: directories of patches beside the shipped ones.
        accept_unproven: digests of lines that are not understood, and were read.
        force: replace a file of the output's name that is not of our making.
        dry_run: make it all, but write nothing: what stands nowhere yet is only hashed.

    Raises:
        UsageError, InputError, Refusal, VerificationError: as :func:`ngtpatch.rebuild`.
        Refusal: ``no-config``: the installer would exit on every guest; nothing was written.
    """
    if not distros:
        raise UsageError(
            "no-distro", "no distribution was named",
            hint="name one with --distro ID; 'ngtpatch profile list' shows them",
        )  # fmt: skip
    if vm_config is not None and keep_identity:
        raise UsageError("strip-and-inject", "an identity is either kept or injected, not both")
    job = _Job(
        Path(iso), tuple(distros),
        replace(_identity(vm_config, keep=keep_identity), allowed=tuple(allowed)),
        tuple(map(Path, profile_dirs)), tuple(map(Path, patch_dirs)), tuple(accept_unproven),
    ).read()  # fmt: skip
    target = Path(output)
    named = target.suffix == ".iso"
    store = Store(target.parent if named else target)
    cache = Store(Path(cache_dir), max_age=CACHE_AGE) if cache_dir and job.sharable else None
    name = target.name if named else None
    if name is not None:
        store.require_no_directory(name)
    key = job.key()
    if dry_run:
        entry, origin = _found_or_planned(job, key, store, name, force=force)
    else:
        store.make()
        store.sweep()
        if cache is not None:
            cache.make()
        entry, origin = _found_or_built(job, key, store, name, cache, force=force)
    return PrepareResult.of(str(iso), job.made_from, store.path(entry), entry, origin)


def _found_or_planned(
    job: _Job, key: str, store: Store, name: str | None, *, force: bool
) -> tuple[StoredDisc, Origin]:
    """Return the ISO at the output, or the one that would be made, which goes nowhere."""
    entry, why = _proven(job, key, store, name, own=True)
    if entry is not None:
        return entry, "output"
    if name is not None and not force:
        store.require_own(name)
    made = _described(*_rebuilt(job, cast(BinaryIO, _Nowhere())), key, name)
    store.require_no_directory(made.name)
    return _said(made, why), "planned"


@dataclass(frozen=True)
class _Job:
    iso: Path
    distros: tuple[str, ...]
    identity: IdentityRequest
    profile_dirs: tuple[Path, ...]
    patch_dirs: tuple[Path, ...]
    accept_unproven: tuple[str, ...]
    made_from: tuple[Material, ...] = ()
    stock: tuple[str, ...] = ()

    @property
    def sharable(self) -> bool:
        return self.identity.strip

    def read(self) -> _Job:
        """Return it with the vendor's ISO, the profiles and the patches as they are now.

        Raises Refusal, InputError.
        """
        profiles, stock = choose(self.distros, profile_dirs=self.profile_dirs)
        iso = Material("iso", self.iso.name, sha256_of_file(self.iso))
        made_from = (iso, *deciding(profiles, load_patches(self.patch_dirs)))
        return replace(self, made_from=made_from, stock=tuple(stock))

    def key(self) -> str:
        """Return a digest of all that the result depends on."""
        parts = (
            self.identity.config, self.identity.certificate, self.identity.key,
            self.identity.authority,
        )  # fmt: skip
        recipe = {
            "ngtpatch": __version__,
            "materials": [(one.kind, one.sha256) for one in self.made_from],
            "stock": sorted(self.stock),
            "strip": self.identity.strip,
            "allowed": sorted(self.identity.allowed),
            "identity": [None if part is None else sha256_of_file(Path(part)) for part in parts],
            "accepted": sorted(self.accept_unproven),
            "source_date_epoch": os.environ.get("SOURCE_DATE_EPOCH"),
        }
        return sha256_of_bytes(json.dumps(recipe).encode())


def _identity(vm_config: str | Path | None, *, keep: bool) -> IdentityRequest:
    if vm_config is None:
        return IdentityRequest(strip=not keep)
    path = Path(vm_config)
    if path.is_file():
        return IdentityRequest(config=path)
    config, certificate, key, authority = (
        file if file.is_file() else None
        for file in (
            path / CONFIG_NAME,
            path / CERTIFICATE_NAME,
            path / KEY_NAME,
            path / AUTHORITY_NAME,
        )
    )
    if config is None and certificate is None and key is None:
        raise InputError(
            "not-found", "is neither a VM's ngt_config.json nor a directory with one",
            path=str(path), hint=f"a directory has {CONFIG_NAME}, {CERTIFICATE_NAME}, {KEY_NAME}",
        )  # fmt: skip
    return IdentityRequest(config=config, certificate=certificate, key=key, authority=authority)


def _found_or_built(
    job: _Job, key: str, store: Store, name: str | None, cache: Store | None, *, force: bool
) -> tuple[StoredDisc, Origin]:
    """Return the ISO at the output. Parallel sources meet here: the first one builds it."""
    with store.lock(name or key[:32]):
        entry, why = _proven(job, key, store, name, own=True)
        if entry is not None:
            return entry, "output"
        if name is not None and not force:
            store.require_own(name)
        if cache is None:
            return _said(_built(job, key, store, name), why), "built"
        with cache.lock(key[:32]):
            entry, why = _proven(job, key, cache, None, own=False)
            if entry is not None:
                return _copied(entry, cache, store, name), "cache"
            built = _built(job, key, cache, None)
        return _said(_copied(built, cache, store, name), why), "built"


def _proven(
    job: _Job, key: str, store: Store, name: str | None, *, own: bool
) -> tuple[StoredDisc | None, str | None]:
    """Return the stored ISO if it is what would be made now, or why one that is there is not.

    Everything is made again but written nowhere, and held against the file byte by byte. So it
    does not matter who could write there; what is told of the ISO is what was made.
    """
    candidate, why = store.find(key, name, own=own)
    if candidate is None:
        return None, why
    with candidate.file as file:
        mirror = _Mirror(file)
        try:
            result, version = _rebuilt(job, cast(BinaryIO, mirror))
            mirror.require_end()
        except _DiffersError:
            return None, f"{candidate.entry.name} is damaged, or another's making"
        made = _described(result, version, key, name)
    if made.name != candidate.entry.name:
        return None, f"{candidate.entry.name} is not what it would be called"
    return made, None


class _DiffersError(Exception):
    """A stored file is not what is made."""


class _Mirror:
    """A stream that only takes what stands in a file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, data: bytes) -> int:
        """Take *data*. Raises _DiffersError."""
        if self._file.read(len(data)) != data:
            raise _DiffersError
        return len(data)

    def require_end(self) -> None:
        """Raise _DiffersError where the file goes on."""
        if self._file.read(1):
            raise _DiffersError


class _Nowhere:
    """A stream that keeps nothing."""

    def write(self, data: bytes) -> int:
        """Take *data*."""
        return len(data)


def _rebuilt(job: _Job, output: Path | BinaryIO) -> tuple[RebuildResult, str | None]:
    """Make the ISO; return what was done, and the version of the NGT on it.

    Raises Refusal ``no-config``, and as :func:`ngtpatch.rebuild`; then nothing was written.
    """
    from ngtpatch.installer.layout import survey

    versions = []

    def judge(image: OpenedSource) -> None:
        require_ready(image)
        versions.append(survey(image.tree).version)

    result = rebuild(
        job.iso,
        distros=job.distros,
        output=output,
        force=True,
        profile_dirs=job.profile_dirs,
        patch_dirs=job.patch_dirs,
        identity=job.identity,
        accept_unproven=job.accept_unproven,
        judge=judge,
    )
    # The key, the name and the statement are of what was read first.
    iso, *deciders = job.made_from
    if result.source_sha256 != iso.sha256:
        raise changed_meanwhile(str(job.iso))
    others = sorted({*deciders} ^ {*result.materials}, key=lambda one: one.name)
    if others:
        raise changed_meanwhile(others[0].name)
    return result, versions[0]


def _said(entry: StoredDisc, why: str | None) -> StoredDisc:
    """Return the entry with a notice of why an earlier ISO was not reused."""
    if why is None:
        return entry
    notices = (*entry.image.notices, f"an earlier ISO was not reused: {why}")
    return replace(entry, image=replace(entry.image, notices=notices))


def _built(job: _Job, key: str, store: Store, name: str | None) -> StoredDisc:
    # Under this name for as long as the lock is held: who holds it next removes it.
    temporary = store.scratch(name or key[:32])
    try:
        entry = _described(*_rebuilt(job, temporary), key, name)
        store.take(temporary, entry)
    except OutputError as error:
        if error.path == str(temporary):  # a name that nobody gave; without one, the digest is it
            error.path = str(store.directory / name if name else store.directory)
        raise
    finally:
        with suppress(OSError):  # gone under its name, or another's in its place
            temporary.unlink()
    return entry


def _described(
    result: RebuildResult, version: str | None, key: str, name: str | None
) -> StoredDisc:
    notices = result.notices
    # What needs no profile was asked of this disc, and is in no list of profiles.
    accepts = tuple(dict.fromkeys((*result.profiles, *(one.profile for one in result.already))))
    patched = [entry for entry in result.changed if entry.edits]
    if not patched:
        done = (
            "only the VM's identity was changed"
            if result.changed or result.overwritten
            else "the vendor's ISO is passed on, byte for byte"
        )
        notices = (*notices, f"accepts {', '.join(accepts)} as shipped: {done}")
    described = WrittenImage(
        sha256=result.sha256,
        size=result.size,
        profiles=accepts,
        changed=result.changed,
        carries_identity=result.carries_identity,
        unread=result.unread,
        overwritten=result.overwritten,
        notices=notices,
        unproven=result.unproven,
    )
    return StoredDisc(key, name or _name(version, accepts, str(result.sha256)), version, described)


def _name(version: str | None, accepts: Sequence[str], sha256: str) -> str:
    """Return a name that says what it is, and that nothing else has."""
    profiles = list(accepts)
    if len(profiles) > _NAMED_PROFILES:
        profiles = [profiles[0], "and", str(len(profiles) - 1), "more"]
    parts = ["ngt", version or "unknown", *profiles, sha256[:12]]
    return re.sub(r"[^A-Za-z0-9._-]", "_", "-".join(parts)) + ".iso"


def _copied(entry: StoredDisc, origin: Store, store: Store, name: str | None) -> StoredDisc:
    """Copy an ISO from one store to another: shared extents where the file system has them."""
    from ngtpatch.iso.read.bytesource import FileSource
    from ngtpatch.iso.read.regions import Overlay
    from ngtpatch.iso.write.sinks import write_file

    copy = replace(entry, name=name or entry.name)
    source = FileSource(origin.path(entry))
    try:
        write_file(Overlay(source, ()), store.path(copy), force=True, expect=entry.image.sha256)
    finally:
        source.close()
    store.note(copy)
    return copy
