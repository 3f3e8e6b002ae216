# SPDX-License-Identifier: Apache-2.0
"""Which NGT this is: its era, how the installer is started, which files decide.

Three layouts are known (facts: the vendor's 1.x tree of 2015, reports on 2.x
of 2020-21, and the start commands that callers of 3.x/4.x use):

====  ==========================================================================
era   told by
====  ==========================================================================
1     install_ngt.py and src/installer_factory.py; the guest's own Python runs it
2     as era 1, and setup_python.sh brings a Python along
3     install_ngt.sh is the first thing to start; an install_ngt.py may be there
====  ==========================================================================
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ngtpatch.errors import InputError
from ngtpatch.files.wellknown import CONFIG

__all__ = ["FACTORY", "ROOT", "UNINSTALLER", "Era", "Layout", "survey"]

Era = Literal[1, 2, 3]

ROOT = "installer/linux/"
FACTORY = ROOT + "src/installer_factory.py"
UNINSTALLER = ROOT + "uninstall_ngt.py"

# In the order in which callers try them.
_ENTRY_POINTS = ("install_ngt.sh", "setup_python.sh", "install_ngt.py")
_UNINSTALLERS = ("uninstall_ngt.sh", "uninstall_ngt_core.py", "uninstall_ngt.py")


@dataclass(frozen=True)
class Layout:
    """What was found in a tree.

    Attributes:
        era: 1, 2 or 3; see the module's table.
        version: ``ngt_version`` of config/ngt_config.json, or None where it is not known.
        entry_points: files that start the installation, in the order callers try them.
        uninstallers: files that start the removal.
        factory: the file that picks the distribution's installer, if there is one.
    """

    era: Era
    version: str | None
    entry_points: tuple[str, ...]
    uninstallers: tuple[str, ...]
    factory: str | None


def survey(tree: Mapping[str, bytes]) -> Layout:
    """Tell which NGT *tree* holds.

    Raises:
        InputError: ``no-installer``, there is no NGT installer for Linux in it.
    """
    entry_points = tuple(ROOT + name for name in _ENTRY_POINTS if ROOT + name in tree)
    factory = FACTORY if FACTORY in tree else None
    if not entry_points and factory is None:
        raise _no_installer(tree)
    return Layout(
        era=_era(tree),
        version=_version(tree),
        entry_points=entry_points,
        uninstallers=tuple(ROOT + name for name in _UNINSTALLERS if ROOT + name in tree),
        factory=factory,
    )


def _no_installer(tree: Mapping[str, bytes]) -> InputError:
    if CONFIG in tree:
        return InputError(
            "no-installer",
            f"there is {CONFIG} but no {ROOT}: this is a config-only disc",
            hint="give the full NGT ISO; a config-only disc needs no patching",
        )
    return InputError(
        "no-installer",
        f"there is no NGT installer for Linux ({ROOT}) among its {len(tree)} files",
        hint="give the ISO that the cluster mounts as NUTANIX_TOOLS",
    )


def _era(tree: Mapping[str, bytes]) -> Era:
    if ROOT + "install_ngt.sh" in tree:
        return 3
    return 2 if ROOT + "setup_python.sh" in tree else 1


def _version(tree: Mapping[str, bytes]) -> str | None:
    # A config-less or damaged disc still has an installer; identity has its own checks.
    try:
        config = json.loads(tree[CONFIG])
    except (KeyError, ValueError, RecursionError):
        return None
    version = config.get("ngt_version") if isinstance(config, dict) else None
    return version if isinstance(version, str) else None
