"""HTTP/1.1 by hand over a socket: what goes out is what the case says, wrong bytes included."""

import json
import socket
from dataclasses import dataclass, field

TIMEOUT = 30


@dataclass
class Answer:
    """What came back: a status, or a word for how the connection ended."""

    status: object
    headers: list = field(default_factory=list)
    body: bytes = b""
    raw: bytes = b""

    def header(self, name):
        found = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(found) if found else None

    def messages(self):
        """JSON-RPC messages in the body, one or a stream of events."""
        text = self.body.decode("utf-8", "replace")
        if "event-stream" in (self.header("content-type") or ""):
            lines = [line[5:].strip() for line in text.splitlines() if line.startswith("data:")]
        else:
            lines = [text]
        found = []
        for line in lines:
            try:
                found.append(json.loads(line))
            except ValueError:
                pass
        return found


def head(method, target, headers):
    """The request head as bytes; a list as a value is the field repeated."""
    lines = [f"{method} {target} HTTP/1.1"]
    for name, value in headers.items():
        for one in value if isinstance(value, list) else [value]:
            lines.append(f"{name}: {one}")
    return "\r\n".join(lines).encode("utf-8") + b"\r\n"


def request(method, target, headers, body, chunked=False):
    """A whole request that asks the server to close afterwards."""
    headers = dict(headers)
    framing = b""
    names = {name.lower() for name in headers}
    if chunked:
        framing = b"Transfer-Encoding: chunked\r\n"
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    elif body is not None and "content-length" not in names and "transfer-encoding" not in names:
        framing = b"Content-Length: %d\r\n" % len(body)
    return head(method, target, headers) + framing + b"Connection: close\r\n\r\n" + (body or b"")


def connect(address):
    connection = socket.create_connection(address, timeout=TIMEOUT)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def exchange(address, data, is_stream=False):
    """Sends bytes on a new connection and reads one answer."""
    try:
        connection = connect(address)
    except OSError:
        return Answer("CLOSED")
    with connection:
        try:
            connection.sendall(data)
        except OSError:
            pass  # refused before all of it was read: the answer, if any, is what counts
        return read(connection, is_stream)


def read(connection, is_stream=False):
    """One answer; of a stream that stays open only what arrives at once."""
    data = b""
    try:
        while b"\r\n\r\n" not in data:
            chunk = connection.recv(65536)
            if not chunk:
                break
            data += chunk
        if b"\r\n\r\n" not in data:
            return Answer("CLOSED", raw=data)
        top, _, rest = data.partition(b"\r\n\r\n")
        lines = top.decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:] if ":" in line]
        answer = Answer(status, headers)
        if 100 <= status < 200 and status != 101:
            return read_after(connection, rest)
        answer.body = body(connection, answer, rest, is_stream)
        answer.raw = top + b"\r\n\r\n" + answer.body
        return answer
    except (TimeoutError, ConnectionError):
        return Answer("CLOSED", raw=data)


def read_after(connection, rest):
    class Joined:
        def recv(self, size):
            nonlocal rest
            if rest:
                taken, rest = rest, b""
                return taken
            return connection.recv(size)

        def settimeout(self, seconds):
            connection.settimeout(seconds)

    return read(Joined())


def body(connection, answer, rest, is_stream):
    if is_stream and answer.status == 200 and "event-stream" in (answer.header("content-type") or ""):
        connection.settimeout(0.2)
        try:
            while True:
                chunk = connection.recv(65536)
                if not chunk:
                    return rest
                rest += chunk
        except TimeoutError:
            return rest
    length = answer.header("content-length")
    while length is None or len(rest) < int(length):
        try:
            chunk = connection.recv(65536)
        except (TimeoutError, ConnectionError):
            break
        if not chunk:
            break
        rest += chunk
    return unchunked(rest) if (answer.header("transfer-encoding") or "") == "chunked" else rest


def unchunked(data):
    out = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        try:
            length = int(size.split(b";")[0], 16)
        except ValueError:
            break
        if length == 0:
            break
        out, data = out + data[:length], data[length + 2 :]
    return out
