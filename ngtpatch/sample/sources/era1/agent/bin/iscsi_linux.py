# SPDX-License-Identifier: Apache-2.0
"""Whether the agent reconfigures iSCSI in the guest after a recovery."""
import platform
from distutils.version import LooseVersion

FIRST_RELEASE = "6.7"


def reconfigures():
  """Tells whether this guest is one of those that it is done on."""
  distribution = platform.linux_distribution()[0].lower()
  release = platform.linux_distribution()[1]
  return (("oracle linux server" in distribution or "red hat" in distribution) and
          LooseVersion(release) >= LooseVersion(FIRST_RELEASE))
