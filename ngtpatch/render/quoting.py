# SPDX-License-Identifier: Apache-2.0
"""One filter per language: a value goes in, a literal of that language comes out.

A template writes ``{{ name | sh }}``, never ``"{{ name }}"``: the filter brings its own
quotes. Its result is marked as :class:`Quoted`, and a template that prints anything else
is refused (see :mod:`ngtpatch.render.engine`), so that no value can end a string, start a
command or open another language's expression.
"""

from __future__ import annotations

import json
import math
import re
import shlex
import unicodedata
from collections.abc import Callable
from typing import Any

__all__ = ["FILTERS", "Quoted", "QuotingError", "plain"]

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
    the value holds what does not print (controls, but also what turns the direction of
    writing round), bash's ``$'...'`` spells it, so that a terminal shows it and does not obey.
    """
    if isinstance(value, list | tuple):
        return Quoted(" ".join(map(sh_line, value)))
    text = _shell_word(value)
    if text.isprintable():
        return Quoted(shlex.quote(text))
    # By number too: what would end the quotes, or what an interactive bash takes for history.
    return Quoted("$'" + "".join(c if _stays(c) else _octal(c) for c in text) + "'")


def _stays(character: str) -> bool:
    return character.isprintable() and character not in "\\'!"


def _octal(character: str) -> str:
    # Three digits always: a digit that follows in the text would be taken in otherwise.
    return "".join(f"\\{byte:03o}" for byte in character.encode())


# Sections and directives of a kickstart; pykickstart looks for the first word of each line,
# and its lines end where str.splitlines() ends them.
_KICKSTART = re.compile(r"\s*(%[A-Za-z]\S*)")


def heredoc(value: object, delimiter: str) -> Quoted:
    """The lines of a here-document whose *delimiter* is quoted (XCU 2.7.4), by ``<<`` or ``<<-``.

    It may stand in a kickstart: neither the delimiter nor a line that begins with ``%end``,
    ``%include``, ``%ksappend`` or a section may stand among them.
    """
    if not isinstance(delimiter, str):
        raise QuotingError(f"the delimiter is a {type(delimiter).__name__}, not text")
    text = _shell_word(value).rstrip("\n")
    # <<- takes tabs away before it looks.
    if any(line.lstrip("\t") == delimiter for line in text.split("\n")):
        raise QuotingError(f"the line {delimiter!r} would end the here-document")
    for line in text.splitlines():
        if found := _KICKSTART.match(line):
            raise QuotingError(
                f"the line {line[:80]!r} would end the here-document's section, or begin another: "
                f"kickstart reads {found[1][:80]!r}"
            )
    return Quoted(text)


# What YAML 1.2 section 5.1 lets stand unescaped, less its line breaks and the byte order mark.
_YAML_ESCAPED = re.compile(
    "[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)


# YAML 1.2 section 7.4.3: a key without "?" ends within 1024 characters.
_LONGEST_KEY = 1000


def yaml(value: object) -> Quoted:
    """A YAML flow scalar or collection (YAML 1.2 sections 7.3.1 and 7.4)."""
    return _written(value, _scalar)


def _written(value: object, scalar: Callable[[object], str]) -> Quoted:
    try:
        return Quoted(_flow(value, scalar))
    except RecursionError:
        raise QuotingError("is nested too deeply to be written down") from None


def _flow(value: object, scalar: Callable[[object], str]) -> str:
    if isinstance(value, dict):
        pairs = (f"{_key(key)}: {_flow(each, scalar)}" for key, each in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_flow(each, scalar) for each in value) + "]"
    return scalar(value)


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise QuotingError(f"has a key that is a {type(key).__name__}, not text")
    text = _scalar(key)
    return f"? {text}" if len(text) > _LONGEST_KEY else text


def _scalar(value: object) -> str:
    if isinstance(value, float):
        _finite(value)
        # YAML 1.1, as PyYAML and Ansible read it, wants a point in what is a number.
        text = repr(value)
        return text if "." in text else text.replace("e", ".0e")
    return _YAML_ESCAPED.sub(_escape_unicode, _json_text(value))


def _finite(value: float) -> None:
    if not math.isfinite(value):
        raise QuotingError(f"is not a value that can be written down: {value}")


def yaml_block(value: object, indent: int) -> Quoted:
    """A YAML literal block (YAML 1.2 section 8.1.2), which keeps a script readable.

    Args:
        value: the text. What a block cannot hold exactly comes out as by :func:`yaml`.
        indent: columns before each line, more than its key has.
    """
    if isinstance(indent, bool) or not isinstance(indent, int) or indent < 1:
        raise QuotingError(f"a block is indented by one column or more, not by {indent!r}")
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
    """A YAML value that Ansible takes literally: ``!unsafe`` stops its own ``{{ }}``.

    Only where a brace stands, as in each of Jinja's openings: ansible-core 2.19 forgets the
    quotes of what is ``!unsafe``, and makes true of "yes" and null of "".
    """
    return _written(value, _literal)


def _literal(value: object) -> str:
    return ("!unsafe " if isinstance(value, str) and "{" in value else "") + _scalar(value)


def json_(value: object) -> Quoted:
    """A JSON text (RFC 8259)."""
    return Quoted(_json_text(value))


def hcl(value: object) -> Quoted:
    """An HCL 2 expression: quoted template, number, bool or tuple, without interpolation."""
    if isinstance(value, list | tuple):
        return Quoted("[" + ", ".join(map(hcl, value)) + "]")
    if not isinstance(value, str):
        return Quoted(_word(value))
    text = _word(value)
    # HCL's strings are always in normal form C (HCL native syntax, "Template Expressions").
    if unicodedata.normalize("NFC", text) != text:
        raise QuotingError("is not in Unicode's normal form C, and HCL would change it")
    text = text.replace("\\", "\\\\").replace('"', '\\"')
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
        if not -(2**63) <= value < 2**63:
            raise QuotingError("PowerShell would not take so large a number for a whole one")
        # In brackets: -5 alone would be taken for a parameter where a command stands before it.
        return Quoted(str(value) if value >= 0 else f"({value})")
    text = _word(value)
    if "\0" in text:
        raise QuotingError("a PowerShell script cannot hold NUL")
    return Quoted("'" + _POWERSHELL_QUOTES.sub(lambda m: m.group() * 2, text) + "'")


def markdown(value: object) -> Quoted:
    """Plain text in Markdown (CommonMark 2.4), on one line; what does not print is spelled out."""
    words = " ".join(_word(value).split())
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in words)
    text = re.sub(r"([\\`*_\[\]<>&|~$#])", r"\\\1", shown)
    # What only means something at the beginning of a line: lists, rules.
    return Quoted(re.sub(r"^([0-9]*)([+=.)-])", r"\1\\\2", text))


# Letters, digits and what means nothing to any of the languages where it stands: no option, no
# section of a kickstart, no indicator, key or constant of YAML, nothing that Markdown stresses.
_PLAIN = re.compile(
    r"(?![-%@:,+_]|(?i:true|false|yes|no|on|off|y|n|null|\.\.\.)\Z)[\w.,:@%/+-]+(?<![:_])"
)


def plain(value: object) -> bool:
    """Say whether *value* is the same word in every language, so that it may stand unquoted."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return False
    text = str(value)
    return text.isprintable() and _PLAIN.fullmatch(text) is not None


def _escape_unicode(match: re.Match[str]) -> str:
    point = ord(match.group())
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def _json_text(value: object) -> str:
    _text_keys(value)
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise QuotingError(f"is not a value that can be written down: {error}") from None
    return text


def _text_keys(value: object) -> None:
    # json would turn other keys into text, perhaps into one that is there already.
    if isinstance(value, dict) and (odd := [key for key in value if not isinstance(key, str)]):
        raise QuotingError(f"has a key that is a {type(odd[0]).__name__}, not text")


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
