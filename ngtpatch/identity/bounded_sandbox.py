# SPDX-License-Identifier: Apache-2.0
"""jinja2's sandbox, in which no single step of a template makes more than a value ever needs.

``{{ 'x' * 10**9 }}`` is a gigabyte for each VM. What is bounded are products, powers, sums, widths
and the text as a whole; how long loops in loops take is not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from string import Formatter
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateRuntimeError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

__all__ = ["BoundedSandbox", "bounded_text"]

_MOST = 1 << 20
# Filters and methods that make as much as a number among their arguments says.
_PADDING = frozenset({
    "batch", "center", "expandtabs", "generate_lorem_ipsum", "indent", "ljust", "rjust", "slice",
    "to_bytes", "tojson", "zfill",
})  # fmt: skip
# Width and precision of a field, also behind a name, which may have anything in it.
_PERCENT = re.compile(r"(?=[%)][-#0 +]*([0-9]{0,20}|\*)(?:\.([0-9]{1,20}|\*))?[hlL]?[A-Za-z])")


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
        _require(operator, _made(operator, left, right))
        return super().call_binop(context, operator, left, right)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        """Call a function or a method of a value. Raises as :meth:`call_binop`."""
        name = getattr(__obj, "__name__", "")
        text = getattr(getattr(__obj, "__wrapped__", None), "__self__", None)
        if name in ("format", "format_map") and isinstance(text, str):
            given = args[0].values() if name == "format_map" and args else kwargs.values()
            _require(name, _widest(_in_braces(text), (*args, *given)))
        elif name in _PADDING:
            _require(name, _largest((*args, *kwargs.values())))
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
    # In front of the value, which is no size, some are given the context.
    value = 1 if hasattr(work, "jinja_pass_arg") else 0

    @wraps(work)
    def bounded(*args: Any, **kwargs: Any) -> Any:
        given = (*args[value + 1 :], *kwargs.values())
        if name != "format":
            _require(name, _largest(given))
        elif isinstance(args[value], str):
            _require(name, _widest(_percent(args[value]), given))
        return work(*args, **kwargs)

    return bounded


def _require(name: str, made: int) -> None:
    if made > _MOST:
        raise _TooMuchError(name, made)


def _made(operator: str, left: Any, right: Any) -> int:
    """Return how many characters, elements or bits come of it, where that can be many."""
    sizes = [len(one) if hasattr(one, "__len__") else 0 for one in (left, right)]
    if operator == "+":
        return sum(sizes)
    if operator == "%":
        given = right if isinstance(right, tuple) else (right,)
        return _widest(_percent(left), given) if isinstance(left, str) else 0
    whole = [isinstance(one, int) for one in (left, right)]
    if all(whole):
        return int(left).bit_length() * int(right) if operator == "**" else 0
    if any(whole) and operator == "*":
        return sizes[0] * int(right) if whole[1] else sizes[1] * int(left)
    return 0


def _percent(text: str) -> Iterator[str]:
    """Yield the widths and precisions that *text* has for %; ``*`` is an argument."""
    for found in _PERCENT.findall(text):
        yield from found


def _in_braces(text: str) -> Iterator[str]:
    """Yield the numbers of each field of ``str.format``, and ``*`` where one is an argument."""
    for _, _, spec, _ in Formatter().parse(text):
        yield from re.findall(r"[0-9]{1,20}", spec or "")
        if "{" in (spec or ""):
            yield "*"


def _widest(widths: Iterable[str], given: Iterable[Any]) -> int:
    """Return the largest of *widths*; those that are arguments are among what is *given*."""
    return max((_largest(given) if one == "*" else int(one) for one in widths if one), default=0)


def _largest(given: Iterable[Any]) -> int:
    return max((one for one in given if isinstance(one, int)), default=0)
