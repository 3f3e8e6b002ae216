# SPDX-License-Identifier: Apache-2.0
"""Nutanix Guest Tools ISOs for distributions that their installer refuses.

The public API. Names are imported on first use (PEP 562), so that ``import ngtpatch``
costs nothing before something is asked of it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ngtpatch._version import __version__
    from ngtpatch.errors import (
        BatchError,
        InputError,
        NgtpatchError,
        Refusal,
        RemoteError,
        UsageError,
        VerificationError,
    )
    from ngtpatch.flow.diff import Differences, diff
    from ngtpatch.flow.inspect import Inspection, inspect
    from ngtpatch.flow.rebuild import RebuildResult, rebuild
    from ngtpatch.flow.reset import ResetResult, reset
    from ngtpatch.flow.support import support
    from ngtpatch.flow.verdicts import Support
    from ngtpatch.flow.verify import Verification, verify

_HOME = {
    "BatchError": "errors",
    "Differences": "flow.diff",
    "InputError": "errors",
    "Inspection": "flow.inspect",
    "NgtpatchError": "errors",
    "RebuildResult": "flow.rebuild",
    "Refusal": "errors",
    "RemoteError": "errors",
    "ResetResult": "flow.reset",
    "Support": "flow.verdicts",
    "UsageError": "errors",
    "Verification": "flow.verify",
    "VerificationError": "errors",
    "__version__": "_version",
    "diff": "flow.diff",
    "inspect": "flow.inspect",
    "rebuild": "flow.rebuild",
    "reset": "flow.reset",
    "support": "flow.support",
    "verify": "flow.verify",
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
