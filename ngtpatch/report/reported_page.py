# SPDX-License-Identifier: Apache-2.0
"""From what the user named to a written page."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, ClassVar, Literal

from ngtpatch.errors import InputError, UsageError
from ngtpatch.files.absent import unopened
from ngtpatch.files.atomic import check_target, new_file
from ngtpatch.files.bounded import STDIN, read_small
from ngtpatch.files.wellknown import WARN_DAYS

if TYPE_CHECKING:
    from ngtpatch.report.fleet_page import FleetPage
    from ngtpatch.report.image_page import Asked, ImagePage

__all__ = ["ReportResult", "report"]

_HEAD = 4096
_MAX_DOCUMENT = 64 << 20
_HINT = "name BASE and OUT, what 'ngtpatch --json rebuild' printed, or a ledger"
_ONE_OF_EACH = "make a page of each image that it names as output: ngtpatch report BASE OUT -o HTML"


@dataclass(frozen=True)
class ReportResult:
    """The document of ``ngtpatch report``.

    Attributes:
        output: the file that was written; None for a dry run or a stream.
        size: of the page, in bytes.
        about: ``image``: two images were looked at; ``document``: a rebuild's document alone;
            ``fleet``: a ledger.
        verdict: of an image, that of ``verify``, or where its bytes are proven: ``not-accepted``,
            its installer refuses what was asked for; ``not-as-stated``, a document or SHA256SUMS
            has another digest; of a fleet ``ok`` or ``attention``; of a
            document ``not-looked-at``.
        ok: nothing on the page needs a person.
        rows: how many distributions or VMs are on it.
        unseen: what was not looked at.
        base: what the image was held against; None where no image was looked at.
        image: the image that was looked at; None where none was.
        has_to_accept: ids of the profiles that it was asked for: those named, or its record's.
        problems: code and message of all that keeps it from being verified and as stated.
    """

    SCHEMA: ClassVar[str] = "ngtpatch.report/1"

    output: str | None
    size: int
    about: Literal["image", "document", "fleet"]
    verdict: str
    ok: bool
    rows: int
    unseen: tuple[str, ...]
    base: str | None = None
    image: str | None = None
    has_to_accept: tuple[str, ...] = ()
    problems: tuple[tuple[str, str], ...] = ()


def report(
    first: str | Path,
    second: str | Path | None = None,
    *,
    output: str | Path | BinaryIO | None = None,
    force: bool = False,
    dry_run: bool = False,
    asked: Asked | None = None,
    images: bool = True,
    warn_days: int = WARN_DAYS,
) -> ReportResult:
    """Write a page about an image, or about a fleet.

    Args:
        first: with *second* what an image was made from; else what ``rebuild --json`` printed, a
            ledger, or the directory of a run with its ledgers.
        second: the image.
        output: a file to be made, or a stream to write to.
        force: replace an existing file.
        dry_run: make the page and write nothing; *output* may be left out.
        asked: what else the reader wants to know of an image.
        images: whether a fleet's images are opened; else the ledger alone is told.
        warn_days: of a fleet, certificates that end within so many days are warned of.

    Raises:
        UsageError: ``no-output``, ``output-exists`` and their like.
        InputError: an input cannot be used; ``report-input``: it is none of these.
        Refusal: ``unknown-profile``.
        OutputError: the page could not be written; nothing is left behind.
    """
    from ngtpatch.provenance.product import moment
    from ngtpatch.report.html_file import html

    first = Path(first)
    second = None if second is None else Path(second)
    target = Path(output) if isinstance(output, str) else output
    if target is None and not dry_run:
        raise UsageError("no-output", "no output was named", hint="name the page with -o HTML")
    if isinstance(target, Path):
        for source in (first, second):
            if source is not None and source.is_file():
                check_target(target, force=force, source=source)
        check_target(target, force=force)
    now = moment()
    page = _page(first, second, asked, images=images, warn_days=warn_days)
    data = html(page, made=f"{now:%Y-%m-%dT%H:%M:%SZ}").encode("utf-8", "backslashreplace")
    if not dry_run and isinstance(target, Path):
        with new_file(target, force=force) as file:
            file.write(data)
    elif not dry_run and target is not None and not isinstance(target, Path):
        target.write(data)
    return _result(page, target if isinstance(target, Path) and not dry_run else None, len(data))


def _result(page: ImagePage | FleetPage, output: Path | None, size: int) -> ReportResult:
    from ngtpatch.report.fleet_page import FleetPage

    if isinstance(page, FleetPage):
        verdict, rows = "attention" if page.attention else "ok", len(page.rows)
    else:
        verdict, rows = page.verdict, len(page.distros)
    looked = None if isinstance(page, FleetPage) or page.kind != "image" else page
    return ReportResult(
        output=None if output is None else str(output),
        size=size,
        about=page.kind,
        verdict=verdict,
        ok=not page.attention,
        rows=rows,
        unseen=page.unseen,
        base=None if looked is None else looked.base,
        image=None if looked is None else looked.image,
        has_to_accept=() if looked is None else looked.has_to_accept,
        problems=()
        if looked is None
        else tuple((code, message) for code, message, counts in looked.problems if counts),
    )


def _page(
    first: Path, second: Path | None, asked: Asked | None, *, images: bool, warn_days: int
) -> ImagePage | FleetPage:
    from ngtpatch.provenance.product import moment
    from ngtpatch.report.fleet_page import page_of_ledger
    from ngtpatch.report.image_page import Asked, page_of_images

    asked = asked or Asked()
    if second is not None:
        _require_nothing_of_ledgers(images=images, warn_days=warn_days)
        return page_of_images(first, second, asked)
    if first.is_dir() or _schema(first) == "ngtpatch.ledger/1":
        _require_nothing_of_images(asked, "a fleet's page is about its ledger")
        if first == STDIN or not (first.is_file() or first.is_dir()):
            through = "standard input" if first == STDIN else "a pipe"
            raise InputError(
                "report-input", f"is a ledger, which is not taken from {through}: the images are"
                " looked for beside it", path=str(first),
                hint="name its file, or the directory of the run",
            )  # fmt: skip
        return page_of_ledger(first, images=images, warn_days=warn_days, now=moment())
    _require_nothing_of_ledgers(images=images, warn_days=warn_days)
    return _of_a_document(first, asked)


def _of_a_document(path: Path, asked: Asked) -> ImagePage:
    """Look at the images that a rebuild's document names; where they are gone, tell it alone."""
    from ngtpatch.flow.verify_tree import read_rebuild
    from ngtpatch.report.image_page import page_of_document, page_of_images

    document = read_rebuild(path)
    missing = list(_missing(document.source, document.output))
    if missing or document.output is None:
        _require_nothing_of_images(asked, f"no image is looked at: {'; '.join(missing)}")
        source = "standard input" if path == STDIN else str(path)
        return page_of_document(document, source, missing)
    return page_of_images(
        Path(document.source), Path(document.output), asked, document=(path, document)
    )


def _require_nothing_of_images(asked: Asked, why: str) -> None:
    """See that nothing is asked that only an image could answer. Raises UsageError ``usage``."""
    named = {
        "--distro": asked.distros,
        "--key": asked.key,
        "--accept-unproven": asked.accept_unproven,
    }
    asking = [option for option, value in named.items() if value]
    if asking:
        raise UsageError(
            "usage", f"{' and '.join(asking)} can only be answered by an image, and {why}",
            hint="name the base and the image: ngtpatch report BASE OUT -o HTML",
        )  # fmt: skip


def _require_nothing_of_ledgers(*, images: bool, warn_days: int) -> None:
    """See that nothing is asked that only a ledger could answer. Raises UsageError ``usage``."""
    named = {"--no-images": not images, "--warn-days": warn_days != WARN_DAYS}
    asking = [option for option, given in named.items() if given]
    if asking:
        raise UsageError(
            "usage", f"{' and '.join(asking)} can only be answered by a ledger, and the page is"
            " about an image", hint="leave it out",
        )  # fmt: skip


def _missing(source: str, output: str | None) -> list[str]:
    found = []
    if output is None:
        found.append("the rebuild wrote no file, but a stream or nothing")
    elif not Path(output).exists():
        found.append(f"{output} is not there")
    if not Path(source).exists():
        found.append(f"{source} is not there")
    elif output is not None and Path(output).exists() and Path(output).samefile(source):
        found.append(f"{source} was changed in place, and what it was is not there")
    return found


def _schema(path: Path) -> str:
    """Return which document a file is, by its first line; a pipe is read as a whole.

    Raises:
        InputError: ``report-input``: it is none; ``not-found``, ``unreadable``.
    """
    try:
        if path.is_file():
            with path.open("rb") as file:
                head = file.read(_HEAD)
        else:
            head = read_small(path, limit=_MAX_DOCUMENT, what="document of a rebuild")
    except OSError as error:
        raise unopened(error, path) from None
    if b'"ngtpatch.rebuild-each/1"' in head[:_HEAD]:
        what = "is the document of several rebuilds (--each), and a page is about one"
        raise InputError("report-input", what, path=str(path), hint=_ONE_OF_EACH)
    for schema in ("ngtpatch.ledger/1", "ngtpatch.rebuild/1"):
        quoted = json.dumps(schema).encode()
        if head.lstrip()[:1] == b"{" and quoted in head[:_HEAD]:
            return schema
    what = "is neither the document of a rebuild nor a ledger"
    if _image(head, path):
        what = "is an image, and one alone does not tell what was changed"
    raise InputError("report-input", what, path=str(path), hint=_HINT)


def _image(head: bytes, path: Path) -> bool:
    from ngtpatch.fleet.tasks import is_image

    return not head.startswith(b"{") and path.is_file() and is_image(path)
