# SPDX-License-Identifier: Apache-2.0
"""``ngtpatch profile list|show|new|test``."""

from __future__ import annotations

from pathlib import Path

import click

from ngtpatch.cli import options
from ngtpatch.cli.completed import profile_ids
from ngtpatch.cli.output import Console
from ngtpatch.errors import Refusal, UsageError
from ngtpatch.files.atomic import check_target, new_file
from ngtpatch.patching.catalogue import ProfileList, ProfileShown
from ngtpatch.patching.profile import load_profile, load_profiles


@click.group(
    cls=options.Group,
    epilog=options.examples(
        "ngtpatch profile list", "ngtpatch profile new --os-release os-release --python 3.9"
    ),
)
@options.global_options
def command() -> None:
    """List, show, make and test profiles of distributions."""


@options.command("ngtpatch profile list")
@options.profiles_option
@click.pass_obj
def list_(console: Console, profile_dirs: tuple[Path, ...]) -> None:
    """List the profiles, shipped and your own."""
    profiles = tuple(load_profiles(profile_dirs).values())
    console.result(ProfileList(profiles))
    console.table(
        ["id", "distribution", "family", "versions", "known by", "asked for"],
        [
            [
                profile.id,
                profile.name,
                profile.family,
                ", ".join(profile.versions),
                ", ".join(dict.fromkeys(one.evidence for one in profile.versions.values())),
                "by its id only" if profile.opt_in else "also by auto, all",
            ]
            for profile in profiles
        ],
    )


@options.command("ngtpatch profile show rocky")
@click.argument("id", metavar="ID", shell_complete=profile_ids)
@options.profiles_option
@click.pass_obj
def show(console: Console, id: str, profile_dirs: tuple[Path, ...]) -> None:
    """Show one profile."""
    profile = load_profiles(profile_dirs)[id]
    console.result(ProfileShown(profile))
    console.heading(profile.name)
    console.pairs(
        [
            ("id", profile.id),
            ("family", profile.family),
            ("NAME", ", ".join(profile.names)),
            ("ID", ", ".join(profile.ids) or "not known"),
            ("needles", ", ".join(profile.needles)),
            ("file", profile.source),
            *([("opt-in", profile.opt_in)] if profile.opt_in else []),
        ]
    )
    console.table(
        ["version", "Python", "releases", "known by"],
        [
            [one.version, one.python, ", ".join(one.releases), one.evidence]
            for one in profile.versions.values()
        ],
    )


@options.command("ngtpatch profile new --os-release os-release --python 3.9 -o mine.toml")
@click.option(
    "--os-release",
    metavar="FILE",
    type=options.INPUT,
    help="The distribution's /etc/os-release; by default the running host's.",
)
@click.option("--id", metavar="ID", help="The profile's id; by default from ID or NAME.")
@click.option("--needle", metavar="TEXT", help="The token for the chain; by default from NAME.")
@click.option("--python", metavar="X.Y", help="The Python it brings; needed if not an EL clone.")
@click.option(
    "--accept", metavar="ID", help="Its ID, to confirm what is plainly not Enterprise Linux."
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=options.OUTPUT,
    help="File or directory to write to, - for stdout; by default <id>.toml here.",
)
@options.force_option
@options.dry_run_option
@options.profiles_option
@click.pass_obj
def new(
    console: Console,
    os_release: Path | None,
    id: str | None,
    needle: str | None,
    python: str | None,
    accept: str | None,
    output: Path | None,
    force: bool,
    dry_run: bool,
    profile_dirs: tuple[Path, ...],
) -> None:
    """Write a profile for a distribution that was never seen, from its os-release."""
    from ngtpatch.patching.new_profile import ProfileNew, covered, draft_profile
    from ngtpatch.patching.osrelease import read_os_release, running_os_release

    profiles = load_profiles(profile_dirs)
    release = running_os_release() if os_release is None else read_os_release(os_release)
    known = covered(release, profiles)
    if known is not None:
        console.result(ProfileNew.not_needed(known))
        console.say(f"no new profile is needed: {known.because}")
        return
    if id is None and output is not None and output.suffix == ".toml" and not output.is_dir():
        id = output.stem
    draft = draft_profile(release, profiles, id=id, needle=needle, python=python, accept=accept)
    target = _target(output, draft.profile.id)
    if target is None:
        if not console.as_json:
            console.file(draft.text)
    else:
        _write(target, draft.text, force=force, dry_run=dry_run)
    console.result(ProfileNew.of(draft, None if dry_run else target))
    if target is None:
        return
    what = {"el": "an Enterprise Linux clone"}.get(
        draft.kinship.kind, "not known to be an Enterprise Linux clone"
    )
    console.say(f"{release.name} is {what}: {draft.kinship.because}")
    if dry_run:
        console.block(draft.text)
        console.say(f"would be written  {target}")
        return
    console.say(f"wrote    {target}")
    console.next(
        *("ngtpatch", "rebuild", "ISO", "--distro", draft.profile.id),
        *("--profiles", target, "-o", "OUT"),
    )


def _target(output: Path | None, id: str) -> Path | None:
    if output is None:
        return Path(f"{id}.toml")
    if str(output) == "-":
        return None
    return output / f"{id}.toml" if output.is_dir() else output


def _write(target: Path, text: str, *, force: bool, dry_run: bool) -> None:
    if target.suffix != ".toml":
        raise UsageError(
            "profile-suffix",
            "a profile's file is called <id>.toml",
            path=str(target),
            hint="name a file that ends in .toml, or a directory",
        )
    check_target(target, force=force)
    if not dry_run:
        with new_file(target, force=force, mode=0o644) as file:
            file.write(text.encode())


@options.command("ngtpatch profile test rocky ngt.iso")
@click.argument("profile", metavar="PROFILE")
@options.iso_argument
@options.profiles_option
@options.patches_option
@click.pass_context
def test(
    ctx: click.Context,
    profile: str,
    iso: Path,
    profile_dirs: tuple[Path, ...],
    patch_dirs: tuple[Path, ...],
) -> None:
    """Prove a profile on an ISO: its names are accepted, and no other known name decides anew.

    That is asked at every place that is understood. PROFILE is an id or a .toml file. Nothing is
    written. Exits 4 where it does not hold.
    """
    from ngtpatch.cli.support import matrix, refusals
    from ngtpatch.flow.support import try_profile

    console = ctx.find_object(Console) or Console()
    if profile.endswith(".toml"):
        # Beside the others, so that it is checked against their names too.
        chosen = load_profiles([*profile_dirs, profile])[load_profile(profile).id]
    else:
        chosen = load_profiles(profile_dirs)[profile]
    trial = try_profile(chosen, iso, patch_dirs=patch_dirs)
    console.result(trial)
    matrix(console, trial.distros)
    refusals(console, trial.distros)
    if trial.names_changed:
        console.say(f"would also change: {', '.join(trial.names_changed)}")
    else:
        console.say(
            f"{trial.names_kept} other known names decide as before, at every site that is"
            " understood"
        )
    if not trial.passed:
        ctx.exit(Refusal.exit_code)


command.add_command(list_, "list")
command.add_command(show, "show")
command.add_command(new, "new")
command.add_command(test, "test")
