# SPDX-License-Identifier: Apache-2.0
"""jinja2's sandbox, in which a template neither makes nor does more than a value ever needs.

``{{ 'x' * 10**9 }}`` is a gigabyte for each VM. What a step makes, and what all together do, is
bounded by what they are given; where a number says how much is made, that is looked at as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from string import Formatter
from typing import Any

from jinja2 import StrictUndefined, Template, nodes, pass_context
from jinja2.compiler import CodeGenerator
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from ngtpatch.identity.template_work import require, size_of, step, turn, working

__all__ = ["BoundedSandbox", "bounded_text"]

# Filters and methods that make as much as a number among their arguments says, or so many times
# as much: words, or paragraphs of them.
_PADDING = dict.fromkeys(
    ("batch", "center", "expandtabs", "indent", "ljust", "rjust", "slice", "to_bytes", "tojson",
     "zfill"), 1,
) | {"generate_lorem_ipsum": 500}  # fmt: skip
# Width and precision of a field, also behind a name, which may have anything in it.
_PERCENT = re.compile(r"(?=[%)][-#0 +]*([0-9]{0,20}|\*)(?:\.([0-9]{1,20}|\*))?[hlL]?[A-Za-z])")
# Filters that no template can name.
_TURNS, _LOOKED_AT, _JOINED = "(turns)", "(looked at)", "(joined)"


class _Counting(NodeTransformer):
    """Has loops, comparisons, slices and ``~`` counted, of which the sandbox hears nothing."""

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 - jinja2's way
        text = sum(len(data.data) for data in node.find_all(nodes.TemplateData))
        self.generic_visit(node)
        node.iter = _filtered(node.iter, _TURNS, nodes.Const(text))
        return node

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        node.expr = _filtered(node.expr, _LOOKED_AT)
        for operand in node.ops:
            operand.expr = _filtered(operand.expr, _LOOKED_AT)
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        if isinstance(node.arg, nodes.Slice):
            node.node = _filtered(node.node, _LOOKED_AT)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _filtered(nodes.List(node.nodes), _JOINED, like=node)


def _filtered(
    node: nodes.Node, name: str, *more: nodes.Node, like: nodes.Node | None = None
) -> nodes.Filter:
    result = nodes.Filter(node, name, list(more), [], None, None)
    result.set_lineno((like or node).lineno)
    result.environment = (like or node).environment
    return result


class _CountingGenerator(CodeGenerator):
    def visit_Template(self, node: nodes.Template, frame: Any = None) -> None:  # noqa: N802
        super().visit_Template(_Counting().visit(node), frame)


class BoundedSandbox(ImmutableSandboxedEnvironment):
    """An environment for templates of names, values and configurations. Nothing is HTML here."""

    intercepted_binops = frozenset({"%", "*", "**", "+"})
    code_generator_class = _CountingGenerator

    def __init__(self) -> None:
        super().__init__(
            undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True,
            finalize=_looked_at,
        )  # fmt: skip
        for table in (self.filters, self.tests):
            table.update({name: _bounded(name, work) for name, work in dict(table).items()})
        self.filters.update({_TURNS: _turns, _LOOKED_AT: _looked_at, _JOINED: _joined})

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Return what *operator* gives. Raises TemplateRuntimeError where that is too much."""
        require(operator, _made(operator, left, right))
        if operator == "%":
            step(operator, (left, right))
        return _seen(operator, super().call_binop(context, operator, left, right))

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        """Call a function or a method of a value. Raises as :meth:`call_binop`."""
        name = getattr(__obj, "__name__", "")
        text = getattr(getattr(__obj, "__wrapped__", __obj), "__self__", None)
        given = (*args, *kwargs.values())
        if name in ("format", "format_map") and isinstance(text, str):
            inner = args[0].values() if name == "format_map" and args else kwargs.values()
            require(name, _widest(_in_braces(text), (*args, *inner)))
        _pay(name, text, given)
        return _seen(name, super().call(__context, __obj, *args, **kwargs))


def bounded_text(template: Template, values: Mapping[str, Any]) -> str:
    """Return the text of *template*. Raises TemplateError where that is too long."""
    parts, length = list[str](), 0
    with working():
        for part in template.generate(values):
            parts.append(part)
            length += len(part)
            require("the template", length)
    return "".join(parts)


@pass_context
def _turns(context: Context, iterable: Iterable[Any], text: int) -> Iterator[Any]:
    """Yield what a loop goes over; each turn writes *text* characters that stand in it."""
    for one in iterable:
        turn(text)
        yield one


@pass_context
def _looked_at(context: Context, value: Any) -> Any:
    """Return *value*, which is compared, cut or written."""
    size = size_of(value)
    require("the template", size)
    turn(size)
    return value


@pass_context
def _joined(context: Context, values: list[Any]) -> str:
    require("~", size_of(values))
    return str(_seen("~", "".join(map(str, values))))


def _bounded(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
    # In front of the value, which is no size, some are given the context.
    value = 1 if hasattr(work, "jinja_pass_arg") else 0

    @wraps(work)
    def bounded(*args: Any, **kwargs: Any) -> Any:
        text, given = args[value] if args[value:] else None, (*args[value + 1 :], *kwargs.values())
        if name == "format" and isinstance(text, str):
            require(name, _widest(_percent(text), given))
        _pay(name, text, given)
        return _seen(name, work(*args, **kwargs))

    return bounded


def _pay(name: str, value: Any, given: tuple[Any, ...]) -> None:
    """Pay for what is done with *value*, and what is *given* besides."""
    if name not in _PADDING:
        step(name, (value, *given))
        return
    width = _largest(given) * _PADDING[name]
    require(name, width)
    step(name, (value, range(width), *(one for one in given if not isinstance(one, int))))


def _seen(name: str, made: Any) -> Any:
    """Return what a step made. Raises TooMuchError where a value does not need so much."""
    size = size_of(made)
    require(name, size)
    turn(size)
    return made


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
        bits = int(left).bit_length()
        return bits * int(right) if operator == "**" else bits + int(right).bit_length()
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
