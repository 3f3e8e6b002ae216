# SPDX-License-Identifier: Apache-2.0
"""NGT in a Packer build.

A Packer source takes its ISO before any provisioner runs, so the ISO is made first::

    ngtpatch packer prepare NGT.iso --distro rocky --output build

writes it and ``ngtpatch.auto.pkrvars.json``, which Packer loads by itself. Where a
build makes ISOs instead, a provisioner is the library's own call::

    provisioner "shell-local" {
      environment_vars = ["NGTPATCH_ISO=NGT.iso", "NGTPATCH_DISTRO=rocky", "NGTPATCH_OUTPUT=build"]
      inline_shebang   = "/usr/bin/python3"
      inline           = ["from ngtpatch import packer", "packer.hook()"]
    }
"""

from ngtpatch.packer.environment import HookRequest, PackerContext
from ngtpatch.packer.hooking import HookResult, hook, run_hook
from ngtpatch.packer.preparing import PrepareResult, prepare
from ngtpatch.packer.variables import write_variables
from ngtpatch.packer.verifying import PackerVerification, verify

__all__ = [
    "HookRequest",
    "HookResult",
    "PackerContext",
    "PackerVerification",
    "PrepareResult",
    "hook",
    "prepare",
    "run_hook",
    "verify",
    "write_variables",
]
