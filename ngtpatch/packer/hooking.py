# SPDX-License-Identifier: Apache-2.0
"""A provisioner's call: what to do comes from the environment, what was done goes to a file."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ngtpatch.document import document
from ngtpatch.errors import NgtpatchError
from ngtpatch.files.atomic import new_file
from ngtpatch.packer.environment import HookRequest, PackerContext
from ngtpatch.packer.preparing import PrepareResult, prepare

__all__ = ["HookResult", "hook", "run_hook"]


@dataclass(frozen=True)
class HookResult:
    """The document of ``ngtpatch packer hook``, and of NGTPATCH_RESULT.

    Attributes:
        build: the Packer build that asked.
        prepared: the ISO.
    """

    SCHEMA: ClassVar[str] = "ngtpatch.packer-hook/1"

    build: PackerContext
    prepared: PrepareResult


def run_hook(request: HookRequest, context: PackerContext | None = None) -> HookResult:
    """Do what *request* asks, and write its result file where it names one.

    Raises:
        UsageError, InputError, Refusal, VerificationError: as
            :func:`ngtpatch.packer.prepare`. The result file then holds the error.
    """
    try:
        prepared = prepare(
            request.iso,
            distros=request.distros,
            output=request.output,
            vm_config=request.vm_config,
            cache_dir=request.cache_dir,
        )
    except NgtpatchError as error:
        _write(request.result, {"schema": HookResult.SCHEMA, "error": _described(error)})
        raise
    result = HookResult(context or PackerContext(), prepared)
    _write(request.result, document(result))
    return result


def hook(environ: Mapping[str, str] | None = None) -> HookResult:
    """Do what the environment asks. For ``inline_shebang``: this is the whole program.

    So it speaks like one: a line on stdout when it is done, one message on stderr and the
    error's exit code (``valid_exit_codes`` can accept it) when it fails. Callers who want
    exceptions take :func:`run_hook`.

    Raises:
        SystemExit: with the error's exit code.
    """
    try:
        result = run_hook(HookRequest.from_env(environ), PackerContext.from_env(environ))
    except NgtpatchError as error:
        sys.stderr.write(f"ngtpatch: {error}\n")
        if error.hint:
            sys.stderr.write(f"  {error.hint}\n")
        raise SystemExit(error.exit_code) from None
    prepared = result.prepared
    for notice in prepared.notices:
        sys.stdout.write(f"ngtpatch: {notice}\n")
    sys.stdout.write(f"ngtpatch: {prepared.iso_path} ({prepared.origin})\n")
    return result


def _described(error: NgtpatchError) -> dict[str, str | None]:
    return {
        "code": error.code,
        "path": error.path,
        "message": error.message,
        "hint": error.hint,
    }


def _write(path: Path | None, body: Any) -> None:
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with new_file(path, force=True) as file:
        file.write(json.dumps(body, indent=2).encode() + b"\n")
