# SPDX-License-Identifier: Apache-2.0
"""A proxy before an object store, which fails as networks and stores do."""

from __future__ import annotations

import http.client
import socket
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# What becomes of a request, by its method, its path with the query, and how many came before.
Fault = Callable[[str, str, int], str]
CODES = {"403": b"AccessDenied", "501": b"NotImplemented"}


def error(status: str) -> bytes:
    """Return what a store says with a status."""
    code = CODES.get(status, b"InternalError")
    return b"<?xml version='1.0'?><Error><Code>" + code + b"</Code><Message>x</Message></Error>"


@contextmanager
def proxied(url: str, fault: Fault) -> Iterator[tuple[str, list[str]]]:
    """Yield a proxy's address, and the list of what it is asked: "METHOD path?query"."""
    asked: list[str] = []
    store = urllib.parse.urlsplit(url)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            action = fault(self.command, self.path, len(asked))
            asked.append(f"{self.command} {self.path}")
            if action == "hang":
                time.sleep(30)
            if action in ("drop", "hang"):
                self.gone()
            elif action.isdigit():
                self.said(int(action), {}, error(action))
            elif action == "error-in-200":
                self.said(200, {"Content-Type": "application/xml"}, error("200"))
            elif action == "page":
                self.said(200, {"Content-Type": "text/html"}, b"<html><body>Welcome</body></html>")
            else:
                self.passed_on(body, action)

        def passed_on(self, body: bytes, action: str) -> None:
            link = http.client.HTTPConnection(str(store.hostname), store.port, timeout=60)
            link.request(self.command, self.path, body, dict(self.headers))
            found = link.getresponse()
            data, headers = found.read(), dict(found.getheaders())
            link.close()
            if action == "drop-answer":
                self.gone()
            elif action == "drop-in-body" and len(data) > 1000:
                self.said(found.status, headers, data[: len(data) // 2], len(data))
                self.gone()
            else:
                head = self.command == "HEAD"
                length = int(headers.get("Content-Length", 0)) if head else None
                self.said(found.status, headers, b"" if head else data, length)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer  # noqa: N815 - http.server's names

        def said(
            self, status: int, headers: dict[str, str], data: bytes, length: int | None = None
        ) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(data) if length is None else length))
            self.end_headers()
            self.wfile.write(data)

        def gone(self) -> None:
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
