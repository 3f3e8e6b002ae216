# SPDX-License-Identifier: Apache-2.0
"""A Prism Central, asked by the official SDK (extra ``prism``)."""

from ngtpatch.prism_central.connection import Connection, connect
from ngtpatch.prism_central.login import Login, find_login
from ngtpatch.prism_central.machines import list_vms

__all__ = ["Connection", "Login", "connect", "find_login", "list_vms"]
