# SPDX-License-Identifier: Apache-2.0
"""Factories that decide in every shape that can be given one more element.

Each has a subject (what is compared, and how it was made), a shape (how it is compared), a
dress (quotes, line breaks, comments, indentation) and company (what stands beside it and
decides nothing). Of each the meaning is decidable: one inserted element changes only the new
name. What is expected is never written down: both files are run.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from textwrap import indent

__all__ = ["ONLY_PYTHON_3", "SHAPED", "SUBJECTS_ASKED", "Shaped", "for_python_2", "shape"]


@dataclass(frozen=True)
class Shaped:
    """A factory, and what it was made of."""

    text: str
    subject: str
    shape: str
    company: str
    layout: str

    @property
    def label(self) -> str:
        parts = (self.subject, self.shape, self.company, self.layout)
        return ", ".join(parts) + "\n" + self.text


# What is compared: top-level code, the expression, and which texts it is compared with.
SUBJECTS_ASKED = {
    "NAME, lower": ("import distro", "distro.linux_distribution()[0].lower()", "name"),
    "NAME, asked": ("import distro", "distro.name().strip().lower()", "name"),
    "NAME, platform": ("import platform", "platform.linux_distribution()[0].lower()", "name"),
    "NAME, as written": ("import distro", "distro.name()", "Name"),
    "NAME, upper": ("import distro", "distro.name().upper()", "NAME"),
    "ID": ("import distro", "distro.id()", "id"),
    "first word": ("import distro", "distro.name().lower().split()[0]", "word"),
    "cut": ("import distro", "distro.name().lower().partition(' linux')[0]", "word"),
    "no blanks": ("import distro", "distro.name().lower().replace(' ', '')", "joined"),
    "attribute": ("import distro", "distro.os_release_attr('name').lower()", "name"),
    "by hand": (
        """\
def ask():
    for line in open("/etc/os-release"):
        if line.startswith("NAME="):
            return line.split("=", 1)[1].strip().strip('"').lower()
    return ""
""",
        "ask()",
        "name",
    ),
    "property": (
        """\
import distro
class Guest(object):
    def __init__(self):
        self.told = distro.linux_distribution()
    @property
    def name(self):
        return self.told[0].lower()
""",
        "Guest().name",
        "name",
    ),
}
# Whole values, and parts of them, of the family's names and of Ubuntu's.
_WHOLE = {
    "name": ["centos linux", "centos stream", "red hat enterprise linux", "oracle linux server"],
    "Name": ["CentOS Linux", "CentOS Stream", "Red Hat Enterprise Linux", "Oracle Linux Server"],
    "NAME": ["CENTOS LINUX", "CENTOS STREAM", "RED HAT ENTERPRISE LINUX", "ORACLE LINUX SERVER"],
    "id": ["centos", "rhel", "oracle"],
    "word": ["centos", "red", "oracle"],
    "joined": ["centoslinux", "centosstream", "redhatenterpriselinux", "oraclelinuxserver"],
}
_PART = {
    "name": ["centos", "red hat", "oracle linux"],
    "Name": ["CentOS", "Red Hat", "Oracle Linux"],
    "NAME": ["CENTOS", "RED HAT", "ORACLE LINUX"],
    "id": ["centos", "rhel", "oracle"],
    "word": ["centos", "red", "oracle"],
    "joined": ["centos", "redhat", "oraclelinux"],
}
_END = {
    "name": ["centos linux", "centos stream", "enterprise linux", "oracle linux server"],
    "Name": ["CentOS Linux", "CentOS Stream", "Enterprise Linux", "Oracle Linux Server"],
    "NAME": ["CENTOS LINUX", "CENTOS STREAM", "ENTERPRISE LINUX", "ORACLE LINUX SERVER"],
    "id": ["centos", "rhel", "oracle"],
    "word": ["centos", "red", "oracle"],
    "joined": ["centoslinux", "centosstream", "enterpriselinux", "oraclelinuxserver"],
}
_UBUNTU = {"Name": "Ubuntu", "NAME": "UBUNTU"}
_LAYOUTS = ("one line", "lines", "lines, comma", "commented", "aligned", "wrapped")


class _Dress:
    """Writes texts and rows in one layout."""

    def __init__(self, chance: random.Random, kind: str) -> None:
        self.chance, self.kind = chance, kind
        self.layout = chance.choice(_LAYOUTS)
        self.quote = chance.choice("\"'")
        self.name = chance.choice(("distribution", "d", "dist_name", "osName"))
        self.whole = self._some(_WHOLE[kind])
        self.part = self._some(_PART[kind])
        self.end = self._some(_END[kind])
        self.ubuntu = _UBUNTU.get(kind, "ubuntu")

    def _some(self, texts: Sequence[str]) -> list[str]:
        """Return some of *texts*, CentOS first or not, but always there."""
        rest = [one for one in texts if not one.lower().startswith("centos")]
        found = [one for one in texts if one.lower().startswith("centos")]
        found += self.chance.sample(rest, self.chance.randint(0, len(rest)))
        self.chance.shuffle(found)
        return found

    def text(self, one: str) -> str:
        return f"{self.quote}{one}{self.quote}"

    def row(self, items: Sequence[str], opened: str, closed: str, *, alone: str = "") -> str:
        """Return a display of *items*; *alone* follows the only one."""
        tail = alone if len(items) == 1 else ""
        match self.layout:
            case "lines":
                return opened + "\n        " + ",\n        ".join(items) + tail + closed
            case "lines, comma":
                return opened + "".join(f"\n        {one}," for one in items) + "\n    " + closed
            case "commented":
                lines = [f"\n        {one},  # since {at}" for at, one in enumerate(items)]
                lines[-1] = f"\n        # the last\n        {items[-1]},"
                return opened + "".join(lines) + "\n    " + closed
            case "wrapped":
                pairs = [", ".join(items[at : at + 2]) for at in range(0, len(items), 2)]
                return opened + ",\n     ".join(pairs) + tail + closed
        return opened + ", ".join(items) + tail + closed

    def texts(self, texts: Sequence[str], kind: str = "") -> str:
        items = [self.text(one) for one in texts]
        kind = kind or self.chance.choice(("tuple", "list", "set", "frozenset"))
        match kind:
            case "tuple":
                return self.row(items, "(", ")", alone=",")
            case "list":
                return self.row(items, "[", "]")
            case "set":
                return self.row(items, "{", "}")
        return self.row(items, "frozenset([", "])")

    def either(self, operands: Sequence[str], operator: str = "or") -> str:
        match self.layout:
            case "lines" | "lines, comma":
                return "(" + f" {operator}\n            ".join(operands) + ")"
            case "commented":
                between = f" {operator}  # so\n            # and so\n            "
                return "(" + between.join(operands) + ")"
            case "aligned":
                return (
                    "(\n            " + f"\n            {operator} ".join(operands) + "\n        )"
                )
            case "wrapped":
                return f" {operator} \\\n            ".join(operands)
        return f" {operator} ".join(operands)

    def table(self, pairs: Sequence[tuple[str, str]]) -> str:
        """Return a dictionary."""
        width = max(len(key) for key, _ in pairs)
        if self.layout == "aligned":
            rows = [f"{key}:{' ' * (width - len(key) + 1)}{value}" for key, value in pairs]
            return "{\n    " + ",\n    ".join(rows) + ",\n}"
        return self.row([f"{key}: {value}" for key, value in pairs], "{", "}")


def _chosen(dress: _Dress, test: str) -> str:
    """Return a chain that picks by *test*."""
    ubuntu = f"{dress.text(dress.ubuntu.lower())} in {dress.name}.lower()"
    if dress.chance.random() < 0.3:
        return (
            f"if {test}:\n    from redhat_installer import RedhatInstaller\n"
            f"    return RedhatInstaller\nif {ubuntu}:\n"
            "    from ubuntu_installer import UbuntuInstaller\n    return UbuntuInstaller\n"
            "print('unsupported: ' + " + dress.name + ")\nsys.exit(1)"
        )
    return (
        f"if {test}:\n    from redhat_installer import RedhatInstaller as Installer\n"
        f"elif {ubuntu}:\n    from ubuntu_installer import UbuntuInstaller as Installer\n"
        "else:\n    sys.exit(1)\nreturn Installer"
    )


_Parts = tuple[str, str]
_RED, _DEB = "redhat_installer.RedhatInstaller", "ubuntu_installer.UbuntuInstaller"
_IMPORTS = "import redhat_installer\nimport ubuntu_installer\n"


def _in_chain(dress: _Dress) -> _Parts:
    return "", _chosen(
        dress, dress.either([f"{dress.text(o)} in {dress.name}" for o in dress.part])
    )


def _equal(dress: _Dress) -> _Parts:
    return "", _chosen(
        dress, dress.either([f"{dress.name} == {dress.text(one)}" for one in dress.whole])
    )


def _equal_reversed(dress: _Dress) -> _Parts:
    return "", _chosen(
        dress, dress.either([f"{dress.text(one)} == {dress.name}" for one in dress.whole])
    )


def _lone(dress: _Dress) -> _Parts:
    return "", _chosen(dress, f"{dress.text(dress.part[0])} in {dress.name}")


def _lone_and(dress: _Dress) -> _Parts:
    centos = next(one for one in dress.part if one.lower().startswith("centos"))
    return "", _chosen(dress, f"{dress.text(centos)} in {dress.name} and len({dress.name}) > 1")


def _member(dress: _Dress) -> _Parts:
    return "", _chosen(dress, f"{dress.name} in {dress.texts(dress.whole)}")


def _constant(dress: _Dress) -> _Parts:
    top = f"FAMILY = {dress.texts(dress.whole)}\n"
    return top, _chosen(dress, f"{dress.name} in FAMILY")


def _class_constant(dress: _Dress) -> _Parts:
    top = f"class Names(object):\n    FAMILY = {dress.texts(dress.whole)}\n"
    return top, _chosen(dress, f"{dress.name} in Names.FAMILY")


def _starts(dress: _Dress) -> _Parts:
    tests = [f"{dress.name}.startswith({dress.text(one)})" for one in dress.part]
    return "", _chosen(dress, dress.either(tests))


def _starts_tuple(dress: _Dress) -> _Parts:
    return "", _chosen(dress, f"{dress.name}.startswith({dress.texts(dress.part, 'tuple')})")


def _ends_tuple(dress: _Dress) -> _Parts:
    return "", _chosen(dress, f"{dress.name}.endswith({dress.texts(dress.end, 'tuple')})")


def _any(dress: _Dress) -> _Parts:
    row = dress.texts(dress.part)
    return "", _chosen(dress, f"any(one in {dress.name} for one in {row})")


def _any_constant(dress: _Dress) -> _Parts:
    top = f"TOKENS = {dress.texts(dress.part)}\n"
    return top, _chosen(dress, f"any({dress.name}.startswith(one) for one in TOKENS)")


def _filtered(dress: _Dress) -> _Parts:
    top = f"TOKENS = {dress.texts(dress.part)}\n"
    return top, _chosen(dress, f"[one for one in TOKENS if one in {dress.name}]")


def _split_literal(dress: _Dress) -> _Parts:
    operands = [
        f"{dress.text(one[:2])} {dress.text(one[2:])} in {dress.name}" for one in dress.part
    ]
    return "", _chosen(dress, dress.either([f"({one})" for one in operands]))


def _added_literal(dress: _Dress) -> _Parts:
    operands = [
        f"{dress.text(one[:2])} + {dress.text(one[2:])} in {dress.name}" for one in dress.part
    ]
    return "", _chosen(dress, dress.either(operands))


def _added_rows(dress: _Dress) -> _Parts:
    top = f"OLD = {dress.texts(['mandrake', 'caldera'], 'tuple')}\n"
    top += f"FAMILY = OLD + {dress.texts(dress.whole, 'tuple')}\n"
    return top, _chosen(dress, f"{dress.name} in FAMILY")


def _pairs(dress: _Dress, red: str, deb: str) -> list[tuple[str, str]]:
    found = [(dress.text(one), red) for one in dress.whole]
    found.insert(dress.chance.randint(0, len(found)), (dress.text(dress.ubuntu), deb))
    return found


def _table(dress: _Dress) -> _Parts:
    top = f"{_IMPORTS}INSTALLERS = {dress.table(_pairs(dress, _RED, _DEB))}\n"
    name = dress.name
    return top, dress.chance.choice(
        (
            f"found = INSTALLERS.get({name})\nif found is None:\n    sys.exit(1)\nreturn found",
            f"try:\n    return INSTALLERS[{name}]\nexcept KeyError:\n    sys.exit(1)",
            f"if {name} not in INSTALLERS:\n    sys.exit(1)\nreturn INSTALLERS[{name}]",
            f"return INSTALLERS.get({name}) or sys.exit(1)",
        )
    )


def _table_of_names(dress: _Dress) -> _Parts:
    pairs = _pairs(
        dress, "('redhat_installer', 'RedhatInstaller')", "('ubuntu_installer', 'UbuntuInstaller')"
    )
    top = f"INSTALLERS = {dress.table(pairs)}\n"
    body = f"if {dress.name} not in INSTALLERS:\n    sys.exit(1)\n"
    body += f"module, name = INSTALLERS[{dress.name}]\nreturn getattr(__import__(module), name)"
    return top, body


def _table_of_families(dress: _Dress) -> _Parts:
    top = f"FAMILIES = {dress.table(_pairs(dress, repr('rpm'), repr('deb')))}\n"
    body = (
        f"family = FAMILIES.get({dress.name}, '')\nif family == 'rpm':\n"
        "    from redhat_installer import RedhatInstaller\n    return RedhatInstaller\n"
        "elif family == 'deb':\n    from ubuntu_installer import UbuntuInstaller\n"
        "    return UbuntuInstaller\nraise SystemExit(1)"
    )
    return top, body


def _rows(dress: _Dress) -> _Parts:
    rows = [f"({dress.text(one)}, {_RED})" for one in dress.part]
    rows.insert(dress.chance.randint(0, len(rows)), f"({dress.text(dress.ubuntu)}, {_DEB})")
    top = f"{_IMPORTS}ROWS = {dress.row(rows, '[', ']')}\n"
    body = (
        f"for token, cls in ROWS:\n    if token in {dress.name}:\n        return cls\nsys.exit(1)"
    )
    return top, body


def _families(dress: _Dress) -> _Parts:
    top = (
        f"{_IMPORTS}FAMILIES = {{\n    'redhat': {dress.texts(dress.part, 'tuple')},\n"
        f"    'ubuntu': ({dress.text(dress.ubuntu)},),\n}}\n"
    )
    body = (
        f"for family, tokens in FAMILIES.items():\n    for token in tokens:\n"
        f"        if token in {dress.name}:\n"
        f"            return {_RED} if family == 'redhat' else {_DEB}\nsys.exit(1)"
    )
    return top, body


def _keywords(dress: _Dress) -> _Parts:
    words = dict.fromkeys(one.split()[0] for one in dress.part)
    items = [f"{one}={_RED}" for one in words] + [f"{dress.ubuntu}={_DEB}"]
    top = f"{_IMPORTS}INSTALLERS = dict({', '.join(items)})\n"
    body = f"found = INSTALLERS.get({dress.name}.split()[0])\nif not found:\n    sys.exit(1)\n"
    return top, body + "return found"


def _guarded(dress: _Dress) -> _Parts:
    operands = [f"{dress.text(one)} not in {dress.name}" for one in (*dress.part, dress.ubuntu)]
    return "", _guard(dress, dress.either(operands, "and"))


def _guarded_not(dress: _Dress) -> _Parts:
    operands = [f"{dress.text(one)} in {dress.name}" for one in (*dress.part, dress.ubuntu)]
    return "", _guard(dress, f"not ({' or '.join(operands)})")


def _guarded_each(dress: _Dress) -> _Parts:
    names = (*dress.part, dress.ubuntu)
    operands = [f"not {dress.name}.startswith({dress.text(one)})" for one in names]
    return "", _guard(dress, dress.either(operands, "and"))


def _guarded_set(dress: _Dress) -> _Parts:
    top = f"KNOWN = {dress.texts([*dress.whole, dress.ubuntu])}\n"
    return top, _guard(dress, f"{dress.name} not in KNOWN")


def _guard(dress: _Dress, test: str) -> str:
    return (
        f"if {test}:\n    print('unsupported')\n    sys.exit(1)\n"
        f"if {dress.text(dress.ubuntu)} in {dress.name}:\n"
        "    from ubuntu_installer import UbuntuInstaller\n    return UbuntuInstaller\n"
        "from redhat_installer import RedhatInstaller\nreturn RedhatInstaller"
    )


def _named(dress: _Dress) -> _Parts:
    names = [f"TOKEN_{at}" for at in range(len(dress.part))]
    top = "".join(
        f"{name} = {dress.text(one)}\n" for name, one in zip(names, dress.part, strict=True)
    )
    return top, _chosen(dress, dress.either([f"{name} in {dress.name}" for name in names]))


def _enumerated(dress: _Dress) -> _Parts:
    names = [f"N{at}" for at in range(len(dress.whole))]
    top = "import enum\nclass Os(enum.Enum):\n" + "".join(
        f"    {name} = {dress.text(one)}\n" for name, one in zip(names, dress.whole, strict=True)
    )
    values = ", ".join(f"Os.{name}.value" for name in names)
    return top, _chosen(dress, f"{dress.name} in ({values},)")


def _words(dress: _Dress) -> _Parts:
    joined = dress.text("|".join(dress.part))
    if not any(" " in one for one in dress.part):
        joined = dress.text(" ".join(dress.part))
        return f"TOKENS = {joined}.split()\n", _chosen(
            dress, f"any(one in {dress.name} for one in TOKENS)"
        )
    return f"TOKENS = {joined}.split('|')\n", _chosen(
        dress, f"any(one in {dress.name} for one in TOKENS)"
    )


def _registered(dress: _Dress) -> _Parts:
    top = f"{_IMPORTS}INSTALLERS = {{}}\n"
    for key, value in _pairs(dress, _RED, _DEB):
        top += f"INSTALLERS[{key}] = {value}\n"
    body = f"if {dress.name} not in INSTALLERS:\n    sys.exit(1)\nreturn INSTALLERS[{dress.name}]"
    return top, body


def _decorated(dress: _Dress) -> _Parts:
    top = (
        "WAYS = {}\ndef serves(name):\n    def kept(function):\n        WAYS[name] = function\n"
        "        return function\n    return kept\n\n"
    )
    top += "".join(f"@serves({dress.text(one)})\n" for one in dress.whole)
    top += (
        "def rpm():\n    from redhat_installer import RedhatInstaller\n    return RedhatInstaller\n"
    )
    top += f"@serves({dress.text(dress.ubuntu)})\n"
    top += (
        "def deb():\n    from ubuntu_installer import UbuntuInstaller\n    return UbuntuInstaller\n"
    )
    body = f"if {dress.name} not in WAYS:\n    sys.exit(1)\nreturn WAYS[{dress.name}]()"
    return top, body


def _conditional(dress: _Dress) -> _Parts:
    tests = " or ".join(f"{dress.text(one)} in {dress.name}" for one in dress.part)
    body = (
        f"family = 'rpm' if {tests} else 'deb' if {dress.text(dress.ubuntu)} in {dress.name}"
        f" else None\nif family is None:\n    sys.exit(1)\n"
        f"return {_RED} if family == 'rpm' else {_DEB}"
    )
    return _IMPORTS, body


def _found(dress: _Dress) -> _Parts:
    tests = [f"{dress.name}.find({dress.text(one)}) >= 0" for one in dress.part]
    return "", _chosen(dress, dress.either(tests))


def _helper(dress: _Dress) -> _Parts:
    tests = " or ".join(f"found.startswith({dress.text(one)})" for one in dress.part)
    return f"def is_rpm(found):\n    return {tests}\n", _chosen(dress, f"is_rpm({dress.name})")


def _looped(dress: _Dress) -> _Parts:
    body = (
        f"known = False\nfor one in {dress.texts(dress.part, 'list')}:\n"
        f"    if {dress.name}.startswith(one):\n        known = True\n        break\n"
    )
    return "", body + _chosen(dress, "known")


def _matched(dress: _Dress) -> _Parts:
    patterns = " | ".join(map(dress.text, dress.whole))
    body = (
        f"match {dress.name}:\n    case {patterns}:\n"
        "        from redhat_installer import RedhatInstaller as Installer\n"
        f"    case {dress.text(dress.ubuntu)}:\n"
        "        from ubuntu_installer import UbuntuInstaller as Installer\n"
        "    case _:\n        sys.exit(1)\nreturn Installer"
    )
    return "", body


def _shared(dress: _Dress) -> _Parts:
    row = dress.texts(dress.whole, dress.chance.choice(("set", "frozenset")))
    test = dress.chance.choice(
        (f"FAMILY & {{{dress.name}}}", f"not FAMILY.isdisjoint([{dress.name}])")
    )
    return f"FAMILY = {row}\n", _chosen(dress, test)


def _pattern(dress: _Dress) -> _Parts:
    pattern = dress.text("|".join(dress.part) if len(dress.part) > 1 else dress.part[0] + "|xen")
    if dress.chance.random() < 0.5:
        return "import re\n", _chosen(dress, f"re.search({pattern}, {dress.name})")
    top = f"import re\nFAMILY = re.compile({pattern})\n"
    return top, _chosen(dress, f"FAMILY.match({dress.name})")


def _from_keys(dress: _Dress) -> _Parts:
    row = dress.texts(dress.whole, dress.chance.choice(("tuple", "list")))
    if dress.chance.random() < 0.5:
        return f"FAMILY = dict.fromkeys({row})\n", _chosen(dress, f"{dress.name} in FAMILY")
    top = f"FAMILY = dict.fromkeys({row}, 'rpm')\nFAMILY[{dress.text(dress.ubuntu)}] = 'deb'\n"
    return top, _chosen(dress, f"FAMILY.get({dress.name}) == 'rpm'")


def _merged(dress: _Dress) -> _Parts:
    pairs = [(dress.text(one), "'rpm'") for one in dress.whole]
    top = f"FAMILY = {dress.table(pairs)}\n"
    top += f"ALL = {{**FAMILY, {dress.text(dress.ubuntu)}: 'deb'}}\n"
    return top, _chosen(dress, f"ALL.get({dress.name}) == 'rpm'")


def _shown(dress: _Dress) -> _Parts:
    table = dress.table(_pairs(dress, "'rpm'", "'deb'"))
    top = f"from types import MappingProxyType\nFAMILIES = MappingProxyType({table})\n"
    return top, _chosen(dress, f"FAMILIES.get({dress.name}) == 'rpm'")


def _chained(dress: _Dress) -> _Parts:
    rows = f"{dress.texts(dress.whole)}, ({dress.text('mandrake')},)"
    top, call = dress.chance.choice(
        (
            ("import itertools\n", f"itertools.chain({rows})"),
            ("from itertools import chain as joined\n", f"set(joined({rows}))"),
            ("import itertools\n", f"itertools.chain.from_iterable([{rows}])"),
        )
    )
    return top, _chosen(dress, f"{dress.name} in {call}")


def _by_operator(dress: _Dress) -> _Parts:
    row = dress.texts(dress.whole)
    if dress.chance.random() < 0.5:
        return "import operator\n", _chosen(dress, f"operator.contains({row}, {dress.name})")
    tests = [f"eq({dress.name}, {dress.text(one)})" for one in dress.whole]
    return "from operator import eq\n", _chosen(dress, dress.either(tests))


def _defaulting(dress: _Dress) -> _Parts:
    table = dress.table(_pairs(dress, "'rpm'", "'deb'"))
    top = f"import collections\nFAMILIES = collections.defaultdict(lambda: None, {table})\n"
    return top, _chosen(dress, f"FAMILIES[{dress.name}] == 'rpm'")


def _counted(dress: _Dress) -> _Parts:
    row = dress.texts(dress.whole, dress.chance.choice(("tuple", "list")))
    if dress.chance.random() < 0.5:
        return "", _chosen(dress, f"{row}.count({dress.name})")
    body = f"known = True\ntry:\n    FAMILY.index({dress.name})\n"
    return f"FAMILY = {row}\n", body + "except ValueError:\n    known = False\n" + _chosen(
        dress, "known"
    )


def _by_method(dress: _Dress) -> _Parts:
    if dress.chance.random() < 0.5:
        tests = [f"{dress.name}.__contains__({dress.text(one)})" for one in dress.part]
        return "", _chosen(dress, dress.either(tests))
    top = f"FAMILY = {dress.texts(dress.whole)}\n"
    return top, _chosen(dress, f"FAMILY.__contains__({dress.name})")


def _globbed(dress: _Dress) -> _Parts:
    patterns = [f"*{one}*" if dress.chance.random() < 0.5 else f"{one}*" for one in dress.part]
    if dress.chance.random() < 0.5:
        tests = [f"fnmatch.fnmatch({dress.name}, {dress.text(one)})" for one in patterns]
        return "import fnmatch\n", _chosen(dress, dress.either(tests))
    top = f"from fnmatch import fnmatchcase\nFAMILY = {dress.texts(patterns)}\n"
    return top, _chosen(dress, f"any(fnmatchcase({dress.name}, one) for one in FAMILY)")


def _patterns(dress: _Dress) -> _Parts:
    lead, tail = dress.chance.choice((("", ""), ("^", ""), ("", ".*"), ("^", ".*$")))
    patterns = [lead + one + tail for one in dress.part]
    if dress.chance.random() < 0.5:
        tests = [f"re.match({dress.text(one)}, {dress.name})" for one in patterns]
        return "import re\n", _chosen(dress, dress.either(tests))
    top = f"import re\nFAMILY = {dress.texts(patterns)}\n"
    return top, _chosen(dress, f"any(re.match(one, {dress.name}) for one in FAMILY)")


def _of_words(dress: _Dress) -> _Parts:
    words = [one.split()[0] for one in dress.part]
    tests = [f"{dress.text(one)} in {dress.name}.split()" for one in dict.fromkeys(words)]
    return "", _chosen(dress, dress.either(tests))


def _put_together(dress: _Dress) -> _Parts:
    row = dress.texts(dress.whole, dress.chance.choice(("tuple", "list")))
    top = f"import re\nFAMILY = {row}\n"
    test = dress.chance.choice(
        (f"{dress.name} in ', '.join(FAMILY)", f"re.match('|'.join(FAMILY), {dress.name})")
    )
    return top, _chosen(dress, test)


SHAPED: dict[str, Callable[[_Dress], _Parts]] = {
    "or of in": _in_chain,
    "or of ==": _equal,
    "or of ==, reversed": _equal_reversed,
    "one in": _lone,
    "one in, and": _lone_and,
    "in a row": _member,
    "in a constant": _constant,
    "in a class's constant": _class_constant,
    "startswith": _starts,
    "startswith a tuple": _starts_tuple,
    "endswith a tuple": _ends_tuple,
    "any": _any,
    "any of a constant": _any_constant,
    "filtered": _filtered,
    "literal in two parts": _split_literal,
    "literals added": _added_literal,
    "rows added": _added_rows,
    "table of classes": _table,
    "table of names": _table_of_names,
    "table of families": _table_of_families,
    "rows of pairs": _rows,
    "families of tokens": _families,
    "keywords": _keywords,
    "guard, and": _guarded,
    "guard, not": _guarded_not,
    "guard, not each": _guarded_each,
    "guard, set": _guarded_set,
    "names of literals": _named,
    "enum": _enumerated,
    "words": _words,
    "registered": _registered,
    "decorated": _decorated,
    "conditional": _conditional,
    "find": _found,
    "helper": _helper,
    "loop": _looped,
    "match": _matched,
    "sets": _shared,
    "pattern": _pattern,
    "fromkeys": _from_keys,
    "tables merged": _merged,
    "read-only table": _shown,
    "chain": _chained,
    "operator": _by_operator,
    "defaultdict": _defaulting,
    "count and index": _counted,
    "by method": _by_method,
    "file patterns": _globbed,
    "patterns": _patterns,
    "in words": _of_words,
    "put together": _put_together,
}
# What stands beside the decision and decides nothing.
_COMPANY = {
    "none": "",
    "logged": "print('on ' + {name})",
    "tool": "tool = 'apt' if 'ubuntu' in {name}.lower() else 'yum'",
    "other names": "seen = ['fedora', 'debian', 'mandrake']",
    "dictionary": "owner = {{'fedora': 1}}.get({name}, 0)",
    "loop": "for one in ('xen', 'kvm'):\n    if one in {name}:\n        print(one)",
}


def shape(chance: random.Random, *, only: str | None = None) -> Shaped:
    """Return a factory."""
    subject = chance.choice(list(SUBJECTS_ASKED))
    kind = only or chance.choice(list(SHAPED))
    top, value, field = SUBJECTS_ASKED[subject]
    dress = _Dress(chance, field)
    company = chance.choice(list(_COMPANY))
    before, body = SHAPED[kind](dress)
    lines = [f"{dress.name} = {value}", _COMPANY[company].format(name=dress.name), body]
    text = "import sys\n" + top + "\n" + before + "\n\ndef get_linux_installer():\n"
    text += indent("\n".join(line for line in lines if line), "    ") + "\n"
    return Shaped(text, subject, kind, company, dress.layout)


#: Shapes that no Python 2 has, and one that asks for what the tests' own Python 2 lacks.
ONLY_PYTHON_3 = frozenset({"match", "enum", "read-only table", "tables merged"})


def for_python_2(text: str, chance: random.Random) -> str:
    """Return a factory as only a Python 2 reads it, by some of what it alone has."""
    ways = chance.sample(range(len(_OLD)), k=3)
    for way in ways:
        text = _OLD[way](text)
    return text if ways else _OLD[0](text)


_OLD: tuple[Callable[[str], str], ...] = (
    lambda text: text + 'print "loaded", 0755\n',
    lambda text: text.replace("sys.exit(1)", "raise SystemExit, 1"),
    lambda text: text.replace("except KeyError:", "except KeyError, error:") + "SIZE = 10L\n",
    lambda text: text + "def told(value):\n    return `value`\n",
    lambda text: text.replace("\nif ", "\nif 1 <> 2 and ").replace(
        "import sys\n", 'import sys\nexec "checked = 1"\n'
    ),
    lambda text: text.replace("        ", "\t") + "def failed():\n\traise ValueError, 1\n",
    lambda text: text.replace("import sys\n", 'import sys\nNOTE = ur"caf\\u00e9"\n'),
)
