# SPDX-License-Identifier: Apache-2.0
"""One base, an inventory, one image per VM."""

from __future__ import annotations

from pathlib import Path

from ngtpatch.errors import InputError
from ngtpatch.files.tree import FileTree, MemoryTree
from ngtpatch.fleet.base import Base
from ngtpatch.fleet.order import Settings
from ngtpatch.fleet.plan import DEFAULT_NAME, FleetPlan, plan_fleet
from ngtpatch.identity.assemble import Recipe
from ngtpatch.identity.bundle import read_bounded
from ngtpatch.identity.certificate import read_authorities
from ngtpatch.identity.inventory import load

__all__ = ["prepare"]


def prepare(
    base: Path,
    inventory: Path,
    destination: str,
    *,
    certificates: Path | None = None,
    recipe: Recipe | None = None,
    config_only: bool = False,
    name_template: str = DEFAULT_NAME,
    shard: tuple[int, int] = (1, 1),
    ca: Path | None = None,
    digest: bool = False,
    force: bool = False,
    remote: bool = False,
) -> FleetPlan:
    """Open the base, read the inventory, and plan the run; nothing is written.

    Args:
        base: the image all are made from; a directory of per-VM images, each of which gets
            its VM's new identity; for config-only images also an unpacked tree.
        inventory: see :func:`ngtpatch.identity.inventory.load`.
        destination: a directory, or ``s3://bucket/prefix``.
        certificates: a directory of certificates to complete the inventory from.
        recipe: templates and ``--set`` values.
        config_only: small images that hold config/ alone.
        name_template: jinja2 over the row, giving the output's name.
        shard: (K, N): only the VMs whose name hashes to K.
        ca: a PEM file that certificates must chain to.
        digest: also hash each whole output.
        force: an existing output may be replaced.
        remote: made by workers on other machines.

    Raises:
        InputError: the base, the inventory or a template cannot be used. For an inventory
            an :class:`~ngtpatch.identity.inventory.InventoryError` with every problem.
    """
    read = load(inventory, certificates=certificates)
    if ca is not None:  # read again where it is used; unusable, it fails here and once
        read_authorities(read_bounded(ca)[0], path=str(ca))
    each = _is_directory_of_images(base) and not config_only
    present: FileTree = MemoryTree({})
    digest_of_base: str | None = None
    if not each:
        with Base.open(base, config_only=config_only, sha256=None, prove=True) as opened:
            present, digest_of_base = opened.tree, opened.sha256
    settings = Settings(
        base=str(base), base_sha256=digest_of_base, destination=destination,
        recipe=recipe or Recipe(), config_only=config_only, each=each,
        ca=None if ca is None else str(ca), digest=digest, replace=force, remote=remote,
        # A task that is run again finds what its first run left, and keeps it.
        resume=remote,
    )  # fmt: skip
    return plan_fleet(settings, read, present=present, name_template=name_template, shard=shard)


def _is_directory_of_images(base: Path) -> bool:
    if not base.is_dir():
        return False
    try:
        return any(child.suffix.lower() == ".iso" for child in base.iterdir())
    except OSError as error:
        raise InputError(
            "unreadable", f"cannot be read: {error.strerror}", path=str(base)
        ) from None
