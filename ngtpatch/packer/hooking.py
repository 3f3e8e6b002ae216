# SPDX-License-Identifier: Apache-2.0
"""A provisioner's call: what to do comes from the environment, what was done goes to a file."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TextIO

from ngtpatch.disclosure import printable
from ngtpatch.document import document
from ngtpatch.errors import NgtpatchError, of_any
from ngtpatch.files.apart import require_apart
from ngtpatch.files.atomic import new_file
from ngtpatch.files.directories import foresee_directory, make_directory
from ngtpatch.interrupts import EXIT_CODE, Interrupted, heeded
from ngtpatch.packer.environment import HookRequest, PackerContext
from ngtpatch.packer.preparing import PrepareResult, prepare

__all__ = ["HookResult", "hook", "run_hook"]

_UNFINISHED = {
    "code": "unfinished",
    "path": None,
    "message": "the build has begun and not ended",
    "hint": None,
}


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


def run_hook(
    request: HookRequest,
    context: PackerContext | None = None,
    *,
    force: bool = False,
    dry_run: bool = False,
) -> HookResult:
    """Do what *request* asks, and write its result file where it names one.

    Args:
        request: what to do.
        context: the build that asks.
        force: replace a file of the output's name that is not of our making.
        dry_run: make it all, but write nothing, and no result file.

    Raises:
        UsageError, InputError, Refusal, VerificationError: as
            :func:`ngtpatch.packer.prepare`. The result file then holds the error.
        NgtpatchError, OSError: the result file cannot be written. This is found before the work.
    """
    require_apart(request.result, [request.vm_config], discs=[request.iso])
    if request.result is not None and dry_run:
        foresee_directory(request.result.parent)
    elif request.result is not None:
        # A result of an earlier build must not be taken for this one's.
        _write(request.result, {"schema": HookResult.SCHEMA, "error": _UNFINISHED})
    try:
        prepared = prepare(
            request.iso,
            distros=request.distros,
            output=request.output,
            vm_config=request.vm_config,
            cache_dir=request.cache_dir,
            accept_unproven=request.accept_unproven,
            force=force,
            dry_run=dry_run,
        )
    except Exception as error:
        with suppress(OSError, NgtpatchError):  # the first error is the one to tell
            if not dry_run:
                _write(request.result, {"schema": HookResult.SCHEMA, "error": _described(error)})
        raise
    result = HookResult(context or PackerContext(), prepared)
    if not dry_run:
        _write(request.result, document(result))
    return result


def hook(environ: Mapping[str, str] | None = None) -> HookResult:
    """Do what the environment asks. For ``inline_shebang``: this is the whole program.

    So it speaks like one: a line on stdout when it is done, one message on stderr and the
    error's exit code (``valid_exit_codes`` can accept it) when it fails, 130 when it is told to
    end. Callers who want exceptions take :func:`run_hook`.

    Raises:
        SystemExit: with the error's exit code.
    """
    try:
        with heeded():
            result = run_hook(HookRequest.from_env(environ), PackerContext.from_env(environ))
    except Interrupted:
        _say(sys.stderr, "ngtpatch: interrupted: nothing was left half-written")
        raise SystemExit(EXIT_CODE) from None
    except Exception as error:
        failure = of_any(error)
        _say(sys.stderr, f"ngtpatch: {failure}")
        if failure.hint:
            _say(sys.stderr, f"  {failure.hint}")
        raise SystemExit(failure.exit_code) from None
    prepared = result.prepared
    for notice in prepared.notices:
        _say(sys.stdout, f"ngtpatch: {notice}")
    _say(sys.stdout, f"ngtpatch: {prepared.iso_path} ({prepared.origin})")
    return result


def _say(stream: TextIO | None, text: str) -> None:
    # What is said matters less than what was done: a closed pipe is no failure of the build.
    with suppress(OSError, ValueError):
        if stream is not None:
            line = printable(text).encode(stream.encoding or "utf-8", "backslashreplace")
            stream.write(line.decode(stream.encoding or "utf-8") + "\n")
            stream.flush()


def _described(error: Exception) -> dict[str, str | None]:
    failure = of_any(error)
    return {
        "code": failure.code,
        "path": failure.path,
        "message": failure.message,
        "hint": failure.hint,
    }


def _write(path: Path | None, body: Any) -> None:
    if path is None:
        return
    make_directory(path.parent)
    with new_file(path, force=True) as file:
        file.write(json.dumps(document(body), indent=2).encode() + b"\n")
