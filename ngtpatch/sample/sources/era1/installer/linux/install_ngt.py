#!/usr/bin/env python
# SPDX-License-Identifier: Apache-2.0
"""Installs the sample of Nutanix Guest Tools 1.x. Started from the mounted disc, as root."""
import os
import platform
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "src"))

import installer_utils
import sample_guest


def check_python_version():
  if sys.version_info[:2] not in ((2, 6), (2, 7)):
    installer_utils.log("Nutanix Guest Tools can be installed by Python 2.6 or 2.7 only.")
    sys.exit(1)


def main():
  sample_guest.point_platform_at_the_guest()
  check_python_version()
  installer_utils.log("Platform type is: " + platform.machine())
  from installer_factory import get_linux_installer
  get_linux_installer()().install()


if __name__ == "__main__":
  try:
    main()
  except SystemExit as stopped:
    if stopped.code == 1:
      installer_utils.log_failure()
    raise
  except Exception:
    installer_utils.log_traceback()
    installer_utils.log_failure()
    sys.exit(1)
