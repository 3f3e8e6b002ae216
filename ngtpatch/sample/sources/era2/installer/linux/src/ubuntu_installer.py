# SPDX-License-Identifier: Apache-2.0
"""Ubuntu."""
import sys
from distutils.version import LooseVersion

import distro
from base_installer import BaseInstaller
from installer_utils import log


class UbuntuInstaller(BaseInstaller):
  def do_validate(self):
    BaseInstaller.do_validate(self)
    version = distro.linux_distribution()[1]
    if LooseVersion(version) < LooseVersion("14.04"):
      log("Version %s of this distribution is older than 14.04." % version)
      sys.exit(1)
