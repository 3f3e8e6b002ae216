# SPDX-License-Identifier: Apache-2.0
"""Sphinx: Markdown pages, the commands' help, one theme."""

from ngtpatch import __version__

project = "ngtpatch"
author = "the ngtpatch authors"
release = version = __version__
extensions = ["myst_parser", "sphinx_click"]
html_theme = "furo"
exclude_patterns = ["_build"]
myst_heading_anchors = 3
# Packer's own "# ... as before ..." is no HCL to the highlighter.
suppress_warnings = ["misc.highlighting_failure"]
