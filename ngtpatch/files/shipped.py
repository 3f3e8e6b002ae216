# SPDX-License-Identifier: Apache-2.0
"""Where the shipped patches and profiles are.

In a wheel they live in ``ngtpatch/data/``; in a source tree (an editable
install, a checkout on PYTHONPATH) at the top of the repository.
"""

from pathlib import Path
from typing import Literal

from ngtpatch.errors import NgtpatchError

_PACKAGE = Path(__file__).resolve().parent.parent


def data_dir(name: Literal["patches", "distro_profiles"]) -> Path:
    """Return the directory of shipped data files called *name*.

    Raises:
        NgtpatchError: the installation is incomplete.
    """
    for candidate in (_PACKAGE / "data" / name, _PACKAGE.parent / name):
        if candidate.is_dir():
            return candidate
    raise NgtpatchError(
        "installation",
        f"the shipped {name} were not found beside the package",
        path=str(_PACKAGE),
        hint="reinstall ngtpatch",
    )
