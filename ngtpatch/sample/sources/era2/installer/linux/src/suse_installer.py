# SPDX-License-Identifier: Apache-2.0
"""SUSE Linux Enterprise Server and openSUSE."""
import sys
from distutils.version import LooseVersion

import distro
from base_installer import BaseInstaller
from installer_utils import log


class SuseInstaller(BaseInstaller):
  def do_validate(self):
    BaseInstaller.do_validate(self)
    version = distro.linux_distribution()[1]
    if LooseVersion(version) < LooseVersion("11"):
      log("Version %s of this distribution is older than 11." % version)
      sys.exit(1)
