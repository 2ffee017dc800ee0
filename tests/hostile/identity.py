"""An identity provider of our own: keys made for the run, tokens as a case asks, faults at will."""

import base64
import hashlib
import hmac
import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import wire
from corpus import META, Unavailable, fill, macros
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from wire import Answer

ISSUER = "https://id.example"
AUDIENCE = "https://memory.example/mcp"
GOOD = {"iss": "{ISS}", "aud": "{AUD}", "sub": "user-1", "exp": "+600", "iat": "0",
        "scope": "memory:read memory:write", "tenant": "a"}
# An answer of 1 MiB and more, and none at all, are played by tests/it.
OCT = base64.urlsafe_b64encode(b"a symmetric key that stands in a public set").decode().rstrip("=")


def part(data):
    if not isinstance(data, bytes):
        data = json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Issuer:
    def __init__(self):
        self.keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("trusted", "spare", "attacker")}
        self.answer = (200, {}, self.good())
        self.fetches, self.trapped = 0, 0
        self.server, self.trap = self.serve(self.keys_page), self.serve(self.trap_page)

    def serve(self, page):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                status, headers, document = page()
                body = json.dumps(document).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    def keys_page(self):
        self.fetches += 1
        return self.answer

    def trap_page(self):
        self.trapped += 1
        return 200, {}, {"keys": [self.jwk("attacker", "trusted")]}

    def close(self):
        self.server.shutdown()
        self.trap.shutdown()

    def jwk(self, key, kid=None):
        point = self.keys[key].public_key().public_numbers()
        x, y = (part(n.to_bytes(32, "big")) for n in (point.x, point.y))
        return {"kty": "EC", "crv": "P-256", "kid": kid or key, "x": x, "y": y}

    def good(self):
        return {"keys": [self.jwk("trusted"), self.jwk("spare")]}

    def file(self, names):
        """The settings of a deployment whose tenant A is `a` in the tokens."""
        return (f'[auth]\nresource = "{AUDIENCE}"\nread_scope = "memory:read"\n'
                f'write_scope = "memory:write"\ndelete_scope = "memory:delete"\n\n'
                f'[[auth.issuer]]\nissuer = "{ISSUER}"\nallow_http = true\n'
                f'jwks_url = "http://127.0.0.1:{self.server.server_port}/keys"\n'
                f'tenant_map = {{ a = "{names["A"]}" }}\ntenants = ["{names["A"]}"]\n')

    def values(self):
        return {"ISS": ISSUER, "ISS_HOST": "id.example", "AUD": AUDIENCE,
                "AUD_UPPERCASE_HOST": "HTTPS://MEMORY.EXAMPLE/mcp", "TRAP_PORT": str(self.trap.server_port)}

    # ---------------------------------------------------------------------------- tokens

    def token(self, world, spec):
        claims = fill(dict(spec["claims"]), world)
        pad = claims.pop("claims_pad_kb", 0)
        if pad:
            claims["pad"] = "x" * (pad * 1024)
        for name in ("exp", "iat", "nbf"):
            if isinstance(claims.get(name), str):
                claims[name] = int(time.time()) + int(claims[name])
        raw = {name: self.raw(text) for name, text in spec.get("raw_claims", {}).items()}
        members = [f"{json.dumps(n)}:{json.dumps(v)}" for n, v in claims.items() if n not in raw]
        members += [f"{json.dumps(name)}:{text}" for name, text in raw.items()]
        header = {"alg": spec["alg"], "typ": "JWT", "kid": "trusted"} | fill(spec.get("header", {}), world)
        if header["kid"] is None:
            del header["kid"]
        signed = part(header) + "." + part(("{" + ",".join(members) + "}").encode())
        return f"{signed}.{self.signature(signed, spec)}"

    def raw(self, text):
        text = re.sub(r"\{NOW\+(\d+)\}", lambda m: str(int(time.time()) + int(m.group(1))), text)
        return re.sub(r"\{NESTED_ARRAY_(\d+)\}", lambda m: "[" * int(m.group(1)) + "]" * int(m.group(1)), text)

    def signature(self, signed, spec):
        if spec["alg"] == "HS256":
            secret = base64.urlsafe_b64decode(OCT + "==")
            return part(hmac.new(secret, signed.encode(), hashlib.sha256).digest())
        if spec["alg"] not in ("ES256", "none"):
            raise Unavailable(f"no signer for {spec['alg']}")
        der = self.keys[spec["key"]].sign(signed.encode(), ec.ECDSA(hashes.SHA256()))
        wanted = spec.get("sig")
        if wanted is None:
            r, s = decode_dss_signature(der)
            return part(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
        return part(der) if wanted == "{ES256_DER_ENCODED}" else wanted


def send(world, case, token, body=None):
    request = case["request"]
    headers = dict(request["headers"]) or {
        "Host": "{HOST}", "Content-Type": "application/json", "MCP-Protocol-Version": "2026-07-28",
        "Accept": "application/json, text/event-stream", "Mcp-Method": "tools/list",
    }
    headers["Authorization"] = f"Bearer {token}"
    headers = fill(macros({k: v for k, v in headers.items() if k != "Authorization"}), world) | {
        "Authorization": headers["Authorization"]}
    body = body or {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META}}
    data = json.dumps(fill(body, world)).encode()
    return world.exchange(wire.request(request["method"], request["path"], headers, data))


def need(world):
    if not world.issuer:
        raise Unavailable("the deployment has no issuer")
    return world.issuer


def jwt(world, case, spec):
    issuer = need(world)
    answer = send(world, case, issuer.token(world, spec["spec"]), spec["then_body"])
    if issuer.trapped:
        return [Answer(f"the trap was called {issuer.trapped} times")]
    return [answer]


def jwks_storm(world, case, spec):
    """Tokens with unknown key ids, many at a time; afterwards a good one works."""
    issuer = need(world)
    good = {"alg": "ES256", "key": "trusted", "claims": GOOD}
    if send(world, case, issuer.token(world, good)).status != 200:
        return [Answer("a good token is refused before the storm")]
    before = issuer.fetches

    def one(n):
        return send(world, case, issuer.token(world, good | {"key": "attacker", "header": {"kid": f"unknown-{n}"}}))

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(one, range(spec["unknown_kids"])))
    if issuer.fetches - before > 1:
        return [Answer(f"{issuer.fetches - before} fetches")]
    if send(world, case, issuer.token(world, good)).status != 200:
        return [Answer("a good token is refused after the storm")]
    return answers


def jwks_fault(world, case, spec):
    """In a deployment of its own, which met the fault on its first fetch or after a good one."""
    issuer = need(world)
    good = {"alg": "ES256", "key": "trusted", "claims": GOOD}
    if spec["fault"] == "contains_oct_key":
        answer = send(world, case, issuer.token(world, good | {"alg": "HS256", "header": {"kid": "oct"}}))
        others = send(world, case, issuer.token(world, good)).status
        return [answer if others == 200 else Answer(f"the other key of the set: {others}")]
    if spec["fault"] == "empty_keys":
        first = send(world, case, issuer.token(world, good))
        issuer.answer = (200, {}, {"keys": []})
        send(world, case, issuer.token(world, good | {"header": {"kid": "unknown"}}))
        return [first, send(world, case, issuer.token(world, good))]
    answer = send(world, case, issuer.token(world, good))
    return [Answer(f"the trap was called {issuer.trapped} times")] if issuer.trapped else [answer]


def prepare(issuer, spec):
    """Puts the fault in place before the deployment starts."""
    fault = spec["fault"]
    if fault.startswith("302_to_"):
        to = fault[len("302_to_"):].replace("{TRAP_PORT}", str(issuer.trap.server_port))
        issuer.answer = (302, {"Location": to}, issuer.good())
    elif fault == "contains_oct_key":
        oct_key = {"kty": "oct", "kid": "oct", "alg": "HS256", "k": OCT}
        issuer.answer = (200, {}, {"keys": [oct_key, issuer.jwk("trusted"), issuer.jwk("spare")]})
    elif fault != "empty_keys":
        raise Unavailable(f"no fault called {fault}")
    return issuer
