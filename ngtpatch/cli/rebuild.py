# SPDX-License-Identifier: Apache-2.0
"""``ngtpatch rebuild``."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from ngtpatch.cli import options
from ngtpatch.cli.output import Console
from ngtpatch.cli.provenance import foresee, proof, provenance_options, tell, wanted
from ngtpatch.errors import UsageError
from ngtpatch.files.atomic import check_target
from ngtpatch.files.directories import foresee_directory, make_directory
from ngtpatch.files.together import together
from ngtpatch.flow.changes import IdentityRequest
from ngtpatch.flow.rebuild import RebuildResult, RebuiltEach, rebuild
from ngtpatch.flow.written_image import ChangedEntry

if TYPE_CHECKING:
    from ngtpatch.provenance import Provenance

_SHOWN_PATHS = 5


@options.command("ngtpatch rebuild ngt.iso -d rocky,almalinux -o ngt-el.iso")
@options.iso_argument
@options.distro_option
@options.os_release_option
@options.output_option
@click.option(
    "--output-tree",
    metavar="DIR",
    type=options.TREE,
    help="Write the files as a directory instead, to install from without an ISO.",
)
@click.option("--in-place", is_flag=True, help="Change ISO itself instead of writing another.")
@click.option(
    "--output-dir",
    metavar="DIR",
    type=options.PATH,
    help="With --each: where to write one ISO per distribution.",
)
@click.option("--each", is_flag=True, help="One ISO per distribution, in --output-dir.")
@options.identity_options
@click.option("--strip-identity", is_flag=True, help="Remove what belongs to one VM alone.")
@click.option(
    "--reserve",
    metavar="SIZE",
    type=options.size,
    default=0,
    help="Room for each identity file, such as 8K: what fits then goes in place.",
)
@options.accept_option
@options.profiles_option
@options.patches_option
@click.option(
    "-f",
    "--force",
    is_flag=True,
    help="Replace an existing file; with --output-tree a directory, and all that is in it.",
)
@options.dry_run_option
@options.digest_option
@provenance_options
@click.pass_obj
def command(
    console: Console,
    iso: Path,
    distros: tuple[str, ...],
    os_release: Path | None,
    output: Path | None,
    output_tree: Path | None,
    in_place: bool,
    output_dir: Path | None,
    each: bool,
    strip_identity: bool,
    config: Path | None,
    certificate: Path | None,
    key: Path | None,
    authority: Path | None,
    allowed: tuple[str, ...],
    assignments: tuple[str, ...],
    reserve: int,
    accept_unproven: tuple[str, ...],
    profile_dirs: tuple[Path, ...],
    patch_dirs: tuple[Path, ...],
    force: bool,
    dry_run: bool,
    digest: bool,
    provenance: bool,
    sign_key: Path | None,
) -> None:
    """Write an ISO whose installer accepts the named distributions."""
    from ngtpatch.identity.config import parse_sets

    identity = IdentityRequest(
        config=config,
        certificate=certificate,
        key=key,
        authority=authority,
        allowed=allowed,
        sets=parse_sets(assignments),
        strip=strip_identity,
        reserve=reserve,
    )

    documented = wanted(provenance=provenance, sign_key=sign_key)
    target = console.target(output)
    if documented and (output_tree or (target is not None and not isinstance(target, Path))):
        raise UsageError("no-image-file", "only an image in a file has documents beside it")
    if documented and (in_place or iso.is_dir()):
        what = (
            "is a directory without a digest" if iso.is_dir() else "is gone once changed in place"
        )
        raise UsageError(
            "no-source-file",
            f"{what}: a statement could not say what the ISO was made from",
            path=str(iso),
            hint="name the vendor's ISO, and an output with -o FILE",
        )
    jobs: Sequence[tuple[tuple[str, ...], Path | BinaryIO | None]] = [(distros, target)]
    if each or output_dir is not None:
        from ngtpatch.patching.choice import choose_names

        chosen = choose_names(distros, os_release=os_release, profile_dirs=profile_dirs)
        os_release = None  # each is named by now
        jobs = [*_each(iso, chosen, target, output_dir, each=each, force=force)]
    for _, into in jobs:
        if documented and isinstance(into, Path):
            foresee(into, iso)
    if output_dir is not None and not dry_run:
        make_directory(output_dir)
    written: list[Provenance] = []
    results: list[RebuildResult] = []
    with together() as outputs:
        for named, into in jobs:
            file = into if isinstance(into, Path) and not dry_run else None
            with nullcontext() if file is None else outputs.new(file):
                results.append(
                    rebuild(
                        iso,
                        distros=named,
                        # A directory that is not there yet refuses none of them.
                        output=into if output_dir is None or output_dir.is_dir() else None,
                        output_tree=output_tree,
                        in_place=in_place,
                        force=force,
                        dry_run=dry_run,
                        digest=digest or documented,
                        os_release=os_release,
                        profile_dirs=profile_dirs,
                        patch_dirs=patch_dirs,
                        identity=identity,
                        accept_unproven=accept_unproven,
                    )
                )
        if documented and not dry_run:
            from ngtpatch.provenance import Product, write_provenance

            for result in results:
                product = Product.of_rebuild(result)
                written.append(write_provenance(product, sign_key=sign_key, outputs=outputs))
    for number, result in enumerate(results):
        report(
            console, result, dry_run=dry_run, as_tree=output_tree is not None,
        )  # fmt: skip
        if written:
            tell(console, written[number])
        stated = proof(provenance=provenance, sign_key=sign_key)
        follow(
            console, result, profile_dirs=profile_dirs, patch_dirs=patch_dirs,
            accept_unproven=accept_unproven, stated=stated,
        )  # fmt: skip
    # Last: what fails before is the one document.
    console.result(RebuiltEach(tuple(results)) if each else results[0])


def _each(
    iso: Path,
    distros: Sequence[str],
    target: Path | BinaryIO | None,
    output_dir: Path | None,
    *,
    each: bool,
    force: bool,
) -> list[tuple[tuple[str, ...], Path]]:
    """Return one output for each distribution, all of which can be written."""
    if not each or output_dir is None or target is not None:
        raise UsageError(
            "each-without-directory",
            "--each and --output-dir go together, and without --output",
            hint="--each --output-dir DIR writes one ISO per distribution",
        )
    # A name that needs no profile may be several words, or have a slash: Debian GNU/Linux.
    words = {distro: re.sub(r"[^\w.-]+", "-", distro) for distro in distros}
    ones: list[tuple[tuple[str, ...], Path]] = [
        ((one,), output_dir / f"{iso.stem}-{words[one]}.iso") for one in distros
    ]
    foresee_directory(output_dir)
    if output_dir.is_dir():
        for _, into in ones:  # all of them before the first is written
            check_target(into, force=force, source=iso)
    return ones


def report(
    console: Console, result: RebuildResult, *, dry_run: bool, as_tree: bool = False
) -> None:
    """Print what was done, for people."""
    would = "would be " if dry_run else ""
    for entry in result.changed:
        console.say(f"{would}{entry.done:<8} {entry.path}{_edits(entry)}")
        if entry.diff and (dry_run or console.verbosity > 0):
            console.block(entry.diff)
    for place in result.already:
        console.say(f"accepts  {place.path}  takes {place.profile} for {place.branch}")
    if not result.changed and not result.overwritten:
        same = (
            ""
            if as_tree or result.method == "master"
            else ("; the output is the source, byte for byte")
        )
        console.say(f"nothing needed: {_why_nothing(result)}{same}")
    if result.unread:
        console.say(f"not looked into for identity, since compressed: {_listed(result.unread)}")
    if result.composed_with:
        earlier = ", ".join(result.composed_with)
        kept = not result.changed and not result.overwritten
        console.say(
            f"the source was rebuilt already, for {earlier}"
            if kept
            else f"composed with the earlier rebuild for {earlier}"
        )
    for notice in result.notices:
        console.warn(notice)
    if result.output is not None:
        console.say(f"wrote    {result.output}  ({result.size:,} bytes)")
    if result.sha256 is not None:
        console.say(f"sha256   {result.sha256}")


def follow(
    console: Console, result: RebuildResult, *, profile_dirs: Sequence[Path] = (),
    patch_dirs: Sequence[Path] = (), accept_unproven: Sequence[str] = (),
    stated: tuple[Sequence[str], str] = ((), ""),
) -> None:  # fmt: skip
    """Print what comes next, if a file was written; *stated* is what :func:`proof` gave."""
    if result.output is None:
        return
    if Path(result.output).is_dir():
        # Which program starts an installer is the script's to find out: not all are Python 3's.
        run = shlex.join(["./ngt-install", "--source", result.output])
        console.next(
            "ngtpatch", "render", "guest-install.sh", "-o", "ngt-install",
            why=f"then, on the guest, as root: {run}",
        )  # fmt: skip
        return
    same = not result.changed and not result.overwritten and not result.rebuilt_before
    if same and result.source == result.output:
        return  # nothing happened to it, and without a record there is nothing to hold it against
    asked = dict.fromkeys((*result.profiles, *(place.profile for place in result.already)))
    named = options.said_again(
        distros=asked, profile_dirs=profile_dirs, patch_dirs=patch_dirs,
        accept_unproven=accept_unproven,
    )  # fmt: skip
    if result.rebuilt_before:
        # The record, and so both commands, are about what the source itself was made from.
        base: tuple[str | Path, ...] = ("--base", "ISO")
        which, back = "ISO: the vendor's, not one that was rebuilt", "gives the vendor's again"
    else:
        base = () if result.source == result.output else ("--base", Path(result.source))
        which, back = "", "undoes it"
    output = Path(result.output)
    told, made = stated
    if told and result.rebuilt_before:
        # They name what this was made from, the record what that was made from: no base is both.
        console.next("ngtpatch", "verify", output, *named, *told, why=made)
        told, made = (), ""
    why = "; ".join(filter(None, (which, made)))
    console.next("ngtpatch", "verify", output, *base, *named, *told, why=why)
    scrubbed = result.overwritten or any(entry.sha256_before is None for entry in result.changed)
    # What an earlier rebuild scrubbed is not told here.
    undo = base if scrubbed or result.rebuilt_before else ()
    if same:
        return  # it is the source itself: there is nothing to undo, and no record to do it by
    console.next("ngtpatch", "reset", output, *undo, "-o", "FILE", why=back)


def _listed(paths: Sequence[str]) -> str:
    shown = ", ".join(paths[:_SHOWN_PATHS])
    return shown + (f" and {len(paths) - _SHOWN_PATHS} more" if len(paths) > _SHOWN_PATHS else "")


def _edits(entry: ChangedEntry) -> str:
    if entry.done == "removed" and entry.sha256_before is not None:
        return "  (compiled: would run instead of the patched source)"
    if entry.done == "repacked":
        return "  (of its members only those listed here differ)"
    if not entry.edits:
        return "  (identity)"
    return f"  ({entry.edits} edit{'s' if entry.edits > 1 else ''})"


def _why_nothing(result: RebuildResult) -> str:
    if result.already:
        return (
            "the installer accepts what was asked for, by name ('ngtpatch support' tells what may"
            " stop it all the same)"
        )
    if result.carries_identity:
        return "what was asked for is on it"
    return "no identity was found on it"
