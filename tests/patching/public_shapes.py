# SPDX-License-Identifier: Apache-2.0
"""How public installers choose by distribution, as minimal factories of our own.

Twenty kinds were read in public repositories: agents of clouds and of monitoring, cluster
deployers, package managers' wrappers, bootstrap scripts. What is here is the shape of each
decision, in our words; none of their lines. Each gives RedhatInstaller to CentOS.
"""

from __future__ import annotations

__all__ = ["SHAPES"]

_HEAD = """\
import platform
import re
import sys

import distro

from redhat_installer import RedhatInstaller
from ubuntu_installer import UbuntuInstaller

"""

SHAPES: dict[str, str] = {
    "lists of full names, a return for each, an exception at the end": """
RED = ["CentOS Linux", "Red Hat Enterprise Linux", "Red Hat Enterprise Linux Server"]
DEB = ["Ubuntu", "Debian GNU/Linux"]


def get_linux_installer():
    if platform.linux_distribution()[0] in RED:
        return RedhatInstaller
    if platform.linux_distribution()[0] in DEB:
        return UbuntuInstaller
    raise EnvironmentError("cannot tell what %r is" % platform.linux_distribution()[0])
""",
    "a dictionary of classes by name": """
INSTALLERS = {
    "Ubuntu": UbuntuInstaller,
    "CentOS Linux": RedhatInstaller,
    "Red Hat Enterprise Linux": RedhatInstaller,
}


def get_linux_installer():
    name = distro.name()
    if name in INSTALLERS:
        return INSTALLERS[name]
    sys.exit(1)
""",
    "what it is like": """
def get_linux_installer():
    like = distro.like()
    if "debian" in like:
        return UbuntuInstaller
    if "rhel" in like or distro.id() == "rhel":
        return RedhatInstaller
    raise ImportError("no installer for something like " + like)
""",
    "a set of the id and of what it is like": """
def os_release():
    found = {}
    with open("/etc/os-release") as lines:
        for line in lines:
            key, _, value = line.strip().partition("=")
            found[key] = value.strip('"')
    return found


def get_linux_installer():
    told = os_release()
    ids = set([told["ID"]]) | set(told.get("ID_LIKE", "").split(" "))
    if "debian" in ids:
        return UbuntuInstaller
    if "rhel" in ids or "centos" in ids:
        return RedhatInstaller
    raise RuntimeError("no package manager is known here")
""",
    "an id in a tuple": """
def get_linux_installer():
    this = distro.id()
    if this in ("debian", "ubuntu"):
        return UbuntuInstaller
    elif this in ("centos", "rhel", "scientific"):
        return RedhatInstaller
    sys.exit("no installer for %s" % this)
""",
    "a table asked through two functions": """
MANAGER = {
    "ubuntu": "apt",
    "debian": "apt",
    "centos": "yum",
    "rhel": "yum",
}
BY_MANAGER = {"apt": UbuntuInstaller, "yum": RedhatInstaller}


def distribution_id():
    return distro.id().lower()


def manager():
    return MANAGER.get(distribution_id())


def get_linux_installer():
    kind = manager()
    if kind is None:
        sys.exit(1)
    return BY_MANAGER[kind]
""",
    "one comparison after the other, each returns": """
def get_linux_installer(name=None):
    name = name or distro.id()
    if name == "ubuntu":
        return UbuntuInstaller
    if name == "debian":
        return UbuntuInstaller
    if name == "rhel":
        return RedhatInstaller
    if name in ("centos", "oracle"):
        return RedhatInstaller
    sys.exit(1)
""",
    "names are made few, then looked up": """
def normal(name):
    name = name.lower()
    if name.startswith(("red hat", "centos")):
        return "redhat"
    if name.startswith(("ubuntu", "debian")):
        return "debian"
    return name


def get_linux_installer():
    known = {"redhat": RedhatInstaller, "debian": UbuntuInstaller}
    found = known.get(normal(distro.name()))
    if not found:
        raise ValueError("platform is not supported")
    return found
""",
    "lists that are added up, a guard, then the family": """
RED_HATS = [
    "fedora linux",
    "centos linux",
    "red hat enterprise linux",
]
DEBIANS = ["ubuntu", "debian gnu/linux"]
ALL = RED_HATS + DEBIANS


def get_linux_installer():
    this = distro.name().lower()
    if this not in ALL:
        print("unknown: " + this)
        sys.exit(1)
    if this in RED_HATS:
        return RedhatInstaller
    return UbuntuInstaller
""",
    "os-release line by line": """
def get_linux_installer():
    which = ""
    for line in open("/etc/os-release"):
        if line.startswith("ID="):
            which = line[3:].strip().strip('"')
    if which in ["rhel", "centos"]:
        return RedhatInstaller
    if which == "ubuntu":
        return UbuntuInstaller
    sys.exit(2)
""",
    "a regular expression": """
def get_linux_installer():
    name = distro.name()
    if re.search("centos|red hat|oracle", name, re.IGNORECASE):
        return RedhatInstaller
    if re.search("ubuntu|debian", name, re.IGNORECASE):
        return UbuntuInstaller
    sys.exit(1)
""",
    "a ladder of elifs on whole names": """
def get_linux_installer():
    name = platform.linux_distribution()[0]
    if name == "Fedora Linux":
        return RedhatInstaller
    elif name == "CentOS Linux":
        return RedhatInstaller
    elif name == "Red Hat Enterprise Linux":
        return RedhatInstaller
    elif name == "Ubuntu":
        return UbuntuInstaller
    else:
        raise Exception("unknown guest " + name)
""",
    "policies that say whether they are meant": """
class RedHatPolicy(object):
    vendors = ("centos", "red hat", "fedora")
    installer = RedhatInstaller

    @classmethod
    def check(cls, name):
        return any(vendor in name for vendor in cls.vendors)


class DebianPolicy(object):
    vendors = ("debian", "ubuntu")
    installer = UbuntuInstaller

    @classmethod
    def check(cls, name):
        return any(vendor in name for vendor in cls.vendors)


def get_linux_installer():
    name = distro.name().lower()
    for policy in (RedHatPolicy, DebianPolicy):
        if policy.check(name):
            return policy.installer
    sys.exit(1)
""",
    "an older way to ask when the newer is missing": """
try:
    from distro import linux_distribution
except ImportError:
    from platform import linux_distribution


def get_linux_installer():
    name = linux_distribution()[0].lower()
    if "centos" in name or "red hat" in name or "oracle" in name:
        return RedhatInstaller
    elif "ubuntu" in name or "debian" in name:
        return UbuntuInstaller
    else:
        print("Unsupported: " + name)
        sys.exit(1)
""",
    "families and their members": """
FAMILIES = {
    "redhat": ["rhel", "centos", "fedora"],
    "debian": ["debian", "ubuntu"],
}


def family(identifier):
    for name, members in FAMILIES.items():
        if identifier in members:
            return name
    return "unknown"


def get_linux_installer():
    found = family(distro.id())
    if found == "redhat":
        return RedhatInstaller
    if found == "debian":
        return UbuntuInstaller
    raise SystemExit(1)
""",
    "how the name begins": """
def get_linux_installer():
    name = distro.name().lower()
    if name.startswith("red hat") or name.startswith("centos"):
        return RedhatInstaller
    if name.startswith("ubuntu"):
        return UbuntuInstaller
    sys.exit(1)
""",
    "a function for each question": """
def is_redhat(name):
    return "red hat" in name or "centos" in name


def is_ubuntu(name):
    return "ubuntu" in name


def get_linux_installer():
    name = distro.name().lower()
    if is_redhat(name):
        return RedhatInstaller
    elif is_ubuntu(name):
        return UbuntuInstaller
    sys.exit(1)
""",
    "an attribute set when the object is made": """
class Host(object):
    def __init__(self):
        self.name = distro.name().lower()
        self.installer = None

    def choose(self):
        if "centos" in self.name or "red hat" in self.name:
            self.installer = RedhatInstaller
        elif "ubuntu" in self.name:
            self.installer = UbuntuInstaller
        return self.installer


def get_linux_installer():
    found = Host().choose()
    if found is None:
        sys.exit(1)
    return found
""",
    "a packager that names its distributions, asked for each line of os-release": """
class Packager(object):
    DISTROS = ("centos", "rhel", "fedora")


def get_linux_installer():
    which = None
    with open("/etc/os-release") as file:
        for line in file.read().splitlines():
            line = line.strip()
            if "=" not in line or line.startswith("#"):
                continue
            key, value = line.split("=", 1)
            if value[:1] == '"' and value[-1:] == '"':
                value = value[1:-1]
            if key == "ID":
                which = value.lower()
    if which in Packager.DISTROS:
        return RedhatInstaller
    elif which in ("ubuntu", "debian"):
        return UbuntuInstaller
    raise RuntimeError("distribution %s is not supported" % which)
""",
    "the chain of the first generation": """
def get_linux_installer():
    distribution = platform.linux_distribution()[0].lower()
    if ("centos" in distribution or
        "red hat" in distribution or
        "oracle linux" in distribution):
        return RedhatInstaller
    elif "ubuntu" in distribution:
        return UbuntuInstaller
    print("Unsupported: " + distribution)
    sys.exit(1)
""",
}
SHAPES = {kind: _HEAD + text for kind, text in SHAPES.items()}
