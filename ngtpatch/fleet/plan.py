# SPDX-License-Identifier: Apache-2.0
"""Who gets what under which name: everything that can be known before the first image."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from ngtpatch.disclosure import redacted
from ngtpatch.errors import InputError, NgtpatchError, UsageError
from ngtpatch.files.tree import FileTree
from ngtpatch.fleet.order import Order, Settings
from ngtpatch.identity.assemble import identity_of, sets_of
from ngtpatch.identity.check import Sharing
from ngtpatch.identity.inventory import Inventory, InventoryError, Row, RowProblem
from ngtpatch.identity.values import compile_template, render

__all__ = ["DEFAULT_NAME", "FleetPlan", "parse_shard", "plan_fleet", "shard_of"]

DEFAULT_NAME = "{{ name }}.iso"
# "Naming Files, Paths, and Namespaces" of Microsoft's documentation.
_RESERVED = frozenset(
    ["CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in "123456789¹²³")]
)
_MAX_NAME_BYTES = 200  # leaves room for the temporary file's name beside it


@dataclass(frozen=True)
class FleetPlan:
    """A run, before it starts.

    Attributes:
        settings: what all have in common.
        orders: one per VM of this shard, in the inventory's order.
        shard: (K, N); (1, 1) is everything.
        total: VMs in the whole inventory.
        notes: what the inventory's reader should know.
        names: of all VMs of the inventory, whatever the shard.
        complete: False where the inventory is a cluster's list that is not whole.
    """

    settings: Settings
    orders: tuple[Order, ...]
    shard: tuple[int, int]
    total: int
    notes: tuple[str, ...]
    names: frozenset[str] = frozenset()
    complete: bool | None = None


def plan_fleet(
    settings: Settings,
    inventory: Inventory,
    *,
    present: FileTree,
    name_template: str = DEFAULT_NAME,
    shard: tuple[int, int] = (1, 1),
) -> FleetPlan:
    """Plan a run, and find everything that is wrong with its inventory at once.

    Args:
        settings: what all VMs have in common.
        inventory: the VMs; its problems are part of what is raised.
        present: the base's identity files; empty where every VM has a base of its own.
        name_template: jinja2 over the row, giving the output's name.
        shard: (K, N): only the VMs whose name hashes to K.

    Raises:
        InventoryError: rows, columns, files or names that cannot be used.
        InputError: ``template``.
    """
    settings.recipe.compile()
    compile_template(name_template, path="--name")
    problems = [*inventory.problems, *inventory.missing_files()]
    names, more = _names(inventory.rows, name_template)
    problems += more
    if not settings.each and not _has_key(present):
        problems += _without_material(inventory.rows)
    if problems:
        raise InventoryError.of(problems, path=str(inventory.path))
    refusals, known = _refusals(inventory.rows, settings)
    if not settings.each:
        refusals = {**_inheriting(inventory.rows, settings, present), **refusals}
    orders = tuple(
        Order(row, names[row.name], None, refusals.get(row.name), *known[row.name])
        for row in inventory.rows
        if shard_of(row.name, shard[1]) == shard[0]
    )
    everybody = frozenset(names)
    notes = (*inventory.notes, *settings.cleanup.said)
    return FleetPlan(
        settings, orders, shard, len(inventory.rows), notes, everybody, inventory.complete
    )


def parse_shard(text: str) -> tuple[int, int]:
    """Return K/N as numbers. Raises UsageError ``shard``."""
    first, slash, second = text.partition("/")
    if slash and first.isdecimal() and second.isdecimal() and 1 <= int(first) <= int(second):
        return int(first), int(second)
    raise UsageError(
        "shard", f"--shard {text}: expected K/N with K from 1 to N",
        hint="an index that counts from 0 needs one added",
    )  # fmt: skip


def shard_of(name: str, count: int) -> int:
    """Return which of *count* shards a VM belongs to, from 1; the same on every machine."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") % count + 1


def _names(rows: Iterable[Row], template: str) -> tuple[Mapping[str, str], list[RowProblem]]:
    names: dict[str, str] = {}
    first: dict[str, Row] = {}
    problems: list[RowProblem] = []
    for row in rows:
        try:
            name = render(template, row.values, path="--name")
        except InputError as error:
            problems.append(RowProblem(row.number, None, f"--name: {error.message}"))
            continue
        if (unfit := _unfit(name)) is not None:
            problems.append(RowProblem(row.number, "name", f"{name!r} {unfit}"))
            continue
        # Outputs end up on file systems that fold case or normalise: equal there is equal here.
        folded = unicodedata.normalize("NFC", name).casefold()
        if folded in first:
            message = f"its output {name!r} is also that of row {first[folded].number}"
            problems.append(RowProblem(row.number, "name", message))
            continue
        first[folded] = row
        names[row.name] = name
    return names, problems


def _unfit(name: str) -> str | None:
    """Return why *name* is no file's name on every system, or None."""
    advice = "; --name '{{ vm_uuid }}.iso' may help"
    if redacted(name) != name:
        return "is no name for a file" + advice
    if not name.strip() or name != name.strip() or name.startswith(".") or name.endswith("."):
        return "is not a valid file name" + advice
    if any(c in '/\\:*?"<>|' or not c.isprintable() for c in name):
        return "has characters that file names cannot have" + advice
    if name.partition(".")[0].rstrip().upper() in _RESERVED:
        return "is a device on Windows, whatever follows" + advice
    if name.startswith("ledger") and name.endswith(".jsonl"):
        return "is the ledger's name"
    return _too_long(name)


def _too_long(name: str) -> str | None:
    try:
        encoded = name.encode("utf-8")
    except UnicodeEncodeError:
        return "is not Unicode text"
    return "is too long" if len(encoded) > _MAX_NAME_BYTES else None


def _has_key(present: FileTree) -> bool:
    from ngtpatch.identity.bundle import Identity

    return Identity.from_tree(present, source="base").key is not None


def _without_material(rows: Iterable[Row]) -> list[RowProblem]:
    return [
        RowProblem(
            row.number,
            column,
            f"{row.name!r} has no {what}; give it by this column or by --certificates DIR, "
            "and the base has none to go on with",
        )
        for row in rows
        for column, what, path in (
            ("cert", "certificate", row.certificate),
            ("key", "key", row.key),
        )
        if path is None
    ]


def _inheriting(
    rows: Iterable[Row], settings: Settings, present: FileTree
) -> dict[str, tuple[str, str]]:
    """Find the VMs that would get a part of the base's own identity, which is one VM's alone.

    Only a row that says by its ngt_uuid that it is that VM gets it.
    """
    from ngtpatch.identity.bundle import Identity

    base = Identity.from_tree(present, source="base")
    if not base.carries_secret:
        return {}
    nobodys = True
    found: dict[str, tuple[str, str]] = {}
    with suppress(InputError):
        config = base.parsed_config()
        nobodys = config is None or config.ngt_uuid is None
    with_template = settings.recipe.config_template is not None
    for row in rows:
        lacking = [
            what
            for what, path in (
                ("configuration", row.config if not with_template else "template"),
                ("certificate", row.certificate),
                ("key", row.key),
            )
            if path is None
        ]
        if not lacking:
            continue
        stated = None
        with suppress(NgtpatchError):
            config = identity_of(replace(row, key=None), settings.recipe).parsed_config()
            own = config.ngt_uuid if config is not None else None
            stated = sets_of(row, settings.recipe).get("ngt_uuid", own)
        if stated is None or nobodys:
            message = (
                f"has no {', no '.join(lacking)} of its own, and the base's is another VM's: "
                "give the columns config, cert and key (or --certificates DIR), say by the "
                "column ngt_uuid that the base is this VM's, or take a base without identity"
            )
            found[row.name] = ("base-identity", message)
    return found


_Known = dict[str, tuple["str | None", "str | None"]]


def _refusals(rows: Iterable[Row], settings: Settings) -> tuple[dict[str, tuple[str, str]], _Known]:
    """Find the VMs that share an ngt_uuid or a certificate with another one.

    Over the whole inventory, whatever the shard: a clone may be in another one. What
    cannot be read is left to the VM's own turn. Also returns, by VM, the ngt_uuid and the
    certificate's fingerprint.
    """
    sharing = Sharing()
    known: _Known = {}
    for row in rows:
        known[row.name] = (None, None)
        with suppress(NgtpatchError):
            identity = identity_of(replace(row, key=None), settings.recipe)
            stated = sets_of(row, settings.recipe).get("ngt_uuid")
            if stated is None:
                config = identity.parsed_config()
                stated = config.ngt_uuid if config is not None else None
            if stated is not None:
                stated = stated.lower()
                sharing.add_uuid(identity, stated)
                identity = replace(identity, config=None)
            known[row.name] = (stated, sharing.add(identity))
    return {f.source: (f.code, f.message) for f in sharing.findings()}, known
