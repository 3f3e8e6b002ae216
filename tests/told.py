# SPDX-License-Identifier: Apache-2.0
"""The error codes that commands printed while the tests ran, and those of docs/errors.md.

``make test`` ends as failed where a code of the page was not among them (``--every-code``).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

__all__ = ["TOLD", "InProcess", "codes_of_the_page", "of_the_library", "printed", "untold"]

TOLD: set[str] = set()

PAGE = Path(__file__).resolve().parent.parent / "docs/errors.md"
# Told by a message alone: the document would go to the stdout that is closed.
_WITHOUT_A_DOCUMENT = {"no-stdout"}
_CODE = re.compile(r'"code": ?"([a-z0-9-]+)"')


def printed(text: str) -> str:
    """Note the codes in what a command printed, or wrote to a ledger; return it."""
    TOLD.update(_CODE.findall(text))
    return text


class InProcess(CliRunner):
    """Runs a command in this process; what it prints counts like that of one in its own."""

    def invoke(self, *arguments: Any, **options: Any) -> Result:
        """Run it as :class:`CliRunner` does."""
        result = super().invoke(*arguments, **options)
        printed(result.output)
        return result


def codes_of_the_page() -> dict[str, tuple[str, str]]:
    """Return cause and remedy of each code on the page."""
    found: dict[str, tuple[str, str]] = {}
    for line in PAGE.read_text().splitlines():
        if line.startswith("| `"):
            _, codes, cause, remedy, _ = re.split(r" *(?<!\\)\| *", line)
            for code in re.findall(r"`([^`]+)`", codes):
                assert code not in found, f"{code} stands there twice"
                found[code] = cause, remedy
    return found


def of_the_library() -> set[str]:
    """Return the codes of which the page says that no command gives them."""
    sentence = re.search(r"^Some are of the library alone.*?\.$", PAGE.read_text(), re.M | re.S)
    assert sentence
    return set(re.findall(r"`([^`]+)`", sentence[0]))


def untold() -> set[str]:
    """Return the page's codes that no command printed."""
    return codes_of_the_page().keys() - TOLD - of_the_library() - _WITHOUT_A_DOCUMENT
