# SPDX-License-Identifier: Apache-2.0
"""Names of Python's own modules that not every Python has: who asks for one asks for the Python."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping

__all__ = ["OF_PYTHON", "is_known", "is_of_some", "lacks"]

_Version = tuple[int, int]

#: What tells the running Python, and is not modelled.
OF_PYTHON = re.compile(
    r"(?:sys\.(?:implementation|subversion|api_version|abiflags|flags|maxunicode)"
    r"|(?:distutils\.)?sysconfig\.|platform\.python_)"
)
# The Python from which on they are gone.
_GONE: Mapping[str, _Version] = {
    **dict.fromkeys((
        "sys.maxint", "sys.setdefaultencoding", "sys.exc_clear", "sys.exc_type",
        "string.letters", "string.lowercase",
        "string.uppercase", "string.maketrans", "string.join", "string.atoi", "string.split",
        "string.replace", "string.lower", "string.upper", "string.strip", "string.find",
        "string.rfind", "string.index", "string.rindex", "string.count", "os.getcwdu",
        "os.popen2", "os.popen3", "os.popen4", "os.errno", "os.tmpnam", "itertools.imap",
        "itertools.izip", "itertools.ifilter", "itertools.izip_longest", "types.StringType",
        "types.StringTypes", "types.UnicodeType", "types.ListType", "types.DictType",
        "types.IntType", "types.NoneType", "urllib.urlopen", "urllib.quote", "urllib.unquote",
        "urllib.urlencode", "urllib.urlretrieve", "operator.isCallable", "os.path.walk",
    ), (3, 0)),
    "time.clock": (3, 8), "cgi.escape": (3, 8), "platform.popen": (3, 8),
    "base64.encodestring": (3, 9), "base64.decodestring": (3, 9),
    **dict.fromkeys((
        "collections.Mapping", "collections.MutableMapping", "collections.Iterable",
        "collections.Sequence", "collections.Callable", "collections.Hashable",
    ), (3, 10)),
    "inspect.getargspec": (3, 11), "asyncio.coroutine": (3, 11), "locale.format": (3, 12),
    "ssl.wrap_socket": (3, 12), "ssl.match_hostname": (3, 12), "locale.resetlocale": (3, 13),
}  # fmt: skip
# Gone as well; where they are used and not asked for, a hazard of its own says so, and mends it.
_GONE_IF_ASKED: Mapping[str, _Version] = dict.fromkeys(
    ("platform.linux_distribution", "platform.dist"), (3, 8)
)
# The first Python that has them.
_SINCE: Mapping[str, _Version] = {
    "subprocess.check_output": (2, 7), "collections.OrderedDict": (2, 7),
    "collections.Counter": (2, 7), "sys.version_info.major": (2, 7), "ssl.SSLContext": (2, 7),
    "sys.intern": (3, 0), "os.fsencode": (3, 2), "os.fsdecode": (3, 2),
    "sys.implementation": (3, 3), "types.MappingProxyType": (3, 3),
    "shutil.which": (3, 3), "shutil.disk_usage": (3, 3),
    "shutil.chown": (3, 3), "subprocess.DEVNULL": (3, 3), "subprocess.TimeoutExpired": (3, 3),
    "time.monotonic": (3, 3), "time.perf_counter": (3, 3), "os.replace": (3, 3),
    "os.get_terminal_size": (3, 3), "os.cpu_count": (3, 4), "os.get_blocking": (3, 5),
    "subprocess.run": (3, 5), "os.scandir": (3, 5), "math.isclose": (3, 5),
    "os.fspath": (3, 6), "os.PathLike": (3, 6), "time.time_ns": (3, 7),
    "sys.breakpointhook": (3, 7),
    "sys.audit": (3, 8), "functools.cached_property": (3, 8), "functools.cache": (3, 9),
    "platform.freedesktop_os_release": (3, 10), "sys.stdlib_module_names": (3, 10),
    "sys.orig_argv": (3, 10), "sys.exception": (3, 11),
}  # fmt: skip


def lacks(name: str, python: _Version, *, asked: bool) -> bool:
    """Tell whether a Python has no *name*, such as ``os.getcwdu``.

    Args:
        name: dotted, with its module.
        python: which.
        asked: whether the program only asks if it is there.
    """
    gone = _GONE.get(name) or (_GONE_IF_ASKED.get(name) if asked else None)
    return (gone is not None and python >= gone) or python < _SINCE.get(name, (0, 0))


def is_known(name: str) -> bool:
    """Tell whether it is known which Pythons have *name*: not every one does."""
    return name in _GONE or name in _SINCE


def is_of_some(name: str) -> bool:
    """Tell whether only some Pythons have *name*, and which is not known here."""
    module, _, last = name.rpartition(".")
    here = sys.modules.get(module) if module in sys.stdlib_module_names else None
    known = is_known(name) or name in _GONE_IF_ASKED
    return here is not None and not known and not hasattr(here, last)
