# SPDX-License-Identifier: Apache-2.0
"""The group: which commands there are, and how a failure leaves the process.

Commands are imported when they are called: ``ngtpatch --version`` and the shell's
completion stay free of pycdlib, libcst and pydantic.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from ngtpatch import interrupts
from ngtpatch._version import __version__
from ngtpatch.cli.options import Group, examples, global_options
from ngtpatch.cli.output import Console, lines
from ngtpatch.cli.wrapping import columns, wrapped
from ngtpatch.errors import UsageError, of_any, unwritable

# Command -> module of ngtpatch.cli that defines it under the same name, and its line in --help.
# The line is repeated here so that --help needs no import; a test compares the two.
COMMANDS: dict[str, tuple[str, str]] = {
    "completion": (
        "completion",
        "Print the script that completes commands, options and their values in a shell.",
    ),
    "diff": ("diff", "Show what differs between two ISOs or unpacked trees."),
    "extract": ("extract", "Copy one file out of an ISO."),
    "identity": ("identity", "Show, check and strip what makes an ISO one VM's."),
    "inject": ("inject", "Write one ISO per VM of an inventory, each with its own identity."),
    "inspect": ("inspect", "Show what an ISO is: volume, NGT, sites, identity, build record."),
    "ls": ("ls", "List the entries of an ISO."),
    "patch": ("patch", "List, show and test patches."),
    "packer": ("packer", "Prepare, make and verify the ISO of a Packer build."),
    "profile": ("profile", "List, show, make and test profiles of distributions."),
    "push": ("push", "Put an ISO into Prism Central's image library and into a VM's CD-ROM drive."),
    "rebuild": ("rebuild", "Write an ISO whose installer accepts the named distributions."),
    "render": ("render", "Write a script or configuration for guests, images or the cluster."),
    "report": ("report", "Write one HTML page about an ISO and its base, or about a fleet."),
    "reset": ("reset", "Write the vendor's ISO again, byte for byte."),
    "sample": ("sample", "Write a synthetic NGT ISO to try things on."),
    "schema": ("schema", "Print the JSON Schema of a document."),
    "status": ("status", "Say what state NGT is in, VM by VM, and what to do next."),
    "support": ("support", "Show what an ISO decides for each distribution, shipped and patched."),
    "verify": ("verify", "Account for every byte of an ISO, against its base or by its record."),
}

# Variables that stand for no single command's option.
VARIABLES = {
    f"NGTPATCH_{name}"
    for name in (
        *("JSON", "COLOR", "VERBOSE", "QUIET", "PROFILES", "PATCHES"),
        *("ISO", "DISTRO", "OUTPUT", "RESULT", "VM_CONFIG", "CACHE_DIR", "ACCEPT_UNPROVEN"),
        *("PRISM_USERNAME", "PRISM_PASSWORD", "PRISM_API_KEY"),
    )
}

_TRUE = ("1", "true", "t", "yes", "y", "on")  # what click takes for one in a variable
_ALIKE = 0.75
"""How alike, of 1, a word is to be that was meant; TEST is no RESET."""


class LazyGroup(Group):
    """A group that imports a command when it is called, and ends every failure in one message."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands' names, sorted."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command, or None when there is no such command."""
        if cmd_name not in COMMANDS:
            return None
        module, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(f"ngtpatch.cli.{module}"), "command")  # noqa: B009
        command.name = cmd_name
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in sorted(COMMANDS)])

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Read the words before the command; what is wrong with them is a document, too."""
        console = Console(as_json=_json_wanted(args))
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            console.error_document(_from_usage(error), command=None)
            raise _shown(error) from None
        except OSError as error:  # --help and --version print here
            if error.errno == errno.EPIPE:
                raise
            failure = of_any(error)
            console.error(failure, command=None)
            raise click.exceptions.Exit(failure.exit_code) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; whatever fails becomes one message and one exit code."""
        console = ctx.ensure_object(Console)
        _tell_misspelt_variables(console)
        # Behind the command's name it is not read yet when another word there is wrong.
        behind = list(ctx.args)
        try:
            with console.progress():
                return super().invoke(ctx)
        except BrokenPipeError:
            # The reader of our stdout went away (`| head`). Python would complain again at exit.
            sys.stderr.close()
            ctx.exit(1)
        except click.UsageError as error:
            # Its message is click's own, with the line of usage.
            console.as_json |= _json_wanted(behind, self._words(ctx, behind))
            console.error_document(_from_usage(error), command=self._words(ctx, behind))
            raise _shown(error) from None
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if interrupts.told_by(error):
                raise interrupts.Interrupted from None
            console.as_json |= _json_wanted(behind, self._words(ctx, behind))
            failure = of_any(error)
            if isinstance(error, FileNotFoundError) and _is_nowhere():
                failure = unwritable(error, path=".")
            if failure.code == "unexpected" and console.verbosity > 1:
                console.traceback()
            console.error(failure, command=self._words(ctx, behind))
            ctx.exit(failure.exit_code)

    def _words(self, ctx: click.Context, behind: Sequence[str]) -> str | None:
        """Return the command as its documents are named: ``identity check`` is identity-check."""
        name = ctx.invoked_subcommand
        group = self.get_command(ctx, name) if name else None
        inner = group.commands if isinstance(group, click.Group) else ()
        within = [word for word in behind if word in inner][:1]
        return "-".join([name, *within]) if name else None


def _is_nowhere() -> bool:
    """Tell whether the current directory was deleted: then no relative path leads anywhere."""
    try:
        Path.cwd()
    except FileNotFoundError:
        return True
    return False


def _json_wanted(words: Sequence[str], command: str | None = None) -> bool:
    """Tell whether a document was asked for, where what asks for it was not read to its end."""
    own = f"_{command.replace('-', '_').upper()}" if command else ""
    asked = [os.environ.get(name, "") for name in ("NGTPATCH_JSON", f"NGTPATCH{own}_JSON")]
    return "--json" in words or any(one.strip().lower() in _TRUE for one in asked)


def _tell_misspelt_variables(console: Console) -> None:
    """Warn of NGTPATCH_ variables that come close to one that there is."""
    commands = {name.upper() for name in COMMANDS}
    for name in sorted(os.environ):
        before, _, rest = name.partition("NGTPATCH_")
        first = rest.partition("_")[0]
        # What comes after the prefix is compared: all would be alike by the prefix.
        if before or not rest or name in VARIABLES or first in commands:
            continue
        short = {one.removeprefix("NGTPATCH_") for one in VARIABLES}
        close = get_close_matches(rest, short, 1, _ALIKE)
        close += [
            rest.replace(first, one, 1) for one in get_close_matches(first, commands, 1, _ALIKE)
        ]
        if close:
            console.warn(f"{name} is set, and is no option; did you mean NGTPATCH_{close[0]}?")


def _shown(error: click.UsageError) -> click.UsageError:
    """Return click's error with what it quotes of the command line fit for a terminal."""
    if "\n" in error.message and error.ctx and error.message == error.ctx.get_help():
        return error  # a group was named alone
    # click says itself what it is; that belongs to the line.
    head = "Error: "
    told = wrapped(f"{head}{lines(error.format_message())}", columns(sys.stderr), hang=2)
    message = "\n".join(told).removeprefix(head)
    return click.UsageError(message, ctx=error.ctx)


def _from_usage(error: click.UsageError) -> UsageError:
    hint = f"{error.ctx.command_path} --help" if error.ctx is not None else None
    # Where a group was named alone, the message is all of its help.
    return UsageError("usage", error.format_message().partition("\n")[0], hint=hint)


@click.group(
    cls=LazyGroup,
    context_settings={
        "auto_envvar_prefix": "NGTPATCH",
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
    },
    epilog=examples(
        "ngtpatch support ngt.iso -d rocky",
        "ngtpatch rebuild ngt.iso -d rocky -o ngt-rocky.iso",
        "ngtpatch verify ngt-rocky.iso --base ngt.iso",
    )
    + (
        "\n\nExit codes: 0 done or nothing needed; 1 unexpected; 2 usage; 3 input unusable; "
        "4 refused; 5 verification failed, or something needs attention; "
        "6 part of a batch failed; 7 remote; "
        "8 the output could not be written; 130 interrupted. "
        "Every option can be set as NGTPATCH_<COMMAND>_<OPTION>."
    ),
)
# A pipeline's variable for which ngtpatch it installs must not make each command print a version.
@click.version_option(__version__, message="%(prog)s %(version)s", allow_from_autoenv=False)
@global_options
def app() -> None:
    """Rebuild Nutanix Guest Tools ISOs for distributions that their installer refuses."""
