# SPDX-License-Identifier: Apache-2.0
"""Whether the agent reconfigures iSCSI in the guest after a recovery."""
import agent_log
import distro

FIRST_RELEASE = (6, 7)


def reconfigures():
  """Tells whether this guest is one of those that it is done on."""
  distribution, release, _ = distro.linux_distribution()
  distribution = distribution.lower()
  agent_log.error("release " + release)
  return (("oracle linux server" in distribution or "red hat" in distribution) and
          tuple(int(part) for part in release.split(".")[:2]) >= FIRST_RELEASE)
