# SPDX-License-Identifier: Apache-2.0
"""Files: found by path, written whole or not at all, read within bounds. Knows no image."""
