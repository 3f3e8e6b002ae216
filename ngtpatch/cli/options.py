# SPDX-License-Identifier: Apache-2.0
"""Every option that more than one command has, defined once."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ngtpatch.cli.completed import profile_ids
from ngtpatch.cli.output import Console
from ngtpatch.disclosure import redacted
from ngtpatch.errors import UsageError
from ngtpatch.files.apart import require_apart
from ngtpatch.files.bounded import STDIN

if TYPE_CHECKING:
    from ngtpatch.identity.inventory import Inventory
    from ngtpatch.prism_central import Connection

__all__ = [
    "INPUT",
    "ISO",
    "OUTPUT",
    "PATH",
    "PLACE",
    "TREE",
    "Group",
    "OneOf",
    "Seconds",
    "accept_option",
    "allow_identity_option",
    "authority_option",
    "command",
    "digest_option",
    "distro_option",
    "distro_option_of",
    "dry_run_option",
    "force_option",
    "global_options",
    "identity_options",
    "iso_argument",
    "listed",
    "metrics_option",
    "os_release_option",
    "output_option",
    "patches_option",
    "prism_central",
    "prism_options",
    "profiles_option",
    "size",
]

F = TypeVar("F", bound=Callable[..., Any])


class _Path(click.Path):
    """A path as it is: no home directory is put in the place of a ``~``.

    Whether it exists, can be read and is of the right kind is checked by the library: an input that
    cannot be used is not a wrong use of the command line.
    """

    def __init__(self, path_type: type[Path | str] = Path) -> None:
        super().__init__(path_type=path_type, readable=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path. An empty one would be the directory that one is in, and a directory
        called ~ would be made where no shell has replaced it.
        """
        if value == "":
            self.fail("the name is empty: is a variable of the shell not set?", param, ctx)
        if param is not None and str(value).startswith("~") and not isinstance(value, Path):
            name = max(param.opts, key=len)
            raise UsageError(
                "tilde",
                f"{name if name.startswith('-') else name.upper()}: {value!r} begins with ~,"
                " which no shell has replaced by a home directory",
                hint=f"write the path in full, or ./{value} for a name that begins so",
            )
        return super().convert(value, param, ctx)


class _Input(_Path):
    """A small file to read; ``-`` is standard input."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path; that of standard input for ``-``."""
        return super().convert(STDIN if str(value) == "-" else value, param, ctx)


class _Iso(_Path):
    """An ISO, a block device or a directory with its tree: no stream, which cannot go back."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path. Raises UsageError ``no-stream`` for ``-``."""
        if str(value) == "-":
            raise UsageError(
                "no-stream",
                "the ISO has to be a file, a block device or a directory: it is read at many"
                " places, and standard input (-) gives its bytes once",
                hint="write it to a file first, and name that",
            )
        return super().convert(value, param, ctx)


class _Output(_Path):
    """A file to write, and with *whole* a directory that is replaced with all that is in it."""

    def __init__(self, *, whole: bool = False) -> None:
        super().__init__()
        self.whole = whole


class Group(click.Group):
    """A group that names the command that was meant: not every click does."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the first word names, none of which is imported for that."""
        names = self.list_commands(ctx)
        if args[0] not in names and not ctx.resilient_parsing and args[0][:1] != "-":
            close = get_close_matches(args[0], names, 1)
            meant = f" Did you mean {close[0]!r}?" if close else ""
            ctx.fail(f"No such command {args[0]!r}.{meant}")
        return super().resolve_command(ctx, args)


class OneOf(click.Choice[str]):
    """One of many words; what was meant is named where one comes close, and all are where not."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the word."""
        close = [f"{one!r}" for one in get_close_matches(str(value), self.choices, 3)]
        if value not in self.choices and close:
            self.fail(f"there is no {value!r}; did you mean {' or '.join(close)}?", param, ctx)
        return super().convert(value, param, ctx)


class Seconds(click.FloatRange):
    """How long, as a number that there is: nan and inf compare with no clock."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number of seconds."""
        seconds = super().convert(value, param, ctx)
        if not math.isfinite(seconds):
            self.fail(f"{value!r} is not a number of seconds", param, ctx)
        return seconds


PATH = _Path()
INPUT = _Input()
ISO = _Iso()
OUTPUT = _Output()
TREE = _Output(whole=True)
# A directory, or s3://bucket/prefix.
PLACE = _Path(str)


def size(value: str | int) -> int:
    """Return the bytes that a number such as 600M means. Raises UsageError ``bad-size``."""
    if isinstance(value, int):
        return value
    found = re.fullmatch(r"(\d{1,15})([KMG]?)(?:i?B)?", value.strip(), re.ASCII | re.IGNORECASE)
    if found is None:
        raise UsageError(
            "bad-size",
            f"{value!r} is not a size",
            hint="give bytes, or a number with K, M or G (of 1024), such as 600M",
        )
    return int(found[1]) << {"": 0, "K": 10, "M": 20, "G": 30}[found[2].upper()]


def _sets(attribute: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def callback(ctx: click.Context, _parameter: click.Parameter, value: Any) -> None:
        if value:
            setattr(ctx.ensure_object(Console), attribute, value)

    return callback


def _verbosity(sign: int) -> Callable[[click.Context, click.Parameter, int], None]:
    def callback(ctx: click.Context, _parameter: click.Parameter, value: int) -> None:
        ctx.ensure_object(Console).verbosity += sign * value

    return callback


def global_options(function: F) -> F:
    """Add what is accepted before and after every command's name."""
    for option in (
        click.option(
            "--color", type=click.Choice(["auto", "always", "never"]), expose_value=False,
            callback=_sets("color"), help="Colour the output; NO_COLOR is honoured.",
        ),
        click.option("-v", "--verbose", count=True, expose_value=False, callback=_verbosity(1),
                     help="Print more; twice shows where an unexpected error came from."),
        click.option("-q", "--quiet", count=True, expose_value=False, callback=_verbosity(-1),
                     help="Print errors and warnings only."),
        click.option("--json", is_flag=True, expose_value=False, callback=_sets("as_json"),
                     help="Print one JSON document on stdout, messages on stderr."),
    ):  # fmt: skip
        function = option(function)
    return function


class _Command(click.Command):
    """A command whose options are read from the environment by the names that people type."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Name each option's variable, which click would name after the parameter in Python."""
        for option in self.params:
            if isinstance(option, click.Option) and ctx.auto_envvar_prefix:
                long = next(name for name in option.opts if name.startswith("--"))
                own = f"{ctx.auto_envvar_prefix}_{long[2:].replace('-', '_').upper()}"
                known = option.envvar or ()
                names = [known] if isinstance(known, str) else [*known]
                option.envvar = list(dict.fromkeys([*names, own]))
        words = list(args)
        try:
            rest = super().parse_args(ctx, args)
        except click.UsageError as error:
            if type(error) is not click.UsageError:  # a subclass says all: this is a word too many
                raise
            raise click.UsageError(error.message + _torn_list(words), ctx=error.ctx) from None
        for option in self.params:
            _require_no_key(option, ctx.params.get(option.name or ""))
        _require_one_stdin(ctx)
        _require_outputs_apart(ctx, self.params)
        _tell_unknown_variables(ctx, self.params)
        return rest


def _torn_list(words: Sequence[str]) -> str:
    """Return what may have made one word too many: a blank beside the comma of a list."""
    for one, other in pairwise(words):
        if one.endswith(",") or other.startswith(","):
            return f": {one!r} and {other!r} are two words; a list has no blank beside its commas"
    return ""


def _require_one_stdin(ctx: click.Context) -> None:
    """Refuse ``-`` for two inputs: the first that is read would take all of it."""
    taking = [name for name, value in ctx.params.items() if _names(value).count(STDIN)]
    if len(taking) > 1 or any(_names(ctx.params[name]).count(STDIN) > 1 for name in taking):
        raise UsageError(
            "stdin-twice", "standard input (-) can be only one of the inputs",
            hint="name the others as files",
        )  # fmt: skip


def _require_outputs_apart(ctx: click.Context, parameters: Sequence[click.Parameter]) -> None:
    """Refuse an output that is an input of the same command, whatever reads it and when."""
    inputs: list[Path] = []
    discs: list[Path] = []
    outputs: list[tuple[Path, bool]] = []
    for one in parameters:
        paths = [path for path in _names(ctx.params.get(one.name or "")) if isinstance(path, Path)]
        if isinstance(one.type, _Output):
            outputs += [(path, one.type.whole) for path in paths if str(path) != "-"]
        elif isinstance(one.type, _Iso):
            discs += paths
        elif isinstance(one.type, _Path):
            inputs += paths
    for path, whole in outputs:
        require_apart(path, inputs, discs=discs, whole=whole)


def _names(value: Any) -> list[Any]:
    return list(value) if isinstance(value, tuple | list) else [value]


def _tell_unknown_variables(ctx: click.Context, options: Sequence[click.Parameter]) -> None:
    """Warn of a variable that looks like one of this command's options and is none."""
    if not ctx.auto_envvar_prefix or ctx.resilient_parsing:
        return
    known = {name for option in options if isinstance(option, click.Option)
             for name in ((option.envvar,) if isinstance(option.envvar, str)
                          else option.envvar or ())}  # fmt: skip
    for name in sorted(os.environ):
        if name.startswith(f"{ctx.auto_envvar_prefix}_") and name not in known:
            close = get_close_matches(name, known, 1)
            meant = f"; did you mean {close[0]}?" if close else ""
            ctx.ensure_object(Console).warn(f"{name} is set, and is no option{meant}")


def _require_no_key(parameter: click.Parameter, value: Any) -> None:
    """Refuse a private key as a value: a file would get it for a name."""
    if isinstance(value, tuple | list):
        for one in value:
            _require_no_key(parameter, one)
    elif isinstance(value, str | Path) and redacted(str(value)) != str(value):
        name = max(parameter.opts, key=len)
        raise UsageError(
            "secret",
            f"{name if name.startswith('-') else name.upper()}: a private key is not taken as"
            " a value",
            hint="keep the key in a file of its own that only you may read, and name its path",
        )


def examples(*lines: str) -> str:
    """Return what ends a command's help: *lines* that can be typed as they stand."""
    return "\n".join(
        ("\b", "Examples:" if len(lines) > 1 else "Example:", *(f"  {line}" for line in lines))
    )


def command(*lines: str) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a function a command that also takes the global options; *lines* are examples."""

    def decorate(function: Callable[..., Any]) -> click.Command:
        return click.command(cls=_Command, epilog=examples(*lines))(global_options(function))

    return decorate


iso_argument = click.argument("iso", type=ISO)

output_option = click.option(
    "-o", "--output", metavar="FILE", type=OUTPUT,
    help="Where to write; - streams to stdout.",
)  # fmt: skip
force_option = click.option("-f", "--force", is_flag=True, help="Replace an existing file.")
dry_run_option = click.option(
    "-n", "--dry-run", is_flag=True, help="Print the plan and write nothing."
)
digest_option = click.option(
    "--digest/--no-digest", default=True, show_default=True,
    help="Compute the SHA-256 of the whole output.",
)  # fmt: skip


def _split(ctx: click.Context, parameter: click.Parameter, value: Any) -> tuple[str, ...]:
    found = tuple(one.strip() for text in value for one in text.split(",") if one.strip())
    if value and not found and not ctx.resilient_parsing:
        # Without -d some commands are about every distribution: not what an empty name asks for.
        raise click.BadParameter(
            "the name is empty: is a variable of the shell not set?", ctx, parameter
        )
    return found


def distro_option_of(variable: str | None = None) -> Callable[[F], F]:
    """Return the option that names distributions; *variable* names them, too."""
    return click.option(
        "-d", "--distro", "distros", metavar="ID", multiple=True, callback=_split,
        shell_complete=profile_ids, envvar=variable,
        help="A distribution's profile; several by commas, or by repeating it.",
    )  # fmt: skip


distro_option = distro_option_of()
profiles_option = click.option(
    "--profiles", "profile_dirs", metavar="DIR", multiple=True, type=PATH,
    envvar="NGTPATCH_PROFILES", help="Profiles in addition to the shipped ones; may be repeated.",
)  # fmt: skip
patches_option = click.option(
    "--patches", "patch_dirs", metavar="DIR", multiple=True, type=PATH,
    envvar="NGTPATCH_PATCHES", help="Patches in addition to the shipped ones; may be repeated.",
)  # fmt: skip
accept_option = click.option(
    "--accept-unproven", metavar="DIGEST", multiple=True,
    help="Go on although lines on the way of the installation are not understood: the digest"
    " that the refusal told, of lines that you have read.",
)  # fmt: skip


def said_again(
    *, distros: Iterable[str] = (), profile_dirs: Iterable[str | Path] = (),
    patch_dirs: Iterable[str | Path] = (), accept_unproven: Iterable[str] = (),
) -> list[str]:  # fmt: skip
    """Return the words by which the next command is told what this one was."""
    said = (
        ("-d", distros), ("--profiles", profile_dirs), ("--patches", patch_dirs),
        ("--accept-unproven", accept_unproven),
    )  # fmt: skip
    return [word for option, values in said for one in values for word in (option, str(one))]


os_release_option = click.option(
    "--os-release", metavar="FILE", type=INPUT,
    help="The guest's /etc/os-release, for --distro auto.",
)  # fmt: skip


authority_option = click.option(
    "--ca-cert", "authority", metavar="FILE", type=INPUT,
    help="The ca-cert.pem of the cluster, or a disc of the cluster to take it from.",
)  # fmt: skip
allow_identity_option = click.option(
    "--allow-identity", "allowed", metavar="PATH", multiple=True,
    help="A file on the disc that holds a private key or the ngt_uuid and is meant to; may be"
    " repeated.",
)  # fmt: skip


metrics_option = click.option(
    "--metrics", metavar="FILE.prom", type=OUTPUT,
    help="Also write Prometheus text for the node exporter (needs ngtpatch[metrics]); what an"
    " earlier run wrote there is replaced.",
)  # fmt: skip


def prism_options(function: F) -> F:
    """Add what names a Prism Central and how to reach it. No secret is ever an argument."""
    for option in (
        click.option("--timeout", metavar="SECONDS", type=Seconds(1, 86400), default=60.0,
                     show_default=True, help="How long to wait for an answer of Prism Central."),
        click.option("--credentials", metavar="FILE", type=PATH,
                     help="Lines `username = ...`, `password = ...` or `api_key = ...`, mode 0600;"
                     " else NGTPATCH_PRISM_USERNAME and _PASSWORD, or _API_KEY, or the keyring."),
        click.option("--tls-ca", metavar="FILE", type=PATH,
                     help="PEM certificates that Prism Central's own must chain to."),
        click.option("--prism", "prism_host", metavar="HOST[:PORT]",
                     help="Ask this Prism Central (needs ngtpatch[prism])."),
    ):  # fmt: skip
        function = option(function)
    return function


def prism_central(
    console: Console, host: str, *, tls_ca: Path | None, credentials: Path | None, timeout: float
) -> Connection:
    """Return the connection that :func:`prism_options` describe."""
    from ngtpatch.prism_central import connect, find_login

    found = find_login(host, credentials)
    return connect(host, found, authority=tls_ca, told=console.note, timeout=timeout)


def listed(connection: Connection, certificates: Path | None) -> Inventory:
    """Return the VMs that a Prism Central has, completed from a directory of certificates."""
    from ngtpatch.identity.inventory import load_listing
    from ngtpatch.prism_central import list_vms

    listing = list_vms(connection)
    return load_listing(listing, source=connection.host, certificates=certificates)


def identity_options(function: F) -> F:
    """Add what names one VM's identity. Paths only: a key is never an argument."""
    for option in (
        click.option("--set", "assignments", metavar="KEY=VALUE", multiple=True,
                     help="Set a value of ngt_config.json; may be repeated."),
        allow_identity_option,
        authority_option,
        click.option("--key", metavar="FILE", type=INPUT, help="The VM's client-key.pem."),
        click.option("--cert", "certificate", metavar="FILE", type=INPUT,
                     help="The VM's client-cert.pem."),
        click.option("--config", metavar="FILE", type=INPUT, help="The VM's ngt_config.json."),
    ):  # fmt: skip
        function = option(function)
    return function
