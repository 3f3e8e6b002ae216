# SPDX-License-Identifier: Apache-2.0
"""An ISO into the image library and into one VM's drive; and out again.

Each step looks at what is there before it acts and after it has, so that the same command, run
again after it was killed anywhere, ends in the state that was asked for.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

from ngtpatch.errors import NgtpatchError, Refusal, RemoteError
from ngtpatch.prism_central.connection import ChangedError, Connection
from ngtpatch.prism_central.drives import Drive, eject, insert, read_drives
from ngtpatch.prism_central.follow import TaskFailedError, TaskLostError, TaskVanishedError
from ngtpatch.prism_central.image_library import (
    LibraryImage,
    create_image,
    delete_image,
    find_image,
    get_image,
)
from ngtpatch.prism_central.push_journal import PushJournal
from ngtpatch.prism_central.pushed_iso import Disc
from ngtpatch.prism_central.upload import remove_object, upload

__all__ = ["PushOptions", "Pushed", "eject_discs", "push_disc"]

_TRIES = 3
# Prism Central's word that it made no image, or that it was another.
_REFUSED = ("unauthorised", "forbidden", "gone", "changed", "busy", "redirect", "image-missing",
            "prism")  # fmt: skip
Action = Literal["stored", "attached", "kept", "ejected", "nothing", "planned"]


@dataclass(frozen=True)
class PushOptions:
    """How a disc is pushed.

    Attributes:
        url: where Prism Central downloads it; None: it is uploaded.
        clusters: where the image is to be; empty: the VM's cluster, or Prism Central chooses.
        replace: NGT's discs in the VM's drives are ejected first.
        delete_after: the image is deleted once the disc is in the drive, if this push made it.
        dry_run: nothing is changed.
        seconds: how long to wait for each task.
    """

    url: str | None = None
    clusters: tuple[str, ...] = ()
    replace: bool = False
    delete_after: bool = False
    dry_run: bool = False
    seconds: float = 900.0


@dataclass(frozen=True)
class Pushed:
    """The document of ``ngtpatch push``, for one disc.

    Attributes:
        action: ``stored`` (the image is in the library), ``attached``, ``kept`` (the disc was in
            the drive already), ``ejected``, ``nothing`` (there was nothing to eject), ``planned``.
        vm: the VM's name.
        vm_uuid: its UUID.
        drive: bus and index of the drive.
        image: the image's name.
        image_ext_id: its identifier; None where it is not in the library.
        sha256: of the ISO.
        created: this push made the image.
        deleted: the image was deleted again, and is gone.
        steps: with a dry run, what would be done.
        notes: what was not seen, and what is left.
    """

    SCHEMA: ClassVar[str] = "ngtpatch.push/1"

    action: Action
    vm: str | None = None
    vm_uuid: str | None = None
    drive: str | None = None
    image: str | None = None
    image_ext_id: str | None = None
    sha256: str | None = None
    created: bool = False
    deleted: bool = False
    steps: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())


def push_disc(
    connection: Connection, disc: Disc, vm: Any | None, journal: PushJournal, options: PushOptions
) -> Pushed:
    """Find or create the image of *disc*, put it into an empty drive of *vm*, and look.

    Args:
        connection: the Prism Central.
        disc: what; that it is this VM's was checked by the caller.
        vm: the SDK's VM; None: the image library alone.
        journal: what earlier runs have asked for.
        options: how.

    Raises:
        Refusal: ``image-exists``, ``tools-disc``, ``no-empty-drive``; ``identity-shared``: an
            image with identity without a VM, or from a URL. Nothing was changed.
        RemoteError: something failed; an image with identity was taken out of the library.
    """
    if disc.identity and (vm is None or options.url is not None):
        raise Refusal(
            "identity-shared",
            "holds one VM's identity, and would be everybody's in the image library"
            if vm is None else "holds one VM's identity, and is not fetched from a URL",
            path=str(disc.path),
            hint="name its VM with --vm, or take it out with `ngtpatch identity strip`",
        )  # fmt: skip
    return _Push(connection, disc, vm, journal, options).run()


class _Push:
    """One push, with what it has found out so far."""

    def __init__(
        self, connection: Connection, disc: Disc, vm: Any | None, journal: PushJournal,
        options: PushOptions,
    ) -> None:  # fmt: skip
        self.connection, self.disc, self.journal, self.options = (
            connection, disc, journal, options,
        )  # fmt: skip
        self.vm = vm
        self.name = "" if vm is None else str(vm.name)
        self.vm_uuid = None if vm is None else str(vm.ext_id)
        self.key = f"{connection.host}/{self.vm_uuid or '-'}/{disc.sha256}/{disc.name}"
        self.image: LibraryImage | None = None
        self.created = False
        self.pending = False
        """The image was asked for, and what became of that is not known."""
        self.unknown: tuple[str, ...] = ()
        self.result = Pushed(
            "stored", vm=None if vm is None else vm.name, vm_uuid=self.vm_uuid, image=disc.name,
            sha256=disc.sha256,
        )  # fmt: skip

    def run(self) -> Pushed:
        self.image = find_image(self.connection, self.disc)
        row = self.journal.row(self.key)
        self.created = self.image is not None and row.get("image") == self.image.ext_id
        here = None if self.vm_uuid is None else self._attached(self._drives())
        plan = None
        if self.vm_uuid is not None and here is None:
            plan = self._choose()
        if self.options.dry_run:
            return self._planned(here, plan)
        try:
            if here is None:
                self._store()
            if plan is not None:
                here = self._attach()
        except BaseException:
            self._rescue()
            raise
        return self._finish(here, already=plan is None)

    def _drives(self) -> tuple[Drive, ...]:
        return read_drives(self.connection, str(self.vm_uuid))

    def _choose(self) -> tuple[Drive, tuple[Drive, ...]]:
        ours = self.journal.disks(f"{self.connection.host}/{self.vm_uuid}/")
        drives = self._drives()
        self.unknown = tuple(
            drive.place
            for drive in drives
            if drive.disc is not None and not _is_tools(self.connection, drive, ours)
        )
        return choose(self.connection, drives, self.options.replace, self.name, ours)

    def _attached(self, drives: Iterable[Drive]) -> Drive | None:
        """Return the drive that holds this disc, by Prism Central's word or the journal's."""
        row = self.journal.row(self.key)
        for drive in drives:
            if drive.disc is None:
                continue
            if self.image is not None and drive.image == self.image.ext_id:
                return drive
            if drive.disk is not None and drive.disk == row.get("disk"):
                return drive
            # Asked for into this drive, which was empty then, and not seen since; not every release
            # says what is in it.
            asked = drive.ext_id == row.get("drive") and row.get("disk") is None
            if drive.image is None and drive.disc == "OTHER" and asked:
                return drive
        return None

    def _store(self) -> None:
        if self.image is None:
            key = None
            if self.options.url is None:
                self.connection.told(f"uploading {self.disc.name} ({self.disc.size:,} bytes)")
                key = upload(self.connection, self.disc)
            self.image = self._created(key)
            self.created = True
            self.journal.note(self.key, image=self.image.ext_id)
            if key is not None:
                self._tidy()
        elif self.disc.identity:
            self._tidy()  # of a run that was killed between the image and this

    def _created(self, key: str | None) -> LibraryImage:
        clusters: Sequence[str] = self.options.clusters
        if not clusters and self.vm is not None and self.vm.cluster is not None:
            clusters = (str(self.vm.cluster.ext_id),)
        for attempt in (1, 2):
            request = self.journal.request(self.key)
            self.pending = True
            try:
                made = create_image(
                    self.connection, self.disc, key=key, url=self.options.url, request=request,
                    clusters=clusters, seconds=self.options.seconds,
                )  # fmt: skip
            except TaskLostError:
                raise  # it may still come: the same request again asks for the same image
            except NgtpatchError as error:
                if isinstance(error, TaskFailedError) or error.code in _REFUSED:
                    self.pending = False
                elif not isinstance(error, TaskVanishedError):
                    raise  # likewise
                # The same request would get the same answer again.
                self.journal.note(self.key, request=None)
                # A killed run's image, which that run deleted: this one is another.
                if error.code != "image-missing" or attempt == 2:
                    raise
            else:
                self.pending = False
                return made
        raise AssertionError("unreachable")

    def _tidy(self) -> None:
        """Remove the uploaded object: the image has its own copy of it."""
        try:
            remove_object(self.connection, self.disc)
        except NgtpatchError as error:
            if self.disc.identity:
                raise RemoteError(
                    "identity-left", "the upload with the VM's identity could not be removed from"
                    f" the bucket vmm-images: {error.message}", path=self.connection.host,
                    hint="run the command again",
                ) from None  # fmt: skip
            note = f"the upload was not removed from the bucket vmm-images: {error.message}"
            self.result = replace(self.result, notes=(*self.result.notes, note))

    def _attach(self) -> Drive:
        vm_uuid, image = str(self.vm_uuid), self.image
        if image is None:
            raise AssertionError("stored before")
        salt = ""
        for attempt in range(1, _TRIES + 1):
            target, ejected = self._choose()
            try:
                for drive in ejected:
                    _eject_one(self.connection, vm_uuid, drive, self.options.seconds)
                target = next(d for d in self._drives() if d.ext_id == target.ext_id)
                self.journal.note(self.key, drive=target.ext_id, disk=None)
                insert(
                    self.connection, vm_uuid, target, image.ext_id, salt=salt,
                    seconds=self.options.seconds,
                )  # fmt: skip
            except RemoteError as error:
                changed = isinstance(error, ChangedError)
                here = self._attached(self._drives())
                # After a 412 a disc of which nothing is said is somebody else's.
                if here is not None and (here.image is not None or not changed):
                    return here  # it was this run's own doing, or a killed one's
                self.journal.note(self.key, drive=None)
                # The task may be one that failed for a killed run: one more, of our own.
                again = isinstance(error, TaskFailedError | TaskVanishedError) and not salt
                if attempt == _TRIES or not (changed or again):
                    raise
                salt = str(uuid.uuid4()) if again else salt
                self.connection.told(f"{self.connection.host}: {error.message}; looking again")
            else:
                break
        here = self._attached(self._drives())
        if here is None:
            raise RemoteError(
                "not-attached", "the task of the insertion succeeded, and the disc is not in the"
                " drive", path=self.connection.host, hint="the guest's agent may have ejected it"
            )  # fmt: skip
        return here

    def _rescue(self) -> None:
        """Leave no image with identity in the library when the push fails."""
        if not self.disc.identity:
            return
        image = self.image
        try:
            image = image or find_image(self.connection, self.disc)
            if image is not None and image.identity:
                delete_image(self.connection, image, seconds=self.options.seconds)
                self.journal.note(self.key, request=None, image=None)
            remove_object(self.connection, self.disc)
        except NgtpatchError as error:
            raise self._left(error.message) from error
        if self.pending and image is None:
            raise self._left("it was asked for, and is not there yet")

    def _left(self, why: str) -> RemoteError:
        return RemoteError(
            "identity-left", f"the image {self.disc.name!r} holds a VM's identity and may still be"
            f" in the library: {why}", path=self.connection.host,
            hint="run the command again, or delete it there",
        )  # fmt: skip

    def _finish(self, here: Drive | None, *, already: bool) -> Pushed:
        notes = list(self.result.notes)
        if here is not None:
            self.journal.note(self.key, drive=here.ext_id, disk=here.disk)
            if here.image is None:
                notes.append(
                    "Prism Central does not say which image is in the drive: seen is that it was"
                    " empty and is full"
                )
        notes += [
            f"{place} holds a disc of which is not known whose it is: with the label NUTANIX_TOOLS"
            " on it as well the agent takes neither" for place in self.unknown
        ]  # fmt: skip
        deleted, image = False, self.image
        wanted = here is not None and (
            (self.disc.identity and image is not None and image.identity)
            or (self.options.delete_after and self.created)
        )
        if wanted and image is not None:
            try:
                delete_image(self.connection, image, seconds=self.options.seconds)
            except NgtpatchError as error:
                if self.disc.identity:
                    raise self._left(error.message) from error
                raise
            deleted = True
        elif self.options.delete_after and image is not None:
            notes.append("the image was there before, and is not deleted")
        if self.disc.identity and image is not None and not deleted:
            notes.append("the image with identity was not made by ngtpatch, and is left")
        if self.disc.identity:
            self._tidy()
        # The wish is fulfilled: the next one is another request.
        self.journal.note(self.key, request=None, image=None)
        action: Action = "stored" if here is None else "kept" if already else "attached"
        return replace(
            self.result, action=action, drive=None if here is None else here.place,
            image_ext_id=None if deleted or image is None else image.ext_id, created=self.created,
            deleted=deleted, notes=tuple(notes),
        )  # fmt: skip

    def _planned(self, here: Drive | None, plan: tuple[Drive, tuple[Drive, ...]] | None) -> Pushed:
        steps = []
        if here is None and self.image is None:
            how = "upload it" if self.options.url is None else "let Prism Central fetch it"
            steps.append(f"{how} and create the image {self.disc.name!r}")
        elif self.image is not None:
            steps.append(f"use the image {self.image.ext_id}, which has this name and checksum")
        if plan is not None:
            steps += [f"eject the disc in {drive.place}" for drive in plan[1]]
            steps.append(f"insert it into {plan[0].place}")
        if here is not None:
            steps.append(f"nothing: it is in {here.place}")
        if self.disc.identity or self.options.delete_after:
            steps.append("delete the image, if this push made it")
        found = None if self.image is None else self.image.ext_id
        return replace(self.result, action="planned", steps=tuple(steps), image_ext_id=found)


def choose(
    connection: Connection,
    drives: Sequence[Drive],
    replaces: bool,
    vm: str,
    ours: Collection[str] = (),
) -> tuple[Drive, tuple[Drive, ...]]:
    """Return the drive to insert into, and the drives that are emptied first.

    The disks *ours* were put there by a push from here, whose image may be gone.

    Raises:
        Refusal: ``tools-disc``, ``no-empty-drive``.
    """
    tools = tuple(drive for drive in drives if _is_tools(connection, drive, ours))
    if tools and not replaces:
        places = ", ".join(drive.place for drive in tools)
        raise Refusal(
            "tools-disc",
            f"{vm!r} has an NGT disc already, in {places}: with two of the label NUTANIX_TOOLS the"
            " agent takes neither",
            path=connection.host, hint="--replace ejects it first; --eject only ejects",
        )  # fmt: skip
    empty = [drive for drive in drives if drive.disc is None]
    if empty or tools:
        return (empty or list(tools))[0], tools
    what = f"none of its {len(drives)} CD-ROM drives is empty" if drives else "it has no CD-ROM"
    raise Refusal(
        "no-empty-drive", f"{vm!r} cannot take a disc: {what}", path=connection.host,
        hint="eject a disc, or add a CD-ROM drive to the VM in Prism (it has to be off for that on"
        " an IDE bus), and run the command again",
    )  # fmt: skip


def _is_tools(connection: Connection, drive: Drive, ours: Collection[str]) -> bool:
    """Say whether a disc is NGT's: the cluster's own, or one that ngtpatch put there."""
    if drive.disc == "GUEST_TOOLS" or (drive.disc is not None and drive.disk in ours):
        return True
    if drive.disc is None or drive.image is None:
        return False
    image = get_image(connection, drive.image)
    return image is not None and image.ours


def _eject_one(connection: Connection, vm_uuid: str, drive: Drive, seconds: float) -> None:
    """Eject one disc, and see that it is gone."""
    for attempt in range(1, _TRIES + 1):
        failure: RemoteError | None = None
        try:
            eject(connection, vm_uuid, drive, seconds=seconds)
        except RemoteError as error:
            failure = error
        now = next((d for d in read_drives(connection, vm_uuid) if d.ext_id == drive.ext_id), None)
        if now is None or now.disc is None or now.disk != drive.disk:
            return
        if failure is not None and (attempt == _TRIES or not isinstance(failure, ChangedError)):
            raise failure
    raise RemoteError(
        "not-ejected",
        f"the disc is still in {drive.place} after its task of ejection succeeded",
        path=connection.host,
    )


def eject_discs(
    connection: Connection, vm: Any, disc: Disc | None, journal: PushJournal, *, seconds: float,
    dry_run: bool = False,
) -> Pushed:  # fmt: skip
    """Eject NGT's discs from a VM's drives, and see that they are gone.

    NGT's are the cluster's own, those of images that ngtpatch put into the library, those that
    the journal knows, and *disc*. An image with identity that was in the drive is deleted from
    the library.

    Args:
        connection: the Prism Central.
        vm: the SDK's VM.
        disc: an ISO whose disc is ejected, too.
        journal: what was pushed from here.
        seconds: how long to wait for each task.
        dry_run: nothing is changed.
    """
    vm_uuid = str(vm.ext_id)
    image = None if disc is None else find_image(connection, disc)
    pushed = journal.disks(f"{connection.host}/{vm_uuid}/")
    full = [drive for drive in read_drives(connection, vm_uuid) if drive.disc is not None]
    found = [
        drive
        for drive in full
        if (image is not None and drive.image == image.ext_id)
        or _is_tools(connection, drive, pushed)
    ]
    notes = tuple(
        f"{drive.place} holds a disc of which is not known whose it is; it is left"
        for drive in full
        if drive not in found
    )
    places = ", ".join(drive.place for drive in found)
    result = Pushed(
        "ejected" if found else "nothing", vm=vm.name, vm_uuid=vm_uuid, drive=places or None,
        image=None if disc is None else disc.name, sha256=None if disc is None else disc.sha256,
        notes=notes,
    )  # fmt: skip
    if dry_run:
        steps = tuple(f"eject the disc in {drive.place}" for drive in found)
        return replace(result, action="planned", steps=steps)
    images = {drive.image for drive in found if drive.image} | {image.ext_id if image else None}
    for drive in found:
        _eject_one(connection, vm_uuid, drive, seconds)
    deleted = False
    for ext_id in filter(None, images):
        held = get_image(connection, ext_id)
        if held is not None and held.identity:
            delete_image(connection, held, seconds=seconds)
            deleted = True
    return replace(result, deleted=deleted)
