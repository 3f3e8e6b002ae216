# SPDX-License-Identifier: Apache-2.0
"""Texts and archives changed where it hurts: by their structure first, by their bytes second."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from typing import Any

__all__ = ["bent", "bent_bytes", "bent_json"]

CODE = (
    "$(touch CANARY)", "`touch CANARY`", "; touch CANARY", "| touch CANARY", "&& touch CANARY",
    "{{ cycler.__init__.__globals__.os.system('touch CANARY') }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}", "{% include '/etc/passwd' %}",
    "__import__('os').system('touch CANARY')", "!!python/object/apply:os.system ['touch CANARY']",
    "=cmd|'/C touch CANARY'!A0",
)  # fmt: skip
WORDS = (
    *CODE, "", " ", "\0", "\x1b[31m", "\u202e", "\ufeff", "\ud800", "\u0131\u0307", "NaN", "null",
    "true", "0", "-1", "1e999", "9" * 400, "0x10", "../../../x", "/etc/passwd", "CON", "a" * 300,
    "a/b", "\\", "'", '"', "%s%n", "{}", "{{", "{%", "[[", "]]", "=", ",", ";", "\r", "\n", "\t",
    "-----BEGIN PRIVATE KEY-----", "-----END CERTIFICATE-----", "2024-02-30T25:61:61Z", "\u0660",
    "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999999-23:59", "\U0001f4a9", "é" * 128,
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1 << 31, 1 << 63, 10**400, 0.5, float("inf"), float("nan"), [], {},
    [[]], [None], {"": ""}, *WORDS,
)  # fmt: skip


def bent(data: bytes, chance: random.Random) -> bytes:
    """Return a text with one to four faults; JSON is bent by its members, as a rule."""
    if chance.random() < 0.6:
        try:
            document = json.loads(data)
        except ValueError:
            document = None
        if document is not None:
            try:
                text = json.dumps(bent_json(document, chance), ensure_ascii=chance.random() < 0.7)
            except (RecursionError, ValueError):  # bent into itself
                text = "[" * 100_000
            data = text.encode("utf-8", "surrogatepass")
            if chance.random() < 0.7:
                return data
    for _ in range(chance.randint(1, 4)):
        data = chance.choice(_KINDS)(data, chance)
    return data


def bent_json(document: Any, chance: random.Random) -> Any:
    """Return a JSON document with one to three members that are other than they were."""
    document = copy.deepcopy(document)
    for _ in range(chance.randint(1, 3)):
        places = list(_places(document))
        if not places:
            return chance.choice(VALUES)
        holder, key = chance.choice(places)
        match chance.randrange(7):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder[chance.choice(WORDS)] = holder[key]
            case 2:
                other, which = chance.choice(places)
                holder[key] = copy.deepcopy(other[which])
            case 3:
                deep: Any = []
                for _ in range(chance.choice((5, 100, 900))):
                    deep = [deep]
                holder[key] = deep
            case 4 if isinstance(holder[key], str):
                holder[key] = _spliced(holder[key], chance)
            case 5 if isinstance(holder, list):
                holder.extend([holder[key]] * chance.choice((1, 3, 2000)))
            case _:
                holder[key] = chance.choice(VALUES)
    return document


def _places(document: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    waiting = [document]
    while waiting and len(found) < 5000:
        one = waiting.pop()
        if isinstance(one, dict):
            found += [(one, key) for key in one]
            waiting += one.values()
        elif isinstance(one, list):
            found += [(one, at) for at in range(len(one))]
            waiting += one
    # A place in what was taken out meanwhile is harmless.
    return found


def _spliced(text: str, chance: random.Random) -> str:
    at = chance.randint(0, len(text))
    return text[:at] + chance.choice(WORDS) + text[at + chance.choice((0, 0, 1, 8)) :]


def bent_bytes(data: bytes, chance: random.Random) -> bytes:
    """Return what is no text with one to four faults."""
    for _ in range(chance.randint(1, 4)):
        data = chance.choice(_OF_BYTES)(data, chance)
    return data


def _word(data: bytes, chance: random.Random) -> bytes:
    at = chance.randint(0, len(data))
    word = chance.choice(WORDS).encode("utf-8", "surrogatepass")
    return data[:at] + word + data[at + chance.choice((0, 0, len(word))) :]


def _line(data: bytes, chance: random.Random) -> bytes:
    rows = data.splitlines(keepends=True)
    if not rows:
        return data
    at, other = chance.randrange(len(rows)), chance.randrange(len(rows))
    match chance.randrange(5):
        case 0:
            del rows[at]
        case 1:
            rows.insert(at, rows[other])
        case 2:
            rows[at], rows[other] = rows[other], rows[at]
        case 3:
            rows[at:at] = [rows[other]] * chance.choice((2, 50, 3000))
        case 4:
            rows[at] = rows[at].rstrip(b"\r\n") + rows[other]
    return b"".join(rows)


def _value(data: bytes, chance: random.Random) -> bytes:
    """Put another value behind one of the marks that values stand behind."""
    marks = [at for at, byte in enumerate(data[:20_000]) if byte in b"=:,"]
    if not marks:
        return data
    at = chance.choice(marks) + 1
    end = min([e for e in (data.find(b"\n", at), data.find(b",", at)) if e >= 0], default=len(data))
    return data[:at] + chance.choice(WORDS).encode("utf-8", "surrogatepass") + data[end:]


def _cut(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randint(0, len(data))]


def _flip(data: bytes, chance: random.Random) -> bytes:
    if not data:
        return data
    changed = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(changed))
        changed[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
    return bytes(changed)


def _twice(data: bytes, chance: random.Random) -> bytes:
    start = chance.randint(0, len(data))
    part = data[start : start + chance.choice((1, 7, 100, 4000))]
    at = chance.randint(0, len(data))
    return data[:at] + part * chance.choice((1, 1, 3, 300)) + data[at:]


def _number(data: bytes, chance: random.Random) -> bytes:
    """Put a number at its border where four bytes were."""
    if len(data) < 8:
        return data
    at = chance.randrange(len(data) - 4)
    number = chance.choice((0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, len(data), len(data) - 1))
    return data[:at] + number.to_bytes(4, chance.choice(("little", "big"))) + data[at + 4 :]


def _coded(data: bytes, chance: random.Random) -> bytes:
    text = data.decode("utf-8", "replace")
    return text.encode(chance.choice(("utf-16", "utf-8-sig", "utf-16-be", "utf-7", "utf-32")))


_KINDS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _word, _word, _word, _line, _line, _value, _value, _value, _cut, _flip, _twice, _coded,
)  # fmt: skip
_OF_BYTES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _flip, _flip, _flip, _cut, _twice, _number, _number,
)  # fmt: skip
