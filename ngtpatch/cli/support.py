# SPDX-License-Identifier: Apache-2.0
"""``ngtpatch support``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

import click

from ngtpatch.cli import options
from ngtpatch.cli.output import Console
from ngtpatch.document import document
from ngtpatch.errors import Refusal, UsageError
from ngtpatch.files.atomic import check_target, new_file
from ngtpatch.flow.support import support
from ngtpatch.flow.unproven_report import UnprovenReport, report_support
from ngtpatch.flow.verdicts import DistroSupport, HazardFound, Refused, Support
from ngtpatch.installer.payloads import MEMBER
from ngtpatch.patching.doubts import Doubt


@options.command(
    "ngtpatch support ngt.iso -d rocky",
    "ssh vm cat /etc/os-release | ngtpatch support ngt.iso --os-release -",
)
@options.iso_argument
@options.distro_option
@click.option(
    "--os-release",
    metavar="FILE",
    type=options.INPUT,
    help="The os-release of a guest, with or without a profile.",
)
@click.option(
    "--report",
    "report_file",
    metavar="FILE",
    type=options.OUTPUT,
    help="Write what stopped it or was not understood, to be sent to somebody who can help:"
    " files, digests, shapes; no line of the vendor's, and no identity.",
)
@click.option(
    "--report-lines",
    metavar="PATH",
    multiple=True,
    help="Let the report tell the lines in question of this file of the installer, too.",
)
@options.force_option
@options.dry_run_option
@options.profiles_option
@options.patches_option
@click.pass_context
def command(
    ctx: click.Context,
    iso: Path,
    distros: tuple[str, ...],
    os_release: Path | None,
    report_file: Path | None,
    report_lines: tuple[str, ...],
    force: bool,
    dry_run: bool,
    profile_dirs: tuple[Path, ...],
    patch_dirs: tuple[Path, ...],
) -> None:
    """Show what an ISO decides for each distribution, shipped and patched.

    Without --distro and --os-release: with every profile. Exits 0 when each one's name
    is accepted, or can be (a hazard may stop it all the same), and 4 otherwise, also where
    something on the way of the installation is not understood.
    """
    console = ctx.find_object(Console) or Console()
    if str(report_file) == "-":
        raise UsageError(
            "two-outputs", "the report and what is found would both go to stdout",
            hint="name a file for the report",
        )  # fmt: skip
    if report_file is not None:
        check_target(report_file, force=force, source=iso)
    elif report_lines:
        raise UsageError("no-report", "--report-lines is about a report", hint="name --report FILE")
    found = support(
        iso,
        distros=distros,
        os_release=os_release,
        profile_dirs=profile_dirs,
        patch_dirs=patch_dirs,
    )
    if report_file is not None:
        told = report_support(iso, found, lines_of=report_lines)
        if not dry_run:
            _write_report(report_file, told, force=force)
    console.result(found)
    console.heading(f"NGT {found.ngt_version or 'of unknown version'}, era {found.era}.x")
    matrix(console, found.distros)
    _summary(console, found, explicit=bool(distros or os_release))
    if report_file is not None:
        console.say(f"{'would be written ' if dry_run else 'wrote   '} {report_file}")
    if not found.supported:
        ctx.exit(Refusal.exit_code)


def _write_report(target: Path, report: UnprovenReport, *, force: bool) -> None:
    with new_file(target, force=force) as file:
        file.write(json.dumps(document(report), indent=2).encode() + b"\n")


def matrix(console: Console, rows: Sequence[DistroSupport]) -> None:
    """Print the table, versions that fare alike in one row, and the hazards as footnotes."""
    hazards = list(dict.fromkeys(hazard for row in rows for hazard in row.hazards))
    notes = {hazard: str(number) for number, hazard in enumerate(hazards, 1)}
    paths = list(
        dict.fromkeys(site.path for row in rows for site in row.sites if MEMBER not in site.path)
    )
    console.table(
        ["distribution", "version", "Python", *map(_short, paths), "verdict", "hazards"],
        [_cells(list(group), paths, notes) for _, group in groupby(rows, key=_fate)],
    )
    _members(console, rows)
    if hazards:
        console.heading("Hazards, whatever is decided by name")
    for hazard in hazards:
        console.say(f"  {notes[hazard]:>2}  {_described(hazard)}")


def _members(console: Console, rows: Sequence[DistroSupport]) -> None:
    """Print what is decided in the installer's archives, once for all rows."""
    steps: dict[tuple[str, int], dict[str, None]] = {}
    for row in rows:
        for site in row.sites:
            if MEMBER in site.path:
                step = _step(site.shipped, site.patched)
                steps.setdefault((site.path, site.line), {})[step] = None
    if steps:
        console.heading("Decided in the archives, after the installation")
    for (path, line), taken in steps.items():
        console.say(f"  {_short(path)}:{line}  {', '.join(taken)}")


def refusals(console: Console, rows: Iterable[DistroSupport]) -> None:
    """Print each reason once, with all that it concerns."""
    refused: dict[Refused, dict[str, list[str]]] = {}
    for row in rows:
        if row.refused is not None:
            versions = refused.setdefault(row.refused, {}).setdefault(row.profile or row.name, [])
            versions.append(row.version)
    for reason, whom in refused.items():
        named = "; ".join(f"{who} {', '.join(versions)}" for who, versions in whom.items())
        where = f"{reason.path}: " if reason.path else ""
        console.say(f"refused: {named}")
        console.say(f"[{reason.code}] {where}{reason.message}")
        if reason.hint:
            console.say(f"  {reason.hint}")


def uncertainties(console: Console, rows: Iterable[DistroSupport]) -> None:
    """Print the lines that are not understood, once for all that they concern."""
    found: dict[tuple[tuple[Doubt, ...], str], dict[str, None]] = {}
    for row in rows:
        if row.verdict == "uncertain" and row.accept is not None:
            found.setdefault((row.unproven, row.accept), {})[row.profile or row.name] = None
    for (doubts, digest), whom in found.items():
        console.say(
            f"uncertain: {', '.join(whom)}: the name can be accepted, but these lines"
            " on the way of the installation are not understood, and may end it:"
        )
        for doubt in doubts:
            console.say(f"  {doubt}")
        console.say(f"  if you have read them: rebuild --accept-unproven {digest}")


def _fate(row: DistroSupport) -> tuple[object, ...]:
    return (
        row.profile, row.name, row.sites, row.hazards, row.verdict, row.runs, row.unproven,
    )  # fmt: skip


def _cells(
    group: Sequence[DistroSupport], paths: Iterable[str], notes: dict[HazardFound, str]
) -> list[str]:
    row = group[0]
    sites = []
    for path in paths:
        steps = [_step(site.shipped, site.patched) for site in row.sites if site.path == path]
        sites.append(", ".join(dict.fromkeys(steps)) or "-")
    stops = row.verdict != "refused" and row.runs is False
    pythons = dict.fromkeys(one.python or "?" for one in group)
    return [
        row.profile or row.name,
        ", ".join(one.version for one in group),
        ", ".join(pythons),
        *sites,
        f"{row.verdict}, but stops" if stops else row.verdict,
        ", ".join(notes[hazard] for hazard in row.hazards),
    ]


def _step(shipped: str, patched: str) -> str:
    return shipped if shipped == patched else f"{shipped} -> {patched}"


def _short(path: str) -> str:
    return path.removeprefix("installer/linux/")


def _described(hazard: HazardFound) -> str:
    end = "stops" if hazard.stops else "goes on"
    if hazard.mended_by:
        end = "a rebuild mends it"
    elif not hazard.on_way:
        end = "stops where it is run; not seen to be on the way of the installation"
    place = _short(hazard.path) + (f":{hazard.line}" if hazard.line else "")
    parts = (hazard.code, place, f"{hazard.text} [{end}]")
    return "  ".join(part for part in parts if part)


def _summary(console: Console, found: Support, *, explicit: bool) -> None:
    refusals(console, found.distros)
    uncertainties(console, found.distros)
    for path, why in dict.fromkeys(
        (one.path, one.message) for row in found.distros for one in row.left
    ):
        console.say(f"{path}: left as it is, beside the way of the installation ({why})")
    for sentence in found.unseen:
        console.say(sentence)
    for profile, opt_in in dict.fromkeys(
        (row.profile or row.name, row.opt_in) for row in found.distros if row.opt_in
    ):
        # In a table of everything the reasons of a dozen opt-in profiles would bury the rest.
        tell = console.say if explicit else console.detail
        tell(f"{profile} is opt-in: {opt_in or ''}")
    for name in dict.fromkeys(
        row.name for row in found.distros if row.profile is None and row.verdict == "patchable"
    ):
        console.say(f"{name} has no profile yet: 'ngtpatch profile new --os-release' makes one")
    named = dict.fromkeys(
        row.profile or row.name for row in found.distros if row.evidence == "name"
    )
    if named:
        console.say(f"known by name only, no release of it was read: {', '.join(named)}")
    puzzles = dict.fromkeys(
        f"{_short(site.path)}:{site.line}"
        for row in found.distros
        for site in row.sites
        if site.shipped == "unknown"
    )
    if puzzles:
        console.say(f"not understood, and may decide too: {', '.join(puzzles)}")
    counts = {
        verdict: sum(row.verdict == verdict for row in found.distros)
        for verdict in ("recognised", "patchable", "uncertain", "refused")
    }
    stopped = [row for row in found.distros if row.verdict != "refused" and row.runs is False]
    if counts["recognised"] == len(found.distros):
        end = _as_it_is(found, puzzling=bool(puzzles), stopped=bool(stopped))
        console.say(f"Every distribution asked for is recognised as it is{end}")
    else:
        console.say(", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count))
    if stopped:
        console.say(
            f"{len(stopped)} accepted by name, but a hazard that no rebuild for it mends stops the"
            " installation there."
        )
    beside = dict.fromkeys(
        hazard.path
        for row in found.distros
        if row.verdict != "refused"
        for hazard in row.hazards
        if not hazard.on_way and not hazard.mended_by
    )
    if beside:
        console.say(
            f"A hazard stands in {', '.join(map(_short, beside))}. The installation was followed,"
            " and not seen to come there; whether it does is not known."
        )
    if any(row.python is None for row in found.distros):
        console.say("Where the Python is not known (?), hazards were not judged.")


def _as_it_is(found: Support, *, puzzling: bool, stopped: bool) -> str:
    """Return how the sentence ends that all are recognised: it is about their names alone."""
    if any(hazard.mended_by for row in found.distros for hazard in row.hazards):
        return "; a rebuild mends the hazards that say so."
    if puzzling:
        return " by what is understood; what is not may decide otherwise."
    if any(row.left for row in found.distros):
        return " by the installer; the files that are left as they are decide for themselves."
    if stopped or any(row.runs is None for row in found.distros):
        return " by its name."
    return ": no patch is needed."
