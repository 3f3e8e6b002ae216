# SPDX-License-Identifier: Apache-2.0
"""The documents of ``ngtpatch support`` and ``ngtpatch profile test``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

# Not for type checkers alone: the document's schema is read from the annotations.
from ngtpatch.patching.doubts import Doubt
from ngtpatch.patching.outcome import LeftFile

__all__ = [
    "DistroSupport",
    "HazardFound",
    "ProfileTrial",
    "Refused",
    "SiteSupport",
    "Support",
    "Verdict",
]

Verdict = Literal["recognised", "patchable", "uncertain", "refused"]


@dataclass(frozen=True)
class SiteSupport:
    """What one place of the installer decides.

    Attributes:
        path: the file.
        line: where its chain starts, as shipped.
        shipped: the branch taken as shipped: ``redhat``, ``ubuntu``, ``suse``,
            ``unsupported``, ``continues``, or ``unknown`` where the place is not understood.
        patched: the branch taken with the patches; as shipped where they do not fit.
        operand: the text that matches in the end; None where no single one does.
    """

    path: str
    line: int
    shipped: str
    patched: str
    operand: str | None


@dataclass(frozen=True)
class HazardFound:
    """What will stop the installer, or fail in it, although the name is accepted.

    Attributes:
        code: stable word for the kind of hazard.
        path: the file; empty where it is the disc itself.
        line: the line in it, as shipped; 0 where it is not about one.
        text: what happens.
        stops: whether what runs there ends; otherwise a step has no effect.
        mended_by: the kind of patch with which a rebuild mends it; None where it stays.
        on_way: whether the installation may come there. Of a file that was not reached when the
            installer was followed, and that no reached file names, that is not known.
    """

    code: str
    path: str
    line: int
    text: str
    stops: bool
    mended_by: str | None
    on_way: bool = True


@dataclass(frozen=True)
class Refused:
    """Why it cannot be patched: the refusal that a rebuild would end with."""

    code: str
    path: str | None
    message: str
    hint: str | None


@dataclass(frozen=True)
class DistroSupport:
    """One distribution in one version.

    Attributes:
        profile: the profile's id; None for an os-release that no profile covers.
        name: the distribution's title, or NAME of the os-release.
        version: the profile's version, or VERSION_ID of the os-release.
        python: the Python it brings; None where that is not known.
        evidence: how the version is known: ``os-release``, ``release-file``, or ``name`` where
            nothing but the distribution's name is.
        sites: each place that decides, by path and line.
        hazards: what else will stop it.
        verdict: about its name: ``recognised`` as shipped, ``patchable``, ``uncertain`` where
            something on the way of the installation is not understood, or ``refused``.
        runs: whether, with the patches, no hazard that stops the installation remains; None
            where its Python is not known, the verdict is uncertain, or one remains beside the
            way of the installation.
        refused: the reason, with the verdict ``refused``.
        opt_in: what is not proven about it, where it must be asked for by name.
        unproven: with the verdict ``uncertain``, the lines that are not understood.
        accept: their digest: ``rebuild --accept-unproven`` goes on with it.
        left: files beside that way which name distributions, and are not patched.
    """

    profile: str | None
    name: str
    version: str
    python: str | None
    evidence: str
    sites: tuple[SiteSupport, ...]
    hazards: tuple[HazardFound, ...]
    verdict: Verdict
    runs: bool | None
    refused: Refused | None
    opt_in: str | None
    unproven: tuple[Doubt, ...] = ()
    accept: str | None = None
    left: tuple[LeftFile, ...] = ()


@dataclass(frozen=True)
class Support:
    """The document of ``ngtpatch support``.

    Attributes:
        source: as it was named.
        ngt_version: None where it is not known.
        era: the layout of the installer: 1, 2 or 3.
        distros: in the order asked for.
        unseen: a sentence for each file of which something was not looked into.
    """

    SCHEMA: ClassVar[str] = "ngtpatch.support/1"

    source: str
    ngt_version: str | None
    era: int
    distros: tuple[DistroSupport, ...]
    unseen: tuple[str, ...] = ()

    @property
    def supported(self) -> bool:
        """Whether all are, or can be, supported."""
        return all(distro.verdict in ("recognised", "patchable") for distro in self.distros)


@dataclass(frozen=True)
class ProfileTrial:
    """The document of ``ngtpatch profile test``: what a profile does to an NGT.

    Attributes:
        source: the NGT, as it was named.
        profile: the profile's id.
        distros: each of its versions.
        names_kept: how many other known names decide at every site as they did.
        names_changed: other known names that would decide differently; none, if it is safe.
    """

    SCHEMA: ClassVar[str] = "ngtpatch.profile-test/1"

    source: str
    profile: str
    distros: tuple[DistroSupport, ...]
    names_kept: int
    names_changed: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether the profile works on this NGT and changes nobody else."""
        return not self.names_changed and all(
            one.verdict in ("recognised", "patchable") for one in self.distros
        )
