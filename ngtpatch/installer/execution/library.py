# SPDX-License-Identifier: Apache-2.0
"""The modules of Python's that tell about the guest, and the package distro."""

from __future__ import annotations

import builtins
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ngtpatch.installer.execution import combining, natives, of_types, opening
from ngtpatch.installer.execution.atom_methods import LooseVersion
from ngtpatch.installer.execution.bounded_patterns import checked, found_by
from ngtpatch.installer.execution.lifting import unknown
from ngtpatch.installer.execution.objects import (
    Container,
    External,
    FunctionObject,
    ModuleObject,
    Native,
    Ordered,
)
from ngtpatch.installer.execution.remembering import named_tuple, remembering
from ngtpatch.installer.execution.varied import NOTHING, Plain, Unknown, Varied
from ngtpatch.installer.execution.worlds import World

__all__ = ["BUNDLED", "GONE", "MODELLED", "MODELLED_IF_PYTHON_S", "ONLY_2", "ONLY_3", "of_library"]

_Args = Sequence[Varied]
_Named = Mapping[str, Varied]
_Run = Callable[[Any, _Args, _Named], Varied]

#: Modules that are modelled where the disc brings none of that name.
MODELLED_IF_PYTHON_S = frozenset({"fnmatch", "itertools", "operator", "types"})
#: Modules that are modelled, whether the disc brings a copy or not.
MODELLED = frozenset({
    "codecs", "collections", "distro", "distutils.version", "functools", "importlib", "io", "os",
    "os.path", "platform", "posixpath", "re", "shlex", "string", "sys",
})  # fmt: skip
#: Packages of others that a disc may bring along: they decide nothing for the installer.
BUNDLED = frozenset({
    "certifi", "chardet", "distutils", "docopt", "idna", "packaging", "pip", "pkg_resources",
    "psutil", "requests", "setuptools", "simplejson", "six", "urllib3", "wheel", "yaml",
})  # fmt: skip
#: Modules that Python 3 has under another name, or no more.
ONLY_2 = frozenset({
    "BaseHTTPServer", "CGIHTTPServer", "ConfigParser", "Cookie", "DocXMLRPCServer", "HTMLParser",
    "Queue", "SimpleHTTPServer", "SimpleXMLRPCServer", "SocketServer", "StringIO", "Tkinter",
    "UserDict", "UserList", "UserString", "__builtin__", "anydbm", "cPickle", "cStringIO",
    "commands", "compiler", "cookielib", "copy_reg", "dbhash", "dircache", "dumbdbm",
    "dummy_thread", "exceptions", "fpformat", "gdbm", "httplib", "ihooks", "imputil", "md5",
    "mimetools", "mimify", "multifile", "new", "popen2", "repr", "rexec", "rfc822",
    "robotparser", "sets", "sgmllib", "sha", "statvfs", "thread", "tkMessageBox", "toaiff",
    "urllib2", "urlparse", "user", "whichdb", "xmlrpclib", "future_builtins", "itertools.imap",
})  # fmt: skip
#: Modules that Python 2 has not.
ONLY_3 = frozenset({
    "asyncio", "builtins", "concurrent", "configparser", "copyreg", "enum", "http", "ipaddress",
    "pathlib", "queue", "reprlib", "secrets", "socketserver", "statistics", "tkinter", "typing",
    "urllib.error", "urllib.parse", "urllib.request", "venv", "xmlrpc", "zipapp", "dataclasses",
})  # fmt: skip
#: The Python from which on a module is gone. distutils is left out: it is judged as a hazard,
#: since a setuptools brings it back.
GONE: Mapping[str, tuple[int, int]] = {
    "asynchat": (3, 12), "asyncore": (3, 12), "imp": (3, 12), "smtpd": (3, 12),
    "formatter": (3, 10), "parser": (3, 10), "symbol": (3, 10), "binhex": (3, 11),
    "aifc": (3, 13), "audioop": (3, 13), "cgi": (3, 13), "cgitb": (3, 13), "chunk": (3, 13),
    "crypt": (3, 13), "imghdr": (3, 13), "mailcap": (3, 13), "msilib": (3, 13), "nis": (3, 13),
    "nntplib": (3, 13), "pipes": (3, 13), "sndhdr": (3, 13), "spwd": (3, 13), "sunau": (3, 13),
    "telnetlib": (3, 13), "uu": (3, 13), "xdrlib": (3, 13), "lib2to3": (3, 13),
}  # fmt: skip


class _VersionInfo(tuple[Any, ...]):
    """sys.version_info."""

    names = ("major", "minor", "micro", "releaselevel", "serial")
    major = property(lambda self: self[0])
    minor = property(lambda self: self[1])
    micro = property(lambda self: self[2])
    releaselevel = property(lambda self: self[3])
    serial = property(lambda self: self[4])


def of_library(machine: Any, module: ModuleObject, name: str) -> Varied:  # noqa: PLR0911 - one a kind
    """Return what *module* has under *name*; what is not modelled is External."""
    table = _TABLES.get(module.name)
    if table is not None and name in table:
        made = table[name]
        if isinstance(made, Varied):
            return made
        return Varied.of(Native(f"{module.name}.{name}", made))
    told = _TOLD.get((module.name, name))
    if told is not None:
        found: Varied = machine.by_world(told)
        return found
    if module.name == "builtins":
        found = machine.built_in(name)
        return found if found.mask or not hasattr(builtins, name) else Varied.of(External(name))
    if module.name == "os" and name == "path":
        return Varied.of(machine.library("os.path"))
    if module.name in ("platform", "distro"):
        if name.startswith("_") or name == "dist":
            # Neither is there on every Python; what a private name is, is nobody's business.
            return NOTHING if name.startswith("_") else Varied.of(External(f"{module.name}.dist"))
        return Varied.of(External(f"{module.name}.{name}", tainted=name not in _NEUTRAL))
    return Varied.of(External(f"{module.name}.{name}"))


_NEUTRAL = frozenset({
    "architecture", "java_ver", "libc_ver", "mac_ver", "machine", "node", "processor",
    "python_branch", "python_build", "python_compiler", "python_implementation",
    "python_revision", "system", "system_alias", "uname", "win32_ver", "release", "version_info",
})  # fmt: skip


# The running Python --------------------------------------------------------------------------


def _of_python(value: Callable[[tuple[int, int]], Plain]) -> Callable[[World], Plain]:
    return lambda world: Unknown(False) if world.python is None else value(world.python)


_TOLD: Mapping[tuple[str, str], Callable[[World], Plain]] = {
    # Patch releases are not modelled: the last there can be stands for all.
    ("sys", "version_info"): _of_python(lambda python: _VersionInfo((*python, 99, "final", 0))),
    ("sys", "hexversion"): _of_python(lambda p: p[0] << 24 | p[1] << 16 | 99 << 8 | 0xF0),
    ("sys", "version"): _of_python(lambda p: f"{p[0]}.{p[1]}.99 (default)"),
}


def _asked(value: Callable[[World], Plain]) -> _Run:
    """Return a function without arguments that tells something about the guest."""

    def run(machine: Any, args: _Args, named: _Named) -> Varied:
        if any(machine.truth(one)[0] for one in (*args, *named.values())):
            return unknown(tainted=True)
        found: Varied = machine.by_world(value)
        return found

    return run


# The distribution ----------------------------------------------------------------------------


def _long_names(world: World) -> Plain:
    return world.name, world.version, Unknown(tainted=True)


def _short_names(world: World) -> Plain:
    return world.distro_id, world.version, Unknown(tainted=True)


def _linux_distribution(machine: Any, args: _Args, named: _Named) -> Varied:
    full = named.get("full_distribution_name", args[0] if args else Varied.of(True))
    if len(args) > 1 or set(named) - {"full_distribution_name"}:
        return unknown(tainted=True)
    true, false, _ = machine.truth(full)
    long, short = machine.by_world(_long_names), machine.by_world(_short_names)
    return machine.gather((*long.within(true).groups, *short.within(false).groups))  # type: ignore[no-any-return]


def _no_names(world: World) -> Plain:
    return Unknown(tainted=True), world.version, Unknown(tainted=True)


def _platform_distribution(machine: Any, args: _Args, named: _Named) -> Varied:
    if args or any(machine.truth(one)[1] for one in named.values()):
        # The short name is the prefix of a release file's name, which is not known.
        return unknown(tainted=True)
    return _linux_distribution(machine, (), {})


def _dist(machine: Any, args: _Args, named: _Named) -> Varied:
    found: Varied = machine.by_world(_no_names)
    return found


def _attributes(world: World) -> Plain:
    return tuple((key.lower(), value) for key, value in world.attributes().items())


def _attribute(machine: Any, args: _Args, named: _Named) -> Varied:
    values = machine.by_world(_attributes)
    found: Varied = machine.lift(lambda row, key: dict(row).get(key, ""), values, args[0])
    return found


def _os_release(*, lower: bool) -> _Run:
    def run(machine: Any, args: _Args, named: _Named) -> Varied:
        def described(world: World) -> Plain:
            return Container(
                dict,
                {key.lower() if lower else key: text for key, text in world.attributes().items()},
            )

        found: Varied = machine.of_each(described)
        return found

    return run


def _info(machine: Any, args: _Args, named: _Named) -> Varied:
    def described(world: World) -> Plain:
        values = {"id": world.distro_id, "version": world.version, "like": world.like}
        return Container(
            dict, {**values, "version_parts": Unknown(True), "codename": Unknown(True)}
        )

    found: Varied = machine.of_each(described)
    return found


def _part(index: int) -> Callable[[World], str]:
    return lambda world: [*world.version.split("."), "", ""][index]


# Paths ---------------------------------------------------------------------------------------


def _joined(machine: Any, args: _Args, named: _Named) -> Varied:
    import posixpath

    found: Varied = machine.lift(posixpath.join, *args)
    return found


def _named_path(pick: str) -> _Run:
    def run(machine: Any, args: _Args, named: _Named) -> Varied:
        import posixpath

        found: Varied = machine.lift(getattr(posixpath, pick), *args)
        return found

    return run


def _has_os_release(world: World) -> Plain:
    return bool(world.id)


def _is_red_hat_like(world: World) -> Plain:
    return world.is_red_hat_like


def _exists(machine: Any, args: _Args, named: _Named) -> Varied:
    if not args:
        return unknown(tainted=False)
    there, lacking = machine.disc.parted(args[0], machine.mask)

    def one(path: Plain) -> Varied:
        if path in ("/etc/os-release", "/usr/lib/os-release"):
            return machine.by_world(_has_os_release)  # type: ignore[no-any-return]
        if path == "/etc/redhat-release":
            return machine.by_world(_is_red_hat_like)  # type: ignore[no-any-return]
        if there and lacking and machine.disc.is_known(path):
            return Varied.of(machine.disc.holds(path))
        asked = Varied.of(path)
        tainted = machine.depends(args[0]) or machine.asks(asked) or machine.is_of_one(asked)
        return unknown(tainted=tainted)

    found: Varied = machine.dispatch(args[0], one)
    return found


# Patterns ------------------------------------------------------------------------------------


def _searched(name: str) -> _Run:
    def run(machine: Any, args: _Args, named: _Named) -> Varied:
        def apply(pattern: Any, *rest: Any) -> Any:
            count = 2 if name == "sub" else 1
            compiled = checked(pattern, *rest[count:])
            return found_by(machine, compiled, name, *rest[:count])

        # A third argument of these is how often it is done at most.
        if named or len(args) > (2 if name == "split" else 3):
            return unknown(tainted=machine.depends(*args, *named.values()))
        if machine.watch is not None and len(args) > 1 and name in ("search", "match", "fullmatch"):
            for mask, one in args[0].each(machine.mask):
                text = one.pattern if isinstance(one, re.Pattern) else one
                machine.watch.meet("pattern", args[1], Varied.of(text), mask, machine.spot)
        found: Varied = machine.lift(apply, *args)
        return found

    return run


def _compiled(machine: Any, args: _Args, named: _Named) -> Varied:
    found: Varied = machine.lift(checked, *args, *named.values())
    return found


def _words(machine: Any, args: _Args, named: _Named) -> Varied:
    if len(args) != 1 or named:
        return unknown(tainted=True)
    found: Varied = machine.lift(shlex.split, *args)
    return found


# What only wraps -----------------------------------------------------------------------------


def _wraps(machine: Any, args: _Args, named: _Named) -> Varied:
    """Return ``functools.wraps``: the function that is decorated has the other's names."""

    def run(again: Any, given: _Args, _: _Named) -> Varied:
        for name in ("__name__", "__qualname__", "__doc__", "__module__"):
            for mask, one in given[0].each(again.mask) if given else ():
                if isinstance(one, FunctionObject):
                    again.write(one.store, name, again.attribute(args[0], name), mask)
        return given[0] if given else unknown(tainted=True)

    if len(args) != 1 or named:
        return unknown(tainted=True)
    return Varied.of(Native("functools.wraps(...)", run))


def _ordered(machine: Any, args: _Args, named: _Named) -> Varied:
    groups: list[tuple[int, Plain]] = []
    for mask, one in natives.made_dictionary(machine, args, named).each(machine.mask):
        if not isinstance(one, Container):
            groups.append((mask, one))
            continue
        for guests, items in one.store.get("items").each(mask):
            # What it is made of must have had an order, too.
            known = isinstance(items, dict) and (len(items) < 2 or _is_row(args, named))
            groups.append((guests, Ordered(dict, items) if known else one))
    found: Varied = machine.gather(groups)
    return found


def _is_row(args: _Args, named: _Named) -> bool:
    return not named and all(
        isinstance(one, tuple | Ordered) or (isinstance(one, Container) and one.kind is list)
        for value in args
        for _, one in value.groups
    )


def _partial(machine: Any, args: _Args, named: _Named) -> Varied:
    """Return ``functools.partial``: the same call with these arguments before the others."""

    def run(again: Any, more: _Args, others: _Named) -> Varied:
        found: Varied = again.call(args[0], (*args[1:], *more), {**named, **others})
        return found

    holds = (*args, *named.values())
    return Varied.of(Native(f"functools.partial@{machine.line}", run, holds))


def _imported(machine: Any, args: _Args, named: _Named) -> Varied:
    found: Varied = machine.dispatch(args[0], machine.import_by_name)
    return found


def _ended(machine: Any, args: _Args, named: _Named) -> Varied:
    machine.throw_with("SystemExit", args[0] if args else Varied.of(None))
    return NOTHING


_PATHS: Mapping[str, _Run | Varied] = {
    "join": _joined, "basename": _named_path("basename"), "dirname": _named_path("dirname"),
    "abspath": _named_path("normpath"), "realpath": _named_path("normpath"),
    "normpath": _named_path("normpath"), "expanduser": _named_path("normpath"),
    "exists": _exists, "isfile": _exists, "lexists": _exists, "splitext": _named_path("splitext"),
}  # fmt: skip
_TABLES: Mapping[str, Mapping[str, _Run | Varied]] = {
    "sys": {
        "exit": _ended, "platform": Varied.of("linux"), "byteorder": Varied.of("little"),
        "maxsize": Varied.of((1 << 63) - 1),
    },
    "platform": {
        "linux_distribution": _platform_distribution, "dist": _dist,
        "system": _asked(lambda world: "Linux"), "machine": _asked(lambda world: "x86_64"),
        "freedesktop_os_release": _os_release(lower=False),
        "python_version": _asked(_of_python(lambda p: f"{p[0]}.{p[1]}.99")),
        "python_version_tuple": _asked(_of_python(lambda p: (str(p[0]), str(p[1]), "99"))),
        "python_implementation": _asked(lambda world: "CPython"),
    },
    "distro": {
        "linux_distribution": _linux_distribution, "name": _asked(lambda world: world.name),
        "id": _asked(lambda world: world.distro_id), "like": _asked(lambda world: world.like),
        "version": _asked(lambda world: world.version), "os_release_attr": _attribute,
        "os_release_info": _os_release(lower=True), "info": _info,
        "major_version": _asked(_part(0)), "minor_version": _asked(_part(1)),
    },
    "os": {
        "name": Varied.of("posix"), "sep": Varied.of("/"), "linesep": Varied.of("\n"),
        "pathsep": Varied.of(":"), "_exit": _ended, "abort": _ended,
    },
    "os.path": _PATHS,
    "posixpath": _PATHS,
    "re": {
        **{name: _searched(name) for name in ("findall", "fullmatch", "match", "search", "split",
                                              "sub")},
        "compile": _compiled,
        **{name: Varied.of(int(getattr(re, name))) for name in
           ("I", "IGNORECASE", "M", "MULTILINE", "S", "DOTALL", "X", "VERBOSE", "A", "ASCII",
            "U", "UNICODE")},
    },
    "shlex": {"split": _words},
    "io": {"open": opening.opened},
    "codecs": {"open": opening.opened},
    "collections": {
        "OrderedDict": _ordered, "namedtuple": named_tuple,
        "defaultdict": combining.defaulting,
    },
    **combining.TABLES,
    "functools": {
        "wraps": _wraps, "lru_cache": remembering, "cache": remembering, "partial": _partial,
    },
    "importlib": {"import_module": _imported},
    "string": of_types.STRING,
    "distutils.version": {
        "LooseVersion": lambda machine, args, named: machine.lift(LooseVersion, *args),
        "StrictVersion": lambda machine, args, named: machine.lift(LooseVersion, *args),
    },
}  # fmt: skip
