#!/usr/bin/env python
# SPDX-License-Identifier: Apache-2.0
"""The guest agent of the sample, which does nothing."""
print("This is a sample, not the Nutanix Guest Agent.")
