# SPDX-License-Identifier: Apache-2.0
"""An identity: configuration, certificate, key and authority, wherever they were found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ngtpatch.errors import InputError
from ngtpatch.files.bounded import read_small_and_mode
from ngtpatch.files.tree import FileTree
from ngtpatch.files.wellknown import AUTHORITY, CERTIFICATE, CONFIG, KEY
from ngtpatch.identity.certificate import Certificate, PrivateKey
from ngtpatch.identity.config import Config

__all__ = ["Identity"]

MAX_BYTES = 1 << 20


@dataclass(frozen=True, repr=False)
class Identity:
    """One VM's material as bytes, each part possibly absent.

    Attributes:
        source: the image, directory or inventory row it came from.
        config: ngt_config.json.
        certificate: client-cert.pem.
        key: client-key.pem; never shown by repr.
        paths: for each part (its path on an image) the file it was read from, for messages.
        modes: permission bits of the files on disk that hold the key: itself, or its image.
        authority: ca-cert.pem: the cluster's, which issued the certificate. All VMs of a
            cluster have it, so that it does not make a disc one VM's.
    """

    source: str
    config: bytes | None = None
    certificate: bytes | None = None
    key: bytes | None = None
    paths: Mapping[str, str] = field(default_factory=dict)
    modes: Mapping[str, int] = field(default_factory=dict)
    authority: bytes | None = None

    @classmethod
    def from_tree(
        cls, tree: FileTree, *, source: str, modes: Mapping[str, int] | None = None
    ) -> Identity:
        """Read what an image or a directory carries. Empty files count as absent.

        *modes* count only where there is a key.

        Raises:
            InputError: ``too-large``: a file no identity has.
        """
        parts: dict[str, bytes | None] = {}
        for path in (CONFIG, CERTIFICATE, KEY, AUTHORITY):
            parts[path] = None
            if path in tree:
                if tree.size(path) > MAX_BYTES:
                    message = f"is {tree.size(path)} bytes long, too long for an identity file"
                    raise InputError("too-large", message, path=path)
                parts[path] = tree[path] or None
        exposed = modes if modes and parts[KEY] is not None else {}
        return cls(
            source, parts[CONFIG], parts[CERTIFICATE], parts[KEY],
            modes=exposed, authority=parts[AUTHORITY],
        )  # fmt: skip

    @classmethod
    def from_files(
        cls,
        *,
        source: str,
        config: str | Path | None = None,
        certificate: str | Path | None = None,
        key: str | Path | None = None,
        authority: str | Path | None = None,
    ) -> Identity:
        """Read the files that were named.

        Raises:
            InputError: ``not-found``, ``is-directory``, ``too-large``, ``unreadable``.
        """
        named = {CONFIG: config, CERTIFICATE: certificate, KEY: key, AUTHORITY: authority}
        what = {
            CONFIG: "configuration", CERTIFICATE: "certificate", KEY: "key",
            AUTHORITY: "certificate of the cluster's authority",
        }  # fmt: skip
        data: dict[str, bytes] = {}
        modes: dict[str, int] = {}
        for entry, path in named.items():
            if path is not None:
                data[entry], mode = read_small_and_mode(path, limit=MAX_BYTES, what=what[entry])
                if entry == KEY:
                    modes[str(path)] = mode
        paths = {entry: str(path) for entry, path in named.items() if path is not None}
        return cls(
            source, data.get(CONFIG), data.get(CERTIFICATE), data.get(KEY), paths, modes,
            data.get(AUTHORITY),
        )  # fmt: skip

    @property
    def carries_secret(self) -> bool:
        """Whether it holds anything that belongs to one VM alone."""
        if self.certificate is not None or self.key is not None:
            return True
        if self.config is None:
            return False
        try:
            return Config.parse(self.config).ngt_uuid is not None
        except InputError:
            return False

    def where(self, entry: str) -> str:
        """Return the file that the part at *entry* was read from."""
        return self.paths.get(entry, entry)

    def parsed_config(self) -> Config | None:
        """Return the configuration, or None when there is none. Raises InputError."""
        return None if self.config is None else Config.parse(self.config, path=self.where(CONFIG))

    def parsed_certificate(self) -> Certificate | None:
        """Return the certificate, or None when there is none. Raises InputError."""
        if self.certificate is None:
            return None
        return Certificate.parse(self.certificate, path=self.where(CERTIFICATE))

    def parsed_key(self) -> PrivateKey | None:
        """Return the key, or None when there is none. Raises InputError."""
        return None if self.key is None else PrivateKey.parse(self.key, path=self.where(KEY))

    def parsed_authority(self) -> Certificate | None:
        """Return the cluster's authority, or None when there is none. Raises InputError."""
        if self.authority is None:
            return None
        return Certificate.parse(self.authority, path=self.where(AUTHORITY))

    def __repr__(self) -> str:
        parts = [
            f"{name}={'absent' if value is None else f'<{len(value)} bytes>'}"
            for name, value in (
                ("config", self.config),
                ("certificate", self.certificate),
                ("key", self.key),
                ("authority", self.authority),
            )
        ]
        return f"Identity({self.source!r}, {', '.join(parts)})"
