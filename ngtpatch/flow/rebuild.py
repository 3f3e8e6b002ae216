# SPDX-License-Identifier: Apache-2.0
"""The flow: open, read, patch, plan, write, read back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

from ngtpatch._version import __version__
from ngtpatch.errors import InputError, NgtpatchError, UsageError, VerificationError
from ngtpatch.files.apart import require_apart
from ngtpatch.files.atomic import check_target
from ngtpatch.files.digest import sha256_of_bytes, sha256_of_ranges
from ngtpatch.files.directories import nearest
from ngtpatch.files.writing import require_writable
from ngtpatch.flow.changes import Changes, IdentityRequest, plan_changes
from ngtpatch.flow.imaged import as_image
from ngtpatch.flow.materials import Material, deciding
from ngtpatch.flow.opened import OpenedSource, open_source
from ngtpatch.flow.rewritten import Rewritten, rewritten
from ngtpatch.flow.sound_source import faults_of, require_sound
from ngtpatch.flow.written_image import ChangedEntry, WrittenImage

# Not for type checkers alone: the document's schema is read from the annotations.
from ngtpatch.installer.payloads import split_member
from ngtpatch.patching.outcome import Already

if TYPE_CHECKING:
    from ngtpatch.iso.edit.image_edit import EditPlan
    from ngtpatch.iso.read.build_record import Change
    from ngtpatch.iso.read.bytesource import ByteSource
    from ngtpatch.iso.read.volume import Volume
    from ngtpatch.iso.write.sinks import Written
    from ngtpatch.patching.planning import ChangedFile

# Of identity that the vendor's disc has no entry for: its owner's alone.
_ADDED_MODE = 0o600

__all__ = ["RebuildResult", "RebuiltEach", "rebuild"]


@dataclass(frozen=True)
class RebuildResult(WrittenImage):
    """The document of ``ngtpatch rebuild``: the image, and how it came to be.

    Attributes:
        source: as it was named.
        source_sha256: of the source's bytes as they were read for this image; None where no
            digest was asked for, for a dry run and for a directory.
        output: the file or directory that was written; None for a dry run or a stream.
        volume_id: its volume identifier, which is the source's.
        already: the places that accepted a profile as they were.
        method: ``regions``: the source's bytes with some regions replaced; ``master``: of a
            directory a new image was made first.
        bytes_written: data handed to the file system, in bytes.
        composed_with: profiles of the earlier rebuild that the source came from.
        stale_digests: digests on the disc that do not hold for what was changed: what they are
            called, or the path of a list of them.
        materials: the files of the profiles that were asked for and of all patches that there
            were, by the bytes that were read of them; none where no distribution was named.
        rebuilt_before: the source has a record of its own. Then the output's record, and the way
            back, are about what that one was made from, and not about the source.
    """

    SCHEMA: ClassVar[str] = "ngtpatch.rebuild/1"

    source: str
    source_sha256: str | None
    output: str | None
    volume_id: str
    already: tuple[Already, ...]
    method: str
    bytes_written: int
    composed_with: tuple[str, ...]
    stale_digests: tuple[str, ...]
    materials: tuple[Material, ...]
    rebuilt_before: bool = False


@dataclass(frozen=True)
class RebuiltEach:
    """The document of ``ngtpatch rebuild --each --json``."""

    SCHEMA: ClassVar[str] = "ngtpatch.rebuild-each/1"

    results: tuple[RebuildResult, ...]


def rebuild(
    source: str | Path,
    *,
    distros: Sequence[str] = (),
    output: str | Path | BinaryIO | None = None,
    output_tree: str | Path | None = None,
    in_place: bool = False,
    force: bool = False,
    dry_run: bool = False,
    digest: bool = True,
    os_release: str | Path | None = None,
    profile_dirs: Sequence[str | Path] = (),
    patch_dirs: Sequence[str | Path] = (),
    identity: IdentityRequest | None = None,
    accept_unproven: Sequence[str] = (),
    judge: Callable[[OpenedSource], object] | None = None,
) -> RebuildResult:
    """Write an image like *source* whose installer accepts *distros*.

    The result is read back: in every tree, exactly the planned entries differ, in content
    alone. Where nothing needs a change the output is the source, byte for byte. A source
    that was rebuilt before is composed with: its record, and the way back to the vendor's
    bytes, cover both.

    Args:
        source: an ISO image, a block device, or a directory with the same tree, of which an
            image is made. It is only read, but for *in_place*.
        distros: ids of profiles; ``auto`` stands for the one of *os_release*, ``all`` for
            every one that is proven.
        output: a file to be made, or a stream to write to.
        output_tree: a directory to be made instead, with the files, to install from without
            an image; identity in it is readable by its owner alone.
        in_place: change *source* itself instead. A crash in the middle leaves it neither old
            nor new; there is no other way back than its record.
        force: replace an existing file.
        dry_run: plan only; *output* may be left out.
        digest: compute the SHA-256 of the output.
        os_release: an os-release(5) file of the guest.
        profile_dirs: directories of profiles beside the shipped ones.
        patch_dirs: directories of patches beside the shipped ones.
        identity: what shall become of the VM's identity; by default it stays as it is.
        accept_unproven: digests that the refusal ``uncertain`` told, of lines that were read.
        judge: called with the planned image, as whoever opens it will read it, before a byte
            of it is written. Nothing is, where it raises.

    Raises:
        UsageError: the output exists, is an input, has no directory; nothing was asked for.
        InputError: the source, a profile, a patch or an identity cannot be used.
        Refusal: a profile is unknown, a patch does not fit, or the source's own record
            disproves it (``source-disproved``); nothing was written.
        VerificationError: the written image is not what was planned; it was removed.
        NgtpatchError: the disk is full or failed; nothing was left behind.
    """
    target = _target(output, output_tree, source if in_place else None, dry_run=dry_run)
    if isinstance(target, Path) and not in_place:
        require_apart(target, _small_inputs(os_release, identity), discs=[source], whole=not output)
    if isinstance(target, Path) and output is not None:
        check_target(target, force=force, source=Path(source))
    if in_place:
        _require_writable_image(Path(source))
    if output_tree is not None:
        from ngtpatch.iso.write.unpack import check_destination

        check_destination(Path(output_tree), force=force)
    file = target if isinstance(target, Path) else None
    scratch = nearest(file.parent) if file else None
    with open_source(source) as opened:
        if opened.volume is not None:
            require_sound(opened.volume)
        changes = plan_changes(
            opened,
            distros=distros,
            os_release=os_release,
            profile_dirs=profile_dirs,
            patch_dirs=patch_dirs,
            identity=identity or IdentityRequest(),
            accept_unproven=accept_unproven,
        )
        with (
            as_image(opened, scratch, file) as volume,
            rewritten(volume.tree, changes.agents.members(), scratch, file) as again,
        ):
            changes = changes.without_archives(again.left)
            plan = _plan(volume, changes, again, digest=digest and not dry_run)
            stale, left = _left_behind(plan, changes, again, unpacked=output_tree is not None)
            work = _Work(volume, plan, changes, again)
            # Before a byte is written: in place the source is gone then.
            entries, faults = _entries(volume, changes, again), faults_of(volume)
            if judge is not None:
                judge(_planned(opened.path, plan))
            sink: Written | None = None
            written = 0
            if not dry_run and output_tree is not None:
                written = _unpack(work, Path(output_tree), force=force)
            elif not dry_run and in_place:
                sink = _overwrite(opened, work, digest=digest)
            elif not dry_run:
                sink = _write(work, target, force=force, digest=digest)
            return RebuildResult(
                source=str(source),
                # The base below a directory is the image that was made of it.
                source_sha256=sink.base_sha256 if sink and opened.volume is not None else None,
                output=str(target) if isinstance(target, Path) and not dry_run else None,
                sha256=sink.sha256 if sink else None,
                size=plan.size if output_tree is None else written,
                volume_id=volume.volume_id,
                profiles=tuple(profile.id for profile in changes.profiles),
                changed=entries,
                already=changes.already,
                method="master" if opened.volume is None else "regions",
                bytes_written=sink.bytes_written if sink else written,
                composed_with=tuple(_earlier(volume).get("profiles", ())),
                carries_identity=changes.carries_identity,
                stale_digests=stale,
                materials=deciding(changes.profiles, changes.read),
                unread=changes.unread,
                overwritten=sum(length for _, length in changes.wiped),
                notices=(*changes.notices, *left, *faults),
                unproven=changes.unproven,
                rebuilt_before=volume.record is not None,
            )


def _target(*outputs: str | Path | BinaryIO | None, dry_run: bool) -> Path | BinaryIO | None:
    """Return the one output that was named; None only for a dry run."""
    named = [
        Path(output) if isinstance(output, str) else output
        for output in outputs
        if output is not None
    ]
    if len(named) > 1:
        raise UsageError("two-outputs", "more than one output was named", hint="name one")
    if not named and not dry_run:
        raise UsageError("no-output", "no output was named", hint="name one with -o FILE")
    return named[0] if named else None


def _small_inputs(
    os_release: str | Path | None, identity: IdentityRequest | None
) -> tuple[str | Path | None, ...]:
    given = identity or IdentityRequest()
    return (os_release, given.config, given.certificate, given.key, given.authority)


def _require_writable_image(path: Path) -> None:
    """Refuse what cannot be changed in place. Raises UsageError ``is-directory``; OutputError."""
    if path.is_dir():
        raise UsageError(
            "is-directory",
            "is a directory, and only an image is changed in place",
            path=str(path),
            hint="name an output with -o FILE, or --output-tree DIR",
        )
    if path.exists():
        require_writable(path, path)


def _planned(path: Path, plan: EditPlan) -> OpenedSource:
    from ngtpatch.iso.read.volume import Volume

    image = Volume(plan.overlay(), path, second_opinion=False)
    return OpenedSource(path, image.tree, image)


@dataclass(frozen=True)
class _Work:
    """What is to be written, and what it was made of."""

    volume: Volume
    plan: EditPlan
    changes: Changes
    again: Rewritten


def _plan(volume: Volume, changes: Changes, again: Rewritten, *, digest: bool) -> EditPlan:
    from ngtpatch.iso.edit.base_digests import BaseDigests
    from ngtpatch.iso.edit.image_edit import Note, edit
    from ngtpatch.iso.edit.new_entry import NewFile

    contents, added = changes.contents, changes.added
    kept = {path: data for path, data in contents.items() if path not in added}
    return edit(
        volume,
        replace={**kept, **{path: one.content for path, one in again.archives.items()}},
        add={path: NewFile(contents[path], mode=_ADDED_MODE, secret=True) for path in added},
        remove=changes.removed,
        scrub=changes.secret - added,
        reserve=changes.reserve,
        wipe=changes.wiped,
        forget=changes.forgotten,
        note=Note(
            _about(changes, _earlier(volume)),
            within=_within(changes, again),
            # A record in the place of another cannot wait for what the sink finds out.
            digests=BaseDigests(volume.source) if digest and volume.record else None,
        ),
    )


def _left_behind(
    plan: EditPlan, changes: Changes, again: Rewritten, *, unpacked: bool
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return which digests the edit makes wrong, and all that it leaves behind, in sentences."""
    from ngtpatch.flow.stale import partition_notice, stale_digests, stale_notice
    from ngtpatch.iso.read.volume import Volume

    if not plan.regions:
        return (), ()
    image = Volume(plan.overlay(), plan.volume.path, second_opinion=False)
    stale = stale_digests(image, {*changes.contents, *changes.removed, *again.archives})
    if unpacked:  # what concerns the image does not concern its files
        stale = tuple(name for name in stale if name in image.tree)
    notices = (stale_notice(stale), None if unpacked else partition_notice(image))
    return stale, tuple(notice for notice in notices if notice)


def _within(changes: Changes, again: Rewritten) -> list[Change]:
    """Return what changes in archives, member by member, as the record has it."""
    from ngtpatch.iso.read.build_record import Change

    found = []
    for file in changes.agents.changed:
        archive, member = split_member(file.path)
        before, after = sha256_of_bytes(file.before), sha256_of_bytes(file.after)
        found.append(Change(member, before, after, within=archive))
    for path in changes.agents.removed:
        archive, member = split_member(path)
        digest = again.archives[archive].removed[member]
        found.append(Change(member, digest, None, kind="removed", within=archive))
    return found


def _earlier(volume: Volume) -> Mapping[str, Any]:
    """Return what an earlier rebuild noted: this one is composed with it."""
    from ngtpatch.iso.read.build_record import BuildRecord

    return volume.record.about if isinstance(volume.record, BuildRecord) else {}


def _about(changes: Changes, earlier: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the record says: who did it, for whom, with which patches. No secrets."""
    patches = {patch.id: patch.sha256 for patch in changes.patches}
    before = {str(one["id"]): one["sha256"] for one in earlier.get("patches", ())}
    profiles = (*earlier.get("profiles", ()), *(profile.id for profile in changes.profiles))
    unproven = [
        *earlier.get("unproven", ()),
        *(
            {"path": one.path, "line": one.line, "kind": one.kind, "sha256": one.sha256}
            for one in changes.unproven
        ),
    ]
    return {
        "ngtpatch": __version__,
        "profiles": list(dict.fromkeys(profiles)),
        "patches": [
            {"id": name, "sha256": digest} for name, digest in sorted({**before, **patches}.items())
        ],
        **({"unproven": unproven} if unproven else {}),
    }


def _write(work: _Work, target: Path | BinaryIO | None, *, force: bool, digest: bool) -> Written:
    from ngtpatch.iso.write.sinks import stream, write_file

    overlay = work.plan.overlay()
    if not isinstance(target, Path):
        assert target is not None  # noqa: S101 - rebuild() asked for it
        # What has left as a stream cannot be read back: the plan is, before a byte leaves.
        _read_back(work, overlay, name=work.volume.path)
        return stream(overlay, target, digest=digest)

    def check(temporary: Path) -> None:
        # What reached the disk is read back before it takes its name.
        from ngtpatch.iso.read.bytesource import FileSource

        with closing(FileSource(temporary)) as written:
            _read_back(work, written, name=target)

    # What carries a key is nobody else's to read.
    mode = 0o600 if work.changes.carries_identity else 0o666
    return write_file(overlay, target, force=force, digest=digest, mode=mode, check=check)


def _overwrite(source: OpenedSource, work: _Work, *, digest: bool) -> Written:
    """Write the regions over the source itself."""
    from ngtpatch.iso.write.sinks import write_in_place

    overlay = work.plan.overlay()
    _read_back(work, overlay, name=source.path)
    return write_in_place(
        overlay, source.path, digest=digest, private=work.changes.carries_identity
    )


def _unpack(work: _Work, target: Path, *, force: bool) -> int:
    """Write the planned image's files as a directory, and return their bytes."""
    from ngtpatch.files.wellknown import IDENTITY_PATHS
    from ngtpatch.iso.read.volume import Volume
    from ngtpatch.iso.write.sinks import require_unchanged
    from ngtpatch.iso.write.unpack import write_tree

    overlay = work.plan.overlay()
    _read_back(work, overlay, name=work.volume.path)
    image = Volume(overlay, work.volume.path, second_opinion=False)
    return write_tree(
        image, target, private=IDENTITY_PATHS, force=force,
        check=lambda: require_unchanged(overlay),
    ).size  # fmt: skip


def _read_back(work: _Work, result: ByteSource, *, name: Path) -> None:
    """Compare complete listings of every tree; exactly the planned entries may differ."""
    from ngtpatch.iso.compare.comparison import REPLACED, compare
    from ngtpatch.iso.edit.legible import require_legible
    from ngtpatch.iso.read.volume import Volume

    volume, changes, archives = work.volume, work.changes, work.again.archives
    within = [(region.offset, region.length) for region in work.plan.regions]
    expected: dict[str, frozenset[str]] = dict.fromkeys([*changes.contents, *archives], REPLACED)
    expected.update(dict.fromkeys(changes.added, frozenset({"added"})))
    expected.update(dict.fromkeys(changes.removed, frozenset({"removed"})))
    image = Volume(result, name, second_opinion=False)
    found = compare(volume, image, within=within)
    if work.plan.record is not None:
        require_legible(work.plan.record, result, path=name)
    if found.trees_added or found.trees_removed or found.volume_ids:
        raise _at_fault(
            volume,
            "came out with other trees or another label than planned",
            path=str(name),
        )
    beyond = found.beyond(expected)
    if beyond:
        worst = beyond[0]
        raise _at_fault(
            volume,
            f"{worst.path} in the {worst.tree} tree came out with another "
            f"{', '.join(worst.what) or worst.kind} than planned ({len(beyond)} such entries)",
            path=str(name),
        )
    wrong = [path for path, content in changes.contents.items() if image.tree[path] != content]
    entries = image.entries(image.primary_tree)
    wrong += [
        path
        for path, archive in archives.items()
        if sha256_of_ranges(image, entries[path].extents) != archive.sha256_after
    ]
    if wrong:
        raise VerificationError(
            "read-back", f"{wrong[0]} did not come out as planned", path=str(name)
        )


def _at_fault(volume: Volume, found: str, *, path: str) -> NgtpatchError:
    """Return the error for a result that is not what was planned, by whose fault it is."""
    from ngtpatch.iso.check import check

    faults = [fault for fault in check(volume) if fault.severity == "error"]
    if faults:
        return InputError(
            "hostile",
            f"contradicts itself, and cannot be edited: {faults[0].message}",
            path=str(volume.path),
            hint="'ngtpatch verify' shows all that is wrong with it",
        )
    return VerificationError(
        "read-back",
        found,
        path=path,
        hint="nothing was kept; if 'ngtpatch verify' finds no fault in the source, report this",
    )


def _entries(volume: Volume, changes: Changes, again: Rewritten) -> tuple[ChangedEntry, ...]:
    patched = {file.path: file for file in changes.changed}

    def entry(path: str) -> ChangedEntry:
        if path in patched:
            return _patched(patched[path])
        if path in changes.compiled:
            before = sha256_of_bytes(volume.tree[path])
            return ChangedEntry(path, "removed", before, sha256_after=None, edits=0, diff=None)
        return _identity(path, changes)

    entries = [entry(path) for path in {*changes.contents, *changes.removed}]
    entries += [_patched(file) for file in changes.agents.changed]
    for path in changes.agents.removed:
        archive, member = split_member(path)
        digest = again.archives[archive].removed[member]
        entries.append(ChangedEntry(path, "removed", digest, None, edits=0, diff=None))
    entries += [
        ChangedEntry(path, "repacked", one.sha256_before, one.sha256_after, edits=0, diff=None)
        for path, one in again.archives.items()
    ]
    return tuple(sorted(entries, key=lambda entry: entry.path))


def _patched(file: ChangedFile) -> ChangedEntry:
    return ChangedEntry(
        path=file.path,
        done="patched",
        sha256_before=sha256_of_bytes(file.before),
        sha256_after=sha256_of_bytes(file.after),
        edits=file.edits,
        diff=_diff(file.before, file.after, file.path),
    )


def _identity(path: str, changes: Changes) -> ChangedEntry:
    done = "replaced"
    if path in changes.removed:
        done = "removed"
    elif path in changes.added:
        done = "added"
    return ChangedEntry(path, done, sha256_before=None, sha256_after=None, edits=0, diff=None)


def _diff(before: bytes, after: bytes, path: str) -> str | None:
    from ngtpatch.iso.compare.textdiff import unified

    return unified(before, after, path)
