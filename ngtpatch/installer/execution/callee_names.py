# SPDX-License-Identifier: Apache-2.0
"""What the name of something without a model says about a call of it."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from ngtpatch.installer.execution.atom_methods import TEXT_METHODS

__all__ = ["ACTING", "Said", "said_by"]

ACTING = re.compile(
    r"(?:subprocess|shutil|commands|popen2|pty)\.|os\.(?!path\b|environ\b|getenv\b|access\b)"
    r"|os\.environ\.(?:update|setdefault)$"
)
"""What is called so does something to the guest, such as start a program, or to what that finds."""

# What is called so is told something, and ends nothing.
_TELLING = re.compile(
    r"(?:^|[._])(?:print|log|debug|info|warn|warning|error|critical|exception|fatal|write|writelines"
    r"|append|add|put|send|syslog|format|set|update|warn_explicit|call|system|Popen|exists|isfile"
    r"|isdir|islink|join|access|getLogger|basename|dirname|environ|get|lexists|escape|quote"
    r"|add_argument|set_defaults|title|fill|dedent|secho|echo|strftime|copy|deepcopy|dump|dumps"
    r"|getoutput|getstatusoutput|communicate|stat|flush|close|start|getenv|putenv|setLevel)$"
)
# Only says something: keeps nothing, and calls nothing of the installer's.
_SAYING = re.compile(
    r"(?:^|[._])(?:print|log|debug|info|warn|warning|error|critical|exception|fatal|syslog"
    r"|warn_explicit|secho|echo|setLevel|getLogger|getenv|basename|dirname|strftime)$"
)
# Changes nothing.
_READING = re.compile(
    r"(?:^|[._])(?:(?:get|is|has|read|find|list|iter|exists|lexists|access|peek|count|index)\w*"
    r"|keys|values|items|join|split|basename|dirname|environ|info|debug|warn|warning|error"
    r"|log|critical|exception|fatal|stat|format|strftime|match|search|tell|fileno|copy)$"
)
# Takes lists as they are, whatever it does with them.
_LEAVING_AS_IT_IS = re.compile(
    r"^(?:subprocess|os|sys|shutil|json|logging|argparse|optparse|platform|time|re|glob|tarfile"
    r"|zipfile|string|textwrap|pprint|math|signal|socket)\.(?!.*\.(?:get|setdefault|pop)$)"
    r"|^(?:type|id|hash|dir|hex|oct|bin|ascii|cmp|bytearray|memoryview)$"
)
# Gives what is in a container, which it does not change.
_YIELDING = re.compile(r"^(?:itertools|collections|functools|copy|random)\.|^reduce$")
# Ends what does not go well.
_CHECKING = re.compile(r"(?:^|[._])(?:check_call|check_output|check_returncode|raise_for_status)$")
# Does something with a file, and starts nothing.
_MOVING = re.compile(
    r"^(?:shutil|os\.path|tarfile|zipfile|logging|glob|hashlib|filecmp)\."
    r"|^os\.(?:ch|stat|access|remove|unlink|rename|link|symlink|mk|list|walk|read|utime)"
)
# Raises where a file is not there.
_LOOKING = re.compile(
    r"(?:^|[._])(?:l?stat|listdir|scandir|readlink|getsize|get[acm]time|chdir|fchdir|open"
    r"|read_text|read_bytes|iterdir|walk|copy\w*|move|rename|remove|unlink|rmtree)$"
)
# Ends this process, or puts another in its place.
_ENDING = re.compile(
    r"^(?:os\.(?:exec[lvpe]+|kill|killpg|abort)|signal\.(?:raise_signal|alarm|pthread_kill)"
    r"|_?thread\.interrupt_main|posix\._exit)$"
)
# Gives the frames and objects of the program itself, or changes how it is executed.
_LOOKING_INTO = re.compile(
    r"^(?:sys\.(?:_getframe|settrace|setprofile|_current_frames|exc_info)"
    r"|inspect\.(?:currentframe|stack|trace|getframeinfo|getouterframes|getinnerframes)"
    r"|gc\.get_\w+|ctypes\..*|importlib\.(?:reload|invalidate_caches)"
    r"|(?:unittest\.)?mock\..*|.*\.__dict__\.(?:update|setdefault|pop|clear|__setitem__))$"
)


class Said(NamedTuple):
    """What the name of something unknown says about a call of it.

    Attributes:
        ends: it ends this process.
        checks: it ends what does not go well.
        tells: it is told something, and ends nothing.
        says: it does nothing but to say it.
        reads: it changes nothing.
        leaves: it leaves what it is given as it is, and keeps none of it.
        yields: it gives what is in a container, which it does not change.
        moves: it does something with a file, and starts nothing.
        looks: it raises where a file is not there.
        looks_into: it gives the program's own frames or objects.
    """

    ends: bool
    checks: bool
    tells: bool
    says: bool
    reads: bool
    leaves: bool
    yields: bool
    moves: bool
    looks: bool
    looks_into: bool


@lru_cache(maxsize=4096)
def said_by(name: str) -> Said:
    """Return what *name*, dotted, says."""
    return Said(
        ends=_ENDING.match(name) is not None,
        checks=_CHECKING.search(name) is not None,
        tells=_TELLING.search(name) is not None or name.rpartition(".")[2] in TEXT_METHODS,
        says=_SAYING.search(name) is not None,
        reads=_READING.search(name) is not None or name.rpartition(".")[2] in TEXT_METHODS,
        # What a module's function has made is something else than the module.
        leaves="(" not in name and _LEAVING_AS_IT_IS.search(name) is not None,
        yields="(" not in name and _YIELDING.match(name) is not None,
        moves=_MOVING.match(name) is not None,
        looks=_LOOKING.search(name) is not None,
        looks_into=_LOOKING_INTO.match(name) is not None,
    )
