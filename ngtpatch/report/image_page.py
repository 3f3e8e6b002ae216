# SPDX-License-Identifier: Apache-2.0
"""The page of one image: what it was made from, what was changed, what was looked at.

Nothing is found out here. ``verify``, ``support``, ``diff``, ``inspect`` and the check of
provenance look; the page says what they found, and names what none of them looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ngtpatch.errors import UsageError
from ngtpatch.files.digest import sha256_of_source
from ngtpatch.report.distro_rows import DistroRow, HazardRow, distro_rows, not_read
from ngtpatch.report.image_map import ImageMap, image_map
from ngtpatch.report.shown_files import (
    MOST_FILES,
    FileShown,
    files_of_document,
    shown_files,
    what_else_differs,
)
from ngtpatch.report.standing_still import standing_still
from ngtpatch.report.stated import (
    Standing,
    Stated,
    Undo,
    check_statement,
    state_digests,
    state_provenance,
    state_record,
    undo_of,
)

if TYPE_CHECKING:
    from ngtpatch.flow.inspect import Identified, Inspection
    from ngtpatch.flow.rebuild import RebuildResult
    from ngtpatch.iso.read.volume import Volume
    from ngtpatch.provenance import ProvenanceVerification, Verified

# What the installer decides says nothing against the bytes.
_OF_THE_INSTALLER = frozenset({"not-accepted", "uncertain"})

__all__ = ["Asked", "ImagePage", "page_of_document", "page_of_images"]


@dataclass(frozen=True)
class Asked:
    """What the reader of the page wants to know beside what it always says.

    Attributes:
        distros: ids of profiles that the image has to accept; none: those in its record.
        key: the public key that must have signed the statement beside it.
        profile_dirs: directories of profiles beside the shipped ones.
        patch_dirs: directories of patches beside the shipped ones.
        accept_unproven: digests of lines that were not understood, and read.
    """

    distros: Sequence[str] = ()
    key: Path | None = None
    profile_dirs: Sequence[str | Path] = ()
    patch_dirs: Sequence[str | Path] = ()
    accept_unproven: Sequence[str] = ()


@dataclass(frozen=True)
class Headline:
    """The one sentence that a reader takes away."""

    state: Standing
    word: str
    sentence: str
    hint: str | None = None


@dataclass(frozen=True)
class IdentityShown:
    """The identity on one of the two, redacted; *facts* None where nothing was looked at."""

    what: str
    source: str
    facts: Identified | None


@dataclass(frozen=True)
class ImagePage:
    """What the page of an image says.

    Attributes:
        base: what it was made from, as it was named.
        image: itself; None where a document names no output.
        ngt: ngt_version of the two.
        profiles: ids of the profiles that it was rebuilt for.
        untold: why that is not known; None where it is.
        problems: what is wrong or unproven, each with whether it counts.
        has_to_accept: ids of the profiles that it was asked for.
        proven: what was proven, and by what.
        unseen: what was not looked at.
        not_read: a sentence for each file of the image's installer of which something was not
            looked into, or that decides beside the way and was left as it is.
        entries_note: what differs beside files: trees, labels.
    """

    kind: Literal["image", "document"]
    base: str
    image: str | None
    ngt: tuple[str | None, str | None]
    era: int | None
    profiles: tuple[str, ...]
    untold: str | None
    headline: Headline
    verdict: str
    has_to_accept: tuple[str, ...] = ()
    proven: tuple[str, ...] = ()
    problems: tuple[tuple[str, str, bool], ...] = ()
    distros: tuple[DistroRow, ...] = ()
    hazards: tuple[HazardRow, ...] = ()
    not_read: tuple[str, ...] = ()
    files: tuple[FileShown, ...] = ()
    files_left_out: int = 0
    entries_note: tuple[str, ...] = ()
    map: ImageMap | None = None
    map_missing: str | None = None
    identities: tuple[IdentityShown, ...] = ()
    digests: tuple[Stated, ...] = ()
    undo: Undo = field(default_factory=lambda: Undo(None, ""))
    notices: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()

    @property
    def attention(self) -> bool:
        """Whether something on the page needs a person."""
        return self.headline.state == "bad"

    @property
    def title(self) -> str:
        """What the page is about."""
        return Path(self.image or self.base).name

    def counted(self, what: str) -> int:
        """Return how many releases are gained, lost, accepted before or after."""
        return sum(
            len(row.versions)
            for row in self.distros
            if what in (row.change, f"{row.before} before", f"{row.after} after")
        )


def page_of_images(
    base: Path, image: Path, asked: Asked, *, document: tuple[Path, RebuildResult] | None = None
) -> ImagePage:
    """Look at *base* and at *image*, and return what is found.

    Args:
        base: what it was made from: an image, a device or a directory.
        image: the image, or a directory that ``--output-tree`` wrote.
        asked: what else the reader wants to know.
        document: what the rebuild printed, and from which file that was read.

    Raises:
        InputError: one of them cannot be read.
        UsageError: ``no-document``: a directory needs it.
        Refusal: ``unknown-profile``.
        NgtpatchError: ``source-changed``: one of them is another by now.
    """
    with standing_still(base, image):
        return _page_of_images(base, image, asked, document)


def _page_of_images(
    base: Path, image: Path, asked: Asked, document: tuple[Path, RebuildResult] | None
) -> ImagePage:
    from ngtpatch.flow.diff import diff
    from ngtpatch.flow.inspect import inspect
    from ngtpatch.flow.support import support
    from ngtpatch.flow.verify import verify
    from ngtpatch.patching.choice import choose
    from ngtpatch.patching.profile import load_profiles
    from ngtpatch.provenance import Verified

    if image.is_dir() and document is None:  # before anything takes long
        raise UsageError(
            "no-document",
            "is a directory, which has no record of what was done",
            path=str(image),
            hint="name alone what 'rebuild --json --output-tree' printed: it names both",
        )
    profile_dirs, patch_dirs = asked.profile_dirs, asked.patch_dirs
    # What needs no profile is asked of both as well, beside all that have one.
    _, stock = choose(asked.distros, profile_dirs=profile_dirs)
    among = (*load_profiles(profile_dirs), *stock) if stock else ()
    stated = check_statement(image, base, asked.key)
    before, after = inspect(base), inspect(image)
    profiles = _recorded_profiles(after, document)
    known = tuple(asked.distros) or _known(profiles, asked)
    shipped, patched = (
        support(one, distros=among, profile_dirs=profile_dirs, patch_dirs=patch_dirs)
        for one in (base, image)
    )
    verified = verify(
        image,
        base=base,
        distros=known,
        document=document[0] if document and image.is_dir() else None,
        profile_dirs=profile_dirs,
        patch_dirs=patch_dirs,
        accept_unproven=asked.accept_unproven,
        answers=patched,
    )
    result = Verified.of(verified, stated)
    differences = diff(base, image)
    files = tuple(shown_files(differences, after, result))
    sound = not any(one.counts and one.code not in _OF_THE_INSTALLER for one in result.problems)
    digests, drawn, undo = _of_bytes(base, image, stated, document, key=asked.key, sound=sound)
    asked_for = {*known, *(row.name for row in patched.distros if row.profile is None)}
    distros, hazards = distro_rows(shipped, patched, frozenset(asked_for))
    return ImagePage(
        kind="image",
        base=str(base),
        image=str(image),
        ngt=(before.ngt.version, after.ngt.version),
        era=after.ngt.era,
        profiles=profiles,
        untold=_untold(after, document),
        headline=_headline(result, digests),
        verdict=_verdict(result, digests),
        has_to_accept=known,
        proven=tuple(one for one in result.sentences() if not one.startswith("not looked at")),
        problems=tuple(_problems(result, digests)),
        distros=distros,
        hazards=hazards,
        not_read=tuple(not_read(patched)),
        files=files[:MOST_FILES],
        files_left_out=max(len(files) - MOST_FILES, 0),
        entries_note=tuple(what_else_differs(differences)),
        map=drawn,
        map_missing=_no_map(drawn, image),
        identities=(
            IdentityShown("what it was made from", str(base), before.identity),
            IdentityShown("the image", str(image), after.identity),
        ),
        digests=digests,
        undo=undo,
        notices=(*after.notices, *_accepted_doubts(after)),
        unseen=(
            *_unseen(result, before, after, asked.key),
            *(
                f"whether the disc in {path} was changed while the page was made"
                for path in (base, image)
                if path.is_block_device()
            ),
        ),
    )


def page_of_document(document: RebuildResult, source: str, missing: Sequence[str]) -> ImagePage:
    """Return what a rebuild's document says, where its images are not there to be looked at.

    Args:
        document: what the rebuild printed.
        source: where that was read from, for sentences.
        missing: which of its images are not there, and why, in words.
    """
    files = tuple(files_of_document(document))
    scrubbed = any(
        entry.sha256_before is None and entry.done != "added" for entry in document.changed
    )
    return ImagePage(
        kind="document",
        base=document.source,
        image=document.output,
        ngt=(None, None),
        era=None,
        profiles=document.profiles,
        untold=None,
        headline=Headline(
            "unknown",
            "Not verified",
            f"This page says what {source} says. No image was looked at: {'; '.join(missing)}.",
            "Make the page again where both are: ngtpatch report BASE OUT -o HTML",
        ),
        verdict="not-looked-at",
        files=files[:MOST_FILES],
        files_left_out=max(len(files) - MOST_FILES, 0),
        map_missing="No map: the image was not looked at.",
        digests=(
            Stated("The image, SHA-256", document.sha256, f"said by {source}: no image was read"),
            Stated("Signature", None, "not checked: no image was looked at"),
        ),
        undo=undo_of(document.output or "OUT", document.source, scrubbed=scrubbed),
        notices=(*document.notices, *(f"{_DOUBT}{doubt}" for doubt in document.unproven)),
        unseen=(
            *missing,
            "which distributions it accepts",
            "where the changed bytes lie",
            "whether it carries an identity now",
        ),
    )


def _of_bytes(
    base: Path,
    image: Path,
    stated: ProvenanceVerification | None,
    document: tuple[Path, RebuildResult] | None,
    *,
    key: Path | None,
    sound: bool,
) -> tuple[tuple[Stated, ...], ImageMap | None, Undo]:
    """Return what is said of digests and signatures, the map, and the way back."""
    from ngtpatch.iso.read.build_record import BuildRecord

    with ExitStack() as stack:
        vendor = None if base.is_dir() else stack.enter_context(_opened_again(base))
        base_sha256 = None if vendor is None else sha256_of_source(vendor.source, vendor.size)
        if image.is_dir():
            undo = Undo(None, "A directory has no record: to undo it, take what it was made from.")
            return tuple(state_digests(base, base_sha256, image, None, document)), None, undo
        written = stack.enter_context(_opened_again(image))
        sha256 = sha256_of_source(written.source, written.size)
        digests = [*state_digests(base, base_sha256, image, sha256, document)]
        record = written.record
        undo = Undo(
            None,
            "It has no record that can be believed: what it was made from is the only way back.",
        )
        if isinstance(record, BuildRecord):
            digests += state_record(record, base_sha256)
            if sound:
                undo = undo_of(str(image), str(base), scrubbed=bool(record.scrubbed))
        digests += state_provenance(image, stated, sha256, key)
        return tuple(digests), image_map(written, vendor, sound=sound), undo


def _opened_again(path: Path) -> Volume:
    """Open an image that others have opened before: pycdlib's opinion of it was heard."""
    from ngtpatch.iso.read.bytesource import FileSource
    from ngtpatch.iso.read.volume import Volume

    return Volume(FileSource(path), path, second_opinion=False)


def _untold(image: Inspection, document: tuple[Path, RebuildResult] | None) -> str | None:
    if image.record is not None or document is not None:
        return None
    return image.record_problem or "it has no record"


def _verdict(result: Verified, digests: Sequence[Stated]) -> str:
    if result.verdict == "not-verified":
        return result.verdict
    if not result.ok:
        return "not-accepted"
    return "not-as-stated" if any(one.state == "bad" for one in digests) else result.verdict


_WHICH = "find out which of both is meant, before anybody uses it"
_MEANT = {
    "document-untrue": f"{_WHICH}: the document is about another image than stands there now; of"
    " this one 'ngtpatch report BASE OUT -o HTML' makes a page",
}


def _headline(result: Verified, digests: Sequence[Stated]) -> Headline:
    wrong = next((one for one in digests if one.state == "bad"), None)
    if result.ok and wrong is not None:
        return Headline(
            "bad",
            "Not as stated",
            f"{wrong.what}: {wrong.checked}.",
            _MEANT.get(wrong.code or "", _WHICH),
        )
    if result.ok:
        word = "Verified" if result.verdict == "verified" else "Identical"
        first = next(iter(result.sentences()), "")
        return Headline("good", word, f"{first[:1].upper()}{first[1:]}.")
    error = result.error
    word = "Not verified" if result.verdict == "not-verified" else "Not accepted"
    message = error.message if error else "what was asked for does not hold"
    hint = error.hint if error else None
    return Headline("bad", word, f"{message[:1].upper()}{message[1:]}.", hint)


def _recorded_profiles(
    image: Inspection, document: tuple[Path, RebuildResult] | None
) -> tuple[str, ...]:
    if image.record is not None:
        found = image.record.get("profiles", ())
        return tuple(map(str, found)) if isinstance(found, list | tuple) else ()
    return document[1].profiles if document else ()


def _known(named: Sequence[str], asked: Asked) -> tuple[str, ...]:
    """Return the ids from a record that have a profile here; ``verify`` names the others."""
    from ngtpatch.patching.profile import load_profiles

    profiles = load_profiles(asked.profile_dirs)
    return tuple(one for one in named if one in profiles)


def _problems(result: Verified, digests: Sequence[Stated]) -> Iterator[tuple[str, str, bool]]:
    """Yield all that was found: in the image, in its statement, and in what names its digest."""
    stated = () if result.provenance is None else result.provenance.problems
    yield from ((one.code, one.message, one.counts) for one in result.problems)
    yield from ((code, message, True) for code, message in stated)
    for one in digests:
        # Where there is a statement, it was held against SHA256SUMS with the image.
        if one.code is not None and one.code not in dict(stated):
            yield one.code, f"{one.what}: {one.checked}", True


def _no_map(drawn: ImageMap | None, image: Path) -> str | None:
    if drawn is not None:
        return None
    if image.is_dir():
        return "No map: a directory has no places."
    return "No map: the image has no record, and what it was made from is a directory."


_DOUBT = "not understood, and accepted by a person: "


def _accepted_doubts(image: Inspection) -> Iterator[str]:
    """Yield the lines that were not understood when the image was made, by its record."""
    rows = (image.record or {}).get("unproven", ())
    for row in rows if isinstance(rows, list | tuple) else ():
        yield f"{_DOUBT}{row['path']}:{row['line']}: {row['kind']}"


def _unseen(
    result: Verified,
    before: Inspection,
    after: Inspection,
    key: Path | None,
) -> Iterator[str]:
    yield from result.bytes.unseen
    for where, facts in (("what it was made from", before), ("the image", after)):
        for path in facts.identity.unread:
            yield f"identity in {path}, which is compressed, on {where}"
    if result.provenance is None:
        yield "provenance: no statement stands beside the image"
    else:
        yield from result.provenance.unseen
    if result.provenance is not None and key is None:
        yield "the statement's signature: no public key was named"
    yield "what the installer does on a guest: it was followed on paper, and never run"
    yield "what the Windows installer on the disc does: its bytes alone were compared"
