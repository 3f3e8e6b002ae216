# SPDX-License-Identifier: Apache-2.0
"""Rendering: strict about what is undefined, stricter about what is unquoted."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ngtpatch.errors import InputError, NgtpatchError
from ngtpatch.render.quoting import FILTERS, Quoted, QuotingError, plain
from ngtpatch.render.template import TEMPLATES, Template, find_template

__all__ = ["render"]


class _UnquotedError(ValueError):
    """A template prints a value that no filter has quoted."""


# Windows PowerShell takes a script without it for the machine's code page, in which a letter's
# second byte may be a quote (about_Character_Encoding).
_BYTE_ORDER_MARK = "\ufeff"


def render(
    template: str | Path | Template,
    values: Mapping[str, object] | None = None,
    *,
    plain_words: bool = False,
) -> str:
    """Return the text that *template* makes of *values*; a ``.ps1`` begins with a byte order mark.

    Args:
        template: a shipped template's name, or the path of one's own.
        values: parameters by name; text is converted to the parameter's type.
        plain_words: let words that are the same in every language stand unquoted: letters,
            digits and a few marks.

    Raises:
        UsageError: no such template or parameter, or a value of the wrong type.
        InputError: ``template-undefined``, ``template-unquoted``, ``template-value`` or
            ``template-syntax``, each naming the template's line.
    """
    if not isinstance(template, Template):
        template = find_template(template)
    environment = _environment(template, plain_words)
    try:
        text = environment.from_string(template.text).render(template.values(values or {}))
    except jinja2.TemplateSyntaxError as error:
        where = error.name if error.name and not error.name.startswith("<") else template.name
        raise InputError(
            "template-syntax", error.message or "cannot be parsed", path=f"{where}:{error.lineno}"
        ) from None
    except jinja2.TemplateNotFound as error:
        raise _located(
            template, error, "template-missing", f"includes {error.name}, which is not there"
        ) from None
    except jinja2.UndefinedError as error:
        raise _located(
            template, error, "template-undefined", error.message or "undefined",
            hint=_how_to_define(template, values or {}),
        ) from None  # fmt: skip
    except _UnquotedError as error:
        raise _located(
            template, error, "template-unquoted", str(error),
            hint=f"end the expression with a quoting filter: {', '.join(sorted(FILTERS))}",
        ) from None  # fmt: skip
    except QuotingError as error:
        raise _located(template, error, "template-value", str(error)) from None
    except NgtpatchError:
        raise
    except Exception as error:
        # A user's own template can fail in any way that Python can.
        raise _located(
            template, error, "template-failed", f"{type(error).__name__}: {error}"
        ) from None
    if template.path.suffix.lower() == ".ps1" and not text.startswith(_BYTE_ORDER_MARK):
        return _BYTE_ORDER_MARK + text
    return text


def _environment(template: Template, plain_words: bool) -> jinja2.Environment:
    # Sandboxed, since templates get passed around; no HTML anywhere, so no autoescape:
    # quoting is the filters' business, and finalize sees that none is forgotten.
    environment = ImmutableSandboxedEnvironment(
        autoescape=False,
        undefined=jinja2.StrictUndefined,
        loader=jinja2.FileSystemLoader(_folders(template)),
        finalize=_quoted_or_plain if plain_words else _only_quoted,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update({name: _defined(quote) for name, quote in FILTERS.items()})
    environment.globals["script"] = _script(environment)
    return environment


def _folders(template: Template) -> list[Path]:
    # A user's template may include its neighbours as well as the shipped ones.
    return list(dict.fromkeys([template.path.resolve().parent, TEMPLATES]))


def _script(environment: jinja2.Environment) -> Callable[..., str]:
    """Return the function by which a template embeds another one's output as a value."""

    @jinja2.pass_context
    def script(context: jinja2.runtime.Context, name: str) -> str:
        return environment.get_template(name).render(context.get_all())

    return script


def _defined(quote: Callable[..., str]) -> Callable[..., str]:
    @functools.wraps(quote)
    def apply(value: object, *arguments: object) -> str:
        if isinstance(value, jinja2.Undefined):
            # Printing it raises the error that names the variable.
            return str(value)
        return quote(value, *arguments)

    return apply


def _only_quoted(value: object) -> object:
    if isinstance(value, Quoted | jinja2.Undefined):
        # Undefined raises its own, better error when it is printed.
        return value
    raise _UnquotedError(f"prints a {type(value).__name__} as it is")


def _quoted_or_plain(value: object) -> object:
    return value if plain(value) else _only_quoted(value)


def _how_to_define(template: Template, given: Mapping[str, object]) -> str:
    missing = [p for p in template.parameters.values() if p.default is None and p.name not in given]
    if not missing:
        return "give it with --set NAME=VALUE or in --values FILE"
    return "give " + "; ".join(f"--set {p.name}=... ({p.help})" for p in missing)


def _located(
    template: Template, error: Exception, code: str, message: str, *, hint: str | None = None
) -> InputError:
    """Return the error with the line of the template that was being rendered."""
    # Jinja rewrites the traceback so that frames of a template carry its name and its lines.
    name, line = template.name, None
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename == "<template>":
            name, line = template.name, frame.lineno
        elif Path(frame.filename).parent in _folders(template):
            name, line = Path(frame.filename).name, frame.lineno
    return InputError(code, message, path=f"{name}:{line}" if line else name, hint=hint)
