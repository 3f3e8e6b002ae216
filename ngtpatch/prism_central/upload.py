# SPDX-License-Identifier: Apache-2.0
"""A local ISO goes to Prism Central's S3-style endpoint, Objects Lite, before it is an image.

The endpoint is /api/prism/v4.0/objects, the bucket ``vmm-images``; access key and secret key are
both the base64 of USER:PASSWORD, as Nutanix' own clients do it. An API key has no such form.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from ngtpatch.errors import RemoteError, UsageError
from ngtpatch.prism_central.connection import Connection
from ngtpatch.prism_central.pushed_iso import Disc

__all__ = ["object_key", "remove_object", "upload"]

_BUCKET = "vmm-images"
_PATH = "/api/prism/v4.0/objects"
_PART = 64 << 20
_OF_NO_USER = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}


def object_key(disc: Disc) -> str:
    """Return the object's key: the same for the same bytes and name, and plain in any URL."""
    return f"ngtpatch-{disc.sha256[:16]}-{re.sub(r'[^A-Za-z0-9._-]', '_', disc.name)}"


def upload(connection: Connection, disc: Disc) -> str:
    """Upload *disc* and return its object's key.

    Raises:
        UsageError: ``needs-password``: an API key cannot upload; ``extra``: no boto3.
        RemoteError: ``upload``.
    """
    key = object_key(disc)
    transfer = import_module("boto3.s3.transfer").TransferConfig(
        multipart_threshold=_PART, multipart_chunksize=_PART, max_concurrency=2
    )
    with _remote(connection):
        _client(connection).upload_file(str(disc.path), _BUCKET, key, Config=transfer)
    return key


def remove_object(connection: Connection, disc: Disc) -> None:
    """Remove the object that :func:`upload` made; one that is not there is removed.

    Raises as :func:`upload`.
    """
    with _remote(connection):
        _client(connection).delete_object(Bucket=_BUCKET, Key=object_key(disc))


def _client(connection: Connection) -> Any:
    login = connection.login
    if login.api_key or not login.username or not login.password:
        raise UsageError(
            "needs-password", "an ISO cannot be uploaded with an API key", path=connection.host,
            hint="log in with user and password, or let Prism Central fetch it: --from-url URL",
        )  # fmt: skip
    try:
        boto3, config = import_module("boto3"), import_module("botocore.config")
        botocore = import_module("botocore.session")
    except ImportError:
        raise UsageError(
            "extra", "an upload needs boto3", path=connection.host, hint="install ngtpatch[prism]"
        ) from None
    secret = base64.b64encode(login.pair).decode()
    # Nothing of the user's AWS configuration (a profile, an endpoint, a style) is meant for this.
    own = botocore.Session(session_vars=_OF_NO_USER)
    return boto3.Session(botocore_session=own).client(
        "s3",
        endpoint_url=f"https://{connection.name}:{connection.port}{_PATH}",
        aws_access_key_id=secret,
        aws_secret_access_key=secret,
        region_name="us-east-1",
        verify=True if connection.authority is None else str(connection.authority),
        config=config.Config(
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            retries={"mode": "standard", "max_attempts": 5},
            connect_timeout=10,
            read_timeout=300,
        ),
    )


@contextmanager
def _remote(connection: Connection) -> Iterator[None]:
    """Turn what boto3 raises into one of our errors, without its request's contents."""
    errors = import_module("botocore.exceptions")
    failed = import_module("boto3.exceptions").Boto3Error
    try:
        yield
    except errors.ClientError as error:
        code = error.response.get("Error", {}).get("Code", "refused")
        raise RemoteError(
            "upload", f"the upload failed: {error.operation_name}: {code}", path=connection.host
        ) from None
    except (errors.BotoCoreError, failed) as error:
        raise RemoteError(
            "upload", f"the upload failed: {type(error).__name__}", path=connection.host,
            hint="run the command again; or --from-url URL",
        ) from None  # fmt: skip
