# SPDX-License-Identifier: Apache-2.0
"""Whether the initial RAM disk has the drivers with which the VM boots on the other hypervisor."""
import os

import agent_log
import distro
import sample_guest

KVM_MODULES = ("virtio_scsi", "virtio_pci")
ESX_MODULES = ("vmw_pvscsi", "mptspi")


class MobilityDrivers(object):
  """Asks the initial RAM disk of one kernel. Each distribution has its own name for that."""

  def __init__(self, kernel):
    self.kernel = kernel
    self.modules = {}
    self.linux_distribution = distro.linux_distribution()[0].lower()

  def get_distribution(self):
    """Returns the distribution's name, in lower case."""
    return self.linux_distribution

  def get_command(self):
    """Returns the program that lists an initial RAM disk."""
    distribution = self.get_distribution()
    if ("centos" in distribution or "red hat" in distribution or
        "rocky" in distribution or "almalinux" in distribution):
      command = "lsinitrd"
    elif "ubuntu" in distribution:
      command = "lsinitramfs"
    # Nothing for any other: whoever asks on one gets an error.
    return command

  def get_image(self):
    """Returns the path of the initial RAM disk, or None."""
    if ("centos" in self.get_distribution() or
        "rocky" in self.get_distribution() or
        "almalinux" in self.get_distribution() or
        "red hat" in self.get_distribution()):
      return "/boot/initramfs-%s.img" % self.kernel
    elif "ubuntu" in self.get_distribution():
      return "/boot/initrd.img-%s" % self.kernel
    return None

  def list_modules(self):
    """Returns what is in the initial RAM disk."""
    image = self.get_image()
    if image is None:
      return []
    if image not in self.modules:
      path = sample_guest.inside(image)
      listing = []
      try:
        # The sample starts no program: the file holds what that would print.
        with open(path) as listed:
          listing = [line.strip() for line in listed if line.strip()]
        agent_log.error("not run by the sample: %s %s" % (self.get_command(), image))
      except OSError as ex:
        agent_log.error(str(ex))
      self.modules[image] = listing
    return self.modules[image]

  def has_kvm_drivers(self):
    distribution = self.get_distribution()
    if ("centos" in distribution or "red hat" in distribution or
        "rocky" in distribution or "almalinux" in distribution):
      needed = list(KVM_MODULES)
    elif "ubuntu" in distribution:
      needed = list(KVM_MODULES)
    elif "suse" in distribution:
      needed = ["virtio_scsi"]
    else:
      agent_log.error("Mobility drivers are not supported on " + distribution)
      return False
    return self.has_all(needed)

  def has_esx_drivers(self):
    distribution = self.get_distribution()
    if ("red hat" in distribution or
        "rocky" in distribution or
        "almalinux" in distribution or
        "centos" in distribution):
      needed = list(ESX_MODULES)
    elif "ubuntu" in distribution:
      needed = ["vmw_pvscsi"]
    elif "suse" in distribution:
      needed = ["vmw_pvscsi"]
    else:
      agent_log.error("Mobility drivers are not supported on " + distribution)
      return False
    return self.has_all(needed)

  def has_all(self, needed):
    listing = "\n".join(self.list_modules())
    return len([name for name in needed if name in listing]) == len(needed)

  def report(self):
    return "modules in %s: %d\n" % (os.path.basename(self.get_image() or "-"),
                                    len(self.list_modules()))
