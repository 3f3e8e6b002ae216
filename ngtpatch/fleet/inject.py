# SPDX-License-Identifier: Apache-2.0
"""One base, an inventory, one image per VM."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path

from ngtpatch.errors import unreadable
from ngtpatch.files.tree import FileTree, MemoryTree
from ngtpatch.fleet.base import Base
from ngtpatch.fleet.destination import open_destination
from ngtpatch.fleet.order import STORE_TIMEOUT, Cleanup, Settings, VmResult
from ngtpatch.fleet.plan import DEFAULT_NAME, FleetPlan, plan_fleet, shard_of
from ngtpatch.fleet.run import InjectSummary, run_fleet
from ngtpatch.fleet.whole import read_whole
from ngtpatch.flow.authority import read_authority
from ngtpatch.identity.assemble import Recipe
from ngtpatch.identity.certificate import read_authorities
from ngtpatch.identity.inventory import Share, load, load_listing
from ngtpatch.iso.read.bytesource import FileState
from ngtpatch.listing import VmListing

__all__ = ["inject", "prepare"]


def inject(
    base: str | Path,
    inventory: str | Path,
    destination: str | Path,
    *,
    certificates: str | Path | None = None,
    authority: str | Path | None = None,
    allowed: Sequence[str] = (),
    sets: Mapping[str, str] | None = None,
    config_only: bool = False,
    name_template: str = DEFAULT_NAME,
    shard: tuple[int, int] = (1, 1),
    whole: str | Path | None = None,
    ca: str | Path | None = None,
    digest: bool = False,
    force: bool = False,
    resume: bool = False,
    executor: Executor | None = None,
    jobs: int = 8,
    stop: threading.Event | None = None,
    report: Callable[[VmResult, int, int], None] | None = None,
) -> InjectSummary:
    """Write one image per VM of *inventory*, each with that VM's identity, from one *base*.

    One VM's failure is a row of the summary and of the ledger, not an exception.

    Args:
        base: the image that all are made from; a directory of per-VM images, each of which
            gets its VM's new identity; for config-only images also an unpacked tree.
        inventory: CSV, JSON, JSON Lines, what ncli or Prism lists, or a directory of folders.
        destination: a directory, or ``s3://bucket/prefix``.
        certificates: a directory of certificates to complete the inventory from.
        authority: ca-cert.pem of the VMs' cluster, for those that the inventory gives none; a
            PEM file, or a disc of the cluster to take it from.
        allowed: paths of files on the base that hold a private key and are meant to.
        sets: values by key of ngt_config.json; a value may be jinja2 over the row.
        config_only: small images that hold config/ alone.
        name_template: jinja2 over the row, giving the output's name.
        shard: (K, N): only the VMs whose name hashes to K of N.
        whole: for a shard, what ``inject -n --whole FILE`` wrote of the whole inventory.
        ca: a PEM file that certificates must chain to.
        digest: also hash each whole output.
        force: an existing output may be replaced.
        resume: keep what is there and right; replace what is stale.
        executor: any executor whose workers see the same paths; *jobs* threads when absent.
        jobs: how many images are in flight at once.
        stop: when set, nothing more is begun and what is in flight is finished.
        report: told of each VM's result, with the number done and the total.

    Raises:
        InputError: the base, the inventory or a template cannot be used. For an inventory
            an :class:`~ngtpatch.InventoryError` with every problem.
        UsageError: ``busy``; ``output-exists``: without *resume* or *force*.
        RemoteError: the executor or the store failed. What was done is in the ledger.
    """
    plan = prepare(
        Path(base),
        Path(inventory),
        str(destination),
        certificates=None if certificates is None else Path(certificates),
        recipe=Recipe(sets=sets or {}),
        authority=None if authority is None else Path(authority),
        allowed=tuple(allowed),
        config_only=config_only,
        name_template=name_template,
        shard=shard,
        whole=None if whole is None else Path(whole),
        ca=None if ca is None else Path(ca),
        digest=digest,
        force=force,
    )
    return run_fleet(plan, executor=executor, jobs=jobs, resume=resume, stop=stop, report=report)


def prepare(
    base: Path,
    inventory: Path | VmListing,
    destination: str,
    *,
    certificates: Path | None = None,
    recipe: Recipe | None = None,
    authority: Path | None = None,
    allowed: tuple[str, ...] = (),
    config_only: bool = False,
    name_template: str = DEFAULT_NAME,
    shard: tuple[int, int] = (1, 1),
    whole: Path | None = None,
    source: str = "",
    ca: Path | None = None,
    digest: bool = False,
    force: bool = False,
    remote: bool = False,
    store_timeout: float = STORE_TIMEOUT,
) -> FleetPlan:
    """Open the base, read the inventory, and plan the run; nothing is written.

    Args:
        base: the image all are made from; a directory of per-VM images, each of which gets
            its VM's new identity; for config-only images also an unpacked tree.
        inventory: as for :func:`ngtpatch.identity.inventory.load`, or what *source* lists.
        destination: a directory, or ``s3://bucket/prefix``.
        certificates: a directory of certificates to complete the inventory from.
        recipe: templates and ``--set`` values.
        authority: ca-cert.pem for rows without one: PEM, or a disc to take it from.
        allowed: paths of files on the base that hold a private key and are meant to.
        config_only: small images that hold config/ alone.
        name_template: jinja2 over the row, giving the output's name.
        shard: (K, N): only the VMs whose name hashes to K.
        whole: for a shard, what was found by looking at the whole inventory.
        source: who gave the listing, where it is one.
        ca: a PEM file that certificates must chain to.
        digest: also hash each whole output.
        force: an existing output may be replaced.
        remote: made by workers on other machines.
        store_timeout: seconds that an object store may say nothing.

    Raises:
        InputError: the base, the inventory or a template cannot be used. For an inventory
            an :class:`~ngtpatch.identity.inventory.InventoryError` with every problem.
        UsageError: ``s3-url``, ``extra``: there is no such destination, or not without boto3.
    """
    told = None if whole is None else (whole, read_whole(whole))
    share = None
    if shard != (1, 1):
        share = Share(lambda name: shard_of(name, shard[1]) == shard[0], whole is not None)
    if isinstance(inventory, Path):
        read = load(inventory, certificates=certificates, share=share)
    else:
        read = load_listing(inventory, source=source, certificates=certificates, share=share)
    if ca is not None:  # read again where it is used; unusable, it fails here and once
        read_authorities(ca)
    recipe = recipe or Recipe()
    if authority is not None:
        recipe = replace(recipe, authority=read_authority(authority), authority_path=str(authority))
    room = recipe.authority is not None or any(row.authority for row in read.rows)
    each = _is_directory_of_images(base) and not config_only
    present: FileTree = MemoryTree({})
    digest_of_base: str | None = None
    tree_digest: str | None = None
    state: FileState | None = None
    cleanup = Cleanup()
    if not each:
        with Base.open(
            base, config_only=config_only, sha256=None, prove=True, allowed=allowed,
            authority_room=room,
        ) as opened:  # fmt: skip
            present, digest_of_base = opened.tree, opened.sha256
            cleanup, state, tree_digest = opened.cleanup, opened.state, opened.tree_sha256
            room = opened.authority_room
    settings = Settings(
        base=str(base), base_sha256=digest_of_base, destination=destination,
        recipe=recipe, config_only=config_only, each=each,
        ca=None if ca is None else str(ca), digest=digest, replace=force, remote=remote,
        # A task that is run again finds what its first run left, and keeps it.
        resume=remote, cleanup=cleanup, allowed=allowed, authority_room=room,
        base_state=state, base_tree_sha256=tree_digest, store_timeout=store_timeout,
    )  # fmt: skip
    open_destination(settings)  # one that cannot be is told by a dry run, too
    return plan_fleet(
        settings, read, present=present, name_template=name_template, shard=shard, whole=told
    )


def _is_directory_of_images(base: Path) -> bool:
    if not base.is_dir():
        return False
    try:
        return any(child.suffix.lower() == ".iso" for child in base.iterdir())
    except OSError as error:
        raise unreadable(error, path=str(base)) from None
