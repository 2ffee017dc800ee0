"""TLS from the outside: old versions, broken hellos, and the world that serves it."""

import json
import socket
import ssl
import subprocess
import warnings

import wire
from corpus import META, Unavailable
from wire import Answer

warnings.filterwarnings("ignore", category=DeprecationWarning)  # TLS 1.1 is what is tried
VERSIONS = {"1.1": ssl.TLSVersion.TLSv1_1, "1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def certificate(directory):
    """A self-signed certificate for the loopback names, made for this run."""
    paths = directory / "tls.pem", directory / "tls.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", paths[1], "-out", paths[0]],
                   check=True, capture_output=True)
    return paths


def settings(paths):
    return {"MEMGATE_LISTEN__TLS__CERTIFICATE": str(paths[0]),
            "MEMGATE_LISTEN__TLS__PRIVATE_KEY": str(paths[1])}


class Client:
    """Carries the world's own requests over TLS."""

    def __init__(self, paths, clients=None):
        self.ca, self.clients = paths[0], clients
        self.context = ssl.create_default_context(cafile=paths[0])

    def exchange(self, address, data):
        try:
            with (socket.create_connection(address, timeout=wire.TIMEOUT) as plain,
                  self.context.wrap_socket(plain, server_hostname="localhost") as connection):
                connection.sendall(data)
                return wire.read(connection)
        except OSError:
            return Answer("CLOSED")


class Clients:
    """Two authorities for client certificates, of which the server knows one."""

    NAME = "spiffe://hostile.example/tenant/"

    def __init__(self, directory):
        self.directory = directory
        for name in ("clients", "stranger"):
            self.openssl("req", "-x509", *self.NEW, "-days", "2", "-subj", f"/CN={name}",
                         "-keyout", self.path(f"{name}.key"), "-out", self.path(f"{name}.pem"))

    NEW = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")

    def path(self, name):
        return str(self.directory / name)

    @staticmethod
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True)

    def settings(self):
        # Optional, so that the world's own requests get in with their keys; a certificate that is
        # shown counts all the same.
        return {"MEMGATE_LISTEN__TLS__CLIENT_CERTIFICATES": "optional",
                "MEMGATE_LISTEN__TLS__CLIENT_CA": self.path("clients.pem"),
                "MEMGATE_AUTH__CERTIFICATES__TENANT_PATTERN": self.NAME + "{tenant}"}

    def holder(self, tenant, authority="clients"):
        """Files with a certificate for this tenant and its key."""
        pem, key, request, names = (self.path(f"holder.{kind}") for kind in ("pem", "key", "csr", "ext"))
        with open(names, "w") as file:
            file.write(f"subjectAltName=URI:{self.NAME}{tenant}\nextendedKeyUsage=clientAuth\n")
        self.openssl("req", *self.NEW, "-subj", "/CN=client", "-keyout", key, "-out", request)
        self.openssl("x509", "-req", "-in", request, "-CA", self.path(f"{authority}.pem"),
                     "-CAkey", self.path(f"{authority}.key"), "-days", "1", "-extfile", names, "-out", pem)
        return pem, key


def with_certificate(world, spec, authorization):
    """Lists tools with a client certificate, and with a key if the case has one."""
    # A handshake was seen to fail once in ten runs, and not why; what is refused is refused again.
    answer = shown(world, spec, authorization)
    return answer if answer.status != "HANDSHAKE_FAIL" else shown(world, spec, authorization)


def shown(world, spec, authorization):
    kind = spec["client_cert"]
    sides = {"tenant_a": "A", "tenant_b": "B", "other_ca": "A"}
    if kind not in sides:
        raise Unavailable(f"no client certificate called {kind}")
    authority = "stranger" if kind == "other_ca" else "clients"
    context = ssl.create_default_context(cafile=world.tls.ca)
    context.load_cert_chain(*world.tls.clients.holder(world.names[sides[kind]], authority))
    headers = {"Host": world.host, "Mcp-Method": "tools/list", "Content-Type": "application/json",
               "MCP-Protocol-Version": "2026-07-28", "Accept": "application/json, text/event-stream"}
    headers |= {"Authorization": authorization} if authorization else {}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META}}
    data = wire.request("POST", "/mcp", headers, json.dumps(body).encode())
    try:
        with (socket.create_connection(world.address, timeout=10) as plain,
              context.wrap_socket(plain, server_hostname="localhost") as connection):
            connection.sendall(data)
            answer = wire.read(connection)
            # With TLS 1.3 a client learns at its first read that its certificate is refused.
            return Answer("HANDSHAKE_FAIL") if answer.status == "CLOSED" else answer
    except OSError:
        return Answer("HANDSHAKE_FAIL")


def play(world, spec, headers):
    if "client_cert" in spec:
        return with_certificate(world, spec, spec.get("authorization"))
    if "raw" in spec:
        hello = bytes.fromhex("802e0100020015000000100100800200800300800400800500800600400700c0"
                              "00112233445566778899aabbccddeeff")
        data = hello if spec["raw"] == "sslv2_hello" else spec["raw"].encode()
        answer = wire.exchange(world.address, data)
        failed = answer.status == "CLOSED" and spec["raw"] == "sslv2_hello"
        return Answer("HANDSHAKE_FAIL") if failed else answer
    if spec.get("renegotiate"):
        return openssl(world, ["-tls1_2"], b"R\n", ["RENEGOTIATING"], ["error", "no renegotiation", "closed"])
    if spec.get("early_data"):
        return early_data(world)
    if spec.get("fragment"):
        return fragmented(world)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers(spec.get("ciphers", "ALL") + ":@SECLEVEL=0")
    context.minimum_version = VERSIONS.get(spec.get("min"), ssl.TLSVersion.TLSv1)
    if "max" in spec:
        context.maximum_version = VERSIONS[spec["max"]]
    if "alpn" in spec:
        context.set_alpn_protocols(spec["alpn"])
    try:
        with (socket.create_connection(world.address, timeout=10) as plain,
              context.wrap_socket(plain, server_hostname="localhost") as connection):
            host = spec.get("host", world.host)
            connection.sendall(wire.request("GET", "/health", {"Host": host} | headers, None))
            return wire.read(connection)
    except ssl.SSLError:
        return Answer("HANDSHAKE_FAIL")
    except OSError:
        return Answer("HANDSHAKE_FAIL")


def openssl(world, arguments, typed, begun, refused):
    try:
        ended = subprocess.run(["openssl", "s_client", "-connect", world.host, *arguments],
                               input=typed, capture_output=True, timeout=8)
        text = (ended.stdout + ended.stderr).decode("utf-8", "replace")
    except subprocess.TimeoutExpired as waiting:  # asked, and never answered: refused as well
        said = (waiting.stdout or b"") + (waiting.stderr or b"")
        text = said.decode("utf-8", "replace") + "\nclosed by us"
    if not all(word in text for word in begun):
        return Answer(f"openssl said {text[-200:]}")
    after = text.split(begun[0], 1)[1].lower()
    return Answer("HANDSHAKE_FAIL" if any(word in after for word in refused) else "RENEGOTIATED")


def early_data(world):
    ended = subprocess.run(["openssl", "s_client", "-connect", world.host, "-tls1_3", "-ign_eof"],
                           input=f"GET /health HTTP/1.1\r\nHost: {world.host}\r\nConnection: close\r\n\r\n".encode(),
                           capture_output=True, timeout=30)
    text = (ended.stdout + ended.stderr).decode("utf-8", "replace")
    sizes = [line.split(":")[1].strip() for line in text.splitlines() if "Max Early Data:" in line]
    return Answer("NO_EARLY_DATA" if all(size == "0" for size in sizes) else f"early data of {sizes}")


def fragmented(world):
    """A ClientHello of one byte a record."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        pass
    hello = outgoing.read()
    kind, version, payload = hello[:1], hello[1:3], hello[5:]
    pieces = b"".join(kind + version + b"\x00\x01" + payload[n : n + 1] for n in range(len(payload)))
    with socket.create_connection(world.address, timeout=10) as connection:
        try:
            connection.sendall(pieces)
            while True:
                try:
                    client.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    if sent := outgoing.read():
                        connection.sendall(sent)
                    data = connection.recv(65536)
                    if not data:
                        return Answer("CLOSED")
                    incoming.write(data)
        except (OSError, ssl.SSLError):
            return Answer("CLOSED")
    return Answer(200)
