"""Other sides that do what no broker does: an answer byte for byte, an answer that is lost on the way."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def answering(play: Callable[[socket.socket, int], None]) -> Iterator[str]:
    """A URL; ``play`` gets each connection and its number, and closes nothing itself."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            number = 0
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection, suppress(OSError):
                    play(connection, number)
                number += 1

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(5)
    assert not thread.is_alive()


def asked(connection: socket.socket) -> bytes:
    """One request, as far as its head and length say."""
    raw = b""
    while b"\r\n\r\n" not in raw:
        raw += _more(connection)
    head, _, body = raw.partition(b"\r\n\r\n")
    sizes = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    while len(body) < int(sizes[0] if sizes else 0):
        body += _more(connection)
    return head + b"\r\n\r\n" + body


def canned(answer: bytes) -> Callable[[socket.socket, int], None]:
    """The same bytes to everybody."""

    def play(connection: socket.socket, number: int) -> None:
        asked(connection)
        connection.sendall(answer)

    return play


def losing(url: str, lost: int) -> Callable[[socket.socket, int], None]:
    """Passes requests on to ``url``, and loses the first ``lost`` answers."""
    host, port = url.removeprefix("http://").split(":")

    def play(connection: socket.socket, number: int) -> None:
        request = asked(connection).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)
        with socket.create_connection((host, int(port))) as beyond:
            beyond.sendall(request)
            answer = b""
            while piece := beyond.recv(65536):
                answer += piece
        if number >= lost:
            connection.sendall(answer)

    return play


def response(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """An HTTP answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def _more(connection: socket.socket) -> bytes:
    piece = connection.recv(65536)
    if not piece:
        raise OSError("gone")
    return piece
