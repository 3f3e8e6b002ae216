# SPDX-License-Identifier: Apache-2.0
"""What a template is: a text whose first comment says, in TOML, what it takes.

::

    {#
    # SPDX-License-Identifier: Apache-2.0
    summary = "Install NGT in a Linux guest"
    includes = ["other.sh"]             # its parameters are this template's too

    [parameters.label]
    type = "string"                     # string, integer, boolean, choice or list (of strings)
    default = "NUTANIX_TOOLS"           # left out: the parameter must be given
    help = "volume label of the disc"
    #}
    #!/bin/bash

A user's own template may have such a header; without it every variable is a string.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ngtpatch.errors import InputError, UsageError
from ngtpatch.files.bounded import read_small
from ngtpatch.files.toml_file import parse_toml

__all__ = ["Parameter", "Template", "find_template", "shipped_templates"]

TEMPLATES = Path(__file__).resolve().parent / "templates"
MAX_BYTES = 1 << 20
_HEADER = re.compile(r"\A\{#-?\s*\n(.*?)\n?-?#\}", re.DOTALL)


@dataclass(frozen=True)
class Parameter:
    """One value that a template takes.

    Attributes:
        name: the variable in the template.
        type: ``string``, ``integer``, ``boolean``, ``choice`` or ``list`` (of strings).
        help: what it is for.
        default: its value when none is given; None where it must be given.
        choices: the values allowed for ``choice``.
        pattern: regular expression that each string has to match in full, or None.
    """

    name: str
    type: str
    help: str
    default: str | int | bool | list[str] | None = None
    choices: tuple[str, ...] = ()
    pattern: str | None = None

    def accept(self, value: object) -> str | int | bool | list[str]:
        """Return *value* in this parameter's type; text is converted as from a command line.

        Raises:
            UsageError: ``parameter-type``.
        """
        converted = self._convert(value)
        if converted is None:
            expected = f"one of {', '.join(self.choices)}" if self.choices else f"type {self.type}"
            raise UsageError(
                "parameter-type", f"{self.name}={value}: expected {expected}", hint=self.help
            )
        for text in converted if isinstance(converted, list) else [converted]:
            if self.pattern and isinstance(text, str) and not re.fullmatch(self.pattern, text):
                raise UsageError(
                    "parameter-type",
                    f"{self.name}={text!r}: does not have the expected form",
                    hint=f"{self.help} (it matches {self.pattern})",
                )
        return converted

    def _convert(self, value: object) -> str | int | bool | list[str] | None:
        converted = _CONVERTERS[self.type](value)
        return None if self.choices and converted not in self.choices else converted


def _integer(value: object) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _boolean(value: object) -> bool | None:
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if isinstance(value, str):
        return words.get(value.lower())
    return value if isinstance(value, bool) else None


def _list(value: object) -> list[str] | None:
    if isinstance(value, str):
        return [item.strip() for item in value.split(",") if item.strip()]
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return list(value)
    return None


def _string(value: object) -> str | None:
    # A number is what YAML, TOML and JSON make of an unquoted version or port.
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else None


_CONVERTERS: dict[str, Callable[[object], str | int | bool | list[str] | None]] = {
    "boolean": _boolean,
    "choice": _string,
    "integer": _integer,
    "list": _list,
    "string": _string,
}


@dataclass(frozen=True)
class Template:
    """A template and what it takes.

    Attributes:
        name: the shipped template's name, or the path of a user's own.
        path: where its text is.
        summary: one line about it.
        parameters: by name, in their order; those of included templates follow.
        declared: whether the text has a header, so that other variables are mistakes.
    """

    name: str
    path: Path
    text: str
    summary: str
    parameters: Mapping[str, Parameter]
    declared: bool

    def values(self, given: Mapping[str, object]) -> dict[str, Any]:
        """Return the variables to render with: those *given*, checked, over the defaults.

        Raises:
            UsageError: ``unknown-parameter`` or ``parameter-type``.
        """
        values: dict[str, Any] = {
            name: parameter.default
            for name, parameter in self.parameters.items()
            if parameter.default is not None
        }
        for name, value in given.items():
            if name in self.parameters:
                parameter = self.parameters[name]
                values[name] = parameter.accept(value)
                if values[name] in ("", []) and parameter.default is None:
                    raise UsageError(
                        "parameter-type", f"{name} must not be empty", hint=parameter.help
                    )
            elif not self.declared:
                values[name] = value
            else:
                near = difflib.get_close_matches(name, self.parameters, 1)
                known = ", ".join(self.parameters) or "none"
                raise UsageError(
                    "unknown-parameter",
                    f"takes no parameter {name}",
                    path=self.name,
                    hint=f"did you mean {near[0]}?" if near else f"it takes: {known}",
                )
        return values


def shipped_templates() -> tuple[Template, ...]:
    """Return the templates that come with ngtpatch, by name."""
    return tuple(_load(path.name, path) for path in sorted(TEMPLATES.iterdir()) if path.is_file())


def find_template(name: str | Path) -> Template:
    """Return the shipped template called *name*, or the user's own at that path.

    Raises:
        UsageError: ``no-such-template``, with the nearest name in the hint.
        InputError: ``template-header`` or ``template-file``: it cannot be read.
    """
    shipped = {path.name: path for path in TEMPLATES.iterdir() if path.is_file()}
    if str(name) in shipped:
        return _load(str(name), shipped[str(name)])
    path = Path(name)
    if path.is_file():
        return _load(str(path), path)
    near = difflib.get_close_matches(str(name), shipped, 1)
    raise UsageError(
        "no-such-template",
        f"there is no template {name}, and no file of that name",
        hint=f"did you mean {near[0]}?" if near else f"there are: {', '.join(sorted(shipped))}",
    )


def _load(name: str, path: Path, within: tuple[Path, ...] = ()) -> Template:
    try:
        text = read_small(path, limit=MAX_BYTES, what="template").decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError("template-file", f"is not UTF-8: byte {error.start}", path=name) from None
    found = _HEADER.match(text)
    if found is None:
        return Template(name, path, text, "", {}, declared=False)
    header = parse_toml(found.group(1), path=name, code="template-header", what="its header")
    return _declared(name, path, text, header, within)


def _declared(
    name: str, path: Path, text: str, header: Mapping[str, Any], within: tuple[Path, ...]
) -> Template:
    def bad(what: str) -> InputError:
        return InputError(
            "template-header",
            what,
            path=name,
            hint="a header has summary, includes and [parameters.NAME]",
        )

    if unknown := sorted(set(header) - {"summary", "includes", "parameters"}):
        raise bad(f"its header has an unknown key {unknown[0]!r}")
    summary = header.get("summary", "")
    if not isinstance(summary, str):
        raise bad("summary is not text")
    tables = header.get("parameters", {})
    if not isinstance(tables, dict):
        raise bad("parameters is not a table: write [parameters.NAME]")
    includes = header.get("includes", [])
    if not isinstance(includes, list) or not all(isinstance(each, str) for each in includes):
        raise bad("includes is not a list of templates' names")
    parameters = {key: _parameter(name, key, table) for key, table in tables.items()}
    for included in includes:
        for key, parameter in _included(name, included, path, within).parameters.items():
            parameters.setdefault(key, parameter)
    return Template(name, path, text, summary, parameters, declared=True)


def _included(name: str, included: str, path: Path, within: tuple[Path, ...]) -> Template:
    """Return a template that *name* includes: a neighbour of its file, or a shipped one."""

    def bad(what: str) -> InputError:
        return InputError("template-header", f"includes {included!r}, {what}", path=name)

    there = next((d / included for d in (path.parent, TEMPLATES) if _is_file(d / included)), None)
    if there is None:
        raise bad("which is neither beside it nor shipped")
    if there.resolve() in (*within, path.resolve()):
        raise bad("which includes it again")
    return _load(included, there, (*within, path.resolve()))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except ValueError:  # a NUL in it
        return False


def _parameter(template: str, name: str, table: object) -> Parameter:
    def bad(what: str) -> InputError:
        return InputError("template-header", f"parameter {name}: {what}", path=template)

    if not isinstance(table, dict):
        raise bad("expected a table")
    unknown = set(table) - {"type", "help", "default", "choices", "pattern"}
    if unknown:
        raise bad(f"unknown key {sorted(unknown)[0]}")
    if not isinstance(table.get("type"), str) or table["type"] not in _CONVERTERS:
        raise bad(f"type is {table.get('type')!r}, expected one of {', '.join(_CONVERTERS)}")
    if not isinstance(table.get("help"), str):
        raise bad("has no help")
    choices = table.get("choices", [])
    if not isinstance(choices, list) or not all(isinstance(each, str) for each in choices):
        raise bad("choices is not a list of text")
    parameter = Parameter(
        name, table["type"], table["help"], None, tuple(choices), _pattern(table, bad)
    )
    if (parameter.type == "choice") != bool(parameter.choices):
        raise bad("a choice has choices, and nothing else does")
    if "default" not in table:
        return parameter
    try:
        default = parameter.accept(table["default"])
    except UsageError as error:
        raise bad(f"its default does not fit: {error.message}") from None
    return Parameter(**{**vars(parameter), "default": default})


def _pattern(table: Mapping[str, Any], bad: Callable[[str], InputError]) -> str | None:
    pattern = table.get("pattern")
    if pattern is None:
        return None
    if not isinstance(pattern, str):
        raise bad("pattern is not text")
    if table["type"] not in ("string", "list"):
        raise bad(f"pattern is for text, and its type is {table['type']}")
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise bad(f"pattern {pattern!r} is not a regular expression: {error}") from None
    return pattern
