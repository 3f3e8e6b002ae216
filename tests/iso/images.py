# SPDX-License-Identifier: Apache-2.0
"""A zoo of images: one tree that looks like NGT, mastered in every way met in the field.

Images are built when a test asks for one and kept for the session. INDEX.md
says what each stands for.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pycdlib

from tests.iso.layouts import (
    append_trailing,
    deep_tree,
    dig_holes,
    hard_links,
    long_links,
    long_names,
    ngt_tree,
    noise,
    oversized,
    plain_file_tree,
    unsort_directory,
    wide_tree,
)
from tests.requirements import tool

__all__ = ["IMAGES", "Image", "Zoo"]

VOLUME_ID = "NUTANIX_TOOLS"


@dataclass(frozen=True)
class Image:
    """How one image of the zoo is made, and what is true of it.

    Attributes:
        trees: what Volume.trees must say.
        master: makes the image (second argument) of a directory (first).
        layout: fills the directory.
        slow: seconds to build, or gigabytes.
        shape: why content in it cannot be replaced, as a refusal's code; None where it can.
    """

    trees: tuple[str, ...]
    master: Callable[[Path, Path], None]
    layout: Callable[[Path], None] = ngt_tree
    slow: bool = False
    shape: str | None = None


def _run(*arguments: str | Path, cwd: Path | None = None) -> None:
    # SOURCE_DATE_EPOCH and TZ: the same image every time, as far as the tool can.
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1600000000", "TZ": "UTC", "LC_ALL": "C"}
    run = subprocess.run(
        [str(argument) for argument in arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, f"{arguments[0]} failed: {run.stderr[-2000:]}"


def genisoimage(*options: str) -> Callable[[Path, Path], None]:
    def master(source: Path, image: Path) -> None:
        program = tool("genisoimage", "genisoimage")
        _run(program, "-quiet", "-V", VOLUME_ID, *options, "-o", image, source)

    return master


def xorriso(*options: str) -> Callable[[Path, Path], None]:
    def master(source: Path, image: Path) -> None:
        program = tool("xorriso", "xorriso")
        _run(program, "-as", "mkisofs", "-quiet", "-V", VOLUME_ID, *options, "-o", image, source)

    return master


def then(
    master: Callable[[Path, Path], None], *edits: Callable[[Path], None]
) -> Callable[[Path, Path], None]:
    """Return a master that edits the finished image's bytes."""

    def mastered(source: Path, image: Path) -> None:
        master(source, image)
        for edit in edits:
            edit(image)

    return mastered


def _xorriso_native(*commands: str) -> Callable[[Path, Path], None]:
    def master(source: Path, image: Path) -> None:
        program = tool("xorriso", "xorriso")
        start = ["-volid", VOLUME_ID, "-joliet", "on", "-map", str(source), "/"]
        _run(program, "-abort_on", "FAILURE", "-outdev", image, *start, *commands)

    return master


def _two_sessions(source: Path, image: Path) -> None:
    _xorriso_native()(source, image)
    later = source.parent / "later.txt"
    later.write_text("added by the second session\n")
    program = tool("xorriso", "xorriso")
    _run(program, "-dev", image, "-joliet", "on", "-map", later, "/later.txt")


def _hybrid(*options: str) -> Callable[[Path, Path], None]:
    """An El Torito image that also carries a partition table for USB sticks."""

    def master(source: Path, image: Path) -> None:
        template, partition = source.parent / "mbr.bin", source.parent / "efi.img"
        template.write_bytes(b"\xfa\x31\xc0" + bytes(429))
        partition.write_bytes(noise("efi", 64 * 1024))
        table = [str(partition) if option == "PARTITION" else option for option in options]
        _el_torito_source(source)
        xorriso(
            *("-R", "-J", "-b", "boot.img", "-c", "boot.cat", "-no-emul-boot"),
            *("-boot-load-size", "4", "-boot-info-table", "-isohybrid-mbr", str(template), *table),
        )(source, image)

    return master


def _el_torito_source(source: Path) -> None:
    (source / "boot.img").write_bytes(noise("boot", 8192))
    os.utime(source / "boot.img", (1_500_000_000, 1_500_000_000))


def _el_torito(source: Path, image: Path) -> None:
    _el_torito_source(source)
    options = ("-R", "-J", "-b", "boot.img", "-c", "boot.cat", "-no-emul-boot")
    genisoimage(*options)(source, image)


def _zisofs(source: Path, image: Path) -> None:
    _xorriso_native("-set_filter_r", "--zisofs", "/", "--")(source, image)


def _by_pycdlib(**options: Any) -> Callable[[Path, Path], None]:
    """Master by pycdlib: the third family of writers, with its own habits."""

    def master(source: Path, image: Path) -> None:
        iso = pycdlib.PyCdlib()
        iso.new(interchange_level=3, vol_ident=VOLUME_ID, **options)
        plain: dict[str, str] = {"": ""}
        for path in sorted(source.rglob("*")):
            if path.is_symlink():
                continue
            name = path.relative_to(source).as_posix()
            parent, _, last = name.rpartition("/")
            short = f"{plain[parent]}/{_short_name(last, len(plain))}"
            plain[name] = short
            named: dict[str, Any] = {}
            if options.get("rock_ridge"):
                named |= {"rr_name": last, "file_mode": path.stat().st_mode}
            if options.get("joliet"):
                named["joliet_path"] = f"/{name}"
            if options.get("udf"):
                named["udf_path"] = f"/{name}"
            if path.is_dir():
                iso.add_directory(short, **named)
            else:
                iso.add_file(str(path), f"{short};1", **named)
        iso.write(str(image))
        iso.close()

    return master


def _short_name(name: str, number: int) -> str:
    stem, dot, suffix = name.upper().rpartition(".")
    keep = "".join(
        c for c in (stem if dot else suffix) if c.isascii() and (c.isalnum() or c == "_")
    )
    return f"{keep[:5]}{number:03}" + (f".{suffix[:3]}" if dot else "")


_BOTH = ("rock_ridge", "joliet", "iso9660")
_BRIDGE = ("rock_ridge", "joliet", "udf", "iso9660")

IMAGES: Mapping[str, Image] = {
    "genisoimage": Image(_BOTH, genisoimage("-R", "-J")),
    "xorriso": Image(_BOTH, xorriso("-R", "-J")),
    "pycdlib": Image(_BOTH, _by_pycdlib(rock_ridge="1.09", joliet=3)),
    "pycdlib-rrip112": Image(("rock_ridge", "iso9660"), _by_pycdlib(rock_ridge="1.12")),
    "normalised": Image(_BOTH, genisoimage("-r", "-J", "-joliet-long", "-T", "-l")),
    "relaxed-names": Image(_BOTH, genisoimage("-R", "-J", "-l", "-allow-lowercase", "-N", "-d")),
    "unpadded": Image(_BOTH, genisoimage("-R", "-J", "-no-pad")),
    "udf-bridge": Image(_BRIDGE, genisoimage("-R", "-J", "-udf")),
    "udf-unpadded": Image(_BRIDGE, genisoimage("-R", "-J", "-udf", "-no-pad")),
    "udf-plain": Image(("udf", "iso9660"), genisoimage("-udf")),
    "udf-pycdlib": Image(("joliet", "udf", "iso9660"), _by_pycdlib(joliet=3, udf="2.60")),
    "level1": Image(("iso9660",), genisoimage("-iso-level", "1")),
    "level4": Image(_BOTH, genisoimage("-iso-level", "4", "-R", "-J")),
    "level4-plain": Image(("iso9660",), genisoimage("-iso-level", "4")),
    "joliet-only": Image(("joliet", "iso9660"), genisoimage("-J")),
    "rock-ridge-only": Image(("rock_ridge", "iso9660"), genisoimage("-R")),
    "deep": Image(_BOTH, genisoimage("-R", "-J"), deep_tree),
    "deep-xorriso": Image(_BOTH, xorriso("-R", "-J", "-rr_reloc_dir", "/rr_moved"), deep_tree),
    "deep-udf": Image(_BRIDGE, genisoimage("-R", "-J", "-udf"), deep_tree),
    "wide": Image(_BOTH, genisoimage("-R", "-J"), wide_tree(120)),
    "wide-xorriso": Image(_BOTH, xorriso("-R", "-J"), wide_tree(120)),
    "wide-udf": Image(_BRIDGE, genisoimage("-R", "-J", "-udf"), wide_tree(120)),
    "huge-directory": Image(_BOTH, genisoimage("-R", "-J"), wide_tree(16_000), slow=True),
    "long-names": Image(_BOTH, genisoimage("-R", "-J", "-joliet-long"), long_names),
    "long-names-xorriso": Image(_BOTH, xorriso("-R", "-J", "-joliet-long"), long_names),
    "long-names-udf": Image(_BRIDGE, genisoimage("-R", "-J", "-joliet-long", "-udf"), long_names),
    "long-links-xorriso": Image(_BOTH, xorriso("-R", "-J"), long_links),
    "hard-links": Image(_BOTH, genisoimage("-R", "-J", "-cache-inodes"), hard_links),
    "hard-links-xorriso": Image(_BOTH, xorriso("-R", "-J", "--hardlinks"), hard_links),
    "hard-links-udf": Image(_BRIDGE, genisoimage("-R", "-J", "-udf", "-cache-inodes"), hard_links),
    "el-torito": Image(_BOTH, _el_torito),
    "hybrid-mbr": Image(_BOTH, _hybrid()),
    "hybrid-gpt": Image(
        _BOTH,
        _hybrid("-append_partition", "2", "0xef", "PARTITION", "-appended_part_as_gpt"),
        shape="hybrid-gpt",
    ),
    "unsorted": Image(_BOTH, then(genisoimage("-R", "-J"), unsort_directory)),
    "trailing": Image(_BOTH, then(genisoimage("-R", "-J"), append_trailing)),
    "sessions": Image(_BOTH, _two_sessions),
    "checksummed": Image(_BOTH, _xorriso_native("-md5", "on")),
    "zisofs": Image(_BOTH, _zisofs, shape="zisofs"),
    "multi-extent": Image(
        _BOTH, then(xorriso("-iso-level", "3", "-R", "-J"), dig_holes), oversized, slow=True
    ),
    "flat": Image(_BOTH, genisoimage("-R", "-J"), plain_file_tree),
}


class Zoo:
    """Builds images below one directory, each once."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __getitem__(self, name: str) -> Path:
        """Return the image called *name*, built if need be. It is shared: never write to it."""
        image = self._directory / f"{name}.iso"
        if not image.exists():
            source = self.source(name)
            unfinished = image.with_suffix(".part")
            IMAGES[name].master(source, unfinished)
            unfinished.chmod(0o444)
            unfinished.rename(image)
        return image

    def source(self, name: str) -> Path:
        """Return the directory that the image called *name* is made of."""
        source = self._directory / name / "tree"
        if not source.exists():
            source.mkdir(parents=True)
            IMAGES[name].layout(source)
        return source
