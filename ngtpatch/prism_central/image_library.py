# SPDX-License-Identifier: Apache-2.0
"""Prism Central's image library: find, create, delete."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from ngtpatch.errors import Refusal, RemoteError
from ngtpatch.prism_central.connection import ChangedError, Connection, GoneError
from ngtpatch.prism_central.follow import follow
from ngtpatch.prism_central.machines import quoted
from ngtpatch.prism_central.pushed_iso import Disc

__all__ = ["LibraryImage", "create_image", "delete_image", "find_image", "get_image"]

MARK = "Put here by ngtpatch."
MARK_OF_IDENTITY = "Put here by ngtpatch for one VM: holds its identity, to be deleted."
_MODELS = "ntnx_vmm_py_client.models.vmm.v4.content"
_KIND = "vmm:content:image"  # as nutanix.ncp looks for it in a task
_TRIES = 3


@dataclass(frozen=True)
class LibraryImage:
    """An image of the library.

    Attributes:
        ext_id: its identifier.
        name: as it is called there.
        sha256: by the library's word; None where it has none.
        ours: ngtpatch put it there, by its description.
        identity: likewise, and it holds one VM's identity.
    """

    ext_id: str
    name: str
    sha256: str | None
    ours: bool
    identity: bool


def find_image(connection: Connection, disc: Disc) -> LibraryImage | None:
    """Return the image that has this disc's name *and* checksum; None where there is none.

    Raises:
        Refusal: ``image-exists``: another image has the name, or one whose checksum is not known.
    """
    api = _api(connection)
    images = connection.pages(api.list_images, _filter=f"name eq {quoted(disc.name)}")
    named = [_image(image) for image in images if image.name == disc.name]
    same = [image for image in named if image.sha256 == disc.sha256]
    if same:
        return same[0]
    if named:
        other = named[0]
        what = "no SHA-256" if other.sha256 is None else f"the SHA-256 {other.sha256[:12]}..."
        raise Refusal(
            "image-exists",
            f"the image library has another {disc.name!r} ({other.ext_id}, with {what};"
            f" this one has {disc.sha256[:12]}...)",
            path=connection.host, hint="give the ISO another name, or delete that image first",
        )  # fmt: skip
    return None


def get_image(connection: Connection, ext_id: str) -> LibraryImage | None:
    """Return an image; None where it is not there (any more)."""
    try:
        return _image(connection.call(_api(connection).get_image_by_id, ext_id).data)
    except GoneError:
        return None


def create_image(
    connection: Connection, disc: Disc, *, key: str | None, url: str | None, request: str,
    clusters: Sequence[str], seconds: float,
) -> LibraryImage:  # fmt: skip
    """Make the image of *disc*, of an uploaded object or a URL, and follow the task.

    Args:
        connection: where.
        disc: what.
        key: of the object that was uploaded.
        url: where Prism Central downloads it instead.
        request: the NTNX-Request-Id: the same for the same wish, so that there is one image.
        clusters: where the image is to be; empty: Prism Central chooses.
        seconds: how long to wait.

    Raises:
        RemoteError: it failed, or the image that came is not this one.
    """
    content = {
        name: getattr(import_module(f"{_MODELS}.{name}"), name)
        for name in ("Image", "ImageSha256Checksum", "ObjectsLiteSource", "UrlSource")
    }
    source = (
        content["UrlSource"](url=url) if url is not None else content["ObjectsLiteSource"](key=key)
    )
    body = content["Image"](
        name=disc.name,
        description=MARK_OF_IDENTITY if disc.identity else MARK,
        type="ISO_IMAGE",
        checksum=content["ImageSha256Checksum"](hex_digest=disc.sha256),
        source=source,
        cluster_location_ext_ids=list(clusters) or None,
    )
    answer = connection.change(_api(connection).create_image, body, **{"NTNX-Request-Id": request})
    entity = follow(connection, answer.data, what="creating the image", seconds=seconds, kind=_KIND)
    made = None if entity is None else get_image(connection, entity)
    made = made or find_image(connection, disc)
    if made is None or made.sha256 != disc.sha256:
        raise RemoteError(
            "image-missing", "the task of the image succeeded, and the image is not there",
            path=connection.host, hint="run the command again",
        )  # fmt: skip
    return made


def delete_image(connection: Connection, image: LibraryImage, *, seconds: float) -> None:
    """Delete an image, and see that it is gone. One that is not there is deleted.

    Raises:
        RemoteError: it is still there.
    """
    api = _api(connection)
    for attempt in range(1, _TRIES + 1):
        try:
            answer = connection.call(api.get_image_by_id, image.ext_id)
            etag = str(connection.vmm.get_etag(answer) or "")
            reference = connection.change(api.delete_image_by_id, image.ext_id, if_match=etag)
            follow(connection, reference.data, what="deleting the image", seconds=seconds)
        except GoneError:
            return
        except ChangedError:
            if attempt == _TRIES:
                raise
        except RemoteError:
            if get_image(connection, image.ext_id) is not None:
                raise
            return
        else:
            break
    if get_image(connection, image.ext_id) is not None:
        raise RemoteError(
            "image-left", f"the image {image.name!r} ({image.ext_id}) is still there after its"
            " task of deletion succeeded", path=connection.host,
        )  # fmt: skip


def _image(image: Any) -> LibraryImage:
    # A SHA-1 and a SHA-256 have the same field, and 40 or 64 digits.
    digest = str(getattr(image.checksum, "hex_digest", None) or "").lower()
    description = str(image.description or "")
    return LibraryImage(
        ext_id=str(image.ext_id),
        name=str(image.name),
        sha256=digest if len(digest) == 64 else None,
        ours=description in (MARK, MARK_OF_IDENTITY),
        identity=description == MARK_OF_IDENTITY,
    )


def _api(connection: Connection) -> Any:
    return import_module("ntnx_vmm_py_client.api.images_api").ImagesApi(connection.vmm)
