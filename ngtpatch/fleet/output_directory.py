# SPDX-License-Identifier: Apache-2.0
"""A directory of outputs: one run at a time, nothing half-written, nothing left behind."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from time import monotonic, sleep

from ngtpatch.errors import NgtpatchError, OutputError, UsageError
from ngtpatch.files.directories import foresee_directory, make_directory
from ngtpatch.files.locked import StillHeldError, locked
from ngtpatch.files.temporaries import TEMPORARY, name_stem, remove_abandoned, unnamed_to
from ngtpatch.files.writing import explained
from ngtpatch.fleet.base import Base
from ngtpatch.fleet.ledger_document import LedgerRow
from ngtpatch.fleet.order import DirectoryMark, Held, Known, Unfit
from ngtpatch.identity.assemble import Marks, marks_of
from ngtpatch.identity.bundle import Identity
from ngtpatch.iso.edit.image_edit import EditPlan
from ngtpatch.iso.read.bytesource import FileSource, FileState
from ngtpatch.iso.read.regions import BLOCK, Overlay
from ngtpatch.iso.read.volume import Volume
from ngtpatch.iso.write.sinks import Written, write_file

__all__ = ["OutputDirectory"]

_STATE = ".ngtpatch"
# Who looks for others holds the gate for an instant.
_GATE, _GATE_SECONDS, _POLL = "gate.lock", 2.0, 0.05
# Of a kept image that has its times, so many blocks besides its regions are read back.
_SAMPLES, _SAMPLE = 16, 4096
_DAMAGED = Unfit("its bytes were not those of this VM's image")


class OutputDirectory:
    """Where images become files, mode 0600."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # Of the directory while it is held: as long as it is open, no other has its inode.
        self._descriptor: int | None = None
        # What leads to that one, also when the path leads to another by now.
        self._at = path

    @contextmanager
    def held(
        self, shard: tuple[int, int], *, wait: float = 0, stop: threading.Event | None = None
    ) -> Iterator[None]:
        """Hold the directory for one run, making it if it is missing.

        Shards K/N of the same N run side by side; anything else excludes each other. Who waits
        holds nothing meanwhile: two that hold a lock each and wait for the other's would do so for
        ever.

        Args:
            shard: (K, N); (1, 1) is a run of everything.
            wait: seconds to wait for another run to end.
            stop: when set, another run is not waited for any more.

        Raises:
            StillHeldError: *stop* was set while another run held it.
            UsageError: ``busy``, ``address``, ``not-a-directory``, ``unsafe-lock``.
            OutputError: as :meth:`require_held`, also of what the block finds no more.
        """
        state = self._create()
        self._open()
        try:
            with self._held_alone(state, shard, wait, stop):
                self.require_held()
                yield
        except FileNotFoundError:
            self.require_held()
            raise
        finally:
            self.leave()

    def _open(self) -> None:
        self._descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        at = unnamed_to(self._descriptor)
        # Where /proc is not mounted the path is looked at before each image gets its name.
        self._at = at if at.exists() else self.path

    def leave(self) -> None:
        """Close the directory."""
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor, self._at = None, self.path

    def mark(self) -> DirectoryMark:
        """Return which directory is held."""
        assert self._descriptor is not None  # noqa: S101 - who asks holds it
        status = os.fstat(self._descriptor)
        return DirectoryMark(status.st_dev, status.st_ino, _kernel())

    def join(self, held: DirectoryMark | None) -> None:
        """Write to the directory that a run holds, and to no other.

        By another kernel it may have another number: it is known by the run's locks there.

        Raises:
            OutputError: ``output-moved``: the path leads to another by now.
        """
        if held is None:
            return
        try:
            self._open()
        except (FileNotFoundError, NotADirectoryError):
            raise self._moved() from None
        here = self.mark()
        elsewhere = held.kernel is None or here.kernel != held.kernel
        if here != held and not (elsewhere and (self._at / _STATE).is_dir()):
            self.leave()
            raise self._moved()

    @contextmanager
    def _held_alone(
        self, state: Path, shard: tuple[int, int], wait: float, stop: threading.Event | None
    ) -> Iterator[None]:
        deadline = monotonic() + wait
        with ExitStack() as stack:
            while True:
                try:
                    gate = max(wait, _GATE_SECONDS)
                    with locked(state / _GATE, wait=gate, mode=0o600, stop=stop):
                        self._take(state, shard, stack)
                    break
                except StillHeldError:
                    stack.close()
                    if stop is not None and stop.is_set():
                        raise
                if monotonic() >= deadline:
                    raise UsageError(
                        "busy", "another run is writing to this directory", path=str(self.path),
                        hint="wait for it (--wait SECONDS), or name another directory",
                    )  # fmt: skip
                sleep(_POLL)
            yield

    def _take(self, state: Path, shard: tuple[int, int], stack: ExitStack) -> None:
        """Put the lock of *shard* onto *stack*, where nobody is in its way.

        Raises StillHeldError.
        """
        mine = state / f"{shard[0]}-of-{shard[1]}.lock"
        stack.enter_context(locked(mine, wait=0, mode=0o600))
        for other in state.glob("*-of-*.lock"):
            if other.stem.rpartition("-")[2] != str(shard[1]):
                with locked(other, wait=0, mode=0o600):
                    pass

    def require_held(self) -> None:
        """Return if the path leads to the directory that is held.

        Raises:
            OutputError: ``output-moved``.
        """
        if self._descriptor is None:
            return
        try:
            if os.path.samestat(os.stat(self.path), os.fstat(self._descriptor)):  # noqa: PTH116
                return
        except (FileNotFoundError, NotADirectoryError):
            pass
        raise self._moved()

    def _moved(self) -> OutputError:
        return OutputError(
            "output-moved",
            "is not the directory any more that this run writes to: that was moved or removed",
            path=str(self.path),
            hint="what was made is in it, where it is now: move it back, and run the same command "
            "with --resume",
        )

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Have errors name the path that was given."""
        at, path = str(self._at), str(self.path)
        try:
            yield
        except NgtpatchError as error:
            error.path = error.path and error.path.replace(at, path)
            error.hint = error.hint and error.hint.replace(at, path)
            raise
        except OSError as error:
            if isinstance(error.filename, str):
                error.filename = error.filename.replace(at, path)
            raise

    def foresee(self) -> None:
        """Refuse a directory that a run could not be held in, and make nothing.

        Raises UsageError as :meth:`held`, but for ``busy``; OutputError.
        """
        foresee_directory(self.path)
        state = self.path / _STATE
        if state.is_symlink() or (state.exists() and not state.is_dir()):
            # Locks would be made wherever somebody else wants them.
            raise UsageError(
                "unsafe-lock", "is no directory of its own, and locks are kept in it",
                path=str(state), hint="remove it, or name another directory",
            )  # fmt: skip

    def _create(self) -> Path:
        self.foresee()
        make_directory(self.path, mode=0o700)
        state = self.path / _STATE
        with explained(state):
            state.mkdir(mode=0o700, exist_ok=True)
        return state

    def _file(self, output: str) -> Path:
        """Return where an output is.

        Python keeps each part of a path in a table as long as the text lives; the plan's own lives
        to the run's end, and fifty thousand of them take ten megabytes there. This one is parted
        into new texts.
        """
        return self._at / f"./{output}"

    def existing(self, outputs: Iterable[str]) -> list[str]:
        """Return those of *outputs* that are there."""
        if not self.path.is_dir():
            return []
        present = set(os.listdir(self.path))  # noqa: PTH208 - 10,000 names, no Path for each
        return [name for name in outputs if name in present]

    def ledger(self, shard: tuple[int, int]) -> Path:
        """Return the ledger's file: one for a whole run, one per shard."""
        part = "" if shard == (1, 1) else f"-{shard[0]}-of-{shard[1]}"
        return self.path / f"ledger{part}.jsonl"

    def ledgers(self) -> list[Path]:
        """Return the ledgers of all runs into this directory, links that lead nowhere too."""
        paths = (self.ledger((1, 1)), *sorted(self.path.glob("ledger-*-of-*.jsonl")))
        return [path for path in paths if os.path.lexists(path)]

    def marks(self, row: LedgerRow) -> Marks | None:
        """Return what no two VMs share of the image that is there, by its own files.

        What the row says, where it cannot be read.
        """
        path = self.path / row.output
        try:
            # As by identity check: nothing is built upon it.
            with Volume(FileSource(path), path, second_opinion=False) as volume:
                return marks_of(Identity.from_tree(volume.tree, source=str(path)), None)
        except (NgtpatchError, OSError):
            return row.ngt_uuid, row.certificate_sha256

    def prepare(self, base: Base) -> None:
        """Do nothing: a directory needs no copy of the base."""

    def reach(self) -> None:
        """Do nothing: :meth:`held` has been there."""

    def sweep(self, outputs: Iterable[str]) -> int:
        """Remove what a killed run left of *outputs*; return how many files that was.

        Nothing else's: another shard may be at work here.
        """
        with os.scandir(self.path) as listing:  # of fifty thousand names most are no such file
            found = [match for item in listing if (match := TEMPORARY.fullmatch(item.name))]
        if not found:
            return 0
        stems = {name_stem(name) for name in outputs}
        return sum(
            remove_abandoned(self.path / match[0]) for match in found if match["stem"] in stems
        )

    def holds(
        self, output: str, base: Base, plan: EditPlan, known: Known | None, *, digest: bool
    ) -> Held | Unfit | None:
        """Return what is there, if it is the file that *plan* would write, or why not.

        That is one of this user's own, mode 0600, under this name alone. Of one that has the size
        and the times that the ledger says, the regions are read back and a sample of the rest.
        Any other, and with *digest* every one, is read as a whole: one whose run was killed before
        its row, one that was copied or touched.
        """
        with self._told():
            return self._holds(self._file(output), base, plan, known, digest=digest)

    def _holds(
        self, path: Path, base: Base, plan: EditPlan, known: Known | None, *, digest: bool
    ) -> Held | Unfit | None:
        try:
            status = path.lstat()
        except FileNotFoundError:
            return None
        unfit = _stale(base, plan, known) or _not_ours(status)
        if unfit is not None:
            return unfit
        trusted = known is not None and known.times == (status.st_mtime_ns, status.st_ctime_ns)
        with closing(FileSource(path)) as file:
            # What was looked at is what is read: no link took its place.
            if file.size != plan.size or file.opened != FileState.of(status):
                return _DAMAGED
            if trusted and not digest:
                return Held() if _same(file, plan.overlay(), _sampled(plan)) else _DAMAGED
            hasher = hashlib.sha256() if digest else None
            everything = [(offset, BLOCK) for offset in range(0, plan.size, BLOCK)]
            if not _same(file, plan.overlay(), everything, hasher) or file.state != file.opened:
                return _DAMAGED
            return Held(hasher.hexdigest() if hasher else None)

    def times(self, output: str) -> tuple[int, int] | None:
        """Return when the file was written to and changed, in nanoseconds."""
        with self._told():
            status = self._file(output).lstat()
        return status.st_mtime_ns, status.st_ctime_ns

    def is_base(self, output: str, plan: EditPlan) -> bool:
        """Say whether the file is the very one that *plan* starts from."""
        path = self._file(output)
        return path.is_file() and plan.volume.path.exists() and path.samefile(plan.volume.path)

    def unfit(self, output: str) -> Unfit | None:
        """Return why a file is not kept whatever its bytes are: it is not this user's alone."""
        with self._told():
            return _not_ours(self._file(output).lstat())

    def write(
        self, output: str, base: Base, plan: EditPlan, *, digest: bool, replace: bool
    ) -> Written:
        """Write one image. Raises UsageError ``output-exists``; OutputError."""

        def complete(temporary: Path) -> None:
            _sync(temporary)
            base.require_same()
            self.require_held()

        # Refreshed in place, the base stays open until its successor has its name.
        with self._told():
            return write_file(
                plan.overlay(), self._file(output), force=replace, digest=digest, durable=False,
                mode=0o600, check=complete, over_base=replace,
            )  # fmt: skip


def _kernel() -> str | None:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text()
    except OSError:
        return None


def _stale(base: Base, plan: EditPlan, known: Known | None) -> Unfit | None:
    if known is not None and known.base_sha256 != base.sha256:
        # A config-only image lies over one that is made of the base's own config/.
        return Unfit("it was made from another base, or of the other kind (config-only or full)")
    if known is not None and known.regions_sha256 != plan.digest:
        return Unfit("its configuration, certificate or key is another one by now")
    return None


def _not_ours(status: os.stat_result) -> Unfit | None:
    """Return why a file is not kept whatever its bytes are."""
    if status.st_mode != stat.S_IFREG | 0o600:
        return Unfit("it was no file of mode 0600")
    # It would be written as this user's, and under one name: what others can change is not kept.
    if status.st_uid != os.geteuid():
        return Unfit("it was another user's")
    return Unfit("it had a second name") if status.st_nlink > 1 else None


def _sampled(plan: EditPlan) -> Iterator[tuple[int, int]]:
    """Yield what of an image is read back: its regions, and blocks that its digest picks."""
    yield from ((region.offset, region.length) for region in plan.regions)
    for number in range(_SAMPLES):
        picked = hashlib.sha256(f"{plan.digest} {number}".encode()).digest()
        yield int.from_bytes(picked[:8], "big") % plan.size, _SAMPLE


def _same(
    file: FileSource,
    wanted: Overlay,
    ranges: Iterable[tuple[int, int]],
    hasher: hashlib._Hash | None = None,
) -> bool:
    """Say whether *file* is *wanted* in all *ranges*, hashing what was read on the way."""
    for offset, length in ranges:
        data = file.read_at(offset, length)
        if data != wanted.read_at(offset, length):
            return False
        if hasher is not None:
            hasher.update(data)
    return True


def _sync(temporary: Path) -> None:
    """Make a file's content durable before it takes its name.

    The name itself is made so once, with the ledger at the end of the run: per file that
    would cost as much again. A name that a power cut takes away is missing when the run is
    resumed, and the file is made again.
    """
    descriptor = os.open(temporary, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
