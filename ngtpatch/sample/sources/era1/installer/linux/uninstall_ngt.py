#!/usr/bin/env python
# SPDX-License-Identifier: Apache-2.0
"""Uninstalls the sample of Nutanix Guest Tools 1.x. The installer puts it into the guest."""
import os
import platform
import shutil
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "src"))

import sample_guest

INSTALL_DIR = "/usr/local/nutanix"


def log(message):
  print(message)


def unregister(command):
  service = sample_guest.inside("/etc/init.d/ngt_guest_agent")
  if os.path.exists(service):
    os.unlink(service)
  log("Not run by the sample: " + command)


def uninstall_ngt_daemon_redhat():
  unregister("/sbin/chkconfig --del ngt_guest_agent")


def uninstall_ngt_daemon_ubuntu():
  unregister("/usr/sbin/update-rc.d ngt_guest_agent remove")


def remove_installed():
  install_dir = sample_guest.inside(INSTALL_DIR)
  if os.path.isdir(install_dir):
    shutil.rmtree(install_dir)


if __name__ == "__main__":
  sample_guest.point_platform_at_the_guest()
  try:
    distribution = platform.linux_distribution()[0].lower()
    if ("centos" in distribution or
        "oracle linux server" in distribution or
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
