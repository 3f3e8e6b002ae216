# SPDX-License-Identifier: Apache-2.0
"""Typed results as JSON documents, and their schemas.

A result is a frozen dataclass whose class attribute ``SCHEMA`` names the document,
such as ``ngtpatch.rebuild/1``. Its fields are the document's keys, in their order.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from ngtpatch.disclosure import redacted

__all__ = ["ErrorDocument", "ErrorTold", "document", "json_schema"]


@dataclasses.dataclass(frozen=True)
class ErrorTold:
    """Why a command failed. ``docs/errors.md`` has cause and remedy of each ``code``."""

    code: str
    path: str | None
    message: str
    hint: str | None


@dataclasses.dataclass(frozen=True)
class ErrorDocument:
    """What a failed command prints with ``--json``; ``schema`` names the command's document."""

    schema: str
    error: ErrorTold


def document(result: Any) -> Any:
    """Return *result* as what ``json.dumps`` takes. A private key in it is hidden."""
    result = result.value if isinstance(result, Enum) else result
    if dataclasses.is_dataclass(result) and not isinstance(result, type):
        body = {f.name: document(getattr(result, f.name)) for f in dataclasses.fields(result)}
        schema = getattr(result, "SCHEMA", None)
        return {"schema": schema, **body} if schema else body
    if isinstance(result, str | Path):
        return redacted(str(result))
    if isinstance(result, Mapping):
        return {redacted(str(key)): document(value) for key, value in result.items()}
    if isinstance(result, tuple | list):
        return [document(item) for item in result]
    if isinstance(result, set | frozenset):
        return sorted(map(document, result))
    return result


def json_schema(result_type: type) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the documents made from *result_type*."""
    from pydantic import TypeAdapter

    schema = TypeAdapter(result_type).json_schema(mode="serialization")
    name = getattr(result_type, "SCHEMA", None)
    if name:
        schema["properties"] = {"schema": {"const": name}, **schema.get("properties", {})}
        schema["required"] = ["schema", *schema.get("required", [])]
    # Not by pydantic's own hook, which its releases 2.7 and 2.10 do not ask a dataclass for.
    schema |= getattr(result_type, "RULES", {})
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
