# SPDX-License-Identifier: Apache-2.0
"""What is asked for, and what came of it: the values that cross thread and process borders.

They hold paths and digests. Key material is read where it is used and never travels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from ngtpatch.errors import NgtpatchError, of_any
from ngtpatch.identity.assemble import Recipe
from ngtpatch.identity.inventory import Row
from ngtpatch.iso.read.bytesource import FileState

__all__ = [
    "STORE_TIMEOUT",
    "Cleanup",
    "DirectoryMark",
    "Held",
    "Known",
    "Order",
    "Settings",
    "Unfit",
    "VmResult",
]

# A store that says nothing for so long is not waited for; boto3 tries three times.
STORE_TIMEOUT = 20.0


@dataclass(frozen=True)
class Cleanup:
    """What a search of the base's every byte found, once for all VMs.

    Attributes:
        wipe: ranges (offset, length) outside of files where identity was left.
        forget: ranges of the vendor's image that its record keeps identity of.
        beside: further files that hold identity.
        said: the same for people, place by place.
        authority: whether the vendor's disc had the cluster's authority on it.
    """

    wipe: tuple[tuple[int, int], ...] = ()
    forget: tuple[tuple[int, int], ...] = ()
    beside: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    authority: bool = False


class DirectoryMark(NamedTuple):
    """Which directory a run holds, whatever its path leads to by now.

    Attributes:
        device: by number.
        inode: likewise.
        kernel: which gave the two; None where it has no name. Another may number them otherwise.
    """

    device: int
    inode: int
    kernel: str | None


@dataclass(frozen=True)
class Settings:
    """What all VMs of a run have in common.

    Attributes:
        base: the image, or a directory: its tree for config-only images, or one image per
            VM to be refreshed.
        base_sha256: of the base image; None where it is not one image, or not needed.
        base_state: what the file system said of it when that was computed.
        base_tree_sha256: of the base's identity without the key.
        destination: a directory, or ``s3://bucket/prefix``.
        recipe: how rows become identities.
        config_only: small images that hold config/ alone.
        each: *base* is a directory of per-VM images by their outputs' names.
        ca: a PEM file that certificates must chain to.
        digest: also hash each whole output.
        replace: an existing output may be replaced.
        resume: an existing output that is right is kept.
        remote: made on another machine, where the base must be proven to be the same.
        cleanup: what is overwritten in every image; of images that have a base each, each
            is searched when it is opened.
        allowed: paths of files on the base that hold a private key and are meant to.
        authority_room: config-only images are made with a place for the authority.
        store_timeout: seconds that an object store may say nothing.
        held: the directory that the run holds; None before it does, and of a store.
    """

    base: str
    base_sha256: str | None
    destination: str
    recipe: Recipe = field(default_factory=Recipe)
    config_only: bool = False
    each: bool = False
    ca: str | None = None
    digest: bool = False
    replace: bool = False
    resume: bool = False
    remote: bool = False
    cleanup: Cleanup = field(default_factory=Cleanup)
    allowed: tuple[str, ...] = ()
    authority_room: bool = False
    base_state: FileState | None = None
    base_tree_sha256: str | None = None
    store_timeout: float = STORE_TIMEOUT
    held: DirectoryMark | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What an earlier run left behind for a VM, by its ledger.

    Attributes:
        times: when the file was last written to and last changed (mtime and ctime in
            nanoseconds); None for an object in a store.
    """

    base_sha256: str
    regions_sha256: str
    size: int
    sha256: str | None
    times: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """An output that is there and right.

    Attributes:
        sha256: of the whole, when it was read as a whole and that was asked for.
    """

    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Unfit:
    """An output that is there and is not kept.

    Attributes:
        why: what is said of it: it is stale, damaged, or not only ours.
    """

    why: str


@dataclass(frozen=True, slots=True)
class Order:
    """One VM's image to be made.

    Attributes:
        row: the VM.
        output: the file's name in the destination.
        known: what is there already, if that is to be kept when it is still right.
        refusal: why it is not made at all: something that only the whole inventory shows.
        ngt_uuid: of its configuration, where the inventory alone says it.
        certificate_sha256: fingerprint of its certificate, likewise.
    """

    row: Row
    output: str
    known: Known | None = None
    refusal: tuple[str, str] | None = None
    ngt_uuid: str | None = None
    certificate_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class VmResult:
    """What became of one VM.

    Attributes:
        name: the VM.
        output: the file's name in the destination.
        state: ``written``; ``kept``: it was there and right; ``failed``.
        base_sha256: of what the regions lie over; with *regions_sha256* it identifies the
            output's bytes.
        sha256: of the whole output, where that was asked for.
        size: of the output, in bytes.
        bytes_written: what its making wrote or uploaded.
        code: why it failed, as a stable word.
        error: why it failed, in a sentence without secrets.
        warnings: what its check found that did not stop it.
        ngt_uuid: of its configuration.
        certificate_sha256: fingerprint of its certificate.
        times: of the file, see :class:`Known`.
        vm_uuid: the VM's own UUID, where the inventory knows it.
        remade: why what was there was not kept, where something was and it is known.
    """

    name: str
    output: str
    state: Literal["written", "kept", "failed"]
    base_sha256: str | None = None
    regions_sha256: str | None = None
    sha256: str | None = None
    size: int | None = None
    bytes_written: int = 0
    code: str | None = None
    error: str | None = None
    warnings: tuple[str, ...] = ()
    ngt_uuid: str | None = None
    certificate_sha256: str | None = None
    times: tuple[int, int] | None = None
    vm_uuid: str | None = None
    remade: str | None = None

    @classmethod
    def failure(cls, order: Order, error: Exception) -> VmResult:
        """Return what *error* means for *order*. Only our own messages are quoted."""
        if isinstance(error, OSError):
            error = of_any(error)
        if isinstance(error, NgtpatchError):
            text = str(error) + (f" ({error.hint})" if error.hint else "")
            return cls(
                order.row.name, order.output, "failed", code=error.code, error=text,
                vm_uuid=order.row.vm_uuid,
            )  # fmt: skip
        # The text of anything else could quote what it failed on.
        kind = type(error).__name__
        return cls(
            order.row.name, order.output, "failed", code="unexpected", error=kind,
            vm_uuid=order.row.vm_uuid,
        )  # fmt: skip
