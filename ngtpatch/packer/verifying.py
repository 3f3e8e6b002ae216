# SPDX-License-Identifier: Apache-2.0
"""Whether the ISO that a template attaches is the one that was prepared, and fit to share."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ngtpatch.flow.opened import open_source
from ngtpatch.flow.traces import Traces, find_traces
from ngtpatch.identity.exchange import carriers
from ngtpatch.packer.variables import VARIABLES, read_variables

__all__ = ["PackerVerification", "verify"]

# Sound, and yet no disc that an agent finds or an installer goes on with.
_UNREADY = ("label", "no-config")
_SILENT = frozenset({"no-record", "no-digest"})
"""What an image cannot say of itself; it says nothing against it."""


@dataclass(frozen=True)
class PackerVerification:
    """The document of ``ngtpatch packer verify``.

    Attributes:
        variables: the file that was judged.
        iso_path: the ISO it names.
        iso_sha256: what that hashes to now; None where it is not there.
        problems: what is wrong, or could not be proven; empty when nothing is.
        proven: what was looked at, what that rests on, and what was not looked at: the
            sentences of ``ngtpatch verify``.
        ok: nothing is wrong.
        unread: compressed files that were not looked into for identity; None: it was not looked
            for.
        notices: what a person should know: what was uncertain, and accepted.
    """

    SCHEMA: ClassVar[str] = "ngtpatch.packer-verify/1"

    variables: str
    iso_path: str
    iso_sha256: str | None
    problems: tuple[str, ...]
    proven: tuple[str, ...]
    ok: bool
    unread: tuple[str, ...] | None
    notices: tuple[str, ...] = ()


def verify(
    variables: str | Path = VARIABLES,
    *,
    base: str | Path | None = None,
    allow_identity: bool = False,
    allowed: Collection[str] = (),
    accept_unproven: Sequence[str] = (),
) -> PackerVerification:
    """Check the ISO that *variables* names.

    It is there, is called so and hashes to that; every byte of it is accounted for, as
    :func:`ngtpatch.verify` does; it accepts the profiles named, and carries no VM's identity in
    any byte.

    Args:
        variables: the file that ``packer prepare`` wrote.
        base: the vendor's ISO.
        allow_identity: it may be one VM's.
        allowed: paths of files on it that hold a private key and are meant to.
        accept_unproven: digests of lines of its installer that were not understood when it was
            made, and were accepted.

    Raises:
        InputError: *variables* or the ISO cannot be read at all.
    """
    values = read_variables(Path(variables))
    iso = Path(values["ngt_iso_path"])
    if not iso.is_file():
        return _verdict(variables, iso, None, ["it is not there: run ngtpatch packer prepare"])
    # One pass for the digest and for what is looked for.
    with open_source(iso) as source:
        traces = find_traces(source, digest=True)
        own = carriers(source.tree, allowed=allowed)
    sha256 = str(traces.sha256)
    problems = []
    if sha256 != values["ngt_iso_sha256"]:
        problems.append(f"it hashes to {sha256}, and {values['ngt_iso_sha256']} was prepared")
    if iso.name != values["ngt_iso_name"] or iso.suffix != ".iso":
        problems.append(f"it is called {iso.name}, and {values['ngt_iso_name']} was prepared")
    wrong, proven, notices = _content(
        iso, values["ngt_profile"], base, prepared=not problems, accept_unproven=accept_unproven
    )
    if not allow_identity:
        wrong += _identity(own, traces, allowed)
    unread = None if allow_identity else traces.unread
    return _verdict(variables, iso, sha256, [*problems, *wrong], proven, unread, notices)


def _content(
    iso: Path,
    profile: str,
    base: str | Path | None,
    *,
    prepared: bool,
    accept_unproven: Sequence[str],
) -> tuple[list[str], tuple[str, ...], tuple[str, ...]]:
    """Return what is wrong with the ISO itself, what was proven, and what was accepted.

    Args:
        iso: the image.
        profile: what it has to accept.
        base: the vendor's.
        prepared: it has the digest that it was prepared with. Then that accounts for its bytes
            where the image itself cannot: a vendor's ISO that is passed on has no record.
        accept_unproven: digests of lines that were not understood, and were read.
    """
    from ngtpatch.flow.verify import verify as verify_image

    image = verify_image(
        iso, base=base, distros=profile.split("+"), accept_unproven=accept_unproven
    )
    wrong = [one for one in image.problems if one.counts or one.code in _UNREADY]
    proven = [*image.sentences()]
    if prepared:
        proven.append("its SHA-256 is the one that it was prepared with")
        proven += [f"by that digest alone: {one.message}" for one in wrong if one.code in _SILENT]
        wrong = [one for one in wrong if one.code not in _SILENT]
    notices = tuple(one.message for one in image.problems if one.code == "uncertain")
    return [one.message for one in wrong], tuple(proven), () if wrong else notices


def _identity(own: Collection[str], traces: Traces, allowed: Collection[str]) -> list[str]:
    """Return what of identity is on the ISO, wherever it is."""
    problems = []
    places = sorted({*own, *traces.beside})
    if places:
        problems.append(
            "it carries a VM's identity: an image made with it would be that VM's "
            f"({', '.join(places)})"
        )
    left = [trace for trace in traces.found if trace.path is None or trace.path not in allowed]
    return problems + [f"it holds {trace}" for trace in left]


def _verdict(
    variables: str | Path,
    iso: Path,
    sha256: str | None,
    problems: Sequence[str],
    proven: Sequence[str] = (),
    unread: tuple[str, ...] | None = None,
    notices: Sequence[str] = (),
) -> PackerVerification:
    return PackerVerification(
        str(variables),
        str(iso),
        sha256,
        tuple(problems),
        tuple(proven),
        not problems,
        unread,
        tuple(notices),
    )
