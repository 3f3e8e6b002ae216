# SPDX-License-Identifier: Apache-2.0
"""A tree's identity replaced or removed: which files get which bytes.

Works on trees, so that images and unpacked directories are treated alike. The caller
scrubs :data:`~ngtpatch.files.wellknown.IDENTITY_PATHS` in what it writes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from ngtpatch.errors import InputError, Refusal
from ngtpatch.files.tree import FileTree
from ngtpatch.files.wellknown import (
    AUTHORITY,
    CERTIFICATE,
    CONFIG,
    CONFIG_DIRECTORY,
    KEY,
    VM_PATHS,
)
from ngtpatch.identity.bundle import MAX_BYTES, Identity
from ngtpatch.identity.certificate import looks_like_key
from ngtpatch.identity.check import check
from ngtpatch.identity.config import ORDER, Config, minimal
from ngtpatch.identity.findings import Finding, Severity, refuse

if TYPE_CHECKING:
    from cryptography.x509 import Certificate as Authority

__all__ = ["Injected", "Stripped", "carriers", "injected", "merged", "stripped"]

_KEY_SUFFIXES = (".pem", ".key", ".p8")


@dataclass(frozen=True)
class Injected:
    """New contents of a tree's identity files.

    Attributes:
        files: path on the image -> new bytes; only what differs from the tree.
        everything: path -> bytes of all the files, for an image made from nothing.
        warnings: what the check found that does not stop it, such as a certificate about
            to expire or a given ngt_version that was not taken.
    """

    files: Mapping[str, bytes] = field(repr=False)
    everything: Mapping[str, bytes] = field(repr=False)
    warnings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Stripped:
    """What a shared image keeps and loses.

    Attributes:
        files: path -> new bytes: an ngt_config.json with ngt_version only, and the authority
            that was given.
        removed: paths that go.
    """

    files: Mapping[str, bytes]
    removed: tuple[str, ...]


def carriers(tree: FileTree, *, allowed: Collection[str] = ()) -> tuple[str, ...]:
    """Return the paths of *tree* that hold something of one VM's alone, sorted.

    Besides the three files that are one VM's that is any private key in PEM in config/ (all
    of which is copied into the guest) or under a name that keys have, but for those that are
    *allowed* by their paths. An empty file holds nothing.
    """
    found: set[str] = set()
    for path in (CERTIFICATE, KEY):
        if path in tree and tree.size(path):
            found.add(path)
    if CONFIG in tree and tree.size(CONFIG) and not _is_minimal(tree):
        found.add(CONFIG)
    for path in tree:
        if path in VM_PATHS or path in allowed:
            continue
        suspect = path.startswith(CONFIG_DIRECTORY + "/") or path.lower().endswith(_KEY_SUFFIXES)
        if suspect and 0 < tree.size(path) <= MAX_BYTES and looks_like_key(tree[path]):
            found.add(path)
    return tuple(sorted(found))


def stripped(
    tree: FileTree, *, also: Collection[str] = (), authority: bytes | None = None,
    allowed: Collection[str] = (),
) -> Stripped:  # fmt: skip
    """Return what makes *tree* fit to be shared: nothing of it belongs to one VM.

    The cluster's authority goes, too: a shared disc may go to another cluster's VMs.

    Args:
        tree: the image's files.
        also: further files that were found to hold identity.
        authority: ca-cert.pem that the shared disc shall have.
        allowed: files that hold a key and stay.

    Raises:
        Refusal: ``ngt-version``: the configuration has no ngt_version, without which the
            installer exits.
        InputError: ``config-json``.
    """
    gone = {*carriers(tree, allowed=allowed), *also} - {CONFIG}
    files: dict[str, bytes] = {}
    if authority is not None:
        gone.discard(AUTHORITY)
        if AUTHORITY not in tree or tree[AUTHORITY] != authority:
            files[AUTHORITY] = authority
    elif AUTHORITY in tree and tree.size(AUTHORITY):
        gone.add(AUTHORITY)
    removed = tuple(sorted(gone))
    if CONFIG not in tree or not tree.size(CONFIG):
        return Stripped(files, removed)
    version = Config.parse(tree[CONFIG]).ngt_version
    if version is None:
        raise Refusal(
            "ngt-version",
            "has no ngt_version, and the installer exits without it",
            path=CONFIG,
            hint="--set ngt_version=... gives it one",
        )
    if not _is_minimal(tree):
        files[CONFIG] = minimal(version).encode()
    return Stripped(files, removed)


def merged(
    present: Identity, given: Identity, *, sets: Mapping[str, str] | None = None
) -> tuple[Identity, tuple[Finding, ...]]:
    """Return *given* completed by what is *present* on the image, and warnings.

    ngt_version stays the image's, whatever a given configuration says, unless *sets*
    names it: the installer compares it with the version that is installed. The one-time
    order of a configuration that is on the image already is not carried on.

    Raises:
        Refusal: ``mixed-identity``: one VM's configuration would meet another's key.
        InputError, UsageError: a part or a ``--set`` value that cannot be read.
    """
    sets = sets or {}
    before = present.parsed_config()
    config = given.parsed_config() or before
    warnings: list[Finding] = []
    if config is None and sets:
        config = Config.parse(b"{}")
    if given.config is None and config is not None and ORDER in config.values:
        config = config.without(ORDER)
        message = f"{ORDER} is a one-time order, and is not carried on"
        warnings.append(Finding("order-dropped", Severity.WARNING, given.source, message, CONFIG))
    if config is not None:
        keep = before.ngt_version if before is not None else None
        if keep is not None and "ngt_version" not in sets and config.ngt_version != keep:
            if config.ngt_version is not None:
                message = f"ngt_version stays {keep}; the given file says {config.ngt_version}"
                hint = "--set ngt_version=... changes it"
                warnings.append(
                    Finding(
                        "ngt-version-kept", Severity.WARNING, given.source, message,
                        given.where(CONFIG), hint,
                    )
                )  # fmt: skip
            config = config.with_values({"ngt_version": keep})
        config = config.with_values(config.coerced(sets))
    result = replace(
        given,
        config=config.encode() if config is not None else None,
        # An empty file was given all the same: it is judged, not taken for none.
        certificate=present.certificate if given.certificate is None else given.certificate,
        key=present.key if given.key is None else given.key,
        authority=present.authority if given.authority is None else given.authority,
    )
    _refuse_mixture(present, given, before, config)
    return result, tuple(warnings)


def injected(
    tree: FileTree,
    given: Identity,
    *,
    sets: Mapping[str, str] | None = None,
    now: datetime | None = None,
    authorities: Sequence[Authority] = (),
    complete: bool = False,
    authority: Severity | None = None,
) -> Injected:
    """Return the files that give *tree* the identity *given*, checked.

    Args:
        tree: the image's files.
        given: what to inject; parts that it lacks stay what they are.
        sets: ``--set`` values by key of ngt_config.json.
        now: the moment certificates are judged for; the clock's when absent.
        authorities: when given, the certificate must chain to one of them.
        complete: the result must be one VM's in full; a shared image will not do.
        authority: how bad it is for one VM's result to lack the cluster's authority.

    Raises:
        Refusal: the resulting identity fails its check, or would mix two VMs'.
        InputError: a part cannot be read at all.
        UsageError: a value in *sets* has the wrong type.
    """
    present = Identity.from_tree(tree, source=given.source)
    result, warnings = merged(present, given, sets=sets)
    if complete or result.carries_secret:
        findings = check(result, now=now, authorities=authorities, authority=authority)
    else:
        # A shared image, whose values alone are set. (An ngt_uuid without its certificate
        # and key would be half an identity.)
        findings = check(result, required=(CONFIG,), required_keys=("ngt_version",))
    refuse(findings)
    parts, old = _parts(result), _parts(present)
    everything = {path: data for path, data in parts.items() if data is not None}
    files = {path: data for path, data in everything.items() if data != old[path]}
    notable = (f for f in findings if f.severity is Severity.WARNING)
    return Injected(files, everything, (*warnings, *notable))


def _parts(identity: Identity) -> dict[str, bytes | None]:
    return {
        CONFIG: identity.config, CERTIFICATE: identity.certificate, KEY: identity.key,
        AUTHORITY: identity.authority,
    }  # fmt: skip


def _refuse_mixture(
    present: Identity, given: Identity, before: Config | None, after: Config | None
) -> None:
    # Also the configuration: its unknown keys are the other VM's.
    inherited = (
        (given.config is None and present.config is not None)
        or (given.certificate is None and present.certificate is not None)
        or (given.key is None and present.key is not None)
    )
    old = before.ngt_uuid if before is not None else None
    new = after.ngt_uuid if after is not None else None
    if inherited and old is not None and new != old:
        raise Refusal(
            "mixed-identity",
            f"ngt_uuid would become {new} beside what is left of {old}",
            path=given.source,
            hint="give configuration, certificate and key of one VM together (--config, --cert "
            "and --key; an inventory's columns), or take a base without identity",
        )


def _is_minimal(tree: FileTree) -> bool:
    try:
        return set(Config.parse(tree[CONFIG]).values) <= {"ngt_version"}
    except InputError:
        return False
