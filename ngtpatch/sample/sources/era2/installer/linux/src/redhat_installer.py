# SPDX-License-Identifier: Apache-2.0
"""Red Hat Enterprise Linux, CentOS and Oracle Linux."""
import sys
from distutils.version import LooseVersion

import distro
from base_installer import BaseInstaller
from installer_utils import log


class RedhatInstaller(BaseInstaller):
  def do_validate(self):
    BaseInstaller.do_validate(self)
    version = distro.linux_distribution()[1]
    if LooseVersion(version) < LooseVersion("6.4"):
      log("Version %s of this distribution is older than 6.4." % version)
      sys.exit(1)

  def install_drivers(self):
    log("Setting up Nutanix Guest Tools - VM mobility drivers.")
    log("Not run by the sample: dracut --add-drivers virtio_scsi", console=False)
    log("Successfully set up Nutanix Guest Tools - VM mobility drivers.")
