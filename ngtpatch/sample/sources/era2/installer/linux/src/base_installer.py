# SPDX-License-Identifier: Apache-2.0
"""What the installers of all distributions have in common."""
import os
import shutil
import sys

import installer_utils
import sample_guest
from installer_utils import log

SERVICES = (("ngt_guest_agent", "Nutanix Guest Agent Service"),
            ("ngt_self_service_restore", "Nutanix Self Service Restore Service"))


class BaseInstaller(object):
  """A guess at 2.x: validates first, so that a refused guest keeps what it has."""

  def install(self):
    self.install_dir = sample_guest.inside(installer_utils.INSTALL_DIR)
    self.check_ngt_version()
    self.do_validate()
    if os.path.isdir(self.install_dir):
      log("Removing the installed Nutanix Guest Tools.")
      shutil.rmtree(self.install_dir)
    log("Setting up folders...")
    installer_utils.copy_config(os.path.join(self.install_dir, "config"))
    log("Installing NGT Guest Agent...")
    installer_utils.unpack_agent(self.install_dir)
    self.install_uninstaller()
    self.install_drivers()
    for service, name in SERVICES:
      log("Installing %s." % name)
      self.install_service(service)
      log("Successfully installed %s." % name)

  def check_ngt_version(self):
    offered = installer_utils.read_version(installer_utils.CONFIG_DIR)
    if not offered:
      log("ngt_config.json does not say which version this is.")
      sys.exit(1)
    installed = installer_utils.read_version(os.path.join(self.install_dir, "config"))
    if installed == offered:
      log("Version %s is installed already." % offered)
      sys.exit(1)
    if installed and installer_utils.as_numbers(offered) < installer_utils.as_numbers(installed):
      log("Version %s is installed, which is newer than %s." % (installed, offered))
      sys.exit(1)

  def do_validate(self):
    if sample_guest.asks_for("root") and os.geteuid() != 0:
      log("The installer must be run as root.")
      sys.exit(1)
    if sample_guest.asks_for("dmidecode") and not shutil.which("dmidecode"):
      log("dmidecode is missing.")
      sys.exit(1)

  def install_uninstaller(self):
    bin_dir = os.path.join(self.install_dir, "bin")
    installer_utils.make_folder(bin_dir)
    linux_dir = os.path.dirname(installer_utils.SRC_DIR)
    for source in (os.path.join(linux_dir, "uninstall_ngt.py"),
                   os.path.join(installer_utils.SRC_DIR, "distro.py"),
                   os.path.join(installer_utils.SRC_DIR, "sample_guest.py")):
      shutil.copy(source, bin_dir)

  def install_drivers(self):
    """Nothing to do, unless the distribution's installer says otherwise."""

  def install_service(self, service):
    units = sample_guest.inside("/etc/systemd/system")
    installer_utils.make_folder(units)
    shutil.copy(os.path.join(installer_utils.SRC_DIR, service + ".service"), units)
    # The sample starts nothing. What would be run is in the log.
    log("Not run by the sample: systemctl enable --now %s.service" % service, console=False)
