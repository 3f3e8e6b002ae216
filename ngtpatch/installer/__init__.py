# SPDX-License-Identifier: Apache-2.0
"""NGT's Linux installer: where it is, how it decides, what else stops it.

Knows nothing of images: it works on a mapping of paths to bytes.
"""
