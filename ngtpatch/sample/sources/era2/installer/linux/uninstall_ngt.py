#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Uninstalls the sample of Nutanix Guest Tools 2.x. The installer puts it into the guest.

A guess: of 2.x only the installer's choice is published. This is the uninstaller of 1.x, asking
distro in the place of platform.
"""
import os
import shutil
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "src"))

import distro
import sample_guest

INSTALL_DIR = "/usr/local/nutanix/ngt"


def log(message):
  print(message)


def unregister():
  for service in ("ngt_guest_agent", "ngt_self_service_restore"):
    unit = sample_guest.inside("/etc/systemd/system/%s.service" % service)
    if os.path.exists(unit):
      os.unlink(unit)
    log("Not run by the sample: systemctl disable --now %s.service" % service)


def uninstall_ngt_daemon_redhat():
  unregister()


def uninstall_ngt_daemon_ubuntu():
  unregister()


def remove_installed():
  install_dir = sample_guest.inside(INSTALL_DIR)
  if os.path.isdir(install_dir):
    shutil.rmtree(install_dir)


if __name__ == "__main__":
  try:
    distribution = distro.linux_distribution()[0].lower()
    if ("centos" in distribution or
        "oracle linux server" in distribution or
        "redhatenterpriseserver" in distribution or
        "red hat" in distribution or
        "suse" in distribution):
      uninstall_ngt_daemon_redhat()
    elif "ubuntu" in distribution:
      uninstall_ngt_daemon_ubuntu()
    else:
      log("Unsupported distribution. Skipping the removal of the service.")
  except:
    pass
  # Whatever became of the service, the tree that it points into goes.
  remove_installed()
  log("Successfully uninstalled Nutanix Guest Tools.")
