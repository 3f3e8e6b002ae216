# SPDX-License-Identifier: Apache-2.0
"""Nutanix Guest Tools ISOs for distributions that their installer refuses.

The public API. Names are imported on first use (PEP 562), so that ``import ngtpatch``
costs nothing before something is asked of it. No module bears the name of a function here:
importing it would put the module in the function's place.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ngtpatch._version import __version__
    from ngtpatch.differences import Differences, diff
    from ngtpatch.errors import (
        BatchError,
        InputError,
        NgtpatchError,
        Refusal,
        RemoteError,
        UsageError,
        VerificationError,
    )
    from ngtpatch.inspection import Inspection, inspect
    from ngtpatch.rebuilding import RebuildResult, rebuild
    from ngtpatch.restoring import ResetResult, reset
    from ngtpatch.support_document import Support
    from ngtpatch.support_matrix import support
    from ngtpatch.verification import Verification, verify

_HOME = {
    "BatchError": "errors",
    "Differences": "differences",
    "InputError": "errors",
    "Inspection": "inspection",
    "NgtpatchError": "errors",
    "RebuildResult": "rebuilding",
    "Refusal": "errors",
    "RemoteError": "errors",
    "ResetResult": "restoring",
    "Support": "support_document",
    "UsageError": "errors",
    "Verification": "verification",
    "VerificationError": "errors",
    "__version__": "_version",
    "diff": "differences",
    "inspect": "inspection",
    "rebuild": "rebuilding",
    "reset": "restoring",
    "support": "support_matrix",
    "verify": "verification",
}

__all__ = [
    "BatchError",
    "Differences",
    "InputError",
    "Inspection",
    "NgtpatchError",
    "RebuildResult",
    "Refusal",
    "RemoteError",
    "ResetResult",
    "Support",
    "UsageError",
    "Verification",
    "VerificationError",
    "__version__",
    "diff",
    "inspect",
    "rebuild",
    "reset",
    "support",
    "verify",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
