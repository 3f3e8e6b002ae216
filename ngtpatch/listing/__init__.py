# SPDX-License-Identifier: Apache-2.0
"""What a cluster says about its VMs, in every form in which people hold it.

One reader for all who ask: :func:`read_listing` gives the VMs, each once, and how many
there should be. A form is a module: :mod:`~ngtpatch.listing.ncli`,
:mod:`~ngtpatch.listing.guest_tools_cli`, :mod:`~ngtpatch.listing.prism`.
"""

from ngtpatch.listing.read_listing import (
    VmListing,
    is_listing,
    joined_listing,
    parse_listing,
    read_listing,
    read_listings,
    without_colours,
)
from ngtpatch.listing.reported import Clash, Page, Reported

__all__ = [
    "Clash",
    "Page",
    "Reported",
    "VmListing",
    "is_listing",
    "joined_listing",
    "parse_listing",
    "read_listing",
    "read_listings",
    "without_colours",
]
