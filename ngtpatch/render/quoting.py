# SPDX-License-Identifier: Apache-2.0
"""One filter per language: a value goes in, a literal of that language comes out.

A template writes ``{{ name | sh }}``, never ``"{{ name }}"``: the filter brings its own
quotes. Its result is marked as :class:`Quoted`, and a template that prints anything else
is refused (see :mod:`ngtpatch.render.engine`), so that no value can end a string, start a
command or open another language's expression.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from typing import Any

__all__ = ["FILTERS", "Quoted", "QuotingError"]

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class QuotingError(ValueError):
    """A value that the language cannot hold, such as NUL in a shell word."""


class Quoted(str):
    """Text that is a complete literal (or several) of the template's language."""

    __slots__ = ()


def _word(value: object) -> str:
    """Return a scalar's text. Booleans in lower case, as every target language spells them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        text = str(value)
        if any("\ud800" <= c <= "\udfff" for c in text):
            raise QuotingError("holds bytes that are not UTF-8")
        return text
    raise QuotingError(f"a {type(value).__name__} is not one word; loop over it in the template")


def _shell_word(value: object) -> str:
    text = _word(value)
    if "\0" in text:
        raise QuotingError("a shell word cannot hold NUL")
    return text


def sh(value: object) -> Quoted:
    """One word of any POSIX shell (XCU 2.2.2), or the words of a list; lines stay lines."""
    if isinstance(value, list | tuple):
        return Quoted(" ".join(map(sh, value)))
    return Quoted(shlex.quote(_shell_word(value)))


def sh_line(value: object) -> Quoted:
    """As :func:`sh`, but for bash and on one line, for places that a line break would end.

    Kickstart sections end at a line ``%end``, fenced blocks at a line of backticks. Where
    the value holds control characters, bash's ``$'...'`` spells them.
    """
    if isinstance(value, list | tuple):
        return Quoted(" ".join(map(sh_line, value)))
    text = _shell_word(value)
    if not _CONTROL.search(text):
        return Quoted(shlex.quote(text))
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return Quoted("$'" + _CONTROL.sub(_escape_octal, escaped) + "'")


def heredoc(value: object, delimiter: str) -> Quoted:
    """The lines of a here-document whose *delimiter* is quoted (XCU 2.7.4).

    Neither the delimiter nor a kickstart's ``%end`` may stand among them.
    """
    text = _shell_word(value).rstrip("\n")
    for line in text.split("\n"):
        if line == delimiter or line.strip() == "%end":
            raise QuotingError(f"the line {line!r} would end the here-document")
    return Quoted(text)


# What YAML 1.2 section 5.1 lets stand unescaped, less its line breaks and the byte order mark.
_YAML_ESCAPED = re.compile(
    "[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)


def yaml(value: object) -> Quoted:
    """A YAML flow scalar or collection (YAML 1.2 sections 7.3.1 and 7.4)."""
    return Quoted(_YAML_ESCAPED.sub(_escape_unicode, _json_text(value)))


def yaml_block(value: object, indent: int) -> Quoted:
    """A YAML literal block (YAML 1.2 section 8.1.2), which keeps a script readable.

    Args:
        value: the text. What a block cannot hold exactly comes out as by :func:`yaml`.
        indent: columns before each line, more than its key has.
    """
    text = _word(value)
    body = text.rstrip("\n")
    # A first line that begins with a blank would be taken for the indentation.
    if not body or text[0] in " \t\n" or _YAML_ESCAPED.search(text.replace("\n", "")):
        return yaml(text)
    newlines = len(text) - len(body)
    chomp = {0: "|-", 1: "|"}.get(newlines, "|+")
    lines = (body + "\n" * max(newlines - 1, 0)).split("\n")
    return Quoted("\n".join([chomp, *(" " * indent + line if line else "" for line in lines)]))


def ansible(value: object) -> Quoted:
    """A YAML value that Ansible takes literally: ``!unsafe`` stops its own ``{{ }}``."""
    if isinstance(value, bool | int):
        return yaml(value)
    return Quoted("!unsafe " + yaml(value))


def json_(value: object) -> Quoted:
    """A JSON text (RFC 8259)."""
    return Quoted(_json_text(value))


def hcl(value: object) -> Quoted:
    """An HCL 2 expression: quoted template, number, bool or tuple, without interpolation."""
    if isinstance(value, list | tuple):
        return Quoted("[" + ", ".join(map(hcl, value)) + "]")
    if not isinstance(value, str):
        return Quoted(_word(value))
    text = _word(value).replace("\\", "\\\\").replace('"', '\\"')
    text = text.replace("${", "$${").replace("%{", "%%{")
    text = text.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    return Quoted('"' + _CONTROL.sub(_escape_unicode, text) + '"')


# PowerShell takes the typographic quotes for single quotes too (about_Quoting_Rules).
_POWERSHELL_QUOTES = re.compile("['\u2018\u2019\u201a\u201b]")


def powershell(value: object) -> Quoted:
    """A PowerShell verbatim string, number, ``$true`` or array."""
    if isinstance(value, list | tuple):
        return Quoted("@(" + ", ".join(map(powershell, value)) + ")")
    if isinstance(value, bool):
        return Quoted("$true" if value else "$false")
    if isinstance(value, int):
        return Quoted(str(value))
    text = _word(value)
    if "\0" in text:
        raise QuotingError("a PowerShell script cannot hold NUL")
    return Quoted("'" + _POWERSHELL_QUOTES.sub(lambda m: m.group() * 2, text) + "'")


def markdown(value: object) -> Quoted:
    """Plain text in Markdown (CommonMark 2.4), on one line."""
    text = re.sub(r"([\\`*_\[\]<>&|~$])", r"\\\1", " ".join(_word(value).split()))
    # What only means something at the beginning of a line: headings, lists, rules.
    return Quoted(re.sub(r"^([0-9]*)([#+=.)-])", r"\1\\\2", text))


def _escape_octal(match: re.Match[str]) -> str:
    # Three digits always: a digit that follows in the text would be taken in otherwise.
    return "".join(f"\\{byte:03o}" for byte in match.group().encode())


def _escape_unicode(match: re.Match[str]) -> str:
    point = ord(match.group())
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def _json_text(value: object) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (TypeError, ValueError) as error:
        raise QuotingError(f"is not a value that can be written down: {error}") from None
    return text


# Jinja filters, by the name that templates use.
FILTERS: dict[str, Callable[..., Any]] = {
    "ansible": ansible,
    "hcl": hcl,
    "heredoc": heredoc,
    "json": json_,
    "markdown": markdown,
    "powershell": powershell,
    "sh": sh,
    "sh_line": sh_line,
    "yaml": yaml,
    "yaml_block": yaml_block,
}
