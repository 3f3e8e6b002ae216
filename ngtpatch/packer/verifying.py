# SPDX-License-Identifier: Apache-2.0
"""Whether the ISO that a template attaches is the one that was prepared, and fit to share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ngtpatch.errors import InputError
from ngtpatch.files.digest import sha256_of_file
from ngtpatch.files.json_file import read_json_object
from ngtpatch.packer.preparing import VARIABLES

__all__ = ["PackerVerification", "verify"]

_NAMES = ("ngt_iso_path", "ngt_iso_name", "ngt_iso_sha256", "ngt_profile")
# Sound, and yet no disc that an agent finds or an installer goes on with.
_UNREADY = ("label", "no-config")
_MAX_BYTES = 1 << 20
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
    """

    SCHEMA: ClassVar[str] = "ngtpatch.packer-verify/1"

    variables: str
    iso_path: str
    iso_sha256: str | None
    problems: tuple[str, ...]
    proven: tuple[str, ...]
    ok: bool


def verify(
    variables: str | Path = VARIABLES,
    *,
    base: str | Path | None = None,
    allow_identity: bool = False,
) -> PackerVerification:
    """Check the ISO that *variables* names.

    It is there, is called so and hashes to that; every byte of it is accounted for, as
    :func:`ngtpatch.verify` does; it accepts the profiles named, and carries no VM's identity.

    Raises:
        InputError: *variables* or the ISO cannot be read at all.
    """
    from ngtpatch.flow.inspect import inspect

    values = _read(Path(variables))
    iso = Path(values["ngt_iso_path"])
    if not iso.is_file():
        return _verdict(variables, iso, None, ["it is not there: run ngtpatch packer prepare"])
    sha256 = sha256_of_file(iso)
    problems = []
    if sha256 != values["ngt_iso_sha256"]:
        problems.append(f"it hashes to {sha256}, and {values['ngt_iso_sha256']} was prepared")
    if iso.name != values["ngt_iso_name"] or iso.suffix != ".iso":
        problems.append(f"it is called {iso.name}, and {values['ngt_iso_name']} was prepared")
    wrong, proven = _content(iso, values["ngt_profile"], base, prepared=not problems)
    if not allow_identity and inspect(iso).identity.present:
        wrong.append("it carries a VM's identity: an image made with it would be that VM's")
    return _verdict(variables, iso, sha256, [*problems, *wrong], proven)


def _content(
    iso: Path, profile: str, base: str | Path | None, *, prepared: bool
) -> tuple[list[str], tuple[str, ...]]:
    """Return what is wrong with the ISO itself, and what was proven.

    Args:
        iso: the image.
        profile: what it has to accept.
        base: the vendor's.
        prepared: it has the digest that it was prepared with. Then that accounts for its bytes
            where the image itself cannot: a vendor's ISO that is passed on has no record.
    """
    from ngtpatch.flow.verify import verify as verify_image

    image = verify_image(iso, base=base, distros=profile.split("+"))
    wrong = [one for one in image.problems if one.counts or one.code in _UNREADY]
    proven = [*image.sentences()]
    if prepared:
        proven.append("its SHA-256 is the one that it was prepared with")
        proven += [f"by that digest alone: {one.message}" for one in wrong if one.code in _SILENT]
        wrong = [one for one in wrong if one.code not in _SILENT]
    return [one.message for one in wrong], tuple(proven)


def _read(path: Path) -> dict[str, str]:
    how = "ngtpatch packer prepare writes it"
    values = read_json_object(
        path, limit=_MAX_BYTES, what="file of variables", code="variables", hint=how
    )
    missing = [name for name in _NAMES if not isinstance(values.get(name), str)]
    if missing:
        raise InputError(
            "variables", f"lacks {', '.join(missing)}", path=str(path),
            hint="ngtpatch packer prepare writes them",
        )  # fmt: skip
    return {name: values[name] for name in _NAMES}


def _verdict(
    variables: str | Path,
    iso: Path,
    sha256: str | None,
    problems: list[str],
    proven: tuple[str, ...] = (),
) -> PackerVerification:
    ok = not problems
    return PackerVerification(str(variables), str(iso), sha256, tuple(problems), proven, ok)
