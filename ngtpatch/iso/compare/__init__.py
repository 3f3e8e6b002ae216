# SPDX-License-Identifier: Apache-2.0
"""What differs between two images or trees, entry by entry."""
