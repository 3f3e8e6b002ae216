# SPDX-License-Identifier: Apache-2.0
"""What verify found, in the words that everybody uses who says "verified"."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from ngtpatch.iso.compare.proof import Proof

__all__ = [
    "Accounted",
    "FirstProblem",
    "Problem",
    "Recorded",
    "Verification",
    "problems_of",
    "without_profile",
]

_HINTS = {
    "no-record": "name what it was made from with --base",
    "no-digest": "name what it was made from with --base",
    "wrong-base": "name the vendor's image; not one that was rebuilt, or stripped, from it",
    "record-damaged": "take the vendor's image, and rebuild",
    "not-accepted": "'ngtpatch support' says what stands in the way; for what is patchable, "
    "rebuild the vendor's ISO",
}
_GROUNDLESS = frozenset({"changed-outside", "differs", "wrong-base", "wrong-digest"})
_CHANGED = "do not use it: take the vendor's image, and rebuild"


@dataclass(frozen=True)
class Problem:
    """Something that is wrong, or that could not be proven.

    Attributes:
        code: stable word.
        offset: where in the image, in bytes; None where it has no place.
        message: what was found.
        counts: whether it keeps the image from being verified. A quirk that readers put up with
            does not, nor does a fault that the vendor's image has as well.
    """

    code: str
    offset: int | None
    message: str
    counts: bool = True


@dataclass(frozen=True)
class Recorded:
    """A file that differs from the vendor's, by the record or the document of the rebuild.

    Attributes:
        path: its name.
        within: the archive on the image that holds it; None for a file of the image itself.
        kind: ``changed``, ``added`` or ``removed``.
        identity: whether it holds, or held, a VM's identity: then no digest of it is recorded.
    """

    path: str
    within: str | None
    kind: str
    identity: bool


@dataclass(frozen=True)
class Accounted:
    """How the bytes were accounted for.

    Attributes:
        ground: what those outside the regions were held against: ``base``, ``digest`` (that the
            record names, which is not signed) or ``nothing``; of a directory, ``files``.
        regions: how many ranges the record tells of.
        differing: how many bytes in them are not the vendor's; where identity was scrubbed and
            no base is there, all of a range are counted. Of a directory: how many files.
        digest: the SHA-256 of the vendor's image that the record names; where identity was
            scrubbed and no base is there, the one without it.
        unseen: what was not looked at.
    """

    ground: Literal["base", "digest", "nothing", "files"]
    regions: int
    differing: int
    digest: str | None
    unseen: tuple[str, ...]


@dataclass(frozen=True)
class FirstProblem:
    """The first of what is wrong, in the form of every other error."""

    code: str
    path: str
    message: str
    hint: str | None


@dataclass(frozen=True)
class Verification:
    """The document of ``ngtpatch verify``.

    Attributes:
        image: as it was named.
        base: as it was named; None when there was none to compare with.
        verdict: ``verified``: every byte is accounted for; ``identical``: it is the base, byte
            for byte, and of a directory: every file is; ``not-verified``.
        ok: it is one of the first two, and accepts what was asked for.
        error: the first of what counts; None when it is ok.
        problems: all that was found.
        trees: the trees that it has.
        entries: how many entries they hold in all.
        record: ``valid``, ``absent``, or what is wrong with it.
        recorded: the files that differ, by the record.
        bytes: how the bytes were accounted for.
        accepts: ids of the profiles whose every version its installer accepts, as ``support``
            finds; None where it was not asked.
    """

    SCHEMA: ClassVar[str] = "ngtpatch.verify/1"

    image: str
    base: str | None
    verdict: Literal["verified", "identical", "not-verified"]
    ok: bool
    error: FirstProblem | None
    problems: tuple[Problem, ...]
    trees: tuple[str, ...]
    entries: int
    record: str
    recorded: tuple[Recorded, ...]
    bytes: Accounted
    accepts: tuple[str, ...] | None

    def sentences(self) -> Iterator[str]:
        """Yield what was proven, and by what."""
        found = self.bytes
        if self.verdict == "identical" and found.ground == "files":
            yield f"every file is that of {self.base}; a directory has nothing else of it"
        elif self.verdict == "identical":
            yield f"it is {self.base}, byte for byte"
        elif any(problem.code in _GROUNDLESS for problem in self.problems):
            pass  # the problem says what it was held against
        elif found.ground == "base":
            yield f"outside the recorded regions every byte was compared with {self.base}"
        elif found.ground == "digest":
            yield (
                f"undone in memory, and held against the digest that the record names, "
                f"{found.digest}; the record is not signed"
            )
        elif found.ground == "files":
            yield f"every file was compared with {self.base}, and with what the document says"
        if found.regions:
            yield f"{found.differing:,} bytes differ in {found.regions:,} regions"
        if self.accepts is not None:
            none = "none of the distributions that have a profile"
            yield f"its installer accepts {', '.join(self.accepts) or none}"
            if self.accepts:
                yield "not looked at: what else may stop it there; 'ngtpatch support' tells"
        for one in found.unseen:
            yield f"not looked at: {one}"


def problems_of(proof: Proof) -> tuple[Problem, ...]:
    """Return what keeps an image's bytes from being proven."""
    return tuple(Problem(one.code, one.offset, one.message) for one in proof.contradictions)


def without_profile(named: Sequence[str], known: Collection[str], *, by: str) -> tuple[str, ...]:
    """Return that a distribution was not asked for where *by* (the record) alone knows it.

    Args:
        named: ids of the profiles that the image was made for.
        known: ids of those that are here.
        by: who names them.
    """
    return tuple(
        f"whether it accepts {one}: the {by} names it, and there is no such profile here"
        for one in named
        if one not in known
    )


def failure(problems: tuple[Problem, ...], path: str) -> FirstProblem | None:
    """Return the first problem that counts, with the next step."""
    for problem in problems:
        if problem.counts:
            hint = _HINTS.get(problem.code, _CHANGED)
            return FirstProblem(problem.code, path, problem.message, hint)
    return None
