# SPDX-License-Identifier: Apache-2.0
"""From a row of an inventory to the identity that is injected."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from ngtpatch.errors import NgtpatchError
from ngtpatch.files.wellknown import AUTHORITY, CONFIG
from ngtpatch.identity.bundle import Identity
from ngtpatch.identity.certificate import Certificate
from ngtpatch.identity.inventory import Row
from ngtpatch.identity.values import compile_template, is_template, render

__all__ = ["Marks", "Recipe", "identity_of", "marks_and_certificate", "marks_of", "sets_of"]

# What no two VMs share: the ngt_uuid, and the certificate's fingerprint.
Marks = tuple["str | None", "str | None"]


@dataclass(frozen=True)
class Recipe:
    """How every row of a run becomes an identity. Holds no key material.

    Attributes:
        sets: ``--set`` values; one with ``{{`` is a template over the row.
        config_template: jinja2 text of a whole ngt_config.json, for rows without a file.
        template_path: where that text is from, for messages.
        authority: ca-cert.pem for rows that have none of their own.
        authority_path: where that is from, for messages.
    """

    sets: Mapping[str, str] = field(default_factory=dict)
    config_template: str | None = None
    template_path: str = "--config-template"
    authority: bytes | None = None
    authority_path: str = "--ca-cert"

    def compile(self) -> None:
        """Check the templates' syntax. Raises InputError ``template``."""
        if self.config_template is not None:
            compile_template(self.config_template, path=self.template_path)
        for key, value in self.sets.items():
            if is_template(value):
                compile_template(value, path=f"--set {key}")


def identity_of(row: Row, recipe: Recipe, *, with_key: bool = True) -> Identity:
    """Read a row's material; what the recipe renders stands for an absent file.

    Without *with_key* the key is left where it is.

    Raises:
        InputError: a file that cannot be read, a template that does not fit the row.
    """
    identity = Identity.from_files(
        source=row.label,
        config=row.file("config"),
        certificate=row.file("certificate"),
        key=row.file("key") if with_key else None,
        authority=row.file("authority"),
    )
    if identity.authority is None and recipe.authority is not None:
        paths = {**identity.paths, AUTHORITY: recipe.authority_path}
        identity = replace(identity, authority=recipe.authority, paths=paths)
    if identity.config is not None or recipe.config_template is None:
        return identity
    text = render(recipe.config_template, row.values, path=recipe.template_path)
    paths = {**identity.paths, CONFIG: recipe.template_path}
    return replace(identity, config=text.encode("utf-8"), paths=paths)


def sets_of(row: Row, recipe: Recipe) -> dict[str, str]:
    """Return the values that change ngt_config.json: the row's, then ``--set``'s, rendered."""
    rendered = {
        key: render(value, row.values, path=f"--set {key}") if is_template(value) else value
        for key, value in recipe.sets.items()
    }
    return {**row.sets, **rendered}


def marks_of(identity: Identity, stated: str | None) -> Marks:
    """Return what no two VMs share of *identity*: its ngt_uuid, its certificate's fingerprint.

    Args:
        identity: as it was read; None stands for what is not in it or cannot be read.
        stated: the ngt_uuid that comes in its configuration's place.
    """
    return marks_and_certificate(identity, stated)[0]


def marks_and_certificate(
    identity: Identity, stated: str | None
) -> tuple[Marks, Certificate | None]:
    """Return :func:`marks_of`, and the certificate, if it can be read."""
    certificate = None
    if stated is None:
        with suppress(NgtpatchError):
            config = identity.parsed_config()
            stated = config.ngt_uuid if config is not None else None
    with suppress(NgtpatchError):
        certificate = identity.parsed_certificate()
    mark = certificate.fingerprint if certificate is not None else None
    return (None if stated is None else stated.lower(), mark), certificate
