# SPDX-License-Identifier: Apache-2.0
"""What the installers of all distributions have in common."""
import os
import shutil
import sys

import installer_utils
import sample_guest
from installer_utils import log


class BaseInstaller(object):
  """Installs in this order: the version, the old tree, the demands on the guest, the new tree."""

  def install(self):
    self.install_dir = sample_guest.inside(installer_utils.INSTALL_DIR)
    self.check_ngt_version()
    # The installed tree goes before anything was validated. A guest that fails below is left
    # without the tools that it had.
    self.remove_installed()
    self.do_validate()
    log("Setting up folders...")
    installer_utils.copy_config(os.path.join(self.install_dir, "config"))
    log("Installing NGT Guest Agent...")
    installer_utils.unpack_agent(self.install_dir)
    self.install_uninstaller()
    self.install_drivers()
    log("Installing Nutanix Guest Agent Service.")
    self.install_service()
    log("Successfully installed Nutanix Guest Agent Service.")

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

  def remove_installed(self):
    if os.path.isdir(self.install_dir):
      log("Removing the installed Nutanix Guest Tools.")
      shutil.rmtree(self.install_dir)

  def do_validate(self):
    if sample_guest.asks_for("root") and os.geteuid() != 0:
      log("The installer must be run as root.")
      sys.exit(1)
    if sample_guest.asks_for("setuptools"):
      try:
        import setuptools
      except ImportError:
        log("Python's setuptools are missing.")
        sys.exit(1)
    if sample_guest.asks_for("dmidecode") and not self.on_path("dmidecode"):
      log("dmidecode is missing.")
      sys.exit(1)

  def on_path(self, program):
    return any(os.access(os.path.join(directory, program), os.X_OK)
               for directory in os.environ.get("PATH", "").split(os.pathsep))

  def install_uninstaller(self):
    bin_dir = os.path.join(self.install_dir, "bin")
    installer_utils.make_folder(bin_dir)
    linux_dir = os.path.dirname(installer_utils.SRC_DIR)
    for source in (os.path.join(linux_dir, "uninstall_ngt.py"),
                   os.path.join(installer_utils.SRC_DIR, "sample_guest.py")):
      shutil.copy(source, bin_dir)

  def install_drivers(self):
    """Nothing to do, unless the distribution's installer says otherwise."""

  def install_service(self):
    init_d = sample_guest.inside("/etc/init.d")
    installer_utils.make_folder(init_d)
    shutil.copy(os.path.join(installer_utils.SRC_DIR, "ngt_guest_agent"), init_d)
    os.chmod(os.path.join(init_d, "ngt_guest_agent"), 0o755)
    # The sample starts nothing. What would be run is in the log.
    log("Not run by the sample: " + self.REGISTER, console=False)
