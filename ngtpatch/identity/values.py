# SPDX-License-Identifier: Apache-2.0
"""Values from jinja2 templates over a VM's row. An undefined name is an error, never a blank."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ngtpatch.errors import InputError
from ngtpatch.files.bounded import read_small

if TYPE_CHECKING:
    from jinja2 import Template

__all__ = ["compile_template", "is_template", "read_template", "render"]

_MAX_BYTES = 1 << 20
# What filters and methods raise of values that are not for them; RuntimeError is also recursion.
_OF_VALUES = (
    ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError,
)  # fmt: skip


def read_template(path: Path) -> str:
    """Return the text of a template file. Raises InputError."""
    return read_small(path, limit=_MAX_BYTES, what="template").decode("utf-8", "replace")


def is_template(text: str) -> bool:
    """Say whether *text* holds anything for jinja2 to do."""
    return "{{" in text or "{%" in text


def compile_template(text: str, *, path: str) -> None:
    """Check *text* before the first VM. Raises InputError ``template`` with its line."""
    _compiled(text, path)


def render(text: str, values: Mapping[str, Any], *, path: str) -> str:
    """Return the template *text* filled with *values*.

    Raises:
        InputError: ``template``: its syntax, a name that the row does not have, or more of
            something than any value needs.
    """
    from jinja2 import TemplateError

    from ngtpatch.identity.bounded_sandbox import bounded_text

    try:
        return bounded_text(_compiled(text, path), values)
    except TemplateError as error:
        raise InputError("template", str(error.message), path=path) from None
    except MemoryError:
        raise InputError("template", "needs more memory than there is", path=path) from None
    except _OF_VALUES as error:
        raise InputError("template", f"{type(error).__name__}: {error}", path=path) from None


@lru_cache(maxsize=64)
def _compiled(text: str, path: str) -> Template:
    from jinja2 import TemplateSyntaxError

    from ngtpatch.identity.bounded_sandbox import BoundedSandbox
    from ngtpatch.identity.template_work import working

    # Sandboxed: a template is data that arrived with an inventory.
    try:
        with working():  # of constants something is done already
            return BoundedSandbox().from_string(text)
    except TemplateSyntaxError as error:
        raise InputError("template", f"line {error.lineno}: {error.message}", path=path) from None
    except (MemoryError, RecursionError, SyntaxError):  # of Python's own compiler
        raise InputError("template", "is nested too deep to be compiled", path=path) from None
