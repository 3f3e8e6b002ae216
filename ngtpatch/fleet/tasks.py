# SPDX-License-Identifier: Apache-2.0
"""Identities wherever they lie: on ISOs, in directories, behind an inventory."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ngtpatch.errors import InputError, NgtpatchError
from ngtpatch.files.absent import unopened
from ngtpatch.files.wellknown import (
    AUTHORITY,
    AUTHORITY_NAME,
    CERTIFICATE,
    CERTIFICATE_NAME,
    CONFIG,
    CONFIG_DIRECTORY,
    CONFIG_NAME,
    KEY,
    KEY_NAME,
)
from ngtpatch.fleet.unvouched import CODE, unvouched_images
from ngtpatch.flow.authority import expects_authority
from ngtpatch.flow.opened import OpenedSource, open_source
from ngtpatch.flow.traces import Traces, find_traces
from ngtpatch.identity.bundle import Identity
from ngtpatch.identity.config import Config
from ngtpatch.identity.findings import Finding, Severity
from ngtpatch.identity.inventory import Inventory, Row, load
from ngtpatch.iso.read.bytesource import FileSource
from ngtpatch.iso.read.volume import Volume

__all__ = ["Task", "image_task", "is_image", "listed_targets", "targets", "unreadable_task"]

_INSTALLER = "installer/"

_NAMED = 5
"""How many names of what was not looked at are told."""

_FILES = {
    "config": CONFIG_NAME,
    "certificate": CERTIFICATE_NAME,
    "key": KEY_NAME,
    "authority": AUTHORITY_NAME,
}


@dataclass(frozen=True)
class Task:
    """One VM's identity where it was found.

    Attributes:
        identity: its material.
        vm_uuid: the VM's own UUID, where the inventory says it.
        partial: its configuration is only what the inventory states; the rest is the base's.
        problem: why it could not be read.
        remarks: what else is wrong: with its image, or, where it is the first, with its inventory
            or directory as a whole.
        complete: the list that it comes from is whole, by its own word; None: nobody says.
        authority: how bad it is that the cluster's authority is missing; None: not at all.
        traces: what of identity a search of every byte found elsewhere; None where there was
            nothing to search but the files themselves.
    """

    identity: Identity
    vm_uuid: str | None = None
    partial: bool = False
    problem: Finding | None = None
    remarks: tuple[Finding, ...] = ()
    complete: bool | None = None
    authority: Severity | None = None
    traces: Traces | None = None


def targets(paths: Iterable[Path], *, certificates: Path | None = None) -> Iterator[Task]:
    """Yield every identity of *paths*, one at a time.

    A path is an ISO or a block device; a directory that is one VM's (it has config/, or the
    three files), or that holds such directories or ISOs; or an inventory, completed from the
    directory *certificates*. A single ISO or folder of several that cannot be read is a
    target with a problem.

    Raises:
        InputError: a path that is none of these, an inventory with errors.
    """
    for path in paths:
        if path.is_dir():
            yield from _directory(path)
        elif is_image(path):
            yield image_task(path)
        else:
            inventory = load(path, certificates=certificates).require()
            yield from _of_one_list(map(_row, inventory.rows), inventory)


def listed_targets(inventory: Inventory) -> Iterator[Task]:
    """Yield each VM that a cluster lists. One that cannot be told apart is a target with a problem.

    Who asks a cluster cannot correct its list: one VM without a name does not keep the others
    from being looked at.
    """
    yield from _of_one_list(_listed(inventory), inventory)


def _listed(inventory: Inventory) -> Iterator[Task]:
    place, wrong = str(inventory.path), dict[int, list[str]]()
    for problem in inventory.problems:
        where = f"{problem.column}: " if problem.column else ""
        wrong.setdefault(problem.row, []).append(where + problem.message)
    for row in inventory.rows:
        if row.number not in wrong:
            yield _row(row)
        else:
            yield _unusable(row.label, wrong.pop(row.number), place, row.vm_uuid)
    for number, messages in wrong.items():
        yield _unusable(f"VM {number} of {place}", messages, place)


def _unusable(source: str, messages: list[str], place: str, vm_uuid: str | None = None) -> Task:
    message = "; ".join(messages)
    finding = Finding("inventory", Severity.ERROR, source, message, place)
    return Task(Identity(source), vm_uuid, problem=finding)


def _of_one_list(tasks: Iterable[Task], inventory: Inventory) -> Iterator[Task]:
    remarks = _remarks(inventory)
    for task in tasks:
        yield replace(task, remarks=remarks, complete=inventory.complete)
        remarks = ()


def _remarks(inventory: Inventory) -> tuple[Finding, ...]:
    if inventory.complete is not False:
        return ()
    source, message = str(inventory.path), "; ".join(inventory.notes)
    return (Finding("incomplete-list", Severity.ERROR, source, message),)


def is_image(path: Path) -> bool:
    """Say whether *path* is a block device or holds a volume descriptor (ECMA-119 8.1.2).

    Raises:
        InputError: ``not-found``, ``unreadable``.
    """
    try:
        if path.is_block_device():
            return True
        if path.is_fifo():  # read once, by whoever takes it for an inventory
            return False
        with path.open("rb") as file:
            file.seek(16 * 2048 + 1)
            return file.read(5) == b"CD001"
    except OSError as error:
        raise unopened(error, path) from None


def _directory(path: Path) -> Iterator[Task]:
    if _is_one_vm(path):
        yield _folder(path)
        return
    found = False
    said = {finding.source: finding for finding in unvouched_images(path)}
    general = tuple(one for one in said.values() if one.code != CODE)
    children = [(child, _kind(child)) for child in sorted(path.iterdir())]
    general += _passed(path, [child.name for child, kind in children if kind == "passed"])
    for child, kind in children:
        if kind == "image":
            found = True
            try:
                task = image_task(child)
            except NgtpatchError as error:
                task = unreadable_task(child, error)
            own = (said[str(child)],) if str(child) in said else ()
            yield replace(task, remarks=(*general, *own))
            general = ()
        elif kind == "folder":
            found = True
            try:
                task = _folder(child)
            except NgtpatchError as error:
                task = unreadable_task(child, error)
            yield replace(task, remarks=general)
            general = ()
    if not found:
        raise InputError(
            "no-identity", "holds neither a VM's files nor ISOs nor folders with them",
            path=str(path),
            hint="expected ngt_config.json, client-cert.pem and client-key.pem",
        )  # fmt: skip


def _kind(child: Path) -> str | None:
    """Say what an entry of a directory is: an image by its name or content, one VM's folder, ...

    None: nothing that could be a disc or a VM's, or hidden, such as what is being written.
    """
    if child.name.startswith("."):
        return None
    if child.is_dir():
        return "folder" if _is_one_vm(child) else "passed"
    called = child.suffix.lower() == ".iso"
    if not child.is_file():
        return "image" if called and child.is_symlink() else None
    try:
        return "image" if called or is_image(child) else None
    except InputError:
        return "passed"


def _passed(path: Path, names: list[str]) -> tuple[Finding, ...]:
    if not names:
        return ()
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    message = f"not looked at: {', '.join(names[:_NAMED])}{more}"
    hint = "a folder in which no VM's files lie, or a file that cannot be read: name it by itself"
    source = str(path)
    return (Finding("not-looked-at", Severity.NOTE, source, message, source, hint),)


def _is_one_vm(path: Path) -> bool:
    inner = _inner(path)
    return any((inner / name).is_file() for part, name in _FILES.items() if part != "authority")


def _inner(path: Path) -> Path:
    return path / CONFIG_DIRECTORY if (path / CONFIG_DIRECTORY).is_dir() else path


def _folder(path: Path) -> Task:
    named = {part: _inner(path) / name for part, name in _FILES.items()}
    there = {part: file for part, file in named.items() if file.is_file()}
    identity = Identity.from_files(source=str(path), **there)
    if _inner(path) == path:
        return Task(identity)
    with open_source(path) as disc:  # a disc, unpacked or mounted
        return _searched(identity, disc)


def image_task(path: Path, *, search: bool = True) -> Task:
    """Return the identity on an image.

    Args:
        path: the image.
        search: look at every byte for what is left elsewhere; else only at its four files.

    Raises:
        InputError: it cannot be read.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise unopened(error, path) from None
    # A device's permissions are the system's; a file that holds a key is its owner's alone.
    modes = {str(path): stat.S_IMODE(mode)} if stat.S_ISREG(mode) else {}
    # Ten thousand are looked at like this, and nothing is built upon them: pycdlib's opinion,
    # which takes ten times as long as our own bounded reader, is not asked for.
    with Volume(FileSource(path), path, second_opinion=False) as volume:
        identity = Identity.from_tree(volume.tree, source=str(path), modes=modes)
        return _searched(identity, OpenedSource(path, volume.tree, volume), search=search)


def _searched(identity: Identity, disc: OpenedSource, *, search: bool = True) -> Task:
    authority = None
    if identity.carries_secret and expects_authority(disc):
        installs = any(file.startswith(_INSTALLER) for file in disc.tree)
        authority = Severity.ERROR if installs else Severity.WARNING
    traces = find_traces(disc) if search else None
    return Task(identity, authority=authority, traces=traces)


def _row(row: Row) -> Task:
    named = {
        "config": row.path("config"),
        "certificate": row.path("certificate"),
        "key": row.path("key"),
        "authority": row.path("authority"),
    }
    there = {part: file for part, file in named.items() if file is not None and file.is_file()}
    try:
        identity = Identity.from_files(source=row.label, **there)
    except InputError as error:
        return replace(unreadable_task(Path(row.label), error), vm_uuid=row.vm_uuid)
    entries = {"config": CONFIG, "certificate": CERTIFICATE, "key": KEY, "authority": AUTHORITY}
    wanted = {entries[part]: str(file) for part, file in named.items() if file is not None}
    identity = replace(identity, paths=wanted)
    partial = identity.config is None and row.config is None and "ngt_uuid" in row.sets
    if partial:
        empty = Config.parse(b"{}")
        config = empty.with_values(empty.coerced(row.sets))
        identity = replace(identity, config=config.encode())
    return Task(identity, row.vm_uuid, partial)


def unreadable_task(path: Path, error: NgtpatchError) -> Task:
    """Return the task of an image or folder that could not be read."""
    source = str(path)
    finding = Finding(
        error.code, Severity.ERROR, source, error.message, error.path or source, error.hint
    )
    return Task(Identity(source), problem=finding)
