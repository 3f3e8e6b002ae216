# SPDX-License-Identifier: Apache-2.0
"""The installer's private copy of the detection: the part of the distro package that it needs.

Like that package it looks for os-release in $UNIXCONFDIR (/etc) and then $UNIXUSRLIBDIR
(/usr/lib), and for what that does not tell in the first line of <distribution>-release.
"""
import os
import re
import shlex

UNIXCONFDIR = os.environ.get("UNIXCONFDIR", "/etc")
UNIXUSRLIBDIR = os.environ.get("UNIXUSRLIBDIR", "/usr/lib")
# "CentOS release 6.4 (Final)": the name, the last number, the code name.
RELEASE_LINE = re.compile(r"(.*?[^\d\s]) *(?:release)? *(\d[\d.]*)(?: *\(.*)?$")
NOT_OF_A_DISTRIBUTION = ("lsb-release", "os-release", "system-release")


def _os_release():
  for directory in (UNIXCONFDIR, UNIXUSRLIBDIR):
    path = os.path.join(directory, "os-release")
    if os.path.isfile(path):
      with open(path) as os_release:
        words = shlex.split(os_release.read(), comments=True)
      return dict(word.split("=", 1) for word in words if "=" in word)
  return {}


def _release_file():
  for name in sorted(os.listdir(UNIXCONFDIR)):
    if name.endswith("-release") and name not in NOT_OF_A_DISTRIBUTION:
      with open(os.path.join(UNIXCONFDIR, name)) as release:
        found = RELEASE_LINE.match(release.readline().strip())
      if found:
        return {"NAME": found.group(1), "VERSION_ID": found.group(2)}
  return {}


def linux_distribution(full_distribution_name=True):
  """Returns the name, the version and the code name, each "" where it is not known."""
  values = _release_file()
  values.update(_os_release())
  name = values.get("NAME" if full_distribution_name else "ID", "")
  return name, values.get("VERSION_ID", ""), values.get("VERSION_CODENAME", "")
