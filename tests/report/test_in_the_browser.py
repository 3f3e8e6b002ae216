# SPDX-License-Identifier: Apache-2.0
"""What a person sees of a page: in real Chromium, from a file, without a network.

The page of an image is that of docs/report.md, whose commands are run as they stand.
"""

from __future__ import annotations

import bz2
import dataclasses
import hashlib
import json
import lzma
import re
import shlex
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from bench.reporting import fleet
from ngtpatch.cli.app import app
from ngtpatch.flow.inspect import Identified
from ngtpatch.flow.verdicts import HazardFound
from ngtpatch.identity.runbook import Renewal
from ngtpatch.iso.read.build_record import BuildRecord
from ngtpatch.iso.read.volume import Volume
from ngtpatch.report.fleet_page import FleetPage
from ngtpatch.report.html_file import html
from ngtpatch.report.image_page import ImagePage
from tests.cli.pages import walk
from tests.flow.test_agents import tarred, zipped
from tests.flow.test_unseen import PICKS, with_files
from tests.report.browser import Opened, chromium, opened
from tests.told import InProcess

ROOT = Path(__file__).resolve().parents[2]
MADE = "2026-11-01T00:00:00Z"
HOSTILE = "</title></style><script>hit=1</script><img src=x onerror=hit=1>\"'\u202e\x1b[31m{{7*7}}"
SHOWN = "</title></style><script>hit=1</script><img src=x onerror=hit=1>\"'\\u202e\\x1b[31m{{7*7}}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


def ngtpatch_(*words: object) -> Any:
    return InProcess().invoke(app, [*map(str, words)])


def assert_quiet(page: Opened, path: Path) -> None:
    assert page.asked_for == [path.as_uri()]
    assert page.said == []


# The page of an image ----------------------------------------------------------------------------


def test_the_page_of_an_image(browser: Browser, tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    walk(ROOT / "docs/report.md", here)
    base, out, path = (here / name for name in ("NGT.iso", "NGT-rocky.iso", "report.html"))
    with opened(browser, path) as shown:
        shown.page.keyboard.press("Tab")
        assert shown.page.evaluate("document.activeElement.textContent") == "Skip to the content"
        assert shown.page.locator(".banner strong").inner_text() == "Verified"
        assert_map(shown, out)
        assert_distributions(shown)
        assert_diffs(shown)
        assert_digests(shown, base, out)
        assert_structure(shown)
        assert_undo(shown, base, here)
        assert_quiet(shown, path)
        assert shown.violations() == []
        assert shown.violations(["color-contrast"], color_scheme="dark") == []
        assert_printed(shown)
        shown.page.set_viewport_size({"width": 320, "height": 700})
        assert_fits(shown)
        # Whatever gets into the page is not run: its policy names its two scripts by digest.
        assert not shown.page.evaluate(
            "() => { const one = document.createElement('script'); one.textContent = 'hit = 1';"
            " document.body.append(one); return typeof hit !== 'undefined'; }"
        )
    text = path.read_text()
    assert "PRIVATE KEY" not in text
    with Volume.open(base) as vendor:
        for line in vendor.tree["config/client-key.pem"].decode().splitlines()[1:-1]:
            assert line not in text


def assert_map(shown: Opened, image: Path) -> None:
    """The ranges that can be read from the page are those of the record."""
    read = "(all) => all.map((one) => [one.dataset.kind, +one.dataset.offset, +one.dataset.length])"
    with Volume.open(image) as volume:
        record = volume.record
        assert isinstance(record, BuildRecord)
        wanted = {
            *(("changed", *one) for one in record.ranges),
            *(("scrubbed", *one) for one in record.scrubbed),
            ("appended", record.vendor_size, record.offset - record.vendor_size),
            ("record", record.offset, record.end - record.offset),
            ("anchor", record.end, record.volume_end - record.end),
        }
        size = volume.size
    assert record.scrubbed
    for selector in ("#map-whole rect", "#map-close rect", "#regions tbody tr"):
        found = [tuple(one) for one in shown.page.eval_on_selector_all(selector, read)]
        assert len(found) == len(wanted)
        assert set(found) == wanted
    places = shown.page.eval_on_selector_all(
        "#map-whole rect", "(all) => all.map((one) => [+one.dataset.offset, one.x.baseVal.value])"
    )
    assert all(abs(x - offset / size * 1000) < 3 for offset, x in places)


def assert_distributions(shown: Opened) -> None:
    all_rows = shown.page.locator("#distro > tbody > tr")
    count = all_rows.count()
    assert count > 20
    assert shown.status("distro") == f"{count} of {count} rows found"
    shown.page.get_by_label("Filter distributions").fill("ROCKY gained")
    expect(all_rows).to_have_count(1)
    name, versions, _, before, after, installs, *_ = all_rows.locator("> *").all_inner_texts()
    assert name.split() == ["rocky", "asked", "for"]
    assert versions == "8, 9, 10"
    assert before.split() == ["not", "accepted", "patchable"]
    assert after.split() == ["accepted", "gained"]
    assert installs == "no hazard was found"
    shown.page.get_by_label("Filter distributions").fill("")
    shown.page.locator("#distro-controls select").select_option("same")
    expect(all_rows).to_have_count(count - 1)
    shown.page.locator("#distro-controls select").select_option("")
    assert shown.texts("section:has(#distros) .tiles b") == ["0", "3", "3", "0"]


def assert_diffs(shown: Opened) -> None:
    page = shown.page
    factory = page.locator("details", has=page.locator("summary", has_text="installer_factory.py"))
    unified, split = factory.first.locator("table.unified"), factory.first.locator("table.split")
    added = ['"rocky linux" in distribution or']
    assert unified.is_visible()
    assert not split.is_visible()
    texts = unified.locator("td.add:not(.sg)").all_inner_texts()
    assert [line.strip() for line in texts] == added
    page.get_by_label("unified").focus()
    page.keyboard.press("ArrowRight")
    assert split.is_visible()
    assert not unified.is_visible()
    assert [line.strip() for line in split.locator("td.add").all_inner_texts()] == added
    assert any("rocky linux" in text for text in shown.texts("table.split ins"))
    hidden = page.locator("details", has_text="config/ngt_config.json").first
    assert "Identity: not shown." in hidden.inner_text()


def assert_digests(shown: Opened, base: Path, out: Path) -> None:
    rows = {
        one[0]: one[1:]
        for one in (
            row.locator("th, td").all_inner_texts()
            for row in shown.page.locator("section:has(#digests) tbody tr").all()
        )
    }
    digest = hashlib.sha256(base.read_bytes()).hexdigest()
    assert rows["What it was made from, SHA-256"][0] == digest
    assert rows["The vendor's image by the record, SHA-256"][0] == digest
    assert rows["The vendor's image by the statement, SHA-256"][0] == digest
    assert rows["The image, SHA-256"][0] == hashlib.sha256(out.read_bytes()).hexdigest()
    assert rows["SHA256SUMS beside it"][1].startswith("checked")
    assert rows["Signature"][1] == "checked fits the public key sign.pub"
    assert rows["Patch factory, SHA-256"][1].startswith("not checked")


def assert_structure(shown: Opened) -> None:
    """Tables are tables: a caption, heads with a scope, a state of sorting where one can sort."""
    tables: list[dict[str, Any]] = shown.page.eval_on_selector_all(
        "table",
        "(all) => all.map((one) => ({caption: one.caption?.textContent.trim(),"
        " heads: [...one.tHead.querySelectorAll('th')].every((head) => head.scope === 'col'),"
        " sorted: [...one.querySelectorAll('th:has(button)')].every("
        "(head) => head.hasAttribute('aria-sort'))}))",
    )
    assert len(tables) > 10
    assert all(one["caption"] and one["heads"] and one["sorted"] for one in tables)
    links = shown.page.eval_on_selector_all("nav a", "(all) => all.map((one) => one.hash)")
    assert len(links) == 9
    assert all(shown.page.locator(f"h2{target}").count() == 1 for target in links)


def assert_undo(shown: Opened, base: Path, directory: Path) -> None:
    """The command on the page, run as it stands, gives the vendor's bytes."""
    words = shlex.split(shown.page.locator("section:has(#undo) pre").inner_text())
    assert words[0] == "ngtpatch"
    target = directory / "vendor.iso"
    there = {word: directory / word for word in words if word.endswith(".iso")}
    done = ngtpatch_(*(there.get(w, target if w == "FILE" else w) for w in words[1:]))
    assert done.exit_code == 0, done.output
    assert target.read_bytes() == base.read_bytes()


def assert_printed(shown: Opened) -> None:
    shown.page.emulate_media(media="print", color_scheme="dark")
    assert not shown.page.locator("nav").is_visible()
    assert not shown.page.locator("#distro-controls").is_visible()
    colour = shown.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert colour == "rgb(255, 255, 255)"
    # Each of two dozen distributions once filled a page.
    assert 3 < len(re.findall(rb"/Type\s*/Page\b(?!s)", shown.page.pdf())) < 12
    shown.page.emulate_media(media="screen", color_scheme="light")


def test_what_was_not_looked_into_is_a_hazard_on_any_screen_and_on_paper(
    browser: Browser, tmp_path: Path
) -> None:
    """The page says what support says of the image, and nothing is green beside it."""
    base, agent = tmp_path / "base.iso", tarred({"./lib/inner.tar.xz": lzma.compress(b"x" * 99)})
    assert ngtpatch_("sample", "-o", tmp_path / "ngt.iso").exit_code == 0
    names = ("agent.tar.bz2", f"{'a-long-name-' * 5}.whl")
    files = {names[0]: bz2.compress(agent), names[1]: zipped({"a.py": PICKS}), "apart.py": PICKS}
    with_files(tmp_path / "ngt.iso", base, agent, files)
    out, path = tmp_path / "out.iso", tmp_path / "page.html"
    assert ngtpatch_("rebuild", base, "-d", "rocky", "-o", out).exit_code == 0
    document = json.loads(ngtpatch_("--json", "support", out, "-d", "rocky").stdout)
    assert len(document["unseen"]) == 3
    (left,) = {(one["path"], one["message"]) for row in document["distros"] for one in row["left"]}
    assert left[0].endswith("apart.py")
    assert ngtpatch_("report", base, out, "-o", path).exit_code == 0
    with opened(browser, path) as shown:
        told = shown.page.locator("section:has(#hazards)")
        items = told.locator("#not-read ~ ul li")
        said = [*document["unseen"], f"{left[0]}: left as it is, beside the way of the"
                f" installation ({left[1]})"]  # fmt: skip
        assert items.all_inner_texts() == said
        assert told.locator("#not-read ~ p .tag.warn").inner_text() == "not judged"
        rocky = shown.page.locator("#distro > tbody > tr").first
        assert "no hazard was found in what was looked into" in rocky.inner_text()
        assert rocky.locator(".tag.good", has_text="no hazard").count() == 0
        assert shown.violations() == []
        for width in (320, 480):
            shown.page.set_viewport_size({"width": width, "height": 700})
            assert items.first.is_visible()
            assert_fits(shown)
        assert shown.violations() == []
        shown.page.emulate_media(media="print")
        assert items.last.is_visible()
        assert_quiet(shown, path)


def assert_fits(shown: Opened) -> None:
    """Nothing makes the page wider than the screen; tables and pictures scroll by themselves."""
    wide = shown.page.evaluate(
        "() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert wide[0] <= wide[1]


# The page of a fleet -----------------------------------------------------------------------------


def test_ten_thousand_vms(browser: Browser, tmp_path: Path) -> None:
    page = fleet(10_000)
    path = tmp_path / "fleet.html"
    path.write_text(html(page, made=MADE), encoding="utf-8")
    assert path.stat().st_size < 15_000_000
    with opened(browser, path) as shown:
        assert shown.status("vm").startswith("10,000 of 10,000 rows found; the first 500")
        field = shown.page.get_by_label("Filter VMs")
        state = shown.page.locator("#vm-controls select")

        def filtered(text: str, wanted: str) -> None:
            field.fill(text)
            expect(shown.page.locator("#vm-said")).to_contain_text(wanted)

        filtered("APP-0004 iso", "10 of 10,000")
        assert shown.column("vm", 0) == [f"app-0004{n}" for n in range(10)]
        filtered("no such vm", "0 of 10,000")
        filtered("", "10,000 of 10,000")
        state.select_option("failed")
        assert shown.status("vm") == "200 of 10,000 rows found"
        assert set(shown.column("vm", 1)) == {"failed"}
        state.select_option("")

        days = shown.page.locator("#vm th", has_text="Days left")
        assert days.get_attribute("aria-sort") == "none"
        days.get_by_role("button").focus()
        shown.page.keyboard.press("Enter")
        assert days.get_attribute("aria-sort") == "ascending"
        known = sorted(row.days for row in page.rows if row.days is not None)
        assert [*map(int, shown.column("vm", 3))] == known[:500]
        shown.page.keyboard.press("Enter")
        assert days.get_attribute("aria-sort") == "descending"
        assert [*map(int, shown.column("vm", 3))] == known[::-1][:500]
        name = shown.page.locator("#vm th", has_text="VM").first
        name.get_by_role("button").click()
        assert name.get_attribute("aria-sort") == "ascending"
        assert days.get_attribute("aria-sort") == "none"
        assert shown.column("vm", 0) == [f"app-{number:05}" for number in range(500)]
        state.select_option("error")
        assert len(shown.column("vm", 0)) == sum(row.check == "error" for row in page.rows)
        # On paper there is all that the filter leaves, not what there was room for.
        state.select_option("ok")
        shown.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        fine = sum(row.check == "ok" for row in page.rows)
        assert fine > 500
        assert shown.page.locator("#vm > tbody > tr").count() == fine
        shown.page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert shown.page.locator("#vm > tbody > tr").count() == 500
        assert_quiet(shown, path)


def test_a_small_fleet_for_everybody(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "fleet.html"
    path.write_text(html(fleet(60), made=MADE), encoding="utf-8")
    with opened(browser, path) as shown:
        assert shown.violations() == []
        assert shown.violations(["color-contrast"], color_scheme="dark") == []
        shown.page.set_viewport_size({"width": 320, "height": 700})
        assert_fits(shown)
        assert_quiet(shown, path)
    path.write_text(html(fleet(600), made=MADE), encoding="utf-8")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(path.as_uri())
    assert page.locator("#vm > tbody > tr:visible").count() == 600
    assert not page.locator("#vm-controls").is_visible()
    context.close()


# What others write -------------------------------------------------------------------------------

# What only type checkers import, where the page's classes are.
NAMES = {"HazardFound": HazardFound, "Identified": Identified, "Renewal": Renewal}


def filled(kind: Any) -> Any:
    """Return a value of *kind*, with something hostile wherever it has a text of others."""
    origin, given = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return given[0]  # our own words
    if origin in (typing.Union, types.UnionType):
        return filled(given[0])
    if origin is tuple:
        return tuple(map(filled, given[:1] if given[-1] is ... else given))
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind, localns=NAMES)
        return typing.cast(Any, kind)(
            **{one.name: filled(hints[one.name]) for one in dataclasses.fields(kind)}
        )
    return {str: HOSTILE, int: 7, bool: True, float: 1.0}[kind]


def assert_only_text(browser: Browser, path: Path, *, least: int, axe: bool = False) -> None:
    text = path.read_text()
    assert "\u202e" not in text
    assert "\x1b" not in text
    with opened(browser, path) as shown:
        assert_quiet(shown, path)
        assert shown.page.evaluate("typeof hit") == "undefined"
        assert shown.page.evaluate("document.querySelectorAll('img').length") == 0
        assert shown.page.evaluate("document.querySelectorAll('script').length") == 2
        assert shown.page.locator("body").inner_text().count(SHOWN) >= least
        if axe:
            assert shown.violations() == []


@pytest.mark.parametrize("kind", [ImagePage, FleetPage])
def test_every_text_of_others_is_text(browser: Browser, tmp_path: Path, kind: type) -> None:
    path = tmp_path / "page.html"
    page = filled(kind)
    path.write_text(html(page, made=MADE), encoding="utf-8")
    assert_only_text(browser, path, least=10, axe=True)


def test_hostile_documents_and_ledgers_are_text(browser: Browser, tmp_path: Path) -> None:
    """The same through the command: what others can write, in each field that is theirs."""
    diff = f"--- a/x\n+++ b/x\n@@ -1 +1 @@ {HOSTILE}\n-old {HOSTILE}\n+new {HOSTILE}\n"
    document = tmp_path / "rebuild.json"
    entry = {
        "path": f"x/{HOSTILE}",
        "done": HOSTILE,
        "sha256_before": HOSTILE,
        "sha256_after": "0" * 64,
        "edits": 1,
        "diff": diff,
    }
    document.write_text(
        json.dumps(
            {
                "schema": "ngtpatch.rebuild/1",
                "sha256": HOSTILE,
                "source_sha256": HOSTILE,
                "size": 1,
                "profiles": [HOSTILE],
                "changed": [entry],
                "carries_identity": False,
                "unread": [HOSTILE],
                "overwritten": 0,
                "notices": [HOSTILE],
                "unproven": [],
                "source": f"{HOSTILE}.iso",
                "output": HOSTILE,
                "volume_id": HOSTILE,
                "already": [],
                "method": "regions",
                "bytes_written": 0,
                "composed_with": [],
                "stale_digests": [],
                "materials": [{"kind": HOSTILE, "name": HOSTILE, "sha256": HOSTILE}],
            }
        )
    )
    output = "<img src=x onerror=hit=1>\"'{{7*7}}"  # a row whose file lies elsewhere is none
    row = {"schema": "ngtpatch.ledger/1", "name": HOSTILE, "state": "failed", "output": output}
    ledger = tmp_path / "ledger.jsonl"
    ledger.write_text(json.dumps({**row, "code": HOSTILE, "error": HOSTILE}) + "\n")
    for source, code, least in ((document, 0, 8), (ledger, 5, 3)):
        path = tmp_path / f"{source.stem}.html"
        done = ngtpatch_("report", source, "-o", path)
        assert done.exit_code == code, done.output
        assert "\x1b" not in done.output
        assert_only_text(browser, path, least=least)
