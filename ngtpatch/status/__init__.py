# SPDX-License-Identifier: Apache-2.0
"""What state NGT is in, VM by VM: the cluster's word joined with the inventory's certificates."""

from ngtpatch.status.joined import Status, VmStatus, read_status, status_of

__all__ = ["Status", "VmStatus", "read_status", "status_of"]
