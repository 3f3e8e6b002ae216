#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Installs the sample of Nutanix Guest Tools 3.x and newer. Started by install_ngt.sh."""
import argparse
import os
import platform
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "src"))

import installer_utils


def main():
  parser = argparse.ArgumentParser()
  parser.add_argument("--operation", choices=("install",), default="install")
  parser.parse_args()
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
