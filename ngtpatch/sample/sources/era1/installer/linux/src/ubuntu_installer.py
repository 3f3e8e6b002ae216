# SPDX-License-Identifier: Apache-2.0
"""Ubuntu."""
import platform
import sys
from distutils.version import LooseVersion

from base_installer import BaseInstaller
from installer_utils import log

MINIMUM_VERSION = "14.04"


class UbuntuInstaller(BaseInstaller):
  REGISTER = "/usr/sbin/update-rc.d ngt_guest_agent defaults"

  def do_validate(self):
    BaseInstaller.do_validate(self)
    version = platform.linux_distribution()[1]
    if LooseVersion(version) < LooseVersion(MINIMUM_VERSION):
      log("Version %s of this distribution is older than %s." % (version, MINIMUM_VERSION))
      sys.exit(1)
