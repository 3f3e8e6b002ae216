# SPDX-License-Identifier: Apache-2.0
"""Chooses the installer of the distribution that this guest runs."""
import platform
import sys

import installer_utils


def get_linux_installer():
  """Returns the class of the installer. Ends the process on any other distribution."""
  distribution = platform.linux_distribution()[0].lower()
  if ("centos" in distribution or
      "oracle linux server" in distribution or
      "red hat" in distribution):
    # What is built from Red Hat's sources is installed in Red Hat's way.
    from redhat_installer import RedhatInstaller as LinuxInstaller
  elif "ubuntu" in distribution:
    from ubuntu_installer import UbuntuInstaller as LinuxInstaller
  elif "suse" in distribution:
    from suse_installer import SuseInstaller as LinuxInstaller
  else:
    installer_utils.log("Unsupported distribution : " + distribution)
    sys.exit(1)
  installer_utils.log("Using Linux Installer for " + distribution + " linux distribution.")
  return LinuxInstaller
