"""A real HTTP receiver on loopback that fails as receivers do."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

OK, HANG, CUT, CUT_AFTER, DRIP, GARBAGE, REDIRECT = 200, -1, -2, -3, -4, -5, 302
"""What it does instead of answering with a status: never answer, cut the connection before or
after it took the event, send a byte now and then, answer something that is no HTTP."""


class Receiver:
    """Takes events.

    Attributes:
        taken: ids of the events that were acknowledged by a 2xx, in order, duplicates included.
        unsure: ids of those that were taken without an acknowledgement reaching the sender.
        requests: (path, headers, body) of everything that came.
        answer: what to do with the next request.
    """

    def __init__(self, answer: Callable[[], int] = lambda: OK) -> None:
        self.answer = answer
        self.taken: list[str] = []
        self.unsure: list[str] = []
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.stop = threading.Event()

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers["Content-Length"])
        behaviour = self.answer()
        if behaviour == CUT:
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        body = handler.rfile.read(length)
        self.requests.append((handler.path, dict(handler.headers), body))
        identity = json.loads(body)["id"]
        if behaviour == HANG:
            self.stop.wait(20)
        elif behaviour == CUT_AFTER:
            self.unsure.append(identity)
            handler.connection.shutdown(socket.SHUT_RDWR)
        elif behaviour == DRIP:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while not self.stop.wait(0.05):
                handler.wfile.write(b"x")
        elif behaviour == GARBAGE:
            handler.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        else:
            if behaviour == OK:
                self.taken.append(identity)
            handler.send_response(behaviour)
            if behaviour == REDIRECT:
                handler.send_header("Location", "/elsewhere")
            handler.send_header("Content-Length", "0")
            handler.end_headers()


@contextmanager
def listening(receiver: Receiver, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            with suppress(OSError):
                receiver.handle(self)
            self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads, allow_reuse_address = True, True

        def handle_error(self, *_: Any) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        receiver.stop.set()
        server.shutdown()
        server.server_close()
