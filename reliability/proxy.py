"""An address of an S3 server at which everything goes wrong that can, in front of a server where nothing does."""

from __future__ import annotations

import http.client
import random
import socket
import threading
import time
from contextlib import closing, suppress
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.processes import HOST

_SLOW_SECONDS = (0.2, 15.0)  # so that some requests are carried out long after the portal has given them up
_OF_THE_CONNECTION = {"connection", "keep-alive", "transfer-encoding", "content-length"}
_REFUSAL = b"<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>"


class Trouble(StrEnum):
    """What may happen to a request."""

    SLOW = "slow"
    ERROR = "answered 500"
    CUT_UP = "cut on its way up"
    CUT_DOWN = "answer cut on its way down"
    SHORTENED = "half of the object kept, and confirmed"


class Proxy:
    """Passes requests on, some of them with trouble.

    Args:
        port: Where it listens.
        server: The port of the real server.
    """

    def __init__(self, port: int, server: int):
        self._port, self.server = port, server
        self._trouble: Trouble | None = None
        self._share = 0.0
        self._listener: _Listener | None = None

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self._port}"

    def start(self) -> None:
        self._listener = _Listener(self, self._port)
        threading.Thread(target=self._listener.serve_forever, name="proxy", daemon=True).start()

    def stop(self) -> None:
        """Connections break off, and new ones are refused."""
        if self._listener is not None:
            self._listener.break_off()
            self._listener = None

    def bring(self, trouble: Trouble, share: float = 1.0) -> None:
        """From now on to this share of the requests."""
        self._trouble, self._share = trouble, share

    def heal(self) -> None:
        self._trouble = None

    def trouble(self) -> Trouble | None:
        """Of the next request."""
        return self._trouble if random.random() < self._share else None


class _Listener(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, proxy: Proxy, port: int):
        super().__init__((HOST, port), _Handler)
        self.proxy = proxy
        self._open: set[socket.socket] = set()

    def process_request(self, request, client_address) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request, client_address) -> None:
        """Connections that break are what this is for."""

    def break_off(self) -> None:
        self.shutdown()
        self.server_close()
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener

    def _pass(self) -> None:
        trouble = self.server.proxy.trouble()
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        half = body[: len(body) // 2]
        if trouble is Trouble.SLOW:
            time.sleep(random.uniform(*_SLOW_SECONDS))
        if trouble is Trouble.ERROR:
            self._answer(500, {"Content-Type": "application/xml"}, _REFUSAL)
        elif trouble is Trouble.CUT_UP and body:
            self._ask(half, length=len(body)).close()
            self._break_off()
        else:
            self._forward(half if trouble is Trouble.SHORTENED else body, cut=trouble is Trouble.CUT_DOWN)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass

    def _ask(self, body: bytes, *, length: int) -> http.client.HTTPConnection:
        """The request to the real server, whose body may be shorter than announced."""
        connection = http.client.HTTPConnection(HOST, self.server.proxy.server, timeout=30)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in _OF_THE_CONNECTION | {"expect"}:
                connection.putheader(name, value)
        connection.putheader("Content-Length", str(length))
        connection.endheaders(body)
        return connection

    def _forward(self, body: bytes, *, cut: bool) -> None:
        connection = self._ask(body, length=len(body))
        with closing(connection), connection.getresponse() as answer:
            content = answer.read()
        if not cut:
            self._answer(answer.status, dict(answer.getheaders()), content)
        elif content:
            self._answer(answer.status, dict(answer.getheaders()), content, send=len(content) // 2)
            self._break_off()
        else:
            self._break_off()

    def _answer(self, status: int, headers: dict[str, str], content: bytes, *, send: int | None = None) -> None:
        """With so many of the bytes that it announces; by default all."""
        length = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(content))
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in _OF_THE_CONNECTION:
                self.send_header(name, value)
        if status != http.client.NO_CONTENT:
            self.send_header("Content-Length", length)
        self.end_headers()
        self.wfile.write(content[:send])

    def _break_off(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_about: object) -> None:
        """Says nothing."""
