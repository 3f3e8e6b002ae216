# SPDX-License-Identifier: Apache-2.0
"""Red Hat Enterprise Linux, CentOS and Oracle Linux."""
from base_installer import BaseInstaller
from installer_utils import log


class RedhatInstaller(BaseInstaller):
  MINIMUM_VERSION = "6.4"

  def install_drivers(self):
    log("Setting up Nutanix Guest Tools - VM mobility drivers.")
    log("Not run by the sample: dracut --add-drivers virtio_scsi", console=False)
    log("Successfully set up Nutanix Guest Tools - VM mobility drivers.")
