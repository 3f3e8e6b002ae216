# SPDX-License-Identifier: Apache-2.0
"""``ngtpatch render``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ngtpatch.cli import options
from ngtpatch.cli.completed import template_names
from ngtpatch.cli.output import Console
from ngtpatch.disclosure import redacted
from ngtpatch.errors import Refusal, UsageError
from ngtpatch.files.json_file import read_json_object

if TYPE_CHECKING:
    from ngtpatch.render import Parameter, Template

_BY_PATH = "keep the key in a file that only you may read, and name its path"
_MOST_VALUES = 16 << 20


@options.command("ngtpatch render guest-install.sh -o guest-install.sh")
@click.argument("template", required=False, shell_complete=template_names)
@click.option("--list", "list_all", is_flag=True, help="List the templates.")
@click.option("--show", is_flag=True, help="Show what TEMPLATE takes, and write nothing.")
@click.option(
    "--set", "assignments", metavar="NAME=VALUE", multiple=True,
    help="A parameter; lists are separated by commas. May be repeated.",
)  # fmt: skip
@click.option(
    "--values", metavar="FILE", type=options.INPUT,
    help="Parameters as a JSON object; --set overrides.",
)  # fmt: skip
@options.output_option
@options.force_option
@options.dry_run_option
@click.pass_obj
def command(
    console: Console, *, template: str | None, list_all: bool, show: bool,
    assignments: tuple[str, ...], values: Path | None, output: Path | None, force: bool,
    dry_run: bool,
) -> None:  # fmt: skip
    """Write a script or configuration for guests, images or the cluster.

    TEMPLATE is the name of one that comes with ngtpatch, or the path of your own.
    """
    from ngtpatch.render import Rendering, find_template, render, shipped_templates

    if list_all:
        _list(console, shipped_templates())
        return
    if template is None:
        raise UsageError("no-template", "no template was named", hint="see ngtpatch render --list")
    found = find_template(template)
    if show:
        _show(console, found)
        return
    text = render(found, {**_read(values), **_assigned(assignments)})
    if redacted(text) != text:
        raise Refusal(
            "secret", "the result would hold a private key", path=found.name,
            hint=_BY_PATH,
        )  # fmt: skip
    if output is None or str(output) == "-":
        console.result(Rendering((), None, text))
        if sys.stdout is not None and sys.stdout.isatty():
            console.block(text)
        elif not console.as_json:
            console.file(text)
        return
    from ngtpatch.files.atomic import check_target, new_file

    if dry_run:
        check_target(output, force=force)
        console.result(Rendering((), None, text))
        console.block(text)
        console.say(f"would be written  {output}")
        return
    # Scripts are to be run: their first line says so.
    mode = 0o777 if text.startswith("#!") else 0o666
    with new_file(output, force=force, mode=mode) as file:
        file.write(text.encode("utf-8"))
    console.result(Rendering((), str(output)))
    console.say(f"wrote    {output}")
    then = "run it as root where it belongs" if mode == 0o777 else "give it to what it is made for"
    console.next("less", output, why=f"read it; then {then}")


def _list(console: Console, templates: tuple[Template, ...]) -> None:
    from ngtpatch.render import Described, Rendering

    console.result(Rendering(tuple(map(Described.of, templates)), None))
    console.pairs([(template.name, template.summary) for template in templates])


def _show(console: Console, template: Template) -> None:
    from ngtpatch.render import Described, Rendering

    console.result(Rendering((Described.of(template),), None))
    console.heading(template.summary or template.name)
    for parameter in template.parameters.values():
        console.say(f"  {parameter.name}  ({_kind(parameter)}; {_default(parameter)})")
        console.say(f"      {parameter.help}")
    if not template.declared:
        console.say("  it declares no parameters: every variable is passed on as it is")


def _kind(parameter: Parameter) -> str:
    return " | ".join(parameter.choices) if parameter.choices else parameter.type


def _default(parameter: Parameter) -> str:
    if parameter.default is None:
        return "must be given"
    if isinstance(parameter.default, list):
        return f"default {','.join(parameter.default) or 'none'}"
    return f"default {str(parameter.default) or 'empty'}"


def _read(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    return read_json_object(path, limit=_MOST_VALUES, what="file of parameters", code="values")


def _assigned(assignments: tuple[str, ...]) -> dict[str, str]:
    values = {}
    for assignment in assignments:
        if redacted(assignment) != assignment:
            raise UsageError(
                "secret", "--set: a private key is not taken as a value", hint=_BY_PATH
            )
        name, equals, value = assignment.partition("=")
        if not equals or not name:
            raise UsageError("set", f"--set {assignment}: expected NAME=VALUE")
        values[name] = value
    return values
