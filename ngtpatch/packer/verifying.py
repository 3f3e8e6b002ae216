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


@dataclass(frozen=True)
class PackerVerification:
    """The document of ``ngtpatch packer verify``.

    Attributes:
        variables: the file that was judged.
        iso_path: the ISO it names.
        iso_sha256: what that hashes to now; None where it is not there.
        problems: what is wrong; empty when nothing is.
        ok: nothing is wrong.
    """

    SCHEMA: ClassVar[str] = "ngtpatch.packer-verify/1"

    variables: str
    iso_path: str
    iso_sha256: str | None
    problems: tuple[str, ...]
    ok: bool


def verify(
    variables: str | Path = VARIABLES,
    *,
    base: str | Path | None = None,
    allow_identity: bool = False,
) -> PackerVerification:
    """Check the ISO that *variables* names.

    It is there, is called so and hashes to that; is sound, and differs from *base* only as
    its record says; accepts the profiles named; and carries no VM's identity.

    Raises:
        InputError: *variables* or the ISO cannot be read at all.
    """
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
    problems += _content(iso, values["ngt_profile"], base, allow_identity=allow_identity)
    return _verdict(variables, iso, sha256, problems)


def _content(
    iso: Path, profile: str, base: str | Path | None, *, allow_identity: bool
) -> list[str]:
    from ngtpatch.flow.inspect import inspect
    from ngtpatch.flow.support import support
    from ngtpatch.flow.verify import verify as verify_image

    problems = []
    image = verify_image(iso, base=base)
    problems += [
        problem.message for problem in image.problems if problem.counts or problem.code in _UNREADY
    ]
    problems += [
        f"{deviation.path or 'the volume'} differs from {base} in the {deviation.tree} tree"
        for deviation in image.deviations
        if not deviation.expected
    ]
    if not allow_identity and inspect(iso).identity.present:
        problems.append("it carries a VM's identity: an image made with it would be that VM's")
    rows = support(iso, distros=profile.split("+")).distros
    refused = dict.fromkeys(row.name for row in rows if row.verdict != "recognised")
    problems += [f"its installer refuses {name}" for name in refused]
    return problems


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
    variables: str | Path, iso: Path, sha256: str | None, problems: list[str]
) -> PackerVerification:
    return PackerVerification(str(variables), str(iso), sha256, tuple(problems), not problems)
