# SPDX-License-Identifier: Apache-2.0
"""``python -m ngtpatch``."""

from ngtpatch.cli import main

main()
