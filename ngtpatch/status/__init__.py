# SPDX-License-Identifier: Apache-2.0
"""What state NGT is in, VM by VM: the cluster's word joined with the inventory's certificates."""

from ngtpatch.status.joined import Status, VmStatus, read_status
from ngtpatch.status.reported import Reported, read_report

__all__ = ["Reported", "Status", "VmStatus", "read_report", "read_status"]
