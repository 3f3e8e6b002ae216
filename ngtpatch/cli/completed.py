# SPDX-License-Identifier: Apache-2.0
"""Values that a shell completes: what there is to choose from, asked when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from ngtpatch.errors import NgtpatchError

__all__ = ["patch_ids", "profile_ids", "template_names"]

Choices = Callable[[Mapping[str, Any]], Iterable[str]]
Completed = Callable[[click.Context, click.Parameter, str], list[str]]


def _from(choices: Choices) -> Completed:
    def completed(ctx: click.Context, _parameter: click.Parameter, typed: str) -> list[str]:
        before, comma, last = typed.rpartition(",")
        try:
            found = [name for name in choices(ctx.params) if name.startswith(last)]
        except (NgtpatchError, OSError):  # the run itself will say it
            return []
        return [f"{before}{comma}{name}" for name in found]

    return completed


def _profiles(given: Mapping[str, Any]) -> Iterable[str]:
    from ngtpatch.patching.choice import ALL, AUTO
    from ngtpatch.patching.profile import load_profiles

    return [*load_profiles(_directories(given, "profile_dirs")), AUTO, ALL]


def _patches(given: Mapping[str, Any]) -> Iterable[str]:
    from ngtpatch.patching.patch import load_patches

    return [patch.id for patch in load_patches(_directories(given, "patch_dirs"))]


def _templates(_given: Mapping[str, Any]) -> Iterable[str]:
    from ngtpatch.render import shipped_templates

    return [template.name for template in shipped_templates()]


def _directories(given: Mapping[str, Any], name: str) -> tuple[Path, ...]:
    return tuple(map(Path, given.get(name) or ()))


profile_ids = _from(_profiles)
patch_ids = _from(_patches)
template_names = _from(_templates)
