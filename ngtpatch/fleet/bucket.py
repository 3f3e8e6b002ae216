# SPDX-License-Identifier: Apache-2.0
"""A prefix of an S3 bucket as the place of outputs.

The base is uploaded once, without whatever identity it carries. Each VM's image is then
put together on the server: ranges of the base copied there, changed windows uploaded. An
object appears when its upload is completed, never before, and its metadata names the
digests that identify it: to resume, the store is asked, not the ledger.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ngtpatch.errors import RemoteError, UsageError
from ngtpatch.files.digest import sha256_of_source
from ngtpatch.files.locked import StillHeldError, locked
from ngtpatch.files.writing import require_writable
from ngtpatch.fleet.base import Base
from ngtpatch.fleet.base_object import (
    base_parts,
    is_worth_copying,
    multipart_tag,
    read_part,
    tag_of_parts,
    without_identity,
)
from ngtpatch.fleet.ledger_document import LedgerRow
from ngtpatch.fleet.order import STORE_TIMEOUT, DirectoryMark, Held, Known
from ngtpatch.fleet.parts import MINIMUM, Part, parts
from ngtpatch.fleet.store_refusals import hint_of, status_of
from ngtpatch.identity.assemble import Marks
from ngtpatch.iso.edit.image_edit import EditPlan
from ngtpatch.iso.read.bytesource import ByteSource
from ngtpatch.iso.read.regions import merge_ranges
from ngtpatch.iso.write.sinks import Written

__all__ = ["Bucket"]

_BASES = ".ngtpatch/base-"
# Metadata of each object.
_BASE_DIGEST, _REGIONS_DIGEST = "ngtpatch-base-sha256", "ngtpatch-regions-sha256"
_URL = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(?P<prefix>.*))?")

# Of an object that is gone, or another by now; or, of Swift, whose parts are gone.
_NOT_KEPT = (404, 409, 412)
# How often an upload is begun again that another run took for a dead one's.
_TRIES = 3
# What is read back of an object: so much at once, and around what changed.
_WINDOW, _NEAR = 8 << 20, 64 << 10


class Bucket:
    """``s3://bucket/prefix``, by the credentials and the endpoint that boto3 finds."""

    def __init__(self, url: str, *, timeout: float = STORE_TIMEOUT, in_parts: bool = True) -> None:
        """Take the place. Nothing is asked of the network yet.

        Args:
            url: ``s3://bucket/prefix``.
            timeout: seconds that the store may say nothing.
            in_parts: an output may be large enough to be put together of parts.

        Raises:
            UsageError: ``s3-url``; ``extra``: boto3 is not installed.
        """
        match = _URL.fullmatch(url)
        if match is None:
            raise UsageError("s3-url", "is not of the form s3://bucket/prefix", path=url)
        self.url = url
        self._timeout, self._in_parts = timeout, in_parts
        self.bucket = match["bucket"]
        prefix = (match["prefix"] or "").strip("/")
        self.prefix = f"{prefix}/" if prefix else ""
        self._tags: dict[str, str | None] = {}
        self._asking = threading.Lock()
        # The uploads that were open when sweep() was called first: keys and ids.
        self._open: set[tuple[str, str]] | None = None
        try:
            self._boto3, self._errors = import_module("boto3"), import_module("botocore.exceptions")
        except ImportError:
            raise UsageError(
                "extra", "s3:// needs boto3", path=url, hint="install ngtpatch[s3]"
            ) from None

    @cached_property
    def _client(self) -> Any:
        config = import_module("botocore.config")
        # Path style and no checksum trailers: what S3-compatible stores understand.
        settings = config.Config(
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            retries={"mode": "standard"},
            connect_timeout=self._timeout,
            read_timeout=self._timeout,
            max_pool_connections=32,
        )
        with self._remote():
            try:
                client = self._boto3.client("s3", config=settings)
                if not _is_address(client.meta.endpoint_url):
                    raise ValueError("the endpoint is not http(s)://host[:port]")  # noqa: TRY301
            except ValueError as error:  # botocore's own word for an endpoint that is no URL
                raise UsageError(
                    "s3-url", f"cannot be used: {error}", path=self.url,
                    hint="see AWS_ENDPOINT_URL, AWS_REGION and what else boto3 is told by AWS_...",
                ) from None  # fmt: skip
            return client

    @contextmanager
    def held(
        self, shard: tuple[int, int], *, wait: float = 0, stop: threading.Event | None = None
    ) -> Iterator[None]:
        """Hold the ledger beside which a run works. Raises as :meth:`OutputDirectory.held`.

        A bucket has no locks. Runs on different machines do not harm each other: objects
        appear whole, and two runs of the same inventory make the same ones.
        """
        lock = self.ledger(shard)
        try:
            with locked(lock.with_name(f".{lock.name}.lock"), wait=wait, mode=0o600, stop=stop):
                yield
        except StillHeldError:
            if stop is not None and stop.is_set():
                raise
            raise UsageError(
                "busy", "another run is writing to this prefix", path=self.url,
                hint="wait for it (--wait SECONDS), or name another prefix",
            ) from None  # fmt: skip

    def require_held(self) -> None:
        """Do nothing: a bucket has no locks, and moves nowhere."""

    def mark(self) -> None:
        """Return none: a bucket is known by its name."""

    def join(self, held: DirectoryMark | None) -> None:
        """Do nothing: a bucket cannot be replaced by another."""

    def leave(self) -> None:
        """Do nothing."""

    def foresee(self) -> None:
        """Refuse a current directory that takes no ledger. Raises OutputError."""
        require_writable(Path(), self.ledger((1, 1)))

    def ledger(self, shard: tuple[int, int]) -> Path:
        """Return the ledger's file: in the current directory, named after bucket and prefix."""
        place = re.sub(r"[^A-Za-z0-9.-]+", "-", f"{self.bucket}/{self.prefix}").strip("-")
        part = "" if shard == (1, 1) else f"-{shard[0]}-of-{shard[1]}"
        return Path(f"ledger-{place}{part}.jsonl")

    def ledgers(self) -> list[Path]:
        """Return the ledgers of runs into this prefix that are in the current directory."""
        whole = self.ledger((1, 1))
        parts = sorted(whole.parent.glob(f"{whole.stem}-*-of-*.jsonl"))
        return [path for path in (whole, *parts) if os.path.lexists(path)]

    def existing(self, outputs: Iterable[str]) -> list[str]:
        """Return those of *outputs* that are there. Raises RemoteError."""
        with self._remote():
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=self.prefix
            )
            present = {
                item["Key"].removeprefix(self.prefix)
                for page in pages
                for item in self._listed(page, "Contents")
            }
        return [name for name in outputs if name in present]

    def marks(self, row: LedgerRow) -> Marks | None:
        """Return what *row* says, where the object is the one that it tells of.

        Of any other nothing is known: it is not read. Raises RemoteError.
        """
        found = self._head(self.prefix + row.output) if row.state == "done" else None
        told = {} if found is None else found.get("Metadata", {})
        wanted = {_BASE_DIGEST: row.base_sha256, _REGIONS_DIGEST: row.regions_sha256}
        if {name: told.get(name) for name in wanted} != wanted:
            return None
        return row.ngt_uuid, row.certificate_sha256

    def reach(self) -> None:
        """Ask the bucket for a name. Raises RemoteError if it does not answer as a bucket does."""
        with self._remote():
            page = self._client.list_objects_v2(Bucket=self.bucket, Prefix=self.prefix, MaxKeys=1)
            self._listed(page, "Contents")

    def _listed(self, page: dict[str, Any], what: str) -> Any:
        """Return what a page lists. Raises RemoteError where an answer of 200 is no list at all."""
        self._told(page, "IsTruncated")
        return page.get(what, ())

    def _told(self, answer: dict[str, Any], what: str) -> Any:
        """Return what every store's answer says. Raises RemoteError where this one does not."""
        if what in answer:
            return answer[what]
        raise RemoteError(
            "s3", f"what answers there is not an object store: it gives no {what}", path=self.url,
            hint="see AWS_ENDPOINT_URL",
        )  # fmt: skip

    def sweep(self, outputs: Iterable[str]) -> int:
        """Abort the uploads that a killed run left open; return how many. Raises RemoteError.

        Those are the ones that were open when this was called first, and still are: another
        machine's run may be at work there, and Swift breaks an object whose upload is aborted just
        when it is completed. One that is alive all the same is begun again there.

        Where no output is put together of parts there are none, and the right to list them is not
        needed.
        """
        if not self._in_parts:
            return 0
        wanted = {self.prefix + name for name in outputs}
        bases = f"{self.prefix}{_BASES}"
        with self._remote():
            pages = self._client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self.bucket, Prefix=self.prefix
            )
            found = {
                (upload["Key"], upload["UploadId"])
                for page in pages
                for upload in self._listed(page, "Uploads")
                if upload["Key"] in wanted or upload["Key"].startswith(bases)
            }
            if self._open is None:
                self._open = found
                return 0
            return sum(self._abort(*upload) for upload in sorted(found & self._open))

    def _abort(self, key: str, upload: str) -> bool:
        """Abort an upload; say whether it was there. Another run may have ended it meanwhile."""
        try:
            self._client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload)
        except self._errors.ClientError as error:
            if status_of(error) != 404:  # NoSuchUpload; Swift may say NoSuchKey
                raise
            return False
        return True

    def prepare(self, base: Base) -> None:
        """Upload the base, unless it is there and proven. Raises RemoteError."""
        if not is_worth_copying(base) or self._proven_tag(base) is not None:
            return
        clean = without_identity(base)
        with self._remote():
            self._assemble(self._base_key(base), clean, base_parts(clean), None, {}, base)
        self._tags.pop(str(base.sha256), None)

    def _proven_tag(self, base: Base) -> str | None:
        """Return the entity tag of the base in the bucket, if that proves it to be this one.

        Others may be able to write there. The store computes a multipart object's tag of its
        parts' MD5s (Amazon S3 user guide, "Checking object integrity"), so that the same parts of
        the base give the same tag; another content with it cannot be made on purpose. Where
        the store computes it otherwise (SSE-KMS), every byte is read and compared.
        """
        key = str(base.sha256)
        with self._asking:
            if key not in self._tags:
                found = self._head(self._base_key(base))
                clean = without_identity(base)
                same = found is not None and found["ContentLength"] == clean.size
                tag = str(self._told(found, "ETag")) if same else None
                proven = tag is not None and (
                    tag == multipart_tag(clean) or self._reads_as(base, tag, clean)
                )
                self._tags[key] = tag if proven else None
            return self._tags[key]

    def _reads_as(self, base: Base, tag: str, clean: ByteSource) -> bool:
        """Say whether the base's object with the entity tag *tag* has every byte of *clean*."""
        with self._remote():
            return all(
                self._range(self._base_key(base), tag, offset, min(_WINDOW, clean.size - offset))
                == read_part(clean, Part(offset, min(_WINDOW, clean.size - offset), copied=False))
                for offset in range(0, clean.size, _WINDOW)
            )

    def _range(self, key: str, tag: str, offset: int, length: int) -> bytes:
        """Return a part of an object, asked for again where the connection ends in its middle."""
        for left in reversed(range(_TRIES)):
            try:
                answer = self._client.get_object(
                    Bucket=self.bucket, Key=key, IfMatch=tag,
                    Range=f"bytes={offset}-{offset + length - 1}",
                )  # fmt: skip
                return bytes(answer["Body"].read())
            except (self._errors.HTTPClientError, self._errors.IncompleteReadError):
                if not left:
                    raise
        raise AssertionError  # the last try returned or raised

    def holds(
        self, output: str, base: Base, plan: EditPlan, known: Known | None, *, digest: bool
    ) -> Held | None:
        """Return what is there if it is the object that *plan* would make; None otherwise.

        Its metadata must say so, and what was changed is read back; a small object, and with
        *digest* every one, is read as a whole. Raises RemoteError.
        """
        key = self.prefix + output
        found = self._head(key)
        if found is None or found["ContentLength"] != plan.size:
            return None
        wanted = _metadata(base, plan)
        if {k: found["Metadata"].get(k) for k in wanted} != wanted:
            return None
        overlay, hasher = plan.overlay(), hashlib.sha256()
        ranges = [(offset, _WINDOW) for offset in range(0, plan.size, _WINDOW)]
        whole = digest or plan.size <= MINIMUM
        if not whole:
            touched = {r.offset // _NEAR for r in plan.regions}
            touched |= {(r.offset + max(r.length, 1) - 1) // _NEAR for r in plan.regions}
            ranges = merge_ranges(
                [(n * _NEAR, _NEAR) for n in touched]
                + [(r.offset, r.length) for r in plan.regions if r.length]
            )
        with self._remote():
            for offset, length in ranges:
                end = min(offset + length, plan.size)
                try:
                    data = self._range(key, found["ETag"], offset, end - offset)
                except self._errors.ClientError as error:
                    if status_of(error) not in _NOT_KEPT:
                        raise
                    return None
                if data != read_part(overlay, Part(offset, end - offset, copied=False)):
                    return None
                hasher.update(data)
        return Held(hasher.hexdigest() if digest else None)

    def times(self, output: str) -> None:
        """Return None: a store's clock says nothing of a content."""

    def is_base(self, output: str, plan: EditPlan) -> bool:
        """Return False: a base is never an object."""
        return False

    def unfit(self, output: str) -> None:
        """Return None: an object has one name and no mode."""

    def write(
        self, output: str, base: Base, plan: EditPlan, *, digest: bool, replace: bool
    ) -> Written:
        """Make one object. Raises RemoteError; then nothing is there that was not before."""
        key, overlay = self.prefix + output, plan.overlay()
        metadata = _metadata(base, plan)
        with self._remote():
            if overlay.size <= MINIMUM:
                body = overlay.read_at(0, overlay.size)
                base.require_same()
                answer = self._client.put_object(
                    Bucket=self.bucket, Key=key, Body=body, Metadata=metadata
                )
                expected = f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
                self._require_there(key, answer.get("ETag"), expected, overlay.size, metadata)
                uploaded = len(body)
            else:
                tag = self._proven_tag(base) if is_worth_copying(base) else None
                source = (self._base_key(base), tag) if tag is not None else None
                planned = parts(
                    overlay.size,
                    base.volume.size if source else 0,
                    [*((r.offset, r.length) for r in plan.regions), *base.identity_ranges],
                )
                uploaded = self._assemble(key, overlay, planned, source, metadata, base)
        sha256 = sha256_of_source(overlay, overlay.size) if digest else None
        return Written(overlay.size, sha256, None, uploaded, "stream")

    def _assemble(
        self,
        key: str,
        source: ByteSource,
        planned: Iterable[Part],
        copied: tuple[str, str] | None,
        metadata: dict[str, str],
        base: Base,
    ) -> int:
        """Put an object together, and return how much was uploaded.

        What is copied comes from *copied*, a key and the entity tag that it must still have. The
        object appears when *base* is proven to be what it was. An upload that another run of
        the same prefix took for a dead one's is begun again.
        """
        planned = list(planned)
        for left in reversed(range(_TRIES)):
            try:
                return self._assemble_once(key, source, planned, copied, metadata, base)
            except self._errors.ClientError as error:
                # 404: the upload is gone, in whatever words.
                if not left or not (status_of(error) == 404 or status_of(error) >= 500):
                    raise
        raise AssertionError  # the last try returned or raised

    def _assemble_once(
        self,
        key: str,
        source: ByteSource,
        planned: Iterable[Part],
        copied: tuple[str, str] | None,
        metadata: dict[str, str],
        base: Base,
    ) -> int:
        client, place = self._client, {"Bucket": self.bucket, "Key": key}
        answer = client.create_multipart_upload(**place, Metadata=metadata)
        upload = self._told(answer, "UploadId")
        done: list[dict[str, Any]] = []
        uploaded = 0
        try:
            for number, part in enumerate(planned, start=1):
                here = {**place, "UploadId": upload, "PartNumber": number}
                if part.copied and copied is not None:
                    answer = client.upload_part_copy(
                        **here,
                        CopySource={"Bucket": self.bucket, "Key": copied[0]},
                        CopySourceIfMatch=copied[1],
                        CopySourceRange=f"bytes={part.offset}-{part.end - 1}",
                    ).get("CopyPartResult", {})
                else:
                    body = read_part(source, part)
                    answer = client.upload_part(**here, Body=body)
                    uploaded += part.length
                done.append({"PartNumber": number, "ETag": self._told(answer, "ETag")})
            base.require_same()
            answer = client.complete_multipart_upload(
                **place, UploadId=upload, MultipartUpload={"Parts": done}
            )
            expected = tag_of_parts([part["ETag"].strip('"') for part in done])
            self._require_there(key, answer.get("ETag"), expected, source.size, metadata)
        except BaseException:
            with suppress(Exception):  # the first error is the one to tell; sweep() is next
                client.abort_multipart_upload(**place, UploadId=upload)
            raise
        return uploaded

    def _require_there(
        self, key: str, tag: str | None, expected: str | None, size: int, metadata: dict[str, str]
    ) -> None:
        """Return if an object that was written is seen. Raises RemoteError.

        Its entity tag says so where it is made of its bytes' MD5. Of any other the head is asked
        for: also a proxy, or a server of pages, answers 200.
        """
        if expected is not None and tag == expected:
            return
        found = self._head(key)
        told = {} if found is None else found.get("Metadata", {})
        same = found is not None and found.get("ContentLength") == size
        if not same or {name: told.get(name) for name in metadata} != metadata:
            raise RemoteError(
                "s3", f"{key} was taken and is not there", path=self.url,
                hint="see AWS_ENDPOINT_URL: is that an object store?",
            )  # fmt: skip

    def _head(self, key: str) -> Any:
        """Return an object's head, or None when there is none."""
        with self._remote():
            try:
                return self._client.head_object(Bucket=self.bucket, Key=key)
            except self._errors.ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                    return None
                raise

    def _base_key(self, base: Base) -> str:
        return f"{self.prefix}{_BASES}{base.sha256}.iso"

    @contextmanager
    def _remote(self) -> Iterator[None]:
        """Turn what boto3 raises into one of our errors, without its request's contents."""
        try:
            yield
        except self._errors.ClientError as error:
            code = error.response.get("Error", {}).get("Code") or status_of(error)
            reason = f"{error.operation_name}: {code}"
            raise RemoteError("s3", reason, path=self.url, hint=hint_of(error)) from None
        except RecursionError:  # botocore follows a redirection to another region for ever
            raise RemoteError(
                "s3", "the object store sends elsewhere, again and again", path=self.url,
                hint="see AWS_ENDPOINT_URL and AWS_REGION",
            ) from None  # fmt: skip
        except self._errors.BotoCoreError as error:
            hint = "see AWS_ENDPOINT_URL, AWS_REGION and the credentials boto3 looks for"
            if isinstance(error, self._errors.ReadTimeoutError | self._errors.ConnectTimeoutError):
                hint = (
                    f"it said nothing for {self._timeout:g} seconds; --store-timeout gives it more"
                )
            raise RemoteError(
                "s3", f"the object store cannot be used: {type(error).__name__}", path=self.url,
                hint=hint,
            ) from None  # fmt: skip


def _is_address(url: str) -> bool:
    """Say whether *url* names a host, and a port that there can be, of http or https."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _metadata(base: Base, plan: EditPlan) -> dict[str, str]:
    return {_BASE_DIGEST: str(base.sha256), _REGIONS_DIGEST: plan.digest}
