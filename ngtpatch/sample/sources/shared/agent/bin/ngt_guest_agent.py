#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The guest agent of the sample. It reports what it finds in $NGT_SAMPLE_ROOT, and ends."""
import os

import agent_log
import iscsi_linux
import mobility_linux


def main():
  kernel = os.environ.get("NGT_SAMPLE_KERNEL", os.uname()[2])
  drivers = mobility_linux.MobilityDrivers(kernel)
  print("KVM mobility drivers: %s" % agent_log.yes_or_no(drivers.has_kvm_drivers))
  print("ESX mobility drivers: %s" % agent_log.yes_or_no(drivers.has_esx_drivers))
  print("In-guest iSCSI is reconfigured: %s" % agent_log.yes_or_no(iscsi_linux.reconfigures))


if __name__ == "__main__":
  main()
