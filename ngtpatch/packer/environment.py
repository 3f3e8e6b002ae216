# SPDX-License-Identifier: Apache-2.0
"""What a build hands over in environment variables: Packer's own, and ours."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ngtpatch.disclosure import redacted
from ngtpatch.errors import UsageError

__all__ = ["HookRequest", "PackerContext"]

_VARIABLES = (
    "NGTPATCH_ISO", "NGTPATCH_DISTRO", "NGTPATCH_OUTPUT", "NGTPATCH_RESULT",
    "NGTPATCH_VM_CONFIG", "NGTPATCH_CACHE_DIR",
)  # fmt: skip


@dataclass(frozen=True)
class PackerContext:
    """The build that a provisioner runs in, as Packer's shell-local tells it.

    Attributes:
        build_name: PACKER_BUILD_NAME, the source's name; None outside Packer.
        builder_type: PACKER_BUILDER_TYPE, such as ``null`` or ``nutanix``.
        run_uuid: PACKER_RUN_UUID, the same for all sources of one run.
    """

    build_name: str | None = None
    builder_type: str | None = None
    run_uuid: str | None = None

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> PackerContext:
        """Return the context that *environ*, by default the process's environment, describes."""
        environ = os.environ if environ is None else environ
        return cls(
            environ.get("PACKER_BUILD_NAME") or None,
            environ.get("PACKER_BUILDER_TYPE") or None,
            environ.get("PACKER_RUN_UUID") or None,
        )


@dataclass(frozen=True)
class HookRequest:
    """What a hook shall do.

    Attributes:
        iso: NGTPATCH_ISO, the vendor's ISO.
        distros: NGTPATCH_DISTRO, ids of profiles, separated by commas.
        output: NGTPATCH_OUTPUT, a directory; or a file, when it ends in ``.iso``.
        result: NGTPATCH_RESULT, where to write the result as JSON; optional.
        vm_config: NGTPATCH_VM_CONFIG, one VM's ngt_config.json, or a directory that also has
            its certificate and key; optional. Without it the image is stripped of identity.
        cache_dir: NGTPATCH_CACHE_DIR; optional.
        accept_unproven: NGTPATCH_ACCEPT_UNPROVEN, digests separated by commas; optional.
    """

    iso: Path
    distros: tuple[str, ...]
    output: Path
    result: Path | None = None
    vm_config: Path | None = None
    cache_dir: Path | None = None
    accept_unproven: tuple[str, ...] = ()

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> HookRequest:
        """Return the request in *environ*, by default the process's environment.

        Raises:
            UsageError: ``hook-variables``: all that are missing; ``secret``: one is a private key.
        """
        environ = os.environ if environ is None else environ
        for name in _VARIABLES:
            if redacted(value := environ.get(name, "")) != value:
                raise UsageError(
                    "secret", f"{name}: a private key is not taken as a value",
                    hint="keep the key in a file of its own that only you may read",
                )  # fmt: skip
        distros = tuple(filter(None, map(str.strip, environ.get("NGTPATCH_DISTRO", "").split(","))))
        given = {
            "NGTPATCH_ISO": environ.get("NGTPATCH_ISO"),
            "NGTPATCH_DISTRO": distros,
            "NGTPATCH_OUTPUT": environ.get("NGTPATCH_OUTPUT"),
        }
        missing = [name for name, value in given.items() if not value]
        if missing:
            raise UsageError(
                "hook-variables",
                f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set",
                hint="name them in the provisioner's environment_vars; optional are "
                "NGTPATCH_RESULT, NGTPATCH_VM_CONFIG, NGTPATCH_CACHE_DIR and"
                " NGTPATCH_ACCEPT_UNPROVEN",
            )

        def path(name: str) -> Path | None:
            return Path(environ[name]) if environ.get(name) else None

        return cls(
            iso=Path(environ["NGTPATCH_ISO"]),
            distros=distros,
            output=Path(environ["NGTPATCH_OUTPUT"]),
            result=path("NGTPATCH_RESULT"),
            vm_config=path("NGTPATCH_VM_CONFIG"),
            cache_dir=path("NGTPATCH_CACHE_DIR"),
            accept_unproven=tuple(
                filter(None, map(str.strip, environ.get("NGTPATCH_ACCEPT_UNPROVEN", "").split(",")))
            ),
        )
