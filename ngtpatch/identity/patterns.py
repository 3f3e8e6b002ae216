# SPDX-License-Identifier: Apache-2.0
"""What identity looks like in bytes, wherever they stand.

Patterns of two sorts. The general ones know anybody's: the armour of a private key or a
certificate, from either end (RFC 7468: what an edit in place leaves of an old key is its
end); private keys in DER (PKCS #1, PKCS #8, SEC 1), read field by field, since four bytes
alone occur in any payload of some size; a configuration with an ngt_uuid. The particular
ones know the identity that is on the disc: pieces of its key and certificate as they are
written there, and its ngt_uuid.

In files, private keys count and what is the disc's own: certificates and the word ngt_uuid are
in many that are no identity. Outside of files everything counts, down to one piece for each KiB
of what was on the disc, so that no whole sector of it goes unnoticed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from ngtpatch.errors import InputError
from ngtpatch.identity.bundle import Identity

__all__ = [
    "CERTIFICATE_KIND",
    "CONFIG_KIND",
    "KEY_KIND",
    "OWN_KINDS",
    "Needle",
    "Needles",
    "Reach",
    "needles",
]

KEY_KIND = "a private key"
CERTIFICATE_KIND = "a certificate"
CONFIG_KIND = "a configuration with an ngt_uuid"
OWN_KINDS = ("the disc's own key", "the disc's own certificate", "the disc's own ngt_uuid")

Reach = Callable[[bytes, int, int], "tuple[str, int, int] | None"]
Needle = tuple["bytes | re.Pattern[bytes]", int, int, Reach]
"""The fields of :class:`ngtpatch.iso.read.byte_search.BytePattern`, whose wing is another."""

_AROUND = 64 << 10
_TEXT_AROUND = 4096
_PIECE = 64
_STRIDE = 1024

# Five hyphens, or RFC 4716's four with spaces, by which some write keys of SSH2.
_ARMOUR = re.compile(rb"-{4,5} ?(BEGIN|END) ([A-Z0-9 ]{0,40}?) ?-{4,5}")
# Literal bytes and then alternatives: the sort that is skipped to fastest.
_ARMOUR_NEEDLE = re.compile(rb"-----[BE][EN][GD][I ][A-Z0-9 ]{0,44}-----")
# As JSON writes it, also within a string of JSON; as Python shows it.
_CONFIG_NEEDLE = re.compile(rb"ngt_uuid[\\\"']{1,4}\s{0,16}:\s{0,16}[\\\"']{1,4}[0-9A-Fa-f-]{36}")
_ENDING = re.compile(rb"-{4,5} ?END [A-Z0-9 ]{0,40}?-{4,5}")
_HYPHENS = re.compile(rb"-{4,5} ?\Z")
# How most markers of private keys end, and enough of it to be skipped to.
_KEY_NEEDLE = re.compile(rb"PRIVATE KEY(?: BLOCK)? ?-{4,5}")
_DER_NEEDLE = re.compile(rb"\x02\x01[\x00\x01][\x02\x04\x30]")
# Encryption by a password: PKCS #5 (RFC 8018, A.3 and A.4), PKCS #12 (RFC 7292, C).
_PASSWORD_NEEDLE = re.compile(
    rb"\x2a\x86\x48\x86\xf7\x0d\x01(?:\x05[\x01-\x0d]|\x0c\x01[\x01-\x06])\x30"
)

_BASE64 = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
# A backslash: line ends are written \n in JSON.
_BODY = bytes(255 if c in _BASE64 or c in b" \t\r\n\\" else 0 for c in range(256))
_TEXT = bytes(255 if 32 <= c < 127 or c in b"\t\r\n" or c >= 128 else 0 for c in range(256))
_HEADERS = re.compile(rb"(?:\s|\\[rn])*(?:[A-Za-z-]{2,30}: [^\r\n\\]{0,200}(?:[\r\n]|\\[rn])+)*")
# What stands around each line of a key in a comment, a program or markup.
_AROUND_LINE = rb"(?:[ -*,.:-@\[-`{-~\t\r\n-]|\\[nr]|&#x?[0-9A-Fa-f]{1,2};|\+\s){0,24}"
_LINE = rb"[A-Za-z0-9+/]{32}"
_FIRST_LINE = re.compile(_AROUND_LINE + _LINE)
_LAST_LINES = re.compile(
    _LINE + rb"[A-Za-z0-9+/]{0,96}={0,2}" + _AROUND_LINE
    + rb"(?:[A-Za-z0-9+/]{1,96}={0,2}" + _AROUND_LINE + rb")?\Z"
)  # fmt: skip
_LONGEST_TEXT = 16 << 10
_LINE_ENDS = re.compile(rb"\\r|\\n|\s")
_LEAST = 12
"""Characters of base64 that make a marker more than the mention of one."""

# Algorithms of private keys (RFC 8017, 5480, 8410, 3279, 5958): what follows the version.
_KEY_ALGORITHMS = tuple(
    bytes.fromhex(oid)
    for oid in (
        "2a864886f70d0101", "2a8648ce3d0201", "2b656e", "2b656f", "2b6570", "2b6571",
        "2a8648ce380401", "2a864886f70d0103",
    )
)  # fmt: skip
_LARGEST_DER = 16 << 10


@dataclass(frozen=True)
class Needles:
    """What to look for on a disc.

    Attributes:
        everywhere: in every byte.
        outside: besides, in the bytes that no file has.
    """

    everywhere: tuple[Needle, ...]
    outside: tuple[Needle, ...]


def needles(present: Identity) -> Needles:
    """Return what to look for on a disc that has the identity *present*, possibly none."""
    key, certificate = (
        [] if pem is None else _pieces(pem) for pem in (present.key, present.certificate)
    )
    uuids = _uuids(present)
    # In files: armour finds a key from either end, so that a piece of its middle is enough.
    everywhere: list[Needle] = [
        (_KEY_NEEDLE, 23, _AROUND, _armoured_key),
        (_DER_NEEDLE, 4, _LARGEST_DER, _der),
        (_PASSWORD_NEEDLE, 11, _LARGEST_DER, _under_password),
        *_own(OWN_KINDS[0], key[1::2] or key[:1]),
        *_own(OWN_KINDS[1], certificate[1::2] or certificate[:1]),
        *_own(OWN_KINDS[2], uuids[:1]),
    ]
    outside: list[Needle] = [
        (_ARMOUR_NEEDLE, 59, _AROUND, _armoured),
        (_CONFIG_NEEDLE, 85, _TEXT_AROUND, _configured),
        *_own(OWN_KINDS[0], key),
        *_own(OWN_KINDS[1], certificate),
        *_own(OWN_KINDS[2], uuids),
    ]
    return Needles(tuple(everywhere), tuple(outside))


def _own(kind: str, pieces: Iterable[bytes]) -> list[Needle]:
    around, table = (_TEXT_AROUND, _TEXT) if kind == OWN_KINDS[2] else (_AROUND, _BODY)
    reach = _stretched(kind, table)
    return [(piece, len(piece), around, reach) for piece in dict.fromkeys(pieces)]


def _armoured_key(window: bytes, begin: int, end: int) -> tuple[str, int, int] | None:
    """Judge what ends a marker of a private key; where it begins depends on its algorithm."""
    head = max(window.rfind(b"BEGIN ", 0, begin), window.rfind(b"END ", 0, begin))
    hyphens = _HYPHENS.search(window, max(head - 6, 0), max(head, 0))
    return None if hyphens is None else _armoured(window, hyphens.start(), end)


def _armoured(window: bytes, begin: int, end: int) -> tuple[str, int, int] | None:
    """Judge a marker: whose armour it is, and how far the base64 beside it reaches."""
    marker = _ARMOUR.fullmatch(window, begin, end)
    if marker is None:
        return None
    label = marker[2]
    if b"PRIVATE KEY" in label:
        kind = KEY_KIND
    elif label.endswith(b"CERTIFICATE"):
        kind = CERTIFICATE_KIND
    else:
        return None
    reach = _ahead(window, begin) if marker[1] == b"END" else _behind(window, end)
    if reach is None:
        return None
    return (kind, reach, end) if marker[1] == b"END" else (kind, begin, reach)


def _ahead(window: bytes, marker: int) -> int | None:
    """Return where the base64 begins that ends before *marker*; None where none is."""
    start = _back(window, marker, _BODY)
    if _is_body(window[start:marker]):
        return start
    if _LAST_LINES.search(window, max(marker - 320, 0), marker):
        return _back(window, marker, _TEXT, marker - _LONGEST_TEXT)
    return None


def _behind(window: bytes, marker: int) -> int | None:
    """Return where what follows the *marker* ends, its END included; None where no base64 does."""
    headers = _HEADERS.match(window, marker)
    body = headers.end() if headers else marker
    stop = _forth(window, body, _BODY)
    if _is_body(window[body:stop]):
        closing = _ENDING.match(window, stop)
        return closing.end() if closing else stop
    if _FIRST_LINE.match(window, body) is None:
        return None
    stop = _forth(window, body, _TEXT, body + _LONGEST_TEXT)
    closing = _ENDING.search(window, body, stop)
    return closing.end() if closing else stop


def _is_body(text: bytes) -> bool:
    """Say whether *text* is base64, or what is left of it, rather than prose."""
    words = [word for word in _LINE_ENDS.split(text) if word]
    if any(len(word) >= 16 for word in words):
        return True
    return b" " not in text.strip() and sum(map(len, words)) >= _LEAST


def _configured(window: bytes, begin: int, end: int) -> tuple[str, int, int]:
    """Stretch a member of a configuration to all of the text that it stands in."""
    return CONFIG_KIND, _back(window, begin, _TEXT), _forth(window, end, _TEXT)


def _stretched(kind: str, table: bytes) -> Reach:
    def stretch(window: bytes, begin: int, end: int) -> tuple[str, int, int]:
        return kind, _back(window, begin, table), _forth(window, end, table)

    return stretch


def _back(window: bytes, at: int, table: bytes, first: int = 0) -> int:
    """Return where the run of *table*'s bytes begins that ends at *at*, at *first* or later."""
    first = max(first, 0)
    return first + window[first:at].translate(table).rfind(b"\0") + 1


def _forth(window: bytes, at: int, table: bytes, last: int | None = None) -> int:
    """Return where the run of *table*'s bytes ends that begins at *at*, at *last* or earlier."""
    text = window[at:last]
    stop = text.translate(table).find(b"\0")
    return at + (len(text) if stop < 0 else stop)


def _pieces(pem: bytes) -> list[bytes]:
    """Return pieces of the body of *pem*, as it is written: first, last and one a KiB."""
    begin = pem.find(b"-----\n") + 6 if b"-----\n" in pem else 0
    end = pem.rfind(b"\n-----END")
    body = pem[begin : end if end > begin else len(pem)]
    if len(body) < _LEAST:
        return []
    # What a key begins with is its algorithm's and everybody's.
    first = min(_PIECE, max(len(body) - _PIECE, 0))
    starts = [*range(first, max(len(body) - _PIECE, 1), _STRIDE), max(len(body) - _PIECE, 0)]
    return [body[start : start + _PIECE] for start in starts]


def _uuids(present: Identity) -> list[bytes]:
    with suppress(InputError):
        config = present.parsed_config()
        text = config.values.get("ngt_uuid") if config is not None else None
        if isinstance(text, str) and len(text) >= _LEAST and text.isascii():
            forms = [text, text.lower(), text.upper()]
            # Names in Joliet and UDF are UTF-16 (ECMA-167 1/7.2.12: CS0), most significant first.
            return [form.encode(code) for code in ("ascii", "utf-16-be") for form in forms]
    return []


def _der(window: bytes, begin: int, end: int) -> tuple[str, int, int] | None:
    """Reach a version and what follows it: is it the beginning of a private key in DER?"""
    for head in _heads(window, begin):
        start, stop = head
        inner = window[begin:stop]
        if _pkcs8(inner) or _pkcs1(inner) or _sec1(inner) or _dsa(inner):
            return KEY_KIND, start, stop
    return None


def _under_password(window: bytes, begin: int, end: int) -> tuple[str, int, int] | None:
    """RFC 5958, 3: how it was encrypted, and the encrypted key in an OCTET STRING."""
    oid = begin - 2
    if oid < 0 or window[oid] != 0x06 or window[oid + 1] != end - 1 - begin:
        return None
    for algorithm, encrypted in _heads(window, oid):
        for start, stop in _heads(window, algorithm):
            key = _field(window, encrypted, 0x04)
            if key is not None and key[1] == stop and len(key[0]) >= _LEAST:
                return KEY_KIND, start, stop
    return None


def _heads(window: bytes, content: int) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of each SEQUENCE whose content begins at *content* (X.690, 8.1)."""
    for start in (content - 4, content - 3, content - 2):
        if start < 0 or window[start] != 0x30:
            continue
        found = _length(window, start + 1)
        if found is not None and found[1] == content and content + found[0] <= len(window):
            yield start, content + found[0]


def _length(data: bytes, at: int) -> tuple[int, int] | None:
    """Return a definite length and where the content begins (X.690, 8.1.3)."""
    if at >= len(data):
        return None
    first = data[at]
    if first < 0x80:
        return first, at + 1
    count = first & 0x7F
    if count not in (1, 2) or at + count >= len(data):
        return None
    value = int.from_bytes(data[at + 1 : at + 1 + count], "big")
    return (value, at + 1 + count) if 0x80 <= value <= _LARGEST_DER else None


def _field(data: bytes, at: int, tag: int) -> tuple[bytes, int] | None:
    """Return the content of the field at *at*, if it has that tag and fits, and what follows."""
    if at >= len(data) or data[at] != tag:
        return None
    found = _length(data, at + 1)
    if found is None or found[1] + found[0] > len(data):
        return None
    return data[found[1] : found[1] + found[0]], found[1] + found[0]


def _pkcs8(inner: bytes) -> bool:
    """RFC 5958, 2: version, algorithm, the key in an OCTET STRING."""
    algorithm = _field(inner, 3, 0x30)
    if algorithm is None:
        return False
    oid = _field(algorithm[0], 0, 0x06)
    key = _field(inner, algorithm[1], 0x04)
    return (
        oid is not None
        and key is not None
        and len(key[0]) >= _LEAST
        and oid[0].startswith(_KEY_ALGORITHMS)
    )


def _pkcs1(inner: bytes) -> bool:
    """RFC 8017, A.1.2: version 0, modulus, public exponent, private exponent."""
    modulus = _field(inner, 3, 0x02)
    exponent = _field(inner, modulus[1], 0x02) if modulus else None
    private = _field(inner, exponent[1], 0x02) if exponent else None
    return (
        modulus is not None
        and exponent is not None
        and private is not None
        and 64 <= len(modulus[0]) <= 2049
        and 1 <= len(exponent[0]) <= 9
        and bool(exponent[0][-1] & 1)
        and 32 <= len(private[0]) <= len(modulus[0])
    )


def _dsa(inner: bytes) -> bool:
    """What OpenSSL writes of DSA: version 0, the domain's p, q and g, the public key, the key."""
    sizes, at = [], 3
    while (number := _field(inner, at, 0x02)) is not None:
        sizes.append(len(number[0]))
        at = number[1]
    return at == len(inner) and len(sizes) == 5 and sizes[0] >= 64 and 20 <= sizes[1] <= 33


def _sec1(inner: bytes) -> bool:
    """RFC 5915, 3: version 1, the key, perhaps its curve and its public half."""
    key = _field(inner, 3, 0x04) if inner[2] == 1 else None
    if key is None or not 20 <= len(key[0]) <= 66:
        return False
    at = key[1]
    for tag in (0xA0, 0xA1):
        more = _field(inner, at, tag)
        if more is not None:
            at = more[1]
    return at == len(inner)
