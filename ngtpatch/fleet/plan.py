# SPDX-License-Identifier: Apache-2.0
"""Who gets what under which name: everything that can be known before the first image."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ngtpatch.disclosure import redacted
from ngtpatch.errors import InputError, NgtpatchError, UsageError
from ngtpatch.files.digest import sha256_of_bytes
from ngtpatch.files.tree import FileTree
from ngtpatch.fleet.order import Order, Settings
from ngtpatch.fleet.output_place import folded, over_inputs
from ngtpatch.fleet.whole import AS_COMPUTED, STALE, Whole, fingerprint, require_of
from ngtpatch.identity.assemble import Marks, Recipe, identity_of, marks_and_certificate, sets_of
from ngtpatch.identity.check import Sharing
from ngtpatch.identity.inventory import Inventory, InventoryError, Row, RowProblem
from ngtpatch.identity.inventory.row import shortened
from ngtpatch.identity.values import compile_template, render

__all__ = ["DEFAULT_NAME", "FleetPlan", "parse_shard", "plan_fleet", "shard_of"]

DEFAULT_NAME = "{{ name }}.iso"
# "Naming Files, Paths, and Namespaces" of Microsoft's documentation.
_RESERVED = frozenset(
    ["CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in "123456789¹²³")]
)
# What is found by looking at all VMs.
_OF_THE_WHOLE = frozenset(["duplicate-uuid", "duplicate-certificate", "duplicate-key"])
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
        complete: False where the inventory is a cluster's list that is not whole.
        inventory_sha256: of the inventory.
        templates_sha256: of what names and values are made by besides.
        compared: whether all VMs of the inventory were compared with each other.
    """

    settings: Settings
    orders: tuple[Order, ...]
    shard: tuple[int, int]
    total: int
    notes: tuple[str, ...]
    complete: bool | None = None
    inventory_sha256: str = ""
    templates_sha256: str = ""
    compared: bool = True

    def whole(self) -> Whole:
        """Return what shards take from this plan, which is one of all VMs."""
        return Whole(
            self.inventory_sha256, self.templates_sha256, self.total,
            {
                str(order.row.number): order.refusal
                for order in self.orders
                if order.refusal is not None and order.refusal[0] in _OF_THE_WHOLE
            },
            {
                str(order.row.number): fingerprint(order.ngt_uuid, order.certificate_sha256)
                for order in self.orders
            },
        )  # fmt: skip


def plan_fleet(
    settings: Settings,
    inventory: Inventory,
    *,
    present: FileTree,
    name_template: str = DEFAULT_NAME,
    shard: tuple[int, int] = (1, 1),
    whole: tuple[Path, Whole] | None = None,
) -> FleetPlan:
    """Plan a run, and find everything that is wrong with its inventory at once.

    Args:
        settings: what all VMs have in common.
        inventory: the VMs of the shard, and what its text tells of the others; its problems are
            part of what is raised.
        present: the base's identity files; empty where every VM has a base of its own.
        name_template: jinja2 over the row, giving the output's name.
        shard: (K, N): only the VMs whose name hashes to K.
        whole: what the whole inventory shows, and the file that says so.

    Raises:
        InventoryError: rows, columns, files or names that cannot be used.
        InputError: ``template``; ``whole``: it is of another inventory.
    """
    recipe, rows = settings.recipe, inventory.rows
    recipe.compile()
    if name_template != DEFAULT_NAME:  # jinja2 takes a tenth of a small run to be imported
        compile_template(name_template, path="--name")
    templates = _templates(recipe, name_template)
    if whole is not None:
        require_of(whole[1], inventory=inventory.sha256, templates=templates, path=whole[0])
    problems = [*inventory.problems, *inventory.missing_files()]
    names, more = _names(rows, inventory.others, name_template)
    problems += more
    inputs = [str(inventory.path), *([] if whole is None else [str(whole[0])])]
    problems += over_inputs(names, rows, inputs, settings)
    if not settings.each and not _has_key(present):
        problems += _without_material(rows)
    if problems:
        raise InventoryError.of(problems, path=str(inventory.path))
    refusals, known = _refusals(rows, inventory.others, settings)
    if whole is not None:
        refusals = _told(rows, known, whole[1]) | refusals
    if not settings.each:
        refusals = {**_inheriting(rows, settings, present), **refusals}
    orders = tuple(
        Order(row, names[row.label], None, refusals.get(row.label), *known[row.label])
        for row in rows
    )
    notes = (*inventory.notes, *settings.cleanup.said, *_unknown(shard, inventory, whole))
    return FleetPlan(
        settings, orders, shard, inventory.total, notes, inventory.complete, inventory.sha256,
        templates, shard == (1, 1) or whole is not None,
    )  # fmt: skip


def _templates(recipe: Recipe, name_template: str) -> str:
    said = [name_template, recipe.config_template, sorted(recipe.sets.items())]
    return sha256_of_bytes(json.dumps(said).encode())


def _told(rows: Iterable[Row], known: _Known, whole: Whole) -> dict[str, tuple[str, str]]:
    """Return why VMs are not made, by what the whole inventory shows."""
    found: dict[str, tuple[str, str]] = {}
    for row in rows:
        number = str(row.number)
        if whole.fingerprints.get(number) != fingerprint(*known[row.label]):
            found[row.label] = STALE
        elif number in whole.refused:
            code, message = whole.refused[number]
            # Of the others' files nothing is read here: one of them may be put right by now.
            found[row.label] = (code, f"{message}{AS_COMPUTED}")
    return found


def _unknown(
    shard: tuple[int, int], inventory: Inventory, whole: tuple[Path, Whole] | None
) -> list[str]:
    """Say what a shard cannot know."""
    others = inventory.total - len(inventory.rows)
    if shard == (1, 1) or whole is not None or not others:
        return []
    return [
        f"of the {others} VMs of other shards the configurations and certificates were not read: "
        "whether one of them shares an ngt_uuid, a certificate or a key with one of these is not "
        "known ('inject -n --whole FILE' finds that out, once for all shards)"
    ]


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


def _names(
    rows: Iterable[Row], others: Iterable[Row], template: str
) -> tuple[Mapping[str, str], list[RowProblem]]:
    """Return the outputs' names of *rows*, and what is wrong with any row's."""
    names: dict[str, str] = {}
    first: dict[str, int] = {}
    problems: list[RowProblem] = []
    for row, is_mine in [*((row, True) for row in rows), *((row, False) for row in others)]:
        try:
            plain = template == DEFAULT_NAME
            name = f"{row.name}.iso" if plain else render(template, row.values, path="--name")
        except InputError as error:
            problems.append(RowProblem(row.number, None, f"--name: {error.message}"))
            continue
        if (unfit := _unfit(name)) is not None:
            problems.append(RowProblem(row.number, "name", f"{shortened(name)!r} {unfit}"))
            continue
        # Outputs end up on file systems that fold case or normalise: equal there is equal here.
        key = folded(name)
        if key in first:
            message = f"its output {name!r} is also that of row {first[key]}"
            if row.vm_uuid is not None:
                message += "; --name '{{ vm_uuid }}.iso' would tell the two apart"
            problems.append(RowProblem(row.number, "name", message))
            continue
        first[key] = row.number
        if is_mine:
            names[row.label] = name
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
    if folded(name).startswith("ledger") and folded(name).endswith(".jsonl"):
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
            f"{row.label!r} has no {what}; give it by this column or by --certificates DIR, "
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
            config = identity_of(row, settings.recipe, with_key=False).parsed_config()
            own = config.ngt_uuid if config is not None else None
            stated = sets_of(row, settings.recipe).get("ngt_uuid", own)
        if stated is None or nobodys:
            message = (
                f"has no {', no '.join(lacking)} of its own, and the base's is another VM's: "
                "give the columns config, cert and key (or --certificates DIR), say by the "
                "column ngt_uuid that the base is this VM's, or take a base without identity"
            )
            found[row.label] = ("base-identity", message)
    return found


_Known = dict[str, Marks]


def _refusals(
    rows: Iterable[Row], others: Iterable[Row], settings: Settings
) -> tuple[dict[str, tuple[str, str]], _Known]:
    """Find the VMs that share an ngt_uuid, a certificate or its key with another one.

    Of *others*, a clone may be in another shard, that is what the inventory's text states. What
    cannot be read is left to the VM's own turn. Also returns, by VM, the ngt_uuid and the
    certificate's fingerprint.
    """
    known: _Known = {}
    keys: list[bytes | None] = []
    seen: set[str | bytes | None] = {None}
    twice: set[str | bytes] = set()

    def see(value: str | bytes | None) -> None:
        if value is not None and value in seen:
            twice.add(value)
        seen.add(value)

    for row in rows:
        known[row.label], key = _marks(row, settings.recipe)
        keys.append(key)
        for value in (*known[row.label], key):
            see(value)
    elsewhere = [(row.label, _stated(row, settings.recipe)) for row in others]
    for _, stated in elsewhere:
        see(stated)
    sharing = Sharing()
    # Of fifty thousand, those alone are kept that share something.
    for label, (stated, mark) in (
        *known.items(),
        *((name, (own, None)) for name, own in elsewhere),
    ):
        if stated in twice:
            sharing.add_uuid(label, stated)
        if mark in twice:
            sharing.add_certificate(label, mark)
    for row, key in zip(rows, keys, strict=True):
        if key is not None and key in twice:
            sharing.add_key(row.label, key, known[row.label])
    return {f.source: (f.code, f.message) for f in sharing.findings()}, known


def _marks(row: Row, recipe: Recipe) -> tuple[Marks, bytes | None]:
    """Return a VM's ngt_uuid, its certificate's fingerprint, and what its public key is known by.

    As far as they can be read; the private key is not.
    """
    stated = _stated(row, recipe)
    with suppress(NgtpatchError):
        given = identity_of(row, recipe, with_key=False)
        marks, certificate = marks_and_certificate(given, stated)
        return marks, None if certificate is None else certificate.public_key
    return (stated, None), None


def _stated(row: Row, recipe: Recipe) -> str | None:
    """Return the ngt_uuid that the inventory itself says, or --set."""
    with suppress(NgtpatchError):
        stated = sets_of(row, recipe).get("ngt_uuid")
        return None if stated is None else stated.lower()
    return None
