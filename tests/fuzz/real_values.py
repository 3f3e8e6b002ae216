# SPDX-License-Identifier: Apache-2.0
# mypy: ignore-errors
# ruff: noqa: UP031, S102, PTH123, SIM115 - Python 2.7 runs it, too; it executes our own texts
"""What programs make, shown in a way that Python 2.7 and 3 share: runs on both.

Started as a program: texts of programs come as JSON on standard input with the names of guests,
what they made is written back.
"""

import json
import os
import sys
import types

_TEXTS = (str, str) if sys.version_info[0] > 2 else (str, type(b"".decode()))
_NUMBERS = (int,) if sys.version_info[0] > 2 else (int, sys.maxsize.__class__, (2**70).__class__)


def shown(value, depth=6):  # noqa: PLR0911 - one a kind of value
    # type: (Any, int) -> str | None
    """Return a text for *value*; None for an object that has none on every Python."""
    kind = type(value)
    if value is None or kind is bool:
        return repr(value)
    if kind in _NUMBERS:
        return "%d" % value
    if kind is float:
        return "f%r" % value
    if isinstance(value, _TEXTS) and kind in _TEXTS:
        return json.dumps(value)
    if depth and isinstance(value, (tuple, list)):
        parts = [shown(one, depth - 1) for one in value]
        if kind in (tuple, list) and None not in parts:
            return ("(%s,)" if kind is tuple else "[%s]") % ", ".join(parts)
    if depth and kind in (set, frozenset):
        parts = [shown(one, depth - 1) for one in value]
        if None not in parts:
            return kind.__name__ + "{%s}" % ", ".join(sorted(parts))
    if depth and kind is dict:
        parts = [(shown(k, depth - 1), shown(v, depth - 1)) for k, v in value.items()]
        if all(None not in pair for pair in parts):
            return "{%s}" % ", ".join(sorted("%s: %s" % pair for pair in parts))
    return None


def made(text, name):
    # type: (str, str) -> dict[str, Any] | None
    """Run a program on a guest; return what its names ``r...`` are, and how it ended."""
    distro = types.ModuleType("distro")  # type: Any
    distro.linux_distribution = lambda full_distribution_name=True: (name, "9.4", "")
    sys.modules["distro"] = distro
    scope = {"__name__": "__main__", "print": lambda *row: None}
    ended = None
    try:
        exec(compile(text, "snippet", "exec"), scope)
    except SyntaxError:
        return None
    except BaseException as error:
        ended = type(error).__name__
    found = {key: shown(scope[key]) for key in scope if key[:1] == "r" and key[1:].isdigit()}
    return {"ended": ended, "names": found}


if __name__ == "__main__":
    out, sys.stdout = sys.stdout, open(os.devnull, "w")
    given = json.load(sys.stdin)
    names = [str(one) for one in given["names"]]
    answers = [[made(text, one) for one in names] for text in given["texts"]]
    json.dump(answers, out)
