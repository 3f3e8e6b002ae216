#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Uninstalls the sample of Nutanix Guest Tools 3.x and newer.

A guess, and the least there can be: whether the vendor's asks for the distribution is not
published. This one does not.
"""
import argparse
import os
import shutil
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "src"))

import sample_guest

INSTALL_DIR = "/usr/local/nutanix/ngt"


def main():
  parser = argparse.ArgumentParser()
  parser.add_argument("--force", action="store_true", help="do not ask")
  if not parser.parse_args().force:
    sys.exit("Run it with --force.")
  for service in ("ngt_guest_agent", "ngt_self_service_restore"):
    unit = sample_guest.inside("/etc/systemd/system/%s.service" % service)
    if os.path.exists(unit):
      os.unlink(unit)
    print("Not run by the sample: systemctl disable --now %s.service" % service)
  install_dir = sample_guest.inside(INSTALL_DIR)
  if os.path.isdir(install_dir):
    shutil.rmtree(install_dir)
  print("Successfully uninstalled Nutanix Guest Tools.")


if __name__ == "__main__":
  main()
