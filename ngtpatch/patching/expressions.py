# SPDX-License-Identifier: Apache-2.0
"""Values that a patch builds from a profile: ``{{ jinja2 expressions }}``.

An expression sees ``profile`` and nothing else, in jinja2's sandbox: a patch
file selects and shapes data, and runs no code.
"""

from __future__ import annotations

from ngtpatch.errors import InputError
from ngtpatch.patching.profile import Profile

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
            f"{key}: {inner!r} gives {value!r} for {profile.id}, not a list of texts",
            path=path,
        )
    return tuple(values)


def _evaluate(inner: str, profile: Profile, *, path: str, key: str) -> object:
    from jinja2 import StrictUndefined, TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
    try:
        evaluate = environment.compile_expression(inner, undefined_to_none=False)
        value: object = evaluate(profile=profile)
        if isinstance(value, StrictUndefined):
            value._fail_with_undefined_error()
    except (TemplateError, TypeError, ValueError) as error:
        raise InputError(
            "patch-expression",
            f"{key}: {inner!r} cannot be evaluated for {profile.id}: {error}",
            path=path,
            hint="an expression sees the profile: id, name, names, needles, ids, versions",
        ) from None
    return value
