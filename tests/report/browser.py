# SPDX-License-Identifier: Apache-2.0
"""A page in Debian's Chromium, as a person's browser opens it from a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.requirements import tool

__all__ = ["Opened", "chromium", "opened"]

# On a machine that does other things as well, a frame may take its time.
expect.set_options(timeout=60_000)

_AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")


@dataclass
class Opened:
    """A page that is open, and what it did so far."""

    page: Page
    asked_for: list[str]
    said: list[str]

    def texts(self, selector: str) -> list[str]:
        found: list[str] = self.page.locator(selector).all_text_contents()
        return found

    def status(self, table: str) -> str:
        return self.page.locator(f"#{table}-said").inner_text()

    def column(self, table: str, number: int) -> list[str]:
        """The cells of a column that are drawn, from above."""
        return self.texts(f"#{table} > tbody > tr > :nth-child({number + 1})")

    def violations(self, rules: Sequence[str] = (), **media: Any) -> list[tuple[str, str]]:
        """What axe-core finds, by all of its rules or by some, as (rule, element)."""
        if media:
            self.page.emulate_media(**media)
        self.page.evaluate(_AXE)
        found: list[tuple[str, str]] = self.page.evaluate(
            "async (rules) => (await axe.run(document, {resultTypes: ['violations'],"
            " ...(rules.length ? {runOnly: rules} : {})})).violations"
            ".flatMap((one) => one.nodes.map((node) => [one.id, node.html.slice(0, 200)]))",
            [*rules],
        )
        return found


@contextmanager
def chromium() -> Iterator[Browser]:
    program = tool("chromium", "chromium")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(browser: Browser, path: Path) -> Iterator[Opened]:
    """Open a file; the page gets no network, and what it asks for is kept."""
    context = browser.new_context(offline=True, color_scheme="light")
    page = context.new_page()
    found = Opened(page, [], [])
    page.on("request", lambda request: found.asked_for.append(request.url))
    page.on("console", lambda message: found.said.append(message.text))
    page.on("pageerror", lambda error: found.said.append(str(error)))
    page.goto(path.as_uri())
    try:
        yield found
    finally:
        context.close()
