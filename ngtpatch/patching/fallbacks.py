# SPDX-License-Identifier: Apache-2.0
"""What patched installers carry in place of what their Python lacks.

Text, since it runs in the guest. It must compile on Python 2.7 to 3.13, runs
only where the original is missing, and needs nothing but that Python.
"""

from __future__ import annotations

__all__ = ["LINUX_DISTRIBUTION", "LOOSE_VERSION"]

# NAME, VERSION_ID and VERSION_CODENAME are what the distro package answers with, too;
# UNIXCONFDIR is its variable for another /etc.
LINUX_DISTRIBUTION = '''\
def {name}():
    """Name, version and code name from os-release(5)."""
    import os
    values = dict()
    for directory in (os.environ.get("UNIXCONFDIR", "/etc"), "/usr/lib"):
        path = os.path.join(directory, "os-release")
        if os.path.isfile(path):
            with open(path, encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    key, _, value = line.strip().partition("=")
                    values[key] = value.strip("\\"'")
            break
    return tuple(values.get(key, "") for key in ("NAME", "VERSION_ID", "VERSION_CODENAME"))
'''

# Compares like its model in distutils: runs of digits as numbers, runs of letters as texts.
LOOSE_VERSION = '''\
class {name}(object):
    """A version that compares by its numbers."""

    def __init__(self, vstring=""):
        import re
        self.vstring = vstring
        parts = re.split(r"(\\d+|[a-z]+|\\.)", vstring)
        self.version = [int(part) if part.isdigit() else part for part in parts
                        if part and part != "."]

    def __str__(self):
        return self.vstring

    def _of(self, other):
        return type(self)(other).version if isinstance(other, str) else other.version

    def __eq__(self, other):
        return self.version == self._of(other)

    def __ne__(self, other):
        return self.version != self._of(other)

    def __lt__(self, other):
        return self.version < self._of(other)

    def __le__(self, other):
        return self.version <= self._of(other)

    def __gt__(self, other):
        return self.version > self._of(other)

    def __ge__(self, other):
        return self.version >= self._of(other)
'''
