# SPDX-License-Identifier: Apache-2.0
"""Optical disc images: read in every tree, changed by regions. Knows nothing of NGT."""
