# SPDX-License-Identifier: Apache-2.0
"""A page as one HTML file that loads nothing.

Every value passes one gate: what is not printable is escaped as on a terminal, a private key is
hidden, and then jinja2 escapes what HTML would read.
"""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ngtpatch._version import __version__
from ngtpatch.disclosure import printable, shell_word
from ngtpatch.report.fleet_page import CHECKS, FleetPage

if TYPE_CHECKING:
    from ngtpatch.report.image_page import ImagePage

__all__ = ["html"]

_ROOM = files("ngtpatch.report")


def html(page: ImagePage | FleetPage, *, made: str) -> str:
    """Return *page* as HTML.

    Args:
        page: what it says.
        made: when, UTC in ISO 8601.
    """
    import jinja2
    from markupsafe import Markup

    def gate(value: object) -> object:
        # Of a macro comes what has passed already.
        return (
            printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value
        )

    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=gate,
        loader=jinja2.FunctionLoader(_text),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["code"] = _code
    return environment.get_template("page.html.j2").render(
        page=page,
        made=made,
        version=__version__,
        css=_embedded("page.css"),
        early=_embedded("early.js"),
        js=_embedded("page.js"),
        **(_of_a_fleet(page) if isinstance(page, FleetPage) else {}),
    )


def _of_a_fleet(page: FleetPage) -> dict[str, Any]:
    directory = shell_word(Path(page.directory))
    first = next((row.output for row in page.rows if row.check != "failed"), "VM.iso")
    return {
        "checks": CHECKS,
        "state_choices": [(check, check) for check, _ in page.counts],
        "plan_command": f"ngtpatch identity check {directory} --plan -o renew.md",
        "undo_command": f"ngtpatch reset {shell_word(Path(page.directory, first))}"
        " --base VENDOR.iso -o FILE",
    }


def _text(name: str) -> str:
    return (_ROOM / name).read_text(encoding="utf-8")


def _embedded(name: str) -> dict[str, Any]:
    """Return a file of ours, and the source expression that lets the page's policy take it."""
    from markupsafe import Markup

    text = _text(name)
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    source = f"'sha256-{digest}'"
    return {"text": Markup(text), "source": Markup(source)}  # noqa: S704 - no word of others


def _code(text: str) -> Any:
    """Return a piece of a line of a file: tabs stay, what else is not printable is escaped."""
    from markupsafe import Markup, escape

    return Markup("\t").join(escape(printable(part)) for part in re.split("\t", text))
