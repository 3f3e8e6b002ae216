# SPDX-License-Identifier: Apache-2.0
"""Whether every byte of an image is accounted for, and what its installer accepts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ngtpatch.errors import InputError
from ngtpatch.flow.verification import (
    Accounted,
    Problem,
    Recorded,
    Verification,
    failure,
    problems_of,
    without_profile,
)

if TYPE_CHECKING:
    from ngtpatch.flow.verdicts import Support
    from ngtpatch.iso.read.bytesource import ByteSource
    from ngtpatch.iso.read.volume import Volume

__all__ = ["Verification", "accepted", "verify"]


def verify(
    image: str | Path,
    *,
    base: str | Path | None = None,
    distros: Sequence[str] = (),
    document: str | Path | None = None,
    profile_dirs: Sequence[str | Path] = (),
    patch_dirs: Sequence[str | Path] = (),
    accept_unproven: Sequence[str] = (),
    answers: Support | None = None,
) -> Verification:
    """Account for every byte of *image*, and ask it what it accepts.

    A false ``ok`` is a result, not an exception.

    Args:
        image: an image or a block device; with *document*, a directory that ``--output-tree``
            wrote.
        base: what it was made from: an image, a block device or a directory. Outside the recorded
            regions every byte is compared with it. Without it the undo is done in memory, and
            the digest that the record names is looked for.
        distros: ids of profiles that it has to accept.
        document: what ``rebuild --json`` printed when it wrote the directory.
        profile_dirs: directories of profiles beside the shipped ones.
        patch_dirs: directories of patches beside the shipped ones.
        accept_unproven: digests of lines that were not understood when it was made, and read.
        answers: what ``support`` said of *image* with the same directories, where that is known.

    Raises:
        InputError: one of them cannot be read at all.
        UsageError: ``no-base`` or ``no-document``: a directory needs both.
        Refusal: ``unknown-profile``.
    """
    from ngtpatch.flow.imaged import base_image
    from ngtpatch.iso.compare.proof import prove
    from ngtpatch.iso.read.volume import Volume
    from ngtpatch.patching.profile import load_profiles

    profiles = load_profiles(profile_dirs)
    if Path(image).is_dir() or document is not None:
        from ngtpatch.flow.verify_tree import tree_sides, verify_tree

        sides = tree_sides(image, base, document)
        accepts, refused = accepted(
            image, distros=distros, profile_dirs=profile_dirs, patch_dirs=patch_dirs,
            answers=answers,
        )  # fmt: skip
        return verify_tree(*sides, profiles=profiles, accepts=accepts, refused=refused)
    with ExitStack() as stack:
        volume = stack.enter_context(Volume.open(image))
        original = None if base is None else stack.enter_context(base_image(base))
        proof = prove(volume, original)
        own = not proof.identical
        found = (
            *problems_of(proof),
            *_structure(volume, original, own=own),
            *_remarks(volume, own=own),
        )
        accepts, refused = accepted(
            image, distros=distros, profile_dirs=profile_dirs, patch_dirs=patch_dirs,
            answers=answers,
        )  # fmt: skip
        verdict: Literal["verified", "identical", "not-verified"] = "verified"
        if proof.identical:
            verdict = "identical"
        elif any(problem.counts for problem in found):
            verdict = "not-verified"
        refused = (*refused, *_uncertain(volume, distros, accept_unproven))
        problems = (*found, *refused)
        failed = failure(problems, str(image))
        if failed is not None and failed.code == "no-record" and original is not None:
            failed = replace(failed, hint=_without_record(image, str(base), original))
        return Verification(
            image=str(image),
            base=None if base is None else str(base),
            verdict=verdict,
            ok=failed is None,
            error=failed,
            problems=problems,
            trees=volume.trees,
            entries=sum(len(volume.entries(tree)) for tree in volume.trees),
            record=_record(volume),
            recorded=_recorded(volume),
            bytes=Accounted(
                ground=proof.ground,
                regions=proof.regions,
                differing=proof.differing,
                digest=proof.digest,
                unseen=(
                    *proof.unseen,
                    *without_profile(_made_for(volume), profiles, by="record"),
                ),
            ),
            accepts=accepts,
        )


def _without_record(image: str | Path, base: str, original: Volume) -> str:
    """Return what to do about an image without a record that is not its base either."""
    if original.record is None:
        return f"it is not {base}, and nothing on it says why: make it anew from the vendor's ISO"
    return f"{base} has a record: if that one was made of {image}, name them the other way round"


def accepted(
    image: str | Path,
    *,
    distros: Sequence[str] = (),
    profile_dirs: Sequence[str | Path] = (),
    patch_dirs: Sequence[str | Path] = (),
    answers: Support | None = None,
) -> tuple[tuple[str, ...] | None, tuple[Problem, ...]]:
    """Ask an image what its installer accepts, as ``support`` does.

    Returns:
        The ids of the profiles all of whose versions it accepts as it stands, and those of
        *distros* without a profile that it accepts under one of their names at least; None where
        there is no installer to ask. And a problem for each of *distros* that is not among them.

    Raises:
        Refusal: ``unknown-profile``.
    """
    from ngtpatch.flow.support import support
    from ngtpatch.patching.choice import choose

    profiles, known = choose(distros, profile_dirs=profile_dirs)
    asked = {profile.id for profile in profiles}
    try:
        answers = answers or support(image, profile_dirs=profile_dirs, patch_dirs=patch_dirs)
    except InputError as error:
        message = f"its installer cannot be asked: {error.message}"
        return None, (Problem("not-accepted", None, message),) if distros else ()
    kept: dict[str, bool] = {}
    problems = []
    for row in answers.distros:
        if row.profile is None:
            continue
        recognised = row.verdict == "recognised"
        kept[row.profile] = kept.get(row.profile, True) and recognised
        if row.profile in asked and not recognised:
            message = f"its installer does not accept {row.name} {row.version}: {row.verdict}"
            problems.append(Problem("not-accepted", None, message))
    if known and not any(row.profile is None for row in answers.distros):
        answers = support(
            image, distros=tuple(known), profile_dirs=profile_dirs, patch_dirs=patch_dirs
        )
    stock = {row.name for row in answers.distros if row.verdict == "recognised"}
    for one, names in known.items():
        kept[one] = not stock.isdisjoint(names)
        if not kept[one]:
            message = f"its installer does not accept {' or '.join(map(repr, names))}"
            problems.append(Problem("not-accepted", None, message))
    return tuple(one for one, all_of_it in kept.items() if all_of_it), tuple(problems)


def _uncertain(volume: Volume, distros: Sequence[str], accept: Sequence[str]) -> Iterator[Problem]:
    """Yield what was uncertain when the image was made; it counts unless it is accepted."""
    from ngtpatch.iso.read.build_record import BuildRecord
    from ngtpatch.patching.doubts import Doubt, doubts_digest

    about = volume.record.about if isinstance(volume.record, BuildRecord) else {}
    doubts = [
        Doubt(one["path"], one["line"], one["kind"], one["sha256"])
        for one in about.get("unproven", ())
    ]
    if not doubts or not distros:
        return
    named = ", ".join(f"{one.path}:{one.line}" for one in doubts)
    digest = doubts_digest(doubts)
    if digest in {one.strip().lower() for one in accept}:
        yield Problem("uncertain", None, f"uncertain, accepted: {named}", counts=False)
    else:
        message = (
            f"uncertain: {named} were not understood when it was made; if you have read them, say"
            f" so with --accept-unproven {digest}"
        )
        yield Problem("uncertain", None, message)


def _structure(volume: Volume, original: Volume | None, *, own: bool) -> tuple[Problem, ...]:
    """Return the faults of structure, with whether they are the image's own.

    Args:
        volume: the image.
        original: the vendor's; without it, what the record gives back of that.
        own: whether the image is another than the vendor's.
    """
    from ngtpatch.iso.check import check, introduced
    from ngtpatch.iso.read.build_record import BuildRecord

    findings = check(volume)
    vendor: ByteSource | None = original
    if vendor is None and isinstance(volume.record, BuildRecord):
        vendor = volume.record.vendor(volume)
    new = findings if vendor is None else introduced(findings, check(vendor))
    return tuple(
        Problem(f.code, f.offset, f.message, counts=own and f.severity != "warning" and f in new)
        for f in findings
    )


def _remarks(volume: Volume, *, own: bool) -> tuple[Problem, ...]:
    from ngtpatch.flow.remarks import remarks

    return tuple(
        Problem(one.code, None, one.text, counts=own and one.counts) for one in remarks(volume)
    )


def _record(volume: Volume) -> str:
    from ngtpatch.iso.read.build_record import BuildRecord

    record = volume.record
    if record is None:
        return "absent"
    if not isinstance(record, BuildRecord):
        return f"damaged: {record.reason}"
    if not record.intact(volume.source, volume.pieces):
        return "broken: the image was changed after it was written"
    return "valid"


def _made_for(volume: Volume) -> tuple[str, ...]:
    """Return the ids of the profiles that an image was made for, by its record."""
    from ngtpatch.iso.read.build_record import BuildRecord

    about = volume.record.about if isinstance(volume.record, BuildRecord) else {}
    named = about.get("profiles", ())
    return tuple(map(str, named)) if isinstance(named, list | tuple) else ()


def _recorded(volume: Volume) -> tuple[Recorded, ...]:
    from ngtpatch.files.wellknown import IDENTITY_PATHS
    from ngtpatch.iso.read.build_record import BuildRecord

    if not isinstance(volume.record, BuildRecord):
        return ()
    return tuple(
        Recorded(
            change.path,
            change.within,
            change.kind,
            # A record that names no digest of another file does not make it identity.
            identity=change.within is None
            and change.path in IDENTITY_PATHS
            and change.sha256_before is None
            and change.sha256_after is None,
        )
        for change in volume.record.changes
    )
