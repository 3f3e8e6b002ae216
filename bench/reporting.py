# SPDX-License-Identifier: Apache-2.0
"""What a page of 10,000 VMs costs: to make, to load, to filter and to sort in Chromium.

    python -m bench.reporting [--rows 10000] [--runs 3]

Times in the browser end when the next frame is drawn. The median of the runs counts.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from ngtpatch.fleet.audit import Audit, Checked
from ngtpatch.fleet.ledger_document import LedgerRow
from ngtpatch.identity.findings import Finding, Severity
from ngtpatch.report.fleet_page import FleetPage, page_of_fleet
from ngtpatch.report.html_file import html

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NOW = datetime(2026, 11, 1, tzinfo=timezone.utc)
DRAWN = "() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))"


def fleet(rows: int) -> FleetPage:
    """Return a page of VMs, of which one in fifty was not written, and one in ten expires."""
    ledger, checked, findings = [], [], []
    for number in range(rows):
        name, output = f"app-{number:05}", f"app-{number:05}.iso"
        uuid = f"d4de685b-791a-4fbc-b916-{number:012}"
        if number % 50 == 7:
            ledger.append(
                LedgerRow(
                    name=name,
                    state="failed",
                    output=output,
                    code="key-mismatch",
                    error="client-key.pem: belongs to another certificate",
                )
            )
            continue
        ledger.append(
            LedgerRow(
                name=name,
                state="done",
                output=output,
                size=600 << 20,
                base_sha256="b" * 64,
                regions_sha256=sha256(name.encode()).hexdigest(),
                sha256=None,
                ngt_uuid=uuid,
                certificate_sha256=f"{number:064x}",
            )
        )
        days = number * 37 % 1000 - 20
        source = f"discs/{output}"
        end = NOW + timedelta(days=days)
        worst = "error" if days < 0 else "warning" if days < 90 else "ok"
        if worst != "ok":
            code, severity = "expiring", Severity.WARNING
            message = f"the certificate expires on {end:%Y-%m-%d}, in {days} days"
            if days < 0:
                code, severity = "expired", Severity.ERROR
                message = f"the certificate expired on {end:%Y-%m-%d}, {-days} days ago"
            findings.append(Finding(code, severity, source, message))
        checked.append(
            Checked(
                source, None, uuid, f"{end:%Y-%m-%dT%H:%M:%SZ}", days, worst, None, f"{number:064x}"
            )
        )
    audited = Audit(False, 90, tuple(checked), tuple(findings), ())
    sizes = {row.output: 600 << 20 for row in ledger if row.state == "done"}
    return page_of_fleet(
        ["discs/ledger.jsonl"], ledger, audited, sizes=sizes, images=True, warn_days=90
    )


@contextmanager
def chromium() -> Iterator[Browser]:
    """Yield the system's Chromium, headless."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium")
    assert program is not None, "chromium is not here: apt-get install chromium"
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


def timed(page: Page, work: str) -> float:
    """Return the milliseconds that a script in the page takes until the next frame is drawn."""
    took: float = page.evaluate(
        "async (drawn) => { const begin = performance.now();"
        f" {work}; await eval(drawn)(); return performance.now() - begin; }}".replace(
            "eval(drawn)", f"({DRAWN})"
        ),
        DRAWN,
    )
    return took


def load(page: Page, path: Path) -> float:
    """Return the milliseconds from the navigation until the page is drawn."""
    page.goto(path.as_uri())
    took: float = page.evaluate(f"async () => {{ await ({DRAWN})(); return performance.now(); }}")
    return took


FILTER = (
    "const field = document.querySelector('#vm-controls input');"
    "field.value = '{text}'; field.dispatchEvent(new Event('input'));"
    "await new Promise((done) => setTimeout(done, 61))"
)
SORT = "document.querySelectorAll('#vm thead button')[{column}].click()"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args()
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as name, chromium() as browser:
        path = Path(name) / "fleet.html"
        for _ in range(asked.runs):
            start = time.perf_counter()
            data = html(fleet(asked.rows), made="2026-11-01T00:00:00Z").encode()
            found.setdefault("made, ms", []).append((time.perf_counter() - start) * 1000)
            path.write_bytes(data)
            page = browser.new_page()
            found.setdefault("loaded and drawn, ms", []).append(load(page, path))
            for what, work in (
                ("filtered to one row, ms (60 of them waiting)", FILTER.format(text="app-00042")),
                ("filter taken away, ms (60 of them waiting)", FILTER.format(text="")),
                ("sorted by days, ms", SORT.format(column=3)),
                ("sorted by name, ms", SORT.format(column=0)),
            ):
                found.setdefault(what, []).append(timed(page, work))
            page.close()
    print(f"## A page of {asked.rows:,} VMs: median of {asked.runs}\n")
    print("| | |\n|---|---:|")
    print(f"| size, MB | {len(data) / 1e6:.1f} |")
    for what, took in found.items():
        print(f"| {what} | {median(took):,.0f} |")


if __name__ == "__main__":
    main()
