# SPDX-License-Identifier: Apache-2.0
"""jinja2's sandbox, in which no single step of a template makes more than a value ever needs.

``{{ 'x' * 10**9 }}`` is a gigabyte for each VM. What is bounded are products, powers, sums, widths
and the text as a whole; how long loops in loops take is not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateRuntimeError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

__all__ = ["BoundedSandbox", "bounded_text"]

_MOST = 1 << 20
# Filters and methods that make as much as a number among their arguments says.
_PADDING = frozenset({
    "batch", "center", "expandtabs", "indent", "lipsum", "ljust", "rjust", "slice", "to_bytes",
    "tojson", "zfill",
})  # fmt: skip
_FIELDS = re.compile(r"%[^A-Za-z%]*|\{[^{}]*\}")


class _TooMuchError(TemplateRuntimeError):
    def __init__(self, what: str, made: int) -> None:
        super().__init__(f"{what} would make {made:,} at once; {_MOST:,} is the most of a value")


class BoundedSandbox(ImmutableSandboxedEnvironment):
    """An environment for templates of names, values and configurations. Nothing is HTML here."""

    intercepted_binops = frozenset({"%", "*", "**", "+"})

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
        for name in (*(_PADDING & self.filters.keys()), "format"):
            self.filters[name] = _bounded(name, self.filters[name])

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Return what *operator* gives. Raises TemplateRuntimeError where that is too much."""
        made = _made(operator, left, right)
        if made > _MOST:
            raise _TooMuchError(operator, made)
        return super().call_binop(context, operator, left, right)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        """Call a function or a method of a value. Raises as :meth:`call_binop`."""
        name = getattr(__obj, "__name__", "")
        text = getattr(getattr(__obj, "__wrapped__", None), "__self__", None)
        _require_small(name, (text, *args), kwargs)
        return super().call(__context, __obj, *args, **kwargs)


def bounded_text(template: Template, values: Mapping[str, Any]) -> str:
    """Return the text of *template*. Raises TemplateError where that is too long."""
    parts, length = list[str](), 0
    for part in template.generate(values):
        parts.append(part)
        length += len(part)
        if length > _MOST:
            raise _TooMuchError("the template", length)
    return "".join(parts)


def _bounded(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(work)
    def bounded(*args: Any, **kwargs: Any) -> Any:
        _require_small(name, args, kwargs)
        return work(*args, **kwargs)

    return bounded


def _require_small(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    made = 0
    if name in _PADDING:
        made = max((one for one in (*args, *kwargs.values()) if isinstance(one, int)), default=0)
    elif name == "format" and args and isinstance(args[0], str):
        made = _widest(args[0])
    if made > _MOST:
        raise _TooMuchError(name, made)


def _made(operator: str, left: Any, right: Any) -> int:
    """Return how many characters, elements or bits come of it, where that can be many."""
    sizes = [len(one) if hasattr(one, "__len__") else 0 for one in (left, right)]
    if operator == "+":
        return sum(sizes)
    if operator == "%":
        return _widest(left) if isinstance(left, str) else 0
    whole = [isinstance(one, int) for one in (left, right)]
    if all(whole):
        return int(left).bit_length() * int(right) if operator == "**" else 0
    if any(whole) and operator == "*":
        return sizes[0] * int(right) if whole[1] else sizes[1] * int(left)
    return 0


def _widest(text: str) -> int:
    """Return the largest number in what a format fills in."""
    numbers = (n for field in _FIELDS.findall(text) for n in re.findall(r"[0-9]{1,20}", field))
    return max(map(int, numbers), default=0)
