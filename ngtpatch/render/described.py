# SPDX-License-Identifier: Apache-2.0
"""The document of ``ngtpatch render``: a text, or what templates take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ngtpatch.render.template import Template

__all__ = ["Described", "Rendering", "Takes"]


@dataclass(frozen=True)
class Takes:
    """A parameter of a template."""

    name: str
    type: str
    required: bool
    default: str | int | bool | list[str] | None
    choices: tuple[str, ...]
    help: str


@dataclass(frozen=True)
class Described:
    """A template and what it takes."""

    name: str
    summary: str
    parameters: tuple[Takes, ...]

    @classmethod
    def of(cls, template: Template) -> Described:
        """Return what may be known of *template*."""
        return cls(
            template.name,
            template.summary,
            tuple(
                Takes(p.name, p.type, p.default is None, p.default, p.choices, p.help)
                for p in template.parameters.values()
            ),
        )


@dataclass(frozen=True)
class Rendering:
    """The document of ``ngtpatch render``.

    Attributes:
        templates: what ``--list`` or ``--show`` asked about.
        output: the file that was written; None otherwise.
        text: what was rendered, where no file was named.
    """

    SCHEMA: ClassVar[str] = "ngtpatch.render/1"

    templates: tuple[Described, ...]
    output: str | None
    text: str | None = None
