# SPDX-License-Identifier: Apache-2.0
"""ngt_config.json: edited value by value, so that what we do not know stays as it was.

Only one sample was ever published (facts: cluster_ip, ngt_uuid, ngt_version, port); later
releases may add keys. So the text itself is the model: a changed value replaces exactly
the characters of the old one, a new key is appended in the style of its neighbours.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NoReturn

from ngtpatch.disclosure import redacted
from ngtpatch.errors import InputError, UsageError
from ngtpatch.files.wellknown import CONFIG
from ngtpatch.identity.findings import Finding, Severity

__all__ = ["KEYS", "ORDER", "UUID", "Config", "in_one_case", "minimal", "parse_sets", "problems"]

MAX_BYTES = 1 << 20

# Of the published sample; what later releases may add is not known.
KEYS = frozenset({"cluster_ip", "ngt_uuid", "ngt_version", "port"})
_SPACE = re.compile(r"[ \t\r\n]*")
UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_VERSION = re.compile(r"[0-9]+(\.[0-9]+)*([._-][0-9A-Za-z]+)*")
# A one-time order of the cluster after a recovery: one VM's, and done once.
ORDER = "modify_guest_vm_configuration"
_KNOWN_TEXT = frozenset({"cluster_ip", "data_services_ip", "ngt_uuid", "ngt_version"})
_KNOWN_INT = frozenset({"port"})


@dataclass(frozen=True)
class Config:
    """A parsed ngt_config.json that remembers its text.

    Attributes:
        text: the document as it stands, every blank included.
        values: its members in their order, read-only.
    """

    text: str
    values: Mapping[str, Any]

    @classmethod
    def parse(cls, data: bytes, *, path: str = CONFIG) -> Config:
        """Return the configuration in *data*.

        Raises:
            InputError: ``config-json``: not a JSON object in UTF-8 with distinct keys,
                or larger than 1 MiB.
        """

        def bad(what: str, hint: str | None = None) -> NoReturn:
            raise InputError("config-json", what, path=path, hint=hint)

        if len(data) > MAX_BYTES:
            bad(f"is {len(data)} bytes long, too long for an ngt_config.json")
        if data.startswith(b"\xef\xbb\xbf"):
            bad(
                "starts with a byte order mark, which the guest's JSON reader refuses",
                "save it as UTF-8 without BOM",
            )
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            bad(f"is not UTF-8: byte {error.start}")
        try:
            pairs = json.loads(text, object_pairs_hook=_distinct, parse_constant=_no_constant)
        except json.JSONDecodeError as error:
            bad(f"is not JSON: {error.msg} (line {error.lineno}, column {error.colno})")
        except (ValueError, RecursionError) as error:
            bad(f"is not JSON that can be used: {error}")
        if not isinstance(pairs, dict):
            bad(f"holds a JSON {type(pairs).__name__}, not an object")
        return cls(text, MappingProxyType(pairs))

    @property
    def ngt_version(self) -> str | None:
        """The NGT version it announces, which the installer compares with the installed one."""
        value = self.values.get("ngt_version")
        return value if isinstance(value, str) and value else None

    @property
    def ngt_uuid(self) -> str | None:
        """The identity's UUID in lower case; not the VM's own."""
        value = self.values.get("ngt_uuid")
        return value.lower() if isinstance(value, str) and value else None

    def encode(self) -> bytes:
        """Return the document's bytes."""
        return self.text.encode("utf-8")

    def with_values(self, updates: Mapping[str, Any]) -> Config:
        """Return a configuration with *updates* made and every other character kept."""
        text = self.text
        for key, value in updates.items():
            if key in self.values and _same(self.values[key], value):
                continue
            text = _put(text, key, json.dumps(value))
        return Config.parse(text.encode("utf-8"))

    def without(self, key: str) -> Config:
        """Return a configuration that lacks *key*, with every other member as it was."""
        members = _members(self.text)
        for index, (name, start, _, end) in enumerate(members):
            if name == key:
                # With the comma before it; of the first, the one behind.
                if index:
                    start = members[index - 1][3]  # noqa: PLW2901 - from where it is cut
                elif len(members) > 1:
                    end = members[1][1]  # noqa: PLW2901
                return Config.parse((self.text[:start] + self.text[end:]).encode("utf-8"))
        return self

    def coerced(self, sets: Mapping[str, str]) -> dict[str, Any]:
        """Give each ``--set`` value the type that the key has here, or is known to have.

        A key that is neither here nor known takes what JSON makes of the value
        (``true``, ``12``), or the text itself.

        Raises:
            UsageError: ``set-type``: the text cannot be read as that type.
        """
        return {key: self._coerce(key, text) for key, text in sets.items()}

    def _coerce(self, key: str, text: str) -> Any:
        if key in _KNOWN_TEXT:
            return text
        if key in _KNOWN_INT:
            if not re.fullmatch(r"[0-9]{1,9}", text):
                raise UsageError("set-type", f"--set {key}={text}: {key} is a whole number")
            return int(text)
        present = self.values.get(key)
        if isinstance(present, str):
            return text
        try:
            value = json.loads(text, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            value = text
        if present is not None and type(value) is not type(present):
            raise UsageError(
                "set-type",
                f"--set {key}={text}: {key} is a JSON {type(present).__name__} here",
            )
        return value


def in_one_case(name: str) -> str:
    """Return *name*, where it begins with a UUID with that in lower case: equal ones are one."""
    head = name[:36]
    return head.lower() + name[36:] if UUID.fullmatch(head) else name


def minimal(ngt_version: str) -> Config:
    """Return what a shared ISO keeps: the version that the installer exits without."""
    return Config.parse(json.dumps({"ngt_version": ngt_version}).encode())


def parse_sets(assignments: Iterable[str]) -> dict[str, str]:
    """Return ``KEY=VALUE`` arguments as a mapping.

    Raises:
        UsageError: ``set``: no ``=``, no key, or the same key twice; ``secret``: a private key.
    """
    sets: dict[str, str] = {}
    for assignment in assignments:
        if redacted(assignment) != assignment:
            raise UsageError(
                "secret", "--set: a private key is not taken as a value",
                hint="a VM's key is named by its file: --key FILE, or the inventory's column key",
            )  # fmt: skip
        key, equals, value = assignment.partition("=")
        if not equals or not key:
            raise UsageError("set", f"--set {assignment}: expected KEY=VALUE")
        if key in sets:
            raise UsageError("set", f"--set {key} is given twice")
        sets[key] = value
    return sets


def problems(
    config: Config, *, source: str, path: str = CONFIG, required: Collection[str] = KEYS
) -> tuple[Finding, ...]:
    """Return what is wrong with a VM's configuration.

    Keys that are not known are not judged, nor absent ones that are not *required*.
    """

    def finding(key: str, message: str, hint: str | None = None) -> Finding:
        code = "config-" + key.replace("_", "-")
        return Finding(code, Severity.ERROR, source, message, path, hint)

    found: list[Finding] = []
    for key, valid, expected in (
        ("cluster_ip", _is_address, "an IPv4 or IPv6 address"),
        ("ngt_uuid", _is_uuid, "a UUID such as d4de685b-791a-4fbc-b916-6d5008bcbe2d"),
        ("ngt_version", _is_version, "a version such as 2.0.1, as a string"),
        ("port", _is_port, "a whole number from 1 to 65535, without quotes"),
        ("data_services_ip", _is_address, "an IPv4 or IPv6 address"),
    ):
        if key not in config.values:
            if key in required:
                found.append(finding(key, f"has no {key}", f"expected {expected}"))
        elif not valid(config.values[key]):
            shown = _shown(config.values[key])
            found.append(finding(key, f"{key} is {shown}, expected {expected}"))
    return tuple(found)


def _is_address(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def _is_uuid(value: object) -> bool:
    return isinstance(value, str) and UUID.fullmatch(value) is not None


def _is_version(value: object) -> bool:
    return isinstance(value, str) and _VERSION.fullmatch(value) is not None


def _is_port(value: object) -> bool:
    # bool is an int in Python, and `true` is no port.
    return type(value) is int and 0 < value < 65536


def _shown(value: object) -> str:
    # A field can hold anything, a pasted key too: only short values are quoted.
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{len(text)} characters long"


def _same(old: object, new: object) -> bool:
    return type(old) is type(new) and old == new


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice!r} occurs twice")
    return result


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _members(text: str) -> list[tuple[str, int, int, int]]:
    """Return (key, start of key, start of value, end of value) of a valid JSON object's text."""
    decode = json.JSONDecoder().raw_decode
    members: list[tuple[str, int, int, int]] = []
    at = _skip(text, _skip(text, 0) + 1)
    while text[at] != "}":
        key_start = at
        key, at = decode(text, at)
        value_start = _skip(text, _skip(text, at) + 1)
        _, value_end = decode(text, value_start)
        members.append((key, key_start, value_start, value_end))
        at = _skip(text, value_end)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return members


def _put(text: str, key: str, encoded: str) -> str:
    members = _members(text)
    for name, _, start, end in members:
        if name == key:
            return text[:start] + encoded + text[end:]
    if not members:
        brace = _skip(text, 0) + 1
        return f"{text[:brace]}{json.dumps(key)}: {encoded}{text[brace:]}"
    _, last_key, _, last_end = members[-1]
    # What stands before the last key is how this document separates its members.
    before = members[-2][3] if len(members) > 1 else _skip(text, 0) + 1
    separator = text[before:last_key] if len(members) > 1 else "," + (text[before:last_key] or " ")
    return f"{text[:last_end]}{separator}{json.dumps(key)}: {encoded}{text[last_end:]}"
