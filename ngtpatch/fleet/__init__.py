# SPDX-License-Identifier: Apache-2.0
"""Many VMs: one base, an inventory, and a run that survives what happens to it."""
