# SPDX-License-Identifier: Apache-2.0
"""The group: which commands there are, and how a failure leaves the process.

Commands are imported when they are called: ``ngtpatch --version`` and the shell's
completion stay free of pycdlib, libcst and pydantic.
"""

from __future__ import annotations

import errno
import signal
import sys
from importlib import import_module
from types import FrameType
from typing import Any

import click

from ngtpatch._version import __version__
from ngtpatch.cli.options import global_options
from ngtpatch.cli.output import Console
from ngtpatch.errors import NgtpatchError, UsageError

# Command -> module of ngtpatch.cli that defines it under the same name, and its line in --help.
# The line is repeated here so that --help needs no import; a test compares the two.
COMMANDS: dict[str, tuple[str, str]] = {
    "diff": ("diff", "Show what differs between two ISOs or unpacked trees."),
    "extract": ("extract", "Copy one file out of an ISO."),
    "identity": ("identity", "Show, check and strip what makes an ISO one VM's."),
    "inject": ("inject", "Write one ISO per VM of an inventory, each with its own identity."),
    "inspect": ("inspect", "Show what an ISO is: volume, NGT, sites, identity, build record."),
    "ls": ("ls", "List the entries of an ISO."),
    "patch": ("patch", "List, show and test patches."),
    "packer": ("packer", "Prepare, make and verify the ISO of a Packer build."),
    "profile": ("profile", "List, show, make and test profiles of distributions."),
    "rebuild": ("rebuild", "Write an ISO whose installer accepts the named distributions."),
    "render": ("render", "Write a script or configuration for guests, images or the cluster."),
    "reset": ("reset", "Write the vendor's ISO again, byte for byte."),
    "sample": ("sample", "Write a synthetic NGT ISO to try things on."),
    "schema": ("schema", "Print the JSON Schema of a document."),
    "status": ("status", "Say what state NGT is in, VM by VM, and what to do next."),
    "support": ("support", "Show what an ISO decides for each distribution, shipped and patched."),
    "verify": ("verify", "Check an ISO, and that it differs from its base only as recorded."),
}

INTERRUPTED = 130


class LazyGroup(click.Group):
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
        console = Console(as_json="--json" in args)
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            console.error_document(_from_usage(error), command=None)
            raise
        except OSError as error:  # --help and --version print here
            if error.errno == errno.EPIPE:
                raise
            console.error(_from_os_error(error), command=None)
            raise click.exceptions.Exit(NgtpatchError.exit_code) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; whatever fails becomes one message and one exit code."""
        console = ctx.ensure_object(Console)
        # Behind the command's name it is not read yet when another word there is wrong.
        json_behind = "--json" in ctx.args
        signal.signal(signal.SIGTERM, _terminate)
        try:
            return super().invoke(ctx)
        except NgtpatchError as error:
            console.error(error, command=ctx.invoked_subcommand)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            console.warn("interrupted: nothing was left half-written")
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:
            # The reader of our stdout went away (`| head`). Python would complain again at exit.
            sys.stderr.close()
            ctx.exit(1)
        except OSError as error:
            console.error(_from_os_error(error), command=ctx.invoked_subcommand)
            ctx.exit(NgtpatchError.exit_code)
        except click.UsageError as error:
            # Its message is click's own, with the line of usage.
            console.as_json |= json_behind
            console.error_document(_from_usage(error), command=ctx.invoked_subcommand)
            raise
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if console.verbosity > 1:
                raise
            console.error(_unexpected(error), command=ctx.invoked_subcommand)
            ctx.exit(NgtpatchError.exit_code)


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    # SIGTERM takes the same way out as Ctrl-C, so that temporary files are removed.
    raise KeyboardInterrupt


def _from_os_error(error: OSError) -> NgtpatchError:
    reason = error.strerror or str(error)
    path = error.filename if isinstance(error.filename, str) else None
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NgtpatchError(
            "disk-full", reason, path=path, hint="free some space and run the command again"
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        hint = "name another place, or run the command as who has the permission"
        return NgtpatchError("not-permitted", reason, path=path, hint=hint)
    return NgtpatchError("os-error", reason, path=path)


def _from_usage(error: click.UsageError) -> UsageError:
    hint = f"{error.ctx.command_path} --help" if error.ctx is not None else None
    # Where a group was named alone, the message is all of its help.
    return UsageError("usage", error.format_message().partition("\n")[0], hint=hint)


def _unexpected(error: Exception) -> NgtpatchError:
    return NgtpatchError(
        "unexpected",
        f"{type(error).__name__}: {error}",
        hint="this is a defect of ngtpatch; -vv shows where, please report it",
    )


@click.group(
    cls=LazyGroup,
    context_settings={
        "auto_envvar_prefix": "NGTPATCH",
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
    },
    epilog=(
        "Exit codes: 0 done or nothing needed; 1 unexpected; 2 usage; 3 input unusable; "
        "4 refused; 5 verification failed; 6 part of a batch failed; 7 remote; 130 interrupted. "
        "Every option can be set as NGTPATCH_<COMMAND>_<OPTION>."
    ),
)
@click.version_option(__version__, message="%(prog)s %(version)s")
@global_options
def app() -> None:
    """Rebuild Nutanix Guest Tools ISOs for distributions that their installer refuses."""
