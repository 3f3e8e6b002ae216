# SPDX-License-Identifier: Apache-2.0
"""``--provenance`` and ``--sign-key``, for every command that writes an ISO."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ngtpatch.cli import options
from ngtpatch.cli.output import Console
from ngtpatch.disclosure import shell_word
from ngtpatch.files.bounded import STDIN

if TYPE_CHECKING:
    from ngtpatch.provenance import Provenance

__all__ = ["foresee", "proof", "provenance_options", "tell", "wanted"]

F = TypeVar("F", bound=Callable[..., Any])


def provenance_options(function: F) -> F:
    """Add the options, which arrive as ``provenance`` and ``sign_key``."""
    for option in (
        click.option(
            "--sign-key", metavar="FILE", type=options.INPUT,
            help="Sign the statement with this ed25519 key (PEM); implies --provenance.",
        ),
        click.option(
            "--provenance", is_flag=True,
            help="Write SHA256SUMS, an in-toto statement and a CycloneDX document beside it.",
        ),
    ):  # fmt: skip
        function = option(function)
    return function


def wanted(*, provenance: bool, sign_key: Path | None) -> bool:
    """Return whether provenance was asked for; refuse now what would fail later."""
    if not provenance and sign_key is None:
        return False
    from ngtpatch.provenance import require_provenance

    require_provenance(sign_key)
    return True


def foresee(iso: Path, source: Path) -> None:
    """Refuse an ISO beside which the documents cannot be written, or that they cannot name."""
    from ngtpatch.provenance import require_places

    require_places(iso, source)


def tell(console: Console, written: Provenance) -> None:
    """Name the documents."""
    for path in (written.statement, written.sbom, written.sums):
        console.say(f"wrote    {path}")


def proof(*, provenance: bool, sign_key: Path | None) -> tuple[tuple[str, ...], str]:
    """Return what 'ngtpatch verify' is told of the documents, and where its key comes from."""
    if sign_key is None:
        return (("--provenance",) if provenance else ()), ""
    # Only the builder has the private half, and where its public one is kept is not known here.
    made = f"openssl pkey -in {shell_word(sign_key)} -pubout -out PUBLIC.pem"
    if sign_key == STDIN or not sign_key.is_file():
        made = "the public half of the key that signed"
    return ("--key", "PUBLIC.pem"), f"PUBLIC.pem: {made}"
