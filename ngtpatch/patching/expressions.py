# SPDX-License-Identifier: Apache-2.0
"""Values that a patch builds from a profile: ``{{ jinja2 expressions }}``.

An expression sees ``profile`` and nothing else, in jinja2's sandbox: a patch
file selects and shapes data, and runs no code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ngtpatch.errors import InputError
from ngtpatch.patching.profile import Profile

if TYPE_CHECKING:
    from jinja2 import nodes

__all__ = ["strings"]

# What nearly every patch asks for needs no template engine, whose import alone costs 50 ms.
_PLAIN = {"profile.names": "names", "profile.needles": "needles", "profile.ids": "ids"}


def strings(expression: str, profile: Profile, *, path: str, key: str) -> tuple[str, ...]:
    """Return the list of texts that *expression* (``{{ ... }}``) builds from *profile*.

    Raises:
        InputError: ``patch-expression``, it cannot be evaluated or yields something else.
    """
    inner = expression.removeprefix("{{").removesuffix("}}").strip()
    if inner in _PLAIN:
        plain: tuple[str, ...] = getattr(profile, _PLAIN[inner])
        return plain
    value = _evaluate(inner, profile, path=path, key=key)
    values = (value,) if isinstance(value, str) else value
    if not isinstance(values, list | tuple) or not all(isinstance(one, str) for one in values):
        raise InputError(
            "patch-expression",
            f"{key}: {inner!r} gives {str(value)[:200]!r} for {profile.id}, not a list of texts",
            path=path,
        )
    return tuple(values)


def _evaluate(inner: str, profile: Profile, *, path: str, key: str) -> object:
    from jinja2 import StrictUndefined, TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def unusable(why: object) -> InputError:
        return InputError(
            "patch-expression",
            f"{key}: {inner[:200]!r} cannot be evaluated for {profile.id}: {why}",
            path=path,
            hint="an expression picks from the profile (id, name, names, needles, ids, versions),"
            f" with the filters {', '.join(_FILTERS)}",
        )

    if len(inner) > _LONGEST:
        raise unusable(f"it is longer than {_LONGEST} characters")
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
    try:
        foreign = _foreign(environment.parse("{{ " + inner + " }}"))
        if foreign:
            raise unusable(f"{foreign} is not a part of such an expression")
        evaluate = environment.compile_expression(inner, undefined_to_none=False)
        value: object = evaluate(profile=profile)
        if isinstance(value, StrictUndefined):
            value._fail_with_undefined_error()
    except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise unusable(error) from None
    except (RecursionError, MemoryError):
        raise unusable("it is nested too deeply") from None
    return value


_LONGEST = 1000
# Nothing that can make more of the profile than there is of it: no product, no range, no padding.
_FILTERS = (
    *("first", "last", "length", "list", "lower", "map", "reject"),
    *("reverse", "select", "sort", "trim", "unique", "upper"),
)
_METHODS = ("lower", "upper", "strip", "lstrip", "rstrip", "split", "startswith", "endswith")
_PARTS = frozenset({
    "Template", "Output", "Add", "And", "Compare", "Concat", "CondExpr", "Const", "Getattr",
    "Getitem", "Keyword", "List", "Name", "Not", "Operand", "Or", "Slice", "TemplateData",
    "Test", "Tuple", "Filter", "Call",
})  # fmt: skip


def _foreign(tree: nodes.Node) -> str | None:
    """Return what of an expression is not allowed, or None."""
    from jinja2 import nodes

    for node in (tree, *tree.find_all(nodes.Node)):
        kind = type(node).__name__
        if kind not in _PARTS:
            return kind
        if isinstance(node, nodes.TemplateData) and node.data.strip():
            return "text outside of it"
        if isinstance(node, nodes.Filter) and node.name not in _FILTERS:
            return f"the filter {node.name!r}"
        if isinstance(node, nodes.Call) and not (
            isinstance(node.node, nodes.Getattr) and node.node.attr in _METHODS
        ):
            return "a call"
    return None
