# SPDX-License-Identifier: Apache-2.0
"""Skips that turn into failures where nothing may be missing.

Locally a missing program is a reason to skip. The gate sets
NGTPATCH_TEST_REQUIRE=all, and there the same absence is a failure.
"""

import os
import shutil
from typing import NoReturn

import pytest


def missing(what: str, how: str) -> NoReturn:
    """Skip the running test because *what* is absent, or fail where that is not allowed."""
    message = f"{what} is not here: {how}"
    if os.environ.get("NGTPATCH_TEST_REQUIRE") == "all":
        pytest.fail(message)
    pytest.skip(message)


def tool(name: str, package: str) -> str:
    """Return the path of program *name*, from Debian's *package*."""
    found = shutil.which(name)
    if found is None:
        missing(name, f"apt-get install {package}")
    return found
