# SPDX-License-Identifier: Apache-2.0
"""What an object store's refusals mean, and what to do then."""

from __future__ import annotations

from typing import Any

__all__ = ["hint_of", "status_of"]

# Operation -> the right that it needs, in the words of a policy.
_RIGHTS = {
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "GetObject": "s3:GetObject",
    "HeadObject": "s3:GetObject",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "ListObjectsV2": "s3:ListBucket",
    "PutObject": "s3:PutObject",
    "UploadPartCopy": "s3:GetObject and s3:PutObject",
}
_OF_PARTS = (
    "AbortMultipartUpload", "CompleteMultipartUpload", "CreateMultipartUpload",
    "ListMultipartUploads", "UploadPart", "UploadPartCopy",
)  # fmt: skip
# What a store says of 403 where a right is missing; HEAD has no body, and says the number alone.
_DENIED = ("AccessDenied", "AllAccessDisabled", "403", "Forbidden", "")


def status_of(error: Any) -> int:
    """Return the number of an answer's status; 0 where it has none."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return int(status)


def hint_of(error: Any) -> str | None:
    """Return what to do where a store refuses, or has not, what is asked of it."""
    status, code = status_of(error), error.response.get("Error", {}).get("Code", "")
    if status == 403 and code in _DENIED:
        needed = _RIGHTS.get(error.operation_name, "s3:PutObject")
        return f"the credentials need {needed} there (the page on fleets lists all that is used)"
    if status in (401, 403):
        return "the credentials that boto3 found are not accepted there"
    if status == 501:
        needs = "as does every full image of more than 1 MiB; --config-only does without"
        if error.operation_name in _OF_PARTS:
            return f"inject uses it for what is put together of parts, {needs}"
        return "the store does not do that, and inject cannot do without (the page on fleets)"
    if not code or code.isdecimal():
        return "no store's error came with it: see AWS_ENDPOINT_URL"
    return None
