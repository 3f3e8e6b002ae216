# SPDX-License-Identifier: Apache-2.0
"""What keeps this sample away from the machine it runs on. No NGT installer has such a file.

NGT_SAMPLE_ROOT    directory that stands for the guest's "/". Nothing is written without it.
NGT_SAMPLE_CHECKS  which of the installer's demands on the guest to ask of this machine:
                   any of root, setuptools, dmidecode, separated by commas, or all.
                   Without it they count as met. What the installer decides by the
                   distribution, its version or its Python is never switched off.
UNIXCONFDIR        directory that stands for the guest's /etc where the distribution is
                   looked up, as in the distro package.

Python 2.6 to 3.13.
"""
import os
import platform
import sys

REFUSED = 2


def inside(path):
    """Return where *path* of the guest is on this machine; end here if nowhere."""
    root = os.environ.get("NGT_SAMPLE_ROOT", "")
    if not root or os.path.realpath(root) == "/":
        print("This is a sample, not Nutanix Guest Tools, and it installs nothing into this "
              "machine.\nSet NGT_SAMPLE_ROOT to a directory that stands for the guest's /.")
        sys.exit(REFUSED)
    return os.path.join(os.path.abspath(root), path.lstrip("/"))


def has_a_root():
    """Return whether there is a directory to write into."""
    return os.path.realpath(os.environ.get("NGT_SAMPLE_ROOT") or "/") != "/"


def asks_for(check):
    """Return whether a demand is to be put to this machine."""
    wanted = os.environ.get("NGT_SAMPLE_CHECKS", "").replace(",", " ").split()
    return check in wanted or "all" in wanted


def point_platform_at_the_guest():
    """Have platform answer for $UNIXCONFDIR where this Python can answer at all (before 3.8).

    A guest's Python 2.7 carries its distributor's changes (Ubuntu's reads lsb-release) and
    looks in /etc alone. The names that come out are the guest's all the same.
    """
    etc = os.environ.get("UNIXCONFDIR")
    # What a patch puts in the place of the one that is gone looks in $UNIXCONFDIR by itself.
    if etc and hasattr(platform, "_parse_release_file"):
        platform.linux_distribution = lambda: _described_by(etc)


def _described_by(etc):
    for name in ("fedora-release", "redhat-release", "SuSE-release"):
        if os.path.exists(os.path.join(etc, name)):
            with open(os.path.join(etc, name)) as release:
                return platform._parse_release_file(release.readline())
    for name, keys in (("lsb-release", ("DISTRIB_ID", "DISTRIB_RELEASE", "DISTRIB_CODENAME")),
                       ("os-release", ("NAME", "VERSION_ID", "VERSION_CODENAME"))):
        if os.path.exists(os.path.join(etc, name)):
            values = {}
            with open(os.path.join(etc, name)) as release:
                for line in release:
                    key, _, value = line.strip().partition("=")
                    values[key] = value.strip("\"'")
            return tuple(values.get(key, "") for key in keys)
    return "", "", ""
