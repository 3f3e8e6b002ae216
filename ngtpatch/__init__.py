# SPDX-License-Identifier: Apache-2.0
"""Nutanix Guest Tools ISOs for distributions that their installer refuses.

The public API. Names are imported on first use (PEP 562), so that ``import ngtpatch``
costs nothing before something is asked of it. What is not in ``__all__`` is internal and
may change in any release.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ngtpatch import packer
    from ngtpatch._version import __version__
    from ngtpatch.errors import (
        BatchError,
        InputError,
        NgtpatchError,
        OutputError,
        Refusal,
        RemoteError,
        UsageError,
        VerificationError,
    )
    from ngtpatch.fleet.audit import Audit, check_identities
    from ngtpatch.fleet.inject import inject
    from ngtpatch.fleet.order import VmResult
    from ngtpatch.fleet.run import InjectSummary
    from ngtpatch.flow.changes import IdentityRequest
    from ngtpatch.flow.diff import Differences, diff
    from ngtpatch.flow.inspect import Inspection, inspect
    from ngtpatch.flow.rebuild import RebuildResult, rebuild
    from ngtpatch.flow.reset import ResetResult, reset
    from ngtpatch.flow.support import support
    from ngtpatch.flow.verdicts import DistroSupport, Support
    from ngtpatch.flow.verify import Verification, verify
    from ngtpatch.flow.written_image import ChangedEntry
    from ngtpatch.identity.findings import Finding
    from ngtpatch.identity.inventory import InventoryError

_HOME = {
    "Audit": "fleet.audit",
    "BatchError": "errors",
    "ChangedEntry": "flow.written_image",
    "Differences": "flow.diff",
    "DistroSupport": "flow.verdicts",
    "Finding": "identity.findings",
    "IdentityRequest": "flow.changes",
    "InjectSummary": "fleet.run",
    "InputError": "errors",
    "Inspection": "flow.inspect",
    "InventoryError": "identity.inventory",
    "NgtpatchError": "errors",
    "OutputError": "errors",
    "RebuildResult": "flow.rebuild",
    "Refusal": "errors",
    "RemoteError": "errors",
    "ResetResult": "flow.reset",
    "Support": "flow.verdicts",
    "UsageError": "errors",
    "Verification": "flow.verify",
    "VerificationError": "errors",
    "VmResult": "fleet.order",
    "__version__": "_version",
    "check_identities": "fleet.audit",
    "diff": "flow.diff",
    "inject": "fleet.inject",
    "inspect": "flow.inspect",
    "rebuild": "flow.rebuild",
    "reset": "flow.reset",
    "support": "flow.support",
    "verify": "flow.verify",
}

__all__ = [
    "Audit",
    "BatchError",
    "ChangedEntry",
    "Differences",
    "DistroSupport",
    "Finding",
    "IdentityRequest",
    "InjectSummary",
    "InputError",
    "Inspection",
    "InventoryError",
    "NgtpatchError",
    "OutputError",
    "RebuildResult",
    "Refusal",
    "RemoteError",
    "ResetResult",
    "Support",
    "UsageError",
    "Verification",
    "VerificationError",
    "VmResult",
    "__version__",
    "check_identities",
    "diff",
    "inject",
    "inspect",
    "packer",
    "rebuild",
    "reset",
    "support",
    "verify",
]


def __getattr__(name: str) -> object:
    if name == "packer":
        return import_module(f"{__name__}.packer")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
