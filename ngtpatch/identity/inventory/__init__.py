# SPDX-License-Identifier: Apache-2.0
"""Which VMs there are, and where the material of each is.

:func:`load` reads every form an inventory comes in, joins it with a directory of
certificates, and lists everything that is wrong with it at once.
"""

from ngtpatch.identity.inventory.load import Inventory, Share, load, load_listing
from ngtpatch.identity.inventory.row import InventoryError, Row, RowProblem

__all__ = ["Inventory", "InventoryError", "Row", "RowProblem", "Share", "load", "load_listing"]
