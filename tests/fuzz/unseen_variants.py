# SPDX-License-Identifier: Apache-2.0
"""Factories with something unseen beside the chain: gates, cuts, aliases, grown at random.

Each is judged by running it (:func:`decided`), for the new names and for every known one.
"""

from __future__ import annotations

import builtins
import collections
import contextlib
import enum
import fnmatch
import functools
import io
import itertools
import operator
import random
import re
import sys
import types
from dataclasses import dataclass
from textwrap import indent

__all__ = ["ALIASES", "CUTS", "GATES", "Grown", "Guest", "decided", "grow"]


@dataclass(frozen=True)
class Guest:
    """What a guest tells."""

    name: str
    id: str
    like: str
    version: str
    platform: str


@dataclass(frozen=True)
class Grown:
    """A factory, and what was grown into it."""

    text: str
    source: str
    cut: str
    alias: str
    gate: str

    @property
    def label(self) -> str:
        return f"source {self.source}, cut {self.cut}, alias {self.alias}, gate {self.gate}"


# How NAME comes in: top-level code, and the expression.
SOURCES = {
    "distribution": ("import distro", "distro.linux_distribution()[0]"),
    "name": ("import distro", "distro.name()"),
    "platform": ("import platform", "platform.linux_distribution()[0]"),
    "keyword": ("import distro", "distro.linux_distribution(full_distribution_name=True)[0]"),
    "attribute": ("import distro", "distro.os_release_attr('name')"),
    "by hand": (
        """\
def ask():
    found = ""
    for line in open("/etc/os-release"):
        if line.startswith("NAME="):
            found = line.split("=", 1)[1].strip().strip('"')
    return found
""",
        "ask()",
    ),
    "dictionary": (
        """\
def facts():
    values = {}
    with open("/etc/os-release") as lines:
        for line in lines:
            key, _, value = line.strip().partition("=")
            values[key] = value.strip('"')
    return values
""",
        "facts()['NAME']",
    ),
    "id": ("import distro", "distro.id()"),
}
# What is done to the value before it is compared.
CUTS = {
    "none": "{0}.lower()",
    "folded": "{0}.strip().casefold()",
    "converted": "str({0}).lower()",
    "joined": "' '.join({0}.lower().split())",
    "first word": "{0}.lower().split()[0]",
    "first letters": "{0}.lower()[:6]",
    "last letters": "{0}.lower()[3:]",
    "no blanks": "{0}.lower().replace(' ', '')",
    "letters stripped": "{0}.lower().strip('rockyux')",
    "title": "{0}.title()",
    "capital": "{0}.lower().capitalize()",
    "partitioned": "{0}.lower().partition(' ')[0]",
    "swapped": "{0}.swapcase().swapcase().lower()",
    "with version": "({0} + ' ' + distro_version()).lower()",
    "reversed": "{0}.lower()[::-1]",
    "formatted": "'%s' % {0}.lower()",
    "by format": "'{{}}'.format({0}.lower())",
    "translated": "{0}.lower().replace('linux', 'lnx')",
}
# How the value comes to the chain. {value} is bound to the name distribution.
ALIASES = {
    "none": "distribution = {value}",
    "two names": "first = {value}\ndistribution = first",
    "function": "def told():\n    return {value}\ndistribution = told()",
    "lambda": "told = lambda: {value}\ndistribution = told()",
    "default": "def told(found={value}):\n    return found\ndistribution = told()",
    "other default": "def told(found=None):\n    return found or 'ahv'\ndistribution = told()",
    "decorated": (
        "def other(function):\n    return lambda: 'ahv'\n@other\ndef told():\n"
        "    return {value}\ndistribution = told()"
    ),
    "decorated plainly": (
        "def same(function):\n    return function\n@same\ndef told():\n"
        "    return {value}\ndistribution = told()"
    ),
    "attribute": (
        "class Facts(object):\n    pass\nfacts_ = Facts()\nfacts_.name = {value}\n"
        "distribution = facts_.name"
    ),
    "property": (
        "class Facts(object):\n    @property\n    def name(self):\n        return {value}\n"
        "distribution = Facts().name"
    ),
    "method": (
        "class Facts(object):\n    def __init__(self):\n        self.found = {value}\n"
        "    def name(self):\n        return self.found\ndistribution = Facts().name()"
    ),
    "nonlocal": (
        "distribution = {value}\ndef change():\n    nonlocal distribution\n"
        "    distribution = 'ahv'\nchange()"
    ),
    "list": "row = [{value}, 'x']\ndistribution = row[0]",
    "list changed": "row = [{value}, 'x']\nrow.reverse()\ndistribution = row[0]",
    "dictionary": "row = dict(name={value})\ndistribution = row['name']",
    "unpacked": "distribution, other = {value}, 'x'",
    "unpacked otherwise": "other, distribution = {value}, 'x'",
    "mapped": "distribution = list(map(str, [{value}]))[0]",
    "conditional": "distribution = {value} if 1 else 'ahv'",
    "rebound by a loop": "distribution = {value}\nfor distribution in ('ahv',):\n    pass",
    "walrus": "print(distribution := {value})",
    "executed": "distribution = {value}\nexec('other = 1')",
    "starred": "def told(found):\n    return found\ndistribution = told(*[{value}])",
    "or": "distribution = '' or {value}",
    "try": "try:\n    distribution = {value}\nexcept Exception:\n    distribution = ''",
    "augmented": "distribution = {value}\ndistribution += ''",
    "augmented otherwise": "distribution = ''\ndistribution += {value}[:3]",
}
# What else decides: beside the chain, in the function, before or after it.
GATES = {
    "none": "",
    "logged": "print('on ' + distribution)",
    "harmless": "tool = 'apt' if 'ubuntu' in distribution else 'yum'",
    "harmless if": "if 'ubuntu' in distribution:\n    tool = 'apt'\nelse:\n    tool = 'yum'",
    "harmless get": "kind = {'centos linux': 1}.get(distribution, 0)",
    "harmless try": "try:\n    kind = {'centos linux': 1}[distribution]\nexcept KeyError:\n    kind = 0",  # noqa: E501 - code in one text
    "listed": (
        "if not any(one in distribution for one in ('centos', 'red hat', 'ubuntu', 'suse')):\n"
        "    sys.exit(1)"
    ),
    "listed by name": (
        "KNOWN = ['centos', 'red hat', 'ubuntu', 'suse']\n"
        "if not [one for one in KNOWN if one in distribution]:\n    sys.exit(1)"
    ),
    "asserted": "assert 'rocky' not in distribution",
    "looked up": "flavour = {'centos linux': 1, 'ubuntu': 2}[distribution]",
    "raised": "if distribution.startswith('rocky'):\n    raise ValueError(distribution)",
    "counted": "if sum(one in distribution for one in ('centos', 'red hat')) < 1:\n    sys.exit(1)",
    "while": "while 'centos' not in distribution:\n    sys.exit(1)",
    "for else": (
        "for one in ('centos', 'red hat', 'ubuntu'):\n    if one in distribution:\n        break\n"
        "else:\n    sys.exit(1)"
    ),
    "pattern": "import re\nif not re.search('centos|red hat|ubuntu', distribution):\n    sys.exit(1)",  # noqa: E501 - code in one text
    "harmless pattern": "import re\nif re.search('^xen', distribution):\n    sys.exit(1)",
    "negative": "if 'rocky' in distribution or 'alma' in distribution:\n    sys.exit(1)",
    "helper": (
        "def fits(found):\n    if 'centos' in found or 'red hat' in found:\n        return True\n"
        "    return False\nif not fits(distribution):\n    sys.exit(1)"
    ),
    "helper of another": "if not installer_utils.fits(distribution):\n    sys.exit(1)",
    "exit elsewhere": "if 'rocky' in distribution:\n    installer_utils.exit_installer(1)",
    "finally": (
        "try:\n    pass\nfinally:\n    if 'rocky' in distribution:\n        raise SystemExit(1)"
    ),
    "set": "if not set(distribution.split()) & {'centos', 'red', 'ubuntu'}:\n    sys.exit(1)",
    "length": "if len(distribution) < 12 and 'ubuntu' not in distribution:\n    sys.exit(1)",
    "class body": "class Level(object):\n    value = {'centos linux': 1, 'ubuntu': 2}[distribution]",  # noqa: E501 - code in one text
    "version": "if distro_version().startswith('9'):\n    sys.exit(1)",
    "old version": "if distro_version().startswith('5.'):\n    sys.exit(1)",
    "by id": "import distro\nif distro.id() not in ('centos', 'rhel', 'ubuntu', 'oracle'):\n    sys.exit(1)",  # noqa: E501 - code in one text
    "by like": "import distro\nif 'rhel' not in distro.like() and distro.id() != 'rhel':\n    sys.exit(1)",  # noqa: E501 - code in one text
    "evaluated": "if eval(\"'rocky' in distribution\"):\n    sys.exit(1)",
    "getattr": (
        "class Ways(object):\n    centos = red = ubuntu = 1\n"
        "if not hasattr(Ways, distribution.split()[0]):\n    sys.exit(1)"
    ),
    "sorted": "if sorted([distribution, 'd'])[0] == 'd' and 'ubuntu' not in distribution and "
    "'red hat' not in distribution:\n    sys.exit(1)",
    "index": "if 'centos red hat ubuntu'.find(distribution.split()[0]) < 0:\n    sys.exit(1)",
    "silent": "if 'rocky' in distribution:\n    sys.exit(0)",
    "returned": "if 'rocky' in distribution:\n    return None",
}

_CHAIN = """\
if ({redhat}):
    from redhat_installer import RedhatInstaller as LinuxInstaller
elif {ubuntu}:
    from ubuntu_installer import UbuntuInstaller as LinuxInstaller
else:
    print("Unsupported distribution : " + distribution)
    sys.exit(1)
"""


def grow(chance: random.Random) -> Grown:
    """Return a factory: a chain, and at most two strange things beside it."""
    source = chance.choice(list(SOURCES))
    strange = chance.sample(("cut", "alias", "gate"), k=chance.choice((1, 1, 2)))
    cut = chance.choice(list(CUTS)) if "cut" in strange else "none"
    alias = chance.choice(list(ALIASES)) if "alias" in strange else "none"
    gate = chance.choice(list(GATES)) if "gate" in strange else "none"
    top, value = SOURCES[source]
    needles: tuple[str, ...] = ("centos", "rhel" if source == "id" else "red hat", "oracle")
    if cut in ("title", "capital"):
        needles = tuple(one.title() if cut == "title" else one.capitalize() for one in needles)
    bound = ALIASES[alias].format(value=CUTS[cut].format(value))
    chain = _CHAIN.format(
        redhat=" or\n    ".join(f'"{one}" in distribution' for one in needles),
        ubuntu='"ubuntu" in distribution.lower()',
    )
    after = chance.random() < 0.5
    body = [bound, chain, GATES[gate]] if after else [bound, GATES[gate], chain]
    if gate == "returned" and after:
        body = [bound, GATES[gate], chain]
    text = "import sys\nimport distro\nimport installer_utils\n" + top + "\n"
    text += "def distro_version():\n    return distro.version()\n\n\n"
    text += "def get_linux_installer():\n"
    text += indent("\n".join(part for part in body if part), "    ")
    text += "\n    return LinuxInstaller\n"
    return Grown(text, source, cut, alias, gate)


UTILS = """\
import sys


def exit_installer(code):
    sys.exit(code)


def fits(name):
    return "centos" in name or "red hat" in name or "ubuntu" in name
"""


_UTILS = compile(UTILS, "installer_utils", "exec")
_RedhatInstaller = type("RedhatInstaller", (), {})
_UbuntuInstaller = type("UbuntuInstaller", (), {})
_BUILT_IN = vars(builtins)
_LIBRARY = {
    one.__name__: one
    for one in (
        collections,
        contextlib,
        enum,
        fnmatch,
        functools,
        itertools,
        operator,
        re,
        sys,
        types,
    )
}


def _say_nothing(*texts: object) -> None:
    """Take the place of print(), many thousand times."""


def decided(code: types.CodeType, guest: Guest, beside: types.CodeType | None = None) -> str:
    """Run a factory on a guest; return the class it gives, or how it ends.

    *beside* is its module of helpers, if that is another one than as shipped.
    """
    lines = {"NAME": guest.name, "ID": guest.id, "ID_LIKE": guest.like}
    lines |= {"VERSION_ID": guest.version, "PLATFORM_ID": guest.platform}
    release = "".join(f'{key}="{value}"\n' for key, value in lines.items() if value)
    told = (guest.name, guest.version, "")
    short = {"ol": "oracle"}.get(guest.id, guest.id)
    distro = types.SimpleNamespace(
        linux_distribution=lambda full_distribution_name=True: told,
        name=lambda: guest.name,
        id=lambda: short,
        like=lambda: guest.like,
        version=lambda: guest.version,
        os_release_attr=lambda key: guest.name if key == "name" else "",
    )
    utils: dict[str, object] = {}
    exec(beside or _UTILS, utils)  # noqa: S102 - our own text
    modules: dict[str, object] = {
        "distro": distro,
        "platform": types.SimpleNamespace(linux_distribution=lambda: told),
        "installer_utils": types.SimpleNamespace(**utils),
        "redhat_installer": types.SimpleNamespace(RedhatInstaller=_RedhatInstaller),
        "ubuntu_installer": types.SimpleNamespace(UbuntuInstaller=_UbuntuInstaller),
        **_LIBRARY,
    }

    def load(name: str, *rest: object) -> object:
        return modules[name]

    own: dict[str, object] = {**_BUILT_IN, "__import__": load, "print": _say_nothing}
    modules["builtins"] = python = types.ModuleType("builtins")
    vars(python).update(own)
    scope = {
        "__name__": "installer_factory",
        "__builtins__": vars(python),
        "open": lambda path: io.StringIO(release),
    }
    shipped = [(module, dict(vars(module))) for module in _LIBRARY.values()]
    try:
        exec(code, scope)  # noqa: S102 - the generated factory
        return getattr(scope["get_linux_installer"](), "__name__", "nothing")  # type: ignore[operator]
    except SystemExit:
        return "exit"
    except Exception as error:
        return type(error).__name__
    finally:
        # What one factory assigns to a module of Python's own, the next one must not find there.
        for module, names in shipped:
            if vars(module) != names:
                for name in {*vars(module)} - {*names}:
                    delattr(module, name)
                for name, value in names.items():
                    setattr(module, name, value)
