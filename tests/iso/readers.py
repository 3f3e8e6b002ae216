# SPDX-License-Identifier: Apache-2.0
"""Images as other programs read them: complete listings, with metadata and content.

One class for each program and view. What a reader cannot see it leaves as None,
and nothing is concluded from it.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import subprocess
import tarfile
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from ngtpatch.iso.read.volume import Volume
from tests.requirements import tool

__all__ = [
    "BsdTarStream",
    "IsoInfo",
    "IsoInfoCdio",
    "Listing",
    "Reader",
    "Seen",
    "SevenZip",
    "agree",
    "by_ngtpatch",
    "readers_of",
]


@dataclass(frozen=True)
class Seen:
    """One entry as a reader sees it; None for what it does not show.

    mtime is seconds since the epoch, or text where the reader gives no more than a date.
    """

    kind: str
    size: int | None = None
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    mtime: int | str | None = None
    target: str | None = None
    sha256: str | None = None


Listing = Mapping[str, Seen]


class Reader(ABC):
    """A program that reads one tree of an image.

    Attributes:
        name: for test ids.
        tree: which tree it reads.
    """

    name: str
    tree: str

    @abstractmethod
    def listing(self, image: Path) -> Listing:
        """Return every entry but the root. Fails the test when the program complains."""


def _output(*arguments: str | Path, codes: Iterable[int] = (0,)) -> bytes:
    environment = {**os.environ, "TZ": "UTC", "LC_ALL": "C.UTF-8"}
    command = [str(argument) for argument in arguments]
    run = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert run.returncode in codes, (
        f"{' '.join(command)} exits {run.returncode}: {run.stderr[-1500:].decode(errors='replace')}"
    )
    return run.stdout


def _mode(letters: str) -> int:
    """Turn ``rwxr-xr-x`` into permission bits."""
    bits = sum(1 << (8 - at) for at, letter in enumerate(letters) if letter not in "-ST")
    special = ((2, "sS", 0o4000), (5, "sS", 0o2000), (8, "tT", 0o1000))
    return bits | sum(bit for at, marks, bit in special if letters[at] in marks)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        digest = hashlib.sha256()
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _walk(root: Path) -> dict[str, Seen]:
    """List what a program unpacked: kind, size, time, target and content."""
    seen = {}
    for folder, directories, files in os.walk(root):
        for name in directories + files:
            path = Path(folder, name)
            status = path.lstat()
            key = path.relative_to(root).as_posix()
            if stat.S_ISLNK(status.st_mode):
                seen[key] = Seen("symlink", target=str(path.readlink()))
            elif stat.S_ISDIR(status.st_mode):
                seen[key] = Seen("directory")
            else:
                seen[key] = Seen(
                    "file", status.st_size, mtime=int(status.st_mtime), sha256=_sha256(path)
                )
    return seen


class Xorriso(Reader):
    """xorriso: Rock Ridge, or plain names where there is none."""

    name, tree = "xorriso", "rock_ridge"
    _LINE = re.compile(r"^(.)([-rwxsStT]{9})\s+\d+\s+(\d+)\s+(\d+)\s+(\d+) .{12} '(.*)'$")

    def listing(self, image: Path) -> Listing:
        program = tool("xorriso", "xorriso")
        with tempfile.TemporaryDirectory() as directory:
            out = Path(directory, "out")
            quiet = ("-report_about", "SORRY", "-return_with", "SORRY", "32")
            # -abort_on: a read error must not pass for a short file.
            _output(
                *(program, *quiet, "-osirrox", "on:auto_chmod_off", "-indev", image),
                *("-extract", "/", out),
            )
            seen = _walk(out)
        lines = _output(
            *(program, *quiet, "-indev", image),
            *("-find", "/", "-exec", "lsdl", "--"),
        )
        for line in lines.decode().splitlines():
            found = self._LINE.match(line.split("' -> '", 1)[0].rstrip("'") + "'")
            if found is None:
                continue
            path = found[6].lstrip("/")
            if path:
                assert path in seen, f"xorriso lists {path} and does not extract it"
                seen[path] = replace(
                    seen[path], mode=_mode(found[2]), uid=int(found[3]), gid=int(found[4])
                )
        return seen


class IsoInfo(Reader):
    """isoinfo of genisoimage, reading Rock Ridge (-R), Joliet (-J) or plain names."""

    _LINE = re.compile(
        r"^(?P<kind>.)(?P<mode>[-rwxsStT]{9})\s+\d+\s+(?P<uid>\d+)\s+(?P<gid>\d+)\s+(?P<size>\d+) "
        r"(?P<date>.{11}) \[\s*(?P<sector>\d+) [0-9a-f]{2}\]  (?P<name>.*?) ?$"
    )

    def __init__(self, option: str | None, tree: str) -> None:
        self.name, self.tree = f"isoinfo{option or ''}", tree
        self._option = [option] if option else []

    def listing(self, image: Path) -> Listing:
        program = tool("isoinfo", "genisoimage")
        text = _output(program, "-l", *self._option, "-i", image).decode("latin-1")
        folder, seen = "", {}
        with image.open("rb") as stream:
            for line in text.splitlines():
                if line.startswith("Directory listing of /"):
                    folder = line.removeprefix("Directory listing of /")
                found = self._LINE.match(line)
                if found is not None and found["name"] not in (".", ".."):
                    # isoinfo prints owners in octal
                    owner = int(found["uid"], 8), int(found["gid"], 8)
                    path, entry = _listed(found, owner, stream, self.tree)
                    if self.tree == "iso9660":
                        path = path.removesuffix(";1").removesuffix(".")
                    seen[folder + path] = entry
        return seen


class IsoInfoCdio(Reader):
    """iso-info of libcdio."""

    _LINE = re.compile(
        r"^  (?P<kind>[-dl])(?P<mode>[-rwxsStT]{9})?\s+(?:\d+ (?P<uid>\d+) (?P<gid>\d+) )?"
        r"\[LSN\s+(?P<sector>\d+)\]\s+(?P<size>\d+) "
        r"(?P<date>\w{3} \d\d \d{4} [\d:]{8})  (?P<name>.*)$"
    )

    def __init__(self, options: tuple[str, ...], tree: str) -> None:
        self.name, self.tree, self._options = f"iso-info-{tree}", tree, options

    def listing(self, image: Path) -> Listing:
        program = tool("iso-info", "libcdio-utils")
        text = _output(program, "-l", "-q", "--no-header", *self._options, "-i", image).decode()
        folder, seen = "", {}
        with image.open("rb") as stream:
            for line in text.splitlines():
                if re.match(r"^/.*:$", line):
                    folder = line[1:-1]
                found = self._LINE.match(line)
                if found is not None and found["name"] not in (".", ".."):
                    owner = (int(found["uid"]), int(found["gid"])) if found["uid"] else None
                    path, entry = _listed(found, owner, stream, self.tree)
                    seen[folder + path] = entry
        return seen


def _listed(
    found: re.Match[str], owner: tuple[int, int] | None, image: BinaryIO, tree: str
) -> tuple[str, Seen]:
    """Turn a listing's line into an entry; its content is read from where the line says."""
    ours = tree == "rock_ridge"
    name, _, target = found["name"].partition(" -> ") if ours else (found["name"], "", "")
    kind = {"d": "directory", "l": "symlink"}.get(found["kind"], "file")
    content = size = None
    if kind == "file":
        size = int(found["size"])
        image.seek(int(found["sector"]) * 2048)
        content = hashlib.sha256(image.read(size)).hexdigest()
    uid, gid = owner if owner and ours else (None, None)
    mode = _mode(found["mode"]) if ours and found["mode"] else None
    date = found["date"]
    return name, Seen(kind, size, mode, uid, gid, date, target or None, content)


class SevenZip(Reader):
    """7-Zip, which reads Joliet where it is, then Rock Ridge; UDF when told so."""

    def __init__(self, form: str, tree: str) -> None:
        self.name, self.tree, self._form = f"7z-{tree}", tree, form

    def listing(self, image: Path) -> Listing:
        program = tool("7z", "p7zip-full")
        with tempfile.TemporaryDirectory() as directory:
            _output(program, "x", f"-t{self._form}", "-y", "-bd", f"-o{directory}", image)
            seen = _walk(Path(directory))
        # It also shows the boot image, in a folder of its own making.
        return {path: entry for path, entry in seen.items() if path.split("/")[0] != "[BOOT]"}


class BsdTar(Reader):
    """libarchive, unpacking one tree."""

    def __init__(self, options: str | None, tree: str) -> None:
        self.name, self.tree = f"bsdtar-{tree}", tree
        self._options = ["--options", options] if options else []

    def listing(self, image: Path) -> Listing:
        program = tool("bsdtar", "libarchive-tools")
        with tempfile.TemporaryDirectory() as directory:
            _output(program, "-xf", image, *self._options, "-C", directory)
            return _walk(Path(directory))


class BsdTarStream(Reader):
    """libarchive, turning the image into a tar stream: all that it knows of Rock Ridge."""

    name, tree = "bsdtar-rock_ridge", "rock_ridge"

    def listing(self, image: Path) -> Listing:
        program = tool("bsdtar", "libarchive-tools")
        seen: dict[str, Seen] = {}
        with tempfile.TemporaryFile() as archive:
            command = [program, "-cf", "-", "--format=pax", f"@{image}"]
            run = subprocess.run(command, stdout=archive, stderr=subprocess.PIPE, check=False)
            assert run.returncode == 0, run.stderr[-1500:].decode(errors="replace")
            archive.seek(0)
            with tarfile.open(fileobj=archive, mode="r:") as tar:
                for member in tar:
                    path = member.name.removeprefix("./").rstrip("/")
                    if path not in ("", "."):
                        seen[path] = self._member(tar, member, seen)
        return seen

    @staticmethod
    def _member(tar: tarfile.TarFile, member: tarfile.TarInfo, seen: Listing) -> Seen:
        kind = "directory" if member.isdir() else "symlink" if member.issym() else "file"
        size = digest = None
        if member.islnk():
            first = seen[member.linkname.removeprefix("./")]
            size, digest = first.size, first.sha256
        elif member.isreg():
            stream = tar.extractfile(member)
            assert stream is not None
            size, summed = member.size, hashlib.sha256()
            while block := stream.read(1 << 20):
                summed.update(block)
            digest = summed.hexdigest()
        target = member.linkname if member.issym() else None
        owner = member.uid, member.gid
        return Seen(kind, size, member.mode, *owner, int(member.mtime), target, digest)


_ANYWHERE: tuple[Reader, ...] = (
    Xorriso(),
    IsoInfo("-R", "rock_ridge"),
    BsdTarStream(),
    IsoInfoCdio(("--no-joliet",), "rock_ridge"),
    IsoInfo("-J", "joliet"),
    SevenZip("iso", "joliet"),
    BsdTar("iso9660:!rockridge", "joliet"),
    IsoInfoCdio(("--no-rock-ridge",), "joliet"),
    SevenZip("udf", "udf"),
    IsoInfo(None, "iso9660"),
    BsdTar("iso9660:!rockridge,iso9660:!joliet", "iso9660"),
)


def readers_of(trees: Iterable[str]) -> tuple[Reader, ...]:
    """Return the readers for an image with these trees."""
    found = [reader for reader in _ANYWHERE if reader.tree in trees]
    if "joliet" not in trees:
        found.append(SevenZip("iso", "rock_ridge" if "rock_ridge" in trees else "iso9660"))
    return tuple(found)


def by_ngtpatch(volume: Volume, tree: str) -> Listing:
    """Return one tree in the readers' terms, as ngtpatch itself sees it."""
    seen = {}
    for path, entry in volume.entries(tree).items():
        content = size = None
        if entry.kind == "file":
            digest = hashlib.sha256()
            for start, length in entry.extents:
                for offset in range(start, start + length, 1 << 20):
                    digest.update(volume.read_at(offset, min(1 << 20, start + length - offset)))
            size, content = entry.size, digest.hexdigest()
        mtime = int(datetime.fromisoformat(entry.mtime).timestamp()) if entry.mtime else None
        seen[path] = Seen(
            entry.kind, size, entry.mode, entry.uid, entry.gid, mtime, entry.target, content
        )
    return seen


def _sizes(one: Listing, other: Listing, path: str) -> set[int | None]:
    return {one[path].size, other[path].size}


def agree(one: Listing, other: Listing) -> list[str]:
    """Return where two listings contradict each other, as far as both say something."""
    found = [f"{path} is in one listing alone" for path in sorted(one.keys() ^ other.keys())]
    for path in sorted(one.keys() & other.keys()):
        kinds = {one[path].kind, other[path].kind}
        # Where a relocated directory was stands what plain readers take for a file ("other"),
        # and 7-Zip unpacks Rock Ridge's symbolic links as empty files.
        if "other" in kinds or (kinds == {"symlink", "file"} and 0 in _sizes(one, other, path)):
            continue
        for aspect in fields(Seen):
            was, now = getattr(one[path], aspect.name), getattr(other[path], aspect.name)
            if aspect.name == "mtime" and (isinstance(was, str) or isinstance(now, str)):
                continue  # dates in the words of a program are compared with its own alone
            if was is not None and now is not None and was != now:
                found.append(f"{path}: {aspect.name} is {was!r} and {now!r}")
    return found
