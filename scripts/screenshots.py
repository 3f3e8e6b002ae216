# SPDX-License-Identifier: Apache-2.0
"""Pictures of `ngtpatch report` for the documentation, taken of samples by Debian's Chromium.

python -m scripts.screenshots docs/_screenshots
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bench.reporting import fleet
from ngtpatch import IdentityRequest, rebuild
from ngtpatch.report import report
from ngtpatch.report.html_file import html
from ngtpatch.sample import write_sample

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_EPOCH = "2026-11-01T00:00:00Z"


def pages(directory: Path) -> tuple[Path, Path]:
    """Write the page of a rebuilt sample, and that of a fleet."""
    image, vms = directory / "image.html", directory / "fleet.html"
    os.chdir(directory)  # the pages name what was named
    base, out = Path("NGT.iso"), Path("NGT-rocky.iso")
    write_sample(base, udf=True, seed="screenshots")
    rebuild(base, distros=["rocky"], output=out, identity=IdentityRequest(strip=True))
    report(base, out, output=image)
    vms.write_text(html(fleet(400), made=_EPOCH), encoding="utf-8")
    return image, vms


def _page(browser: Browser, path: Path, *, dark: bool = False) -> Page:
    context = browser.new_context(
        viewport={"width": 1200, "height": 1300},
        color_scheme="dark" if dark else "light",
        offline=True,
    )
    page = context.new_page()
    page.goto(path.as_uri())
    return page


def take(browser: Browser, image: Path, vms: Path, into: Path) -> None:
    """Take the pictures."""
    page = _page(browser, image)
    page.screenshot(path=into / "image.png")
    page.locator("section:has(#map)").screenshot(path=into / "map.png")
    page = _page(browser, image, dark=True)
    page.get_by_label("side by side").check()
    shown = page.locator("details", has_text="mobility_linux.py").last
    shown.screenshot(path=into / "diff.png")
    page = _page(browser, vms)
    page.locator("section:has(#vms) .controls").scroll_into_view_if_needed()
    page.screenshot(path=into / "fleet.png")


def main() -> None:
    """Take them into the directory that is named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("into", type=Path)
    into: Path = parser.parse_args().into
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium")
    if program is None:
        sys.exit("screenshots need a Chromium: apt-get install chromium fonts-dejavu-core")
    into = into.absolute()
    into.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        take(browser, *pages(Path(name)), into)
        browser.close()


if __name__ == "__main__":
    main()
