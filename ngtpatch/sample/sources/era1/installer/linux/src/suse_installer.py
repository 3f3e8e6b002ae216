# SPDX-License-Identifier: Apache-2.0
"""SUSE Linux Enterprise Server and openSUSE."""
import platform
import sys
from distutils.version import LooseVersion

from base_installer import BaseInstaller
from installer_utils import log

MINIMUM_VERSION = "11"


class SuseInstaller(BaseInstaller):
  REGISTER = "/sbin/chkconfig --add ngt_guest_agent"

  def do_validate(self):
    BaseInstaller.do_validate(self)
    version = platform.linux_distribution()[1]
    if LooseVersion(version) < LooseVersion(MINIMUM_VERSION):
      log("Version %s of this distribution is older than %s." % (version, MINIMUM_VERSION))
      sys.exit(1)
