"""HTTP/2 frame by frame: what no well-behaved client would send."""

import socket
import struct
import time

from hpack import Decoder, Encoder
from hyperframe.frame import (ContinuationFrame, DataFrame, Frame, HeadersFrame, PingFrame,
                              RstStreamFrame, SettingsFrame, WindowUpdateFrame)

from corpus import Unavailable
from wire import Answer

REFUSED_STREAM = 7


class Peer:
    """One connection with prior knowledge, and what the server said on it."""

    def __init__(self, world):
        self.world = world
        self.socket = socket.create_connection(world.address, timeout=10)
        self.encoder, self.decoder = Encoder(), Decoder()
        self.buffer, self.seen = b"", []
        self.closed = False
        self.raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        self.send(SettingsFrame(0))

    def raw(self, data):
        try:
            self.socket.sendall(data)
        except OSError:
            self.closed = True

    def send(self, *frames):
        self.raw(b"".join(frame.serialize() for frame in frames))

    def headers(self, stream, fields, end=True, flags=("END_HEADERS",)):
        frame = HeadersFrame(stream, self.encoder.encode(fields))
        for flag in flags:
            frame.flags.add(flag)
        if end:
            frame.flags.add("END_STREAM")
        return frame

    def request(self, *more, method="GET", path="/healthz", authority=None):
        return [(":method", method), (":scheme", "http"), (":path", path),
                (":authority", authority or self.world.host), *more]

    def listen(self, seconds, until=lambda frame: False):
        """Collects frames until one is the sought one, the peer hangs up, or time is over."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.closed:
            self.socket.settimeout(max(0.01, end - time.monotonic()))
            try:
                data = self.socket.recv(65536)
            except TimeoutError:
                break
            except OSError:
                data = b""
            if not data:
                self.closed = True
            self.buffer += data
            while len(self.buffer) >= 9:
                frame, length = Frame.parse_frame_header(memoryview(self.buffer[:9]))
                if len(self.buffer) < 9 + length:
                    break
                frame.parse_body(memoryview(self.buffer[9 : 9 + length]))
                self.buffer = self.buffer[9 + length :]
                self.seen.append(frame)
                if until(frame):
                    return

    def verdict(self, stream=1, seconds=10):
        """How the server took it: a status, RST_STREAM, REFUSED_STREAM, GOAWAY."""

        def decides(frame):
            named = type(frame).__name__
            ours = frame.stream_id == stream and named in ("HeadersFrame", "RstStreamFrame")
            return ours or named == "GoAwayFrame"

        if not any(decides(frame) for frame in self.seen):
            self.listen(seconds, decides)
        for frame in self.seen:
            named = type(frame).__name__
            if named == "GoAwayFrame":
                return Answer("GOAWAY")
            if named == "RstStreamFrame" and frame.stream_id == stream:
                return Answer("REFUSED_STREAM" if frame.error_code == REFUSED_STREAM else "RST_STREAM")
            if named == "HeadersFrame" and frame.stream_id == stream:
                fields = dict(self.decoder.decode(frame.data))
                return Answer(int(fields[":status"]), list(fields.items()))
        return Answer("GOAWAY" if self.closed else "OPEN")


def made_you_reset(peer, spec):
    """Errors that make the server reset its own streams, many times."""
    for n in range(spec["n"]):
        stream = 2 * n + 1
        bad = WindowUpdateFrame(stream)
        bad.window_increment = 1
        data = bytearray(bad.serialize())
        data[-4:] = struct.pack(">I", 0)  # an increment of zero is a stream error
        peer.raw(peer.headers(stream, peer.request()).serialize() + bytes(data))
        if n % 50 == 0:
            peer.listen(0.01)
        if peer.closed:
            break
    return peer.verdict(stream=-1)


def rapid_reset(peer, spec):
    for n in range(spec["n"]):
        stream = 2 * n + 1
        peer.send(peer.headers(stream, peer.request()), RstStreamFrame(stream, 8))
        if n % 50 == 0:
            peer.listen(0.01)
        if peer.closed:
            break
    return peer.verdict(stream=-1)


def continuation_flood(peer, spec):
    peer.send(peer.headers(1, peer.request(), flags=()))
    chunk = ContinuationFrame(1, peer.encoder.encode([("x-filler", "x" * 16000)])).serialize()
    for _ in range(spec["mb"] * 64):
        peer.raw(chunk)
        if peer.closed:
            break
    return peer.verdict(stream=-1)


def ping_flood(peer, spec):
    burst = PingFrame(0, b"12345678").serialize() * 1000
    peer.socket.settimeout(5)
    for _ in range(spec["n"] // 1000):
        peer.raw(burst)  # answers are not read: they must not pile up without end
        if peer.closed:
            break
    return peer.verdict(stream=-1, seconds=5)


def settings_flood(peer, spec):
    burst = SettingsFrame(0).serialize() * 1000
    peer.socket.settimeout(5)
    for _ in range(spec["n"] // 1000):
        peer.raw(burst)
        if peer.closed:
            break
    return peer.verdict(stream=-1, seconds=5)


def hpack_bomb(peer, spec):
    """One large entry, then references to it only."""
    peer.encoder.header_table_size = 4096
    first = peer.encoder.encode([*peer.request(), ("x-bomb", "x" * 3900)])
    reference = b"\xbe"  # the newest entry of the dynamic table
    frame = HeadersFrame(1, first + reference * 10000)
    frame.flags.add("END_HEADERS")
    frame.flags.add("END_STREAM")
    peer.send(frame)
    return peer.verdict()


def many_streams(peer, spec):
    for n in range(spec["n"]):
        fields = peer.request(("content-type", "application/json"), method="POST", path="/mcp")
        peer.send(peer.headers(2 * n + 1, fields, end=False))
    peer.listen(3, lambda f: type(f).__name__ == "GoAwayFrame"
                or (type(f).__name__ == "RstStreamFrame" and f.error_code == REFUSED_STREAM))
    kinds = [(type(f).__name__, getattr(f, "error_code", None)) for f in peer.seen]
    if ("RstStreamFrame", REFUSED_STREAM) in kinds:
        return Answer("REFUSED_STREAM")
    return Answer("GOAWAY" if peer.closed or any(k == "GoAwayFrame" for k, _ in kinds) else "OPEN")


def authority_vs_host(peer, spec):
    peer.send(peer.headers(1, peer.request(("host", "evil.example"))))
    return peer.verdict()


def crlf_in_value(peer, spec):
    peer.send(peer.headers(1, peer.request(("x-a", "b\r\nset-cookie: c=d"))))
    return peer.verdict()


def te_header(peer, spec):
    peer.send(peer.headers(1, peer.request(("transfer-encoding", "chunked"))))
    return peer.verdict()


def cl_mismatch(peer, spec):
    key = peer.world.values["TENANT_A_KEY"]
    fields = peer.request(("content-length", "10"), ("content-type", "application/json"),
                          ("accept", "application/json, text/event-stream"),
                          ("authorization", f"Bearer {key}"), method="POST", path="/mcp")
    data = DataFrame(1, b"{}")
    data.flags.add("END_STREAM")
    peer.send(peer.headers(1, fields, end=False), data)
    return peer.verdict()


SCRIPTS = {function.__name__: function for function in (
    made_you_reset, rapid_reset, continuation_flood, ping_flood, settings_flood, hpack_bomb,
    many_streams, authority_vs_host, crlf_in_value, te_header, cl_mismatch)}


def play(world, spec):
    if spec["script"] not in SCRIPTS:
        raise Unavailable(f"no HTTP/2 script called {spec['script']}")
    peer = Peer(world)
    try:
        return SCRIPTS[spec["script"]](peer, spec)
    finally:
        peer.socket.close()
