# SPDX-License-Identifier: Apache-2.0
"""The installer's private copy of the detection: the part of the distro package that it needs.

Like that package it looks into $UNIXCONFDIR (/etc) and then $UNIXUSRLIBDIR (/usr/lib).
"""
import os
import shlex


def _os_release():
  for directory in (os.environ.get("UNIXCONFDIR", "/etc"),
                    os.environ.get("UNIXUSRLIBDIR", "/usr/lib")):
    path = os.path.join(directory, "os-release")
    if os.path.isfile(path):
      with open(path) as os_release:
        words = shlex.split(os_release.read(), comments=True)
      return dict(word.split("=", 1) for word in words if "=" in word)
  return {}


def linux_distribution(full_distribution_name=True):
  """Returns the name, the version and the code name, each "" where it is not known."""
  values = _os_release()
  name = values.get("NAME" if full_distribution_name else "ID", "")
  return name, values.get("VERSION_ID", ""), values.get("VERSION_CODENAME", "")
