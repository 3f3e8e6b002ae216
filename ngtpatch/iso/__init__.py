# SPDX-License-Identifier: Apache-2.0
"""Optical disc images: read in every tree, changed by regions. Knows nothing of NGT."""

import logging

# pycdlib warns of oddities through its logger; without a handler Python would print them to
# stderr. Whoever configures logging still gets them.
logging.getLogger("pycdlib").addHandler(logging.NullHandler())
