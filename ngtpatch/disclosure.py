# SPDX-License-Identifier: Apache-2.0
"""What may be shown, and how: a private key never, and nothing foreign unescaped.

Names, paths and messages come from images, inventories and other people's files. What leaves
ngtpatch passes through here: errors when they are made, documents and ledger rows when they are
written, terminals when something is printed.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path
from typing import Any, BinaryIO

__all__ = [
    "HIDDEN",
    "as_text",
    "escaped_json",
    "holds_private_key",
    "is_text",
    "printable",
    "redacted",
    "shell_word",
    "stream_holds_private_key",
]

HIDDEN = "[private key, not shown]"

_BLOCK = 1 << 20
_OVERLAP = 1 << 10
"""More than any pattern below matches, in bytes."""

# Armour as of PEM (RFC 7468, 13: "PRIVATE KEY", and RFC 1421's "RSA PRIVATE KEY", which may have
# headers), OpenSSH and OpenPGP (RFC 9580, 6.2: "PRIVATE KEY BLOCK"). It counts where a key
# follows or precedes: programs and scripts name it without having one. What was cut off before
# its END is hidden up to the end of the text.
_LABEL = r"[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-*"
_HEADERS = r"(?:[A-Z][A-Za-z-]{1,40}: [\w,+/=. -]{0,200}[^\w+/]{1,16}){0,3}"
_WHOLE = re.compile(
    rf"-*BEGIN {_LABEL}[^A-Za-z0-9+/]{{0,16}}[nr]?{_HEADERS}[A-Za-z0-9+/=]{{16}}"
    rf".*?(?:END {_LABEL}|\Z)",
    re.DOTALL,
)
_END = re.compile(rf"-*END {_LABEL}")
_BODY = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+/=\r\n\\"
_LEAST = 16
# How the DER of a key begins, in base64, with the characters left open that depend on lengths:
# PKCS #8 (RFC 5958) of RSA, EC and Edwards curves, encrypted (RFC 8018) or not; PKCS #1
# (RFC 8017); SEC 1 (RFC 5915); OpenSSH's own form. A certificate begins otherwise.
_BARE = re.compile(
    r"(?:MII[\w+/]{3}(?:IBAD[AC]|BfBgkqhkiG9w0BBQ0w|IBAAK[BC])"
    r"|MI[GH][\w+/](?:AgEAMB|AgEBB|MF8GCSqGSIb3DQEFDT)"
    r"|M[\w+/]{2}CAQ(?:EE|AwBQYDK2V)"
    r"|b3BlbnNzaC1rZXktdjE)(?:[\w+/=]|\\n|\\r|[\r\n]){12,}",
    re.ASCII,
)
# Armour counts where a key follows: programs name it without having one.
# Where the line ends were lost it has to begin as a key does, too.
_ARMOURED = re.compile(
    rb"BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:(?:\\[nr]|\s){1,16}"
    rb"(?:[A-Z][A-Za-z-]{1,40}: [^\r\n]{0,200}(?:\\[nr]|\s){1,16}){0,3}[A-Za-z0-9+/=]{16}"
    rb"|M[A-Za-z0-9+/=]{15}|b3BlbnNzaC1rZXkt)"
)
# In DER, each from its first bytes that do not depend on lengths: PKCS #8 by the OIDs of RSA, DSA,
# EC and Edwards curves; encrypted PKCS #8 by that of PBES2 (RFC 8018); PKCS #1; SEC 1; the key bags
# of PKCS #12 (RFC 7292, 4.2).
_BINARY = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (
        rb"\x02\x01[\x00\x01]\x30(?:[\x05-\x20]|\x82..)\x06(?:\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01[\x01\x0a]"
        rb"|\x07\x2a\x86\x48\xce(?:\x3d\x02\x01|\x38\x04\x01)|\x03\x2b\x65[\x6e-\x71])",
        rb"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d\x30",
        rb"\x02\x01\x00\x02(?:\x81[\x41-\xff]|\x82[\x01-\x08].)\x00[\x80-\xff]",
        rb"\x30(?:[\x60-\x7f]|\x81.)\x02\x01\x01\x04[\x20\x30\x42]",
        rb"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01[\x01\x02]",
    )
)


def redacted(text: str) -> str:
    """Return *text* with :data:`HIDDEN` in place of private keys and of parts of them.

    A key is known by its armour or by how its base64 begins. Lines from the middle of one cannot
    be told from other base64: who reads a file refuses it for the key in it.
    """
    if "PRIVATE KEY" in text:
        text = _without_tails(_WHOLE.sub(HIDDEN, text))
    return _BARE.sub(HIDDEN, text)


def _without_tails(text: str) -> str:
    """Hide what precedes the END of a key whose BEGIN was cut off."""
    parts, start = [], 0
    for end in _END.finditer(text):
        head = text[start : end.start()]
        kept = head.rstrip(_BODY)
        hidden = len(head) - len(kept) >= _LEAST
        parts.append(kept + HIDDEN if hidden else text[start : end.end()])
        start = end.end()
    return "".join(parts) + text[start:]


def holds_private_key(data: bytes) -> bool:
    """Return whether a private key stands in *data*, in PEM or DER, also as UTF-16 text.

    A key that was compressed or encoded in some other way is not found.
    """
    if any(pattern.search(data) for pattern in _BINARY):
        return True
    texts = (data, data.replace(b"\0", b"")) if b"\0" in data else (data,)
    return any(b"PRIVATE KEY" in text and _ARMOURED.search(text) for text in texts)


def stream_holds_private_key(stream: BinaryIO) -> bool:
    """Return whether a private key stands in what is left of *stream*, which is read."""
    kept = b""
    while block := stream.read(_BLOCK):
        if holds_private_key(kept + block):
            return True
        kept = block[-_OVERLAP:]
    return False


def printable(text: str) -> str:
    """Return *text* as one line for a terminal: no private key, control characters escaped.

    What Unicode calls not printable is escaped as Python would: line ends, escape sequences,
    marks that turn the direction of writing.
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in redacted(text))


def shell_word(word: str | Path) -> str:
    """Return *word* as a shell is given it, by its bytes where it cannot be shown as it is.

    A path is given as one, so that no name is taken for an option or a home directory.
    """
    text = f"./{word}" if isinstance(word, Path) and str(word)[:1] in ("-", "~") else str(word)
    if text.isprintable():
        return shlex.quote(text)
    shown = "".join(
        chr(byte) if (chr(byte).isalnum() and byte < 0x80) or byte in b" ./_-" else f"\\{byte:03o}"
        for byte in os.fsencode(text)
    )
    return f"$'{shown}'"  # as bash, zsh and ksh read it


def is_text(name: str) -> bool:
    """Tell whether a name is UTF-8: where it is not, lone surrogates stand for its bytes."""
    return as_text(name) == name


def as_text(text: str) -> str:
    """Return *text* with lone surrogates escaped, which not every reader of JSON takes."""
    return text.encode("utf-8", "backslashreplace").decode()


def escaped_json(value: Any) -> str:
    """Return *value* as one line of JSON that shows letters as they are and escapes the rest."""
    text = json.dumps(value, ensure_ascii=False)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)
