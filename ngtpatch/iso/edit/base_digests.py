# SPDX-License-Identifier: Apache-2.0
"""What the records of many images say of the base they share, computed once."""

from __future__ import annotations

import threading
from dataclasses import replace

from ngtpatch.files.digest import sha256_of_source
from ngtpatch.iso.read.build_record import BuildRecord, Ranges, mask
from ngtpatch.iso.read.bytesource import ByteSource
from ngtpatch.iso.read.regions import Overlay

__all__ = ["BaseDigests"]


class BaseDigests:
    """The digests of one image that others are made of. Safe to share between threads."""

    def __init__(self, source: ByteSource, sha256: str | None = None) -> None:
        """Take the image's bytes, and its SHA-256 (hexadecimal) where that is known already."""
        self._source = source
        self._sha256 = sha256
        self._masked: dict[Ranges, str] = {}
        self._lock = threading.Lock()

    def named(self, record: BuildRecord, earlier: BuildRecord | None) -> BuildRecord:
        """Return *record* with the digests of the vendor's image.

        Args:
            record: of an image that is made of this one.
            earlier: this image's own record. What that did not know of the vendor's image
                nobody does; its ranges may have grown since.
        """
        if earlier is None:
            record = replace(record, vendor_sha256=self.sha256)
        if record.scrubbed and record.masked_sha256 is None and record.vendor_sha256:
            record = replace(record, masked_sha256=self._masked_by(record.scrubbed, earlier))
        return record

    @property
    def sha256(self) -> str:
        """Of the whole image, hexadecimal."""
        with self._lock:
            if self._sha256 is None:
                self._sha256 = sha256_of_source(self._source, self._source.size)
            return self._sha256

    def _masked_by(self, scrubbed: Ranges, earlier: BuildRecord | None) -> str:
        with self._lock:
            if scrubbed not in self._masked:
                vendor = earlier.vendor(self._source) if earlier else Overlay(self._source)
                view = mask(vendor, scrubbed)
                self._masked[scrubbed] = sha256_of_source(view, view.size)
            return self._masked[scrubbed]
