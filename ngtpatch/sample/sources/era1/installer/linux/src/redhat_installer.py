# SPDX-License-Identifier: Apache-2.0
"""Red Hat Enterprise Linux, CentOS and Oracle Linux."""
import os
import platform
import sys
from distutils.version import LooseVersion

import sample_guest
from base_installer import BaseInstaller
from installer_utils import log

MINIMUM_VERSION = "6.4"
DRACUT_CONF = "/etc/dracut.conf"
DRIVERS = "virtio_scsi virtio_pci"


class RedhatInstaller(BaseInstaller):
  REGISTER = "/sbin/chkconfig --add ngt_guest_agent"

  def do_validate(self):
    BaseInstaller.do_validate(self)
    version = platform.linux_distribution()[1]
    if LooseVersion(version) < LooseVersion(MINIMUM_VERSION):
      log("Version %s of this distribution is older than %s." % (version, MINIMUM_VERSION))
      sys.exit(1)

  def install_drivers(self):
    """Adds to the add_drivers line of dracut's configuration. Without such a line: to nothing."""
    log("Setting up Nutanix Guest Tools - VM mobility drivers.")
    path = sample_guest.inside(DRACUT_CONF)
    if os.path.exists(path):
      with open(path) as configuration:
        lines = configuration.readlines()
      with open(path, "w") as configuration:
        for line in lines:
          if line.startswith("add_drivers") and DRIVERS not in line:
            line = line.rstrip().rstrip('"') + " " + DRIVERS + '"\n'
          configuration.write(line)
    log("Successfully set up Nutanix Guest Tools - VM mobility drivers.")
