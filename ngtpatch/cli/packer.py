# SPDX-License-Identifier: Apache-2.0
"""``ngtpatch packer prepare|hook|verify``."""

from __future__ import annotations

from pathlib import Path

import click

from ngtpatch.cli import options
from ngtpatch.cli.output import Console
from ngtpatch.cli.provenance import foresee, proof, provenance_options, tell, wanted
from ngtpatch.errors import VerificationError
from ngtpatch.packer import (
    HookRequest,
    PackerContext,
    PrepareResult,
    run_hook,
    write_variables,
)
from ngtpatch.packer import prepare as prepare_iso
from ngtpatch.packer import verify as verify_prepared
from ngtpatch.packer.variables import VARIABLES, require_variables
from ngtpatch.provenance import write_provenance


@click.group(
    cls=options.Group,
    epilog=options.examples(
        "ngtpatch packer prepare ngt.iso -d rocky -o build", "ngtpatch packer verify"
    ),
)
@options.global_options
def command() -> None:
    """Prepare, make and verify the ISO of a Packer build."""


@options.command("ngtpatch packer prepare ngt.iso -d rocky -o build")
@click.argument("iso", type=options.ISO, envvar="NGTPATCH_ISO")
@options.distro_option_of("NGTPATCH_DISTRO")
@click.option(
    "-o", "--output", metavar="DIR", type=options.OUTPUT, default=Path(),
    envvar="NGTPATCH_OUTPUT", show_default="here",
    help="Where to write the ISO, under a name that says what it is; a FILE.iso is taken as such.",
)  # fmt: skip
@click.option(
    "--variables", metavar="FILE", type=options.OUTPUT, default=Path(VARIABLES),
    show_default=True, help="Where to write the variables that Packer loads by itself.",
)  # fmt: skip
@click.option(
    "--vm-config", metavar="PATH", type=options.PATH, envvar="NGTPATCH_VM_CONFIG",
    help="Make one VM's ISO: its ngt_config.json, or a directory with certificate and key.",
)  # fmt: skip
@click.option(
    "--keep-identity", is_flag=True, help="Leave the identity that is on ISO; never share it."
)
@options.allow_identity_option
@click.option(
    "--cache-dir", metavar="DIR", type=options.PATH, envvar="NGTPATCH_CACHE_DIR",
    help="Where other builds find the ISO again.",
)  # fmt: skip
@click.option(
    "--accept-unproven", metavar="DIGEST", multiple=True, envvar="NGTPATCH_ACCEPT_UNPROVEN",
    help="Go on although lines are not understood: the digest that the refusal told.",
)  # fmt: skip
@provenance_options
@options.profiles_option
@options.patches_option
@options.force_option
@options.dry_run_option
@click.pass_obj
def prepare(
    console: Console, *, iso: Path, distros: tuple[str, ...], output: Path, variables: Path,
    vm_config: Path | None, keep_identity: bool, allowed: tuple[str, ...],
    cache_dir: Path | None, provenance: bool,
    sign_key: Path | None, accept_unproven: tuple[str, ...],
    profile_dirs: tuple[Path, ...], patch_dirs: tuple[Path, ...], force: bool, dry_run: bool,
) -> None:  # fmt: skip
    """Write the ISO and the variables that a template attaches it by."""
    documented = wanted(provenance=provenance, sign_key=sign_key)
    require_variables(variables, force=force)
    result = prepare_iso(
        iso,
        distros=distros,
        output=output,
        vm_config=vm_config,
        keep_identity=keep_identity,
        allowed=allowed,
        cache_dir=cache_dir,
        profile_dirs=profile_dirs,
        patch_dirs=patch_dirs,
        accept_unproven=[one for text in accept_unproven for one in text.split(",")],
        force=force,
        dry_run=dry_run,
    )
    if dry_run:
        if documented:
            foresee(Path(result.iso_path), iso)
        _report(console, result, variables)
        console.say("nothing was written")
        console.result(result)
        return
    written = write_provenance(result.subject, sign_key=sign_key) if documented else None
    write_variables(result, variables, force=force)  # last: a template attaches what is complete
    _report(console, result, variables)
    if written is not None:
        tell(console, written)
    told, made = proof(provenance=provenance, sign_key=sign_key)
    if told:
        # Only what was changed has a record to be verified by.
        base = ("--base", iso) if result.as_shipped else ()
        console.next("ngtpatch", "verify", Path(result.iso_path), *base, *told, why=made)
    meant = ["--allow-identity"] if vm_config is not None or keep_identity else []
    for one in allowed:
        meant += ["--allow-identity-in", one]
    meant += options.said_again(accept_unproven=accept_unproven)
    console.next(
        "ngtpatch", "packer", "verify", variables, *meant, why="before or after packer build"
    )
    console.result(result)


@options.command(
    "export NGTPATCH_ISO=ngt.iso NGTPATCH_DISTRO=rocky NGTPATCH_OUTPUT=build",
    "ngtpatch packer hook",
)
@options.force_option
@options.dry_run_option
@click.pass_obj
def hook(console: Console, *, force: bool, dry_run: bool) -> None:
    """Make the ISO that NGTPATCH_ISO, NGTPATCH_DISTRO and NGTPATCH_OUTPUT ask for.

    Optional are NGTPATCH_RESULT (where to write the result as JSON), NGTPATCH_VM_CONFIG (one
    VM's identity), NGTPATCH_CACHE_DIR and NGTPATCH_ACCEPT_UNPROVEN. The same as packer.hook()
    of the library.
    """
    result = run_hook(
        HookRequest.from_env(), PackerContext.from_env(), force=force, dry_run=dry_run
    )
    console.result(result)
    _report(console, result.prepared)
    if dry_run:
        console.say("nothing was written")


@options.command("ngtpatch packer verify ngtpatch.auto.pkrvars.json --base ngt.iso")
@click.argument("variables", metavar="[VARIABLES]", type=options.INPUT, default=Path(VARIABLES))
@click.option(
    "--base", metavar="ISO", type=options.ISO,
    help="The vendor's ISO, to compare with.",
)  # fmt: skip
@click.option("--allow-identity", is_flag=True, help="It may be one VM's ISO.")
@click.option(
    "--allow-identity-in", "allowed", metavar="PATH", multiple=True,
    help="A file on the ISO that holds a private key or the ngt_uuid and is meant to; may be"
    " repeated.",
)  # fmt: skip
@click.option(
    "--accept-unproven", metavar="DIGEST", multiple=True, envvar="NGTPATCH_ACCEPT_UNPROVEN",
    help="It may have been made although lines were not understood: those of this digest.",
)  # fmt: skip
@click.pass_context
def verify(
    ctx: click.Context, variables: Path, base: Path | None, allow_identity: bool,
    allowed: tuple[str, ...], accept_unproven: tuple[str, ...],
) -> None:  # fmt: skip
    """Check the ISO that the variables name: unchanged, accepted, and without a VM's identity.

    Every byte is searched for identity; what is compressed is not looked into, and is named.
    """
    console: Console = ctx.obj
    result = verify_prepared(
        variables,
        base=base,
        allow_identity=allow_identity,
        allowed=allowed,
        accept_unproven=[one for text in accept_unproven for one in text.split(",")],
    )
    console.result(result)
    console.pairs([("iso", result.iso_path), ("sha256", result.iso_sha256 or "-")])
    for problem in result.problems:
        console.say(f"wrong    {problem}")
    for sentence in result.proven:
        console.say(f"  {sentence}")
    if result.unread:
        console.say(f"not searched {', '.join(result.unread)} (compressed)")
    if not result.ok:
        ctx.exit(VerificationError.exit_code)
    for notice in result.notices:
        console.warn(notice)
    console.say("as it was prepared")


def _report(console: Console, result: PrepareResult, variables: Path | None = None) -> None:
    how = {
        "built": "built now", "cache": "from the cache", "output": "there already",
        "planned": "would be written",
    }  # fmt: skip
    console.pairs(
        [
            ("iso", f"{result.iso_path} ({how[result.origin]})"),
            ("sha256", result.iso_sha256),
            ("accepts", result.profile),
            *([("variables", str(variables))] if variables else []),
        ]
    )
    if result.unread:
        listed = ", ".join(result.unread)
        console.say(f"not looked into for identity, since compressed: {listed}")
    for notice in result.notices:
        console.warn(notice)


command.add_command(prepare, "prepare")
command.add_command(hook, "hook")
command.add_command(verify, "verify")
