# SPDX-License-Identifier: Apache-2.0
"""The official SDK, held so that it verifies, waits in bounds, and tells nobody a secret.

ntnx-vmm-py-client and ntnx-prism-py-client (extra ``prism``) log to stderr what they send and get,
retry in silence, and follow a redirect with the API key. So their loggers are silenced, their
retries are ours, and a redirect is an error.
"""

from __future__ import annotations

import base64
import logging
import re
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from ngtpatch.disclosure import printable
from ngtpatch.errors import InputError, NgtpatchError, RemoteError, UsageError
from ngtpatch.prism_central.login import Login

__all__ = ["PAGE", "ChangedError", "Connection", "GoneError", "connect", "split_host"]

Told = Callable[[str], object]

PAGE = 100  # the most that v4 gives at once
_PORT = 9440
_PACKAGES = ("ntnx_vmm_py_client", "ntnx_prism_py_client")
_CONNECT_SECONDS, _READ_SECONDS = 10.0, 60.0
_TRIES = 5
_LONGEST_WAIT = 60.0
"""Seconds that are waited before another try; a Retry-After beyond that ends the command."""
_AGAIN = (408, 429, 502, 503, 504)
_HOST = re.compile(r"(?P<name>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>\d{1,5}))?")


class GoneError(RemoteError):
    """What was asked for is not there (404)."""


class ChangedError(RemoteError):
    """It was changed by somebody else between reading and writing (412)."""


def split_host(host: str) -> tuple[str, int]:
    """Return name and port of HOST[:PORT]. Raises UsageError ``bad-host``."""
    match = _HOST.fullmatch(host)
    if match is None or not 0 < int(match["port"] or _PORT) < 65536:
        shown = "it" if "@" in host or "/" in host else repr(host)
        raise UsageError(
            "bad-host", f"{shown} is not the name or address of a Prism Central",
            hint="give HOST or HOST:PORT, without a scheme, a path or a user",
        )  # fmt: skip
    return match["name"], int(match["port"] or _PORT)


class Connection:
    """One Prism Central: its two API clients, and how they are called."""

    def __init__(
        self,
        host: str,
        login: Login,
        *,
        authority: Path | None = None,
        told: Told = lambda _: None,
        timeout: float = _READ_SECONDS,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """See :func:`connect`."""
        self.host = host
        self.name, self.port = split_host(host)
        self.authority = authority
        self.login = login
        self.sleep = sleep
        self._told = told
        self._exceptions: list[type[Exception]] = []
        self.vmm = self._client("ntnx_vmm_py_client", timeout)
        self.prism = self._client("ntnx_prism_py_client", timeout)

    def _client(self, package: str, timeout: float) -> Any:
        # Before the import: the SDK puts a handler on its logger as soon as it is configured.
        logger = logging.getLogger(package)
        logger.setLevel(logging.CRITICAL + 1)
        try:
            sdk = import_module(package)
        except ImportError:
            raise UsageError(
                "extra", f"--prism needs {package.replace('_', '-')}", path=self.host,
                hint="install ngtpatch[prism]",
            ) from None  # fmt: skip
        configuration = sdk.Configuration()
        logger.handlers.clear()
        configuration.host, configuration.port = self.name, self.port
        configuration.verify_ssl = True
        if self.authority is not None:
            configuration.root_ca_certificate_file = str(self.authority)
        configuration.connect_timeout = int(_CONNECT_SECONDS * 1000)
        configuration.read_timeout = int(timeout * 1000)
        configuration.max_retry_attempts = 0
        if self.login.api_key:
            configuration.set_api_key(self.login.api_key)
        else:
            configuration.username = self.login.username
            configuration.password = self.login.password
            # The SDK's own token fails with letters that Latin-1 lacks; RFC 7617 has UTF-8.
            basic = f"Basic {base64.b64encode(self.login.pair).decode()}"
            configuration.get_basic_auth_token = lambda: basic
        client = sdk.ApiClient(configuration=configuration)
        rest = import_module(f"{package}.rest")
        self._exceptions.append(rest.ApiException)
        _refuse_redirects(client.rest_client.pool_manager, self.host)
        return client

    def call(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Return the answer of an SDK function that only reads: tried again after whatever."""
        return self._with_data(self._call(function, arguments, options, again=True))

    def listed(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Return one page of a list, which has no data where there is nothing on it."""
        answer = self._call(function, arguments, options, again=True)
        data = getattr(answer, "data", None)
        if hasattr(answer, "metadata") and (data is None or _are_entities(data)):
            return answer
        raise self._no_prism()

    def pages(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> list[Any]:
        """Return the entities of all pages of a list, each once.

        A page may hold fewer than were asked for, so that only the count by Prism Central's own
        word, or a page that brings nothing new, ends it.
        """
        found: dict[str, Any] = {}
        held = page = 0
        while True:
            answer = self.listed(function, *arguments, _page=page, _limit=PAGE, **options)
            entities = answer.data or ()
            new = {str(entity.ext_id): entity for entity in entities}
            total = getattr(answer.metadata, "total_available_results", None)
            held += len(entities)
            page += 1
            fresh = bool(new.keys() - found.keys())
            found.update(new)
            if not fresh or (total is not None and held >= total):
                return list(found.values())

    def change(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Return the answer of an SDK function that changes something.

        It is tried again where Prism Central said that it did nothing (429, 503), and where the
        connection was cut: the request has an If-Match or an NTNX-Request-Id of its caller, by
        which the second one changes nothing that the first one has.
        """
        return self._with_data(self._call(function, arguments, options, again=False))

    def _with_data(self, answer: Any) -> Any:
        if not hasattr(getattr(answer, "data", None), "ext_id"):
            raise self._no_prism()
        return answer

    def _no_prism(self) -> RemoteError:
        return RemoteError(
            "not-prism", "answers, and not as Prism Central does", path=self.host,
            hint="see whether HOST is a Prism Central, and what stands before it",
        )  # fmt: skip

    def told(self, message: str) -> None:
        """Pass a message on to the person who waits."""
        self._told(message)

    def _call(
        self, function: Callable[..., Any], arguments: Any, options: dict[str, Any], *, again: bool
    ) -> Any:
        for attempt in range(1, _TRIES + 1):
            try:
                answer = function(*arguments, **options)
            except NgtpatchError:
                raise
            except Exception as error:
                wait = self._wait(error, attempt, again=again)
                if wait is None or attempt == _TRIES:
                    self._failed(error, attempt)
                reason = _reason(error)
            else:
                return answer
            self._told(f"{self.host}: {reason}; trying again in {wait:g} s ({attempt}/{_TRIES})")
            self.sleep(wait)
        raise AssertionError("unreachable")

    def _wait(self, error: Exception, attempt: int, *, again: bool) -> float | None:
        """Return the seconds to wait before another try; None: there is no sense in one."""
        backoff = min(float(2 ** (attempt - 1)), _LONGEST_WAIT)
        status = getattr(error, "status", None)
        if not isinstance(error, tuple(self._exceptions)) or not status:
            return backoff if _is_of_network(error) else None
        if status in (429, 503) or (again and (status in _AGAIN or status == 500)):
            asked = _retry_after(getattr(error, "headers", None))
            if asked is not None and asked > _LONGEST_WAIT:
                return None
            return backoff if asked is None else asked
        return None

    def _failed(self, error: Exception, attempts: int) -> NoReturn:
        status = getattr(error, "status", None)
        tried = f" ({attempts} tries)" if attempts > 1 else ""
        message = _reason(error) + tried
        said = _said_by_server(error)
        if said:
            message += f": {said}"
        kind: type[RemoteError] = {404: GoneError, 412: ChangedError}.get(status or 0, RemoteError)
        code, hint = _CODES.get(status or 0, ("prism", None))
        if not status:
            code, hint = "unreachable", "see whether HOST and port are right and reachable"
            if "certificate" in _chain(error).lower() or "SSL" in _chain(error):
                code = "tls"
                message = "its certificate is not trusted, or TLS failed"
                hint = "name its authority with --tls-ca FILE, and the host as it is certified"
        raise kind(code, message, path=self.host, hint=hint) from None


_CODES: dict[int, tuple[str, str | None]] = {
    401: ("unauthorised", "see whether user and password, or the API key, are right"),
    403: ("forbidden", "the user lacks a role for this in Prism Central"),
    404: ("gone", "see whether it was deleted, or whether this Prism Central is older than v4.2"),
    412: ("changed", "somebody else changed it at the same time: run the command again"),
    429: ("busy", "Prism Central limits requests: run the command again later"),
}


def connect(
    host: str, credentials: Login, *, authority: Path | None = None,
    told: Told = lambda _: None, timeout: float = _READ_SECONDS,
) -> Connection:  # fmt: skip
    """Return a connection to the Prism Central at *host*; nothing is asked of it yet.

    Args:
        host: HOST or HOST:PORT; the port is 9440 when it is not named.
        credentials: who asks.
        authority: PEM certificates that its own must chain to; else those of certifi.
        told: gets a line for each retry and each wait.
        timeout: seconds to wait for an answer.

    Raises:
        UsageError: ``bad-host``; ``extra``: the SDK is not installed.
        InputError: ``not-found``, ``tls-ca``: the authority's file cannot be used.
    """
    if authority is not None:
        _check_authority(authority)
    return Connection(host, credentials, authority=authority, told=told, timeout=timeout)


def _check_authority(path: Path) -> None:
    import ssl

    from ngtpatch.files.bounded import read_small

    read_small(path, limit=16 << 20, what="file of certificates")
    try:
        ssl.create_default_context(cafile=str(path))
    except (ssl.SSLError, OSError):
        raise InputError("tls-ca", "holds no certificate in PEM", path=str(path)) from None


def _refuse_redirects(pool: Any, host: str) -> None:
    plain = pool.request

    def request(method: str, url: str, **options: Any) -> Any:
        answer = plain(method, url, **options)
        if answer.status in (301, 302, 303, 307, 308):
            answer.release_conn()
            raise RemoteError(
                "redirect", "answers with a redirect, which is not followed", path=host,
                hint="name the Prism Central itself, not what stands before it",
            )  # fmt: skip
        return answer

    pool.request = request


def _are_entities(data: object) -> bool:
    # With $select an entity comes without its type, and is left a dict.
    return isinstance(data, list) and all(
        "extId" in entity if isinstance(entity, dict) else hasattr(entity, "ext_id")
        for entity in data
    )


def _is_of_network(error: Exception) -> bool:
    names = {kind.__module__.split(".")[0] for kind in type(error).__mro__}
    tls = "certificate" in _chain(error).lower() or "SSL" in _chain(error)
    return ("urllib3" in names or isinstance(error, OSError)) and not tls


def _chain(error: Exception) -> str:
    # str() of the SDK's exception quotes headers and body: only its reason is looked at.
    return str(getattr(error, "reason", "") or "") if hasattr(error, "http_resp") or (
        type(error).__name__ == "ApiException"
    ) else f"{type(error).__name__} {error}"  # fmt: skip


def _reason(error: Exception) -> str:
    status = getattr(error, "status", None)
    if status:
        return f"answers {status} {printable(str(getattr(error, 'reason', '') or ''))}".rstrip()
    kind = type(error).__name__
    if "Timeout" in kind or "Timeout" in str(error):
        return "does not answer in time"
    if "Connection" in kind or "MaxRetry" in kind or isinstance(error, OSError):
        return "cannot be reached"
    if "Protocol" in kind or "Incomplete" in kind:
        return "cut the connection"
    return f"gave an answer that cannot be understood ({kind})"


def _retry_after(headers: Mapping[str, str] | None) -> float | None:
    value = None if headers is None else headers.get("Retry-After")
    return float(value) if value is not None and re.fullmatch(r"\d{1,6}", value.strip()) else None


def _said_by_server(error: Exception) -> str:
    """Return the messages of a v4 ErrorResponse: data.error[].message. Nothing else is quoted."""
    import json

    try:
        body = json.loads(getattr(error, "body", None) or "null")
        found = body["data"]["error"]
        texts = [str(item["message"]) for item in found if "message" in item]
    except (ValueError, KeyError, TypeError):
        return ""
    return printable("; ".join(texts))[:300]
