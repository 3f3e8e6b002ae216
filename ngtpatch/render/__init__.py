# SPDX-License-Identifier: Apache-2.0
"""Scripts and configuration around an ISO, from templates.

For the guest, for what builds guests, and for the cluster::

    from ngtpatch.render import render
    script = render("guest-install.sh", {"check_host": "192.0.2.10"})

Shipped templates go by their name, users' own by their path. Every value is quoted for
the template's language; an undefined or an unquoted one is refused.
"""

from ngtpatch.render.described import Described, Rendering
from ngtpatch.render.engine import render
from ngtpatch.render.template import Parameter, Template, find_template, shipped_templates

__all__ = [
    "Described",
    "Parameter",
    "Rendering",
    "Template",
    "find_template",
    "render",
    "shipped_templates",
]
