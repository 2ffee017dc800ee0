"""A deployment under attack: two tenants with canaries, an operator, and the process itself."""

import base64
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import zlib
from pathlib import Path

import wire
from corpus import META, Unavailable

PROGRAM = os.environ["MEMGATE_BIN"]
ORIGIN_HOST = "app.example"
# Far above what the cases send, so that a limit answers only in cases about limits.
PATIENT = {
    "RATE_LIMIT_REQUESTS": "1000000",
    "RATE_LIMIT_WINDOW": "60",
    "MEMGATE_LIMITS__FAILURES": "1000000/60s",
    "MEMGATE_LIMITS__PER_ADDRESS": "1000000/60s",
}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def well_formed_key():
    """A key with a right checksum that nobody ever made."""
    alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
    name = "".join(secrets.choice(alphabet) for _ in range(12))
    secret = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    return f"mg_{name}_{secret}_{zlib.crc32(f'{name}_{secret}'.encode()):08x}"


class World:
    def __init__(self, settings=None, tls=None, issuer=None):
        self.directory = Path(tempfile.mkdtemp(prefix="memgate-hostile-"))
        self.data = self.directory / "data"
        self.log_file = self.directory / "log"
        self.settings = PATIENT | (settings or {})
        self.tls = tls
        self.issuer = issuer
        self.names = {side: f"tenant-{side.lower()}-{secrets.token_hex(4)}" for side in "AB"}
        if issuer:
            (self.directory / "memgate.toml").write_text(issuer.file(self.names))
        self.process = None
        self.operator = "operator-" + secrets.token_urlsafe(32)
        self.values, self.readers = {}, {}
        try:
            self.start()
            self.populate()
        except BaseException:
            self.close()
            raise

    # ---------------------------------------------------------------------------- the process

    def environment(self, settings):
        env = {"MEMGATE_DATA_DIR": str(self.data), "MCP_ADMIN_KEY": self.operator, "NO_COLOR": "1",
               "ALLOWED_ORIGINS": f"https://{ORIGIN_HOST}", "RUST_BACKTRACE": "1"} | settings
        return {name: value for name, value in env.items() if value is not None}

    def start(self):
        for _ in range(5):
            self.port = free_port()
            env = self.environment(self.settings) | {"PORT": str(self.port)}
            with self.log_file.open("ab") as log:
                self.process = subprocess.Popen([PROGRAM, "serve"], env=env, cwd=self.directory,
                                                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            if self.wait_ready(60):
                return
            self.stop()
        raise RuntimeError(f"the server does not start: {self.log()[-300:]}")

    def wait_ready(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            if self.is_ready():
                return True
            time.sleep(0.02)
        return False

    def is_ready(self):
        answer = self.plain("GET", "/readyz", {"Host": self.host})
        return answer.status == 200

    def stop(self, how=signal.SIGKILL):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(timeout=60)

    def close(self):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def command(self, *arguments, settings=None, data=None):
        env = self.environment(self.settings | (settings or {}))
        if data:
            env["MEMGATE_DATA_DIR"] = str(data)
        return subprocess.run([PROGRAM, *arguments], env=env, cwd=self.directory, timeout=120,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)

    def log(self):
        return self.log_file.read_text("utf-8", "replace") if self.log_file.exists() else ""

    # ---------------------------------------------------------------------------- requests

    @property
    def host(self):
        # Over TLS the name in the handshake must be the host, and an address is no such name.
        return f"{'localhost' if self.tls else '127.0.0.1'}:{self.port}"

    @property
    def address(self):
        return ("127.0.0.1", self.port)

    def exchange(self, data, is_stream=False):
        if self.tls:
            return self.tls.exchange(self.address, data)
        return wire.exchange(self.address, data, is_stream)

    def plain(self, method, target, headers, body=None, is_stream=False):
        return self.exchange(wire.request(method, target, headers, body), is_stream)

    def admin(self, method, target, body=None):
        headers = {"Host": self.host, "Authorization": f"Bearer {self.operator}",
                   "Content-Type": "application/json"}
        data = json.dumps(body).encode() if body is not None else None
        answer = self.plain(method, target, headers, data)
        if answer.status not in (200, 201, 202, 204):
            raise RuntimeError(f"{method} {target}: {answer.status} {answer.body!r}")
        return json.loads(answer.body) if answer.body else None

    def rpc(self, key, method, params):
        headers = {"Host": self.host, "Authorization": f"Bearer {key}", "Mcp-Method": method,
                   "Content-Type": "application/json", "MCP-Protocol-Version": "2026-07-28",
                   "Accept": "application/json, text/event-stream"}
        if "name" in params:
            headers["Mcp-Name"] = params["name"]
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params | {"_meta": META}}
        return self.plain("POST", "/mcp", headers, json.dumps(body).encode())

    def tool(self, key, name, **arguments):
        return self.rpc(key, "tools/call", {"name": name, "arguments": arguments})

    # ---------------------------------------------------------------------------- who is there

    def populate(self):
        values = self.values
        values |= {"ADMIN_KEY": self.operator, "ORIGIN_OK_HOST": ORIGIN_HOST,
                   "HOST_NAME": "localhost", "CANARY_A_WORD": "heliotrope"}
        values |= self.issuer.values() if self.issuer else {}
        # Tenants that the settings of an issuer name are there already.
        there = {tenant["label"]: tenant for tenant in self.admin("GET", "/admin/tenants")["tenants"]}
        for side, name in self.names.items():
            tenant = there.get(name) or self.admin("POST", "/admin/tenants", {"label": name})
            canary = f"canary{side.lower()}{secrets.token_hex(8)}"
            values |= {f"TENANT_{side}_NAME": name, f"TENANT_{side}_ID": tenant["id"],
                       f"CANARY_{side}": canary, f"CANARY_{side}_PREFIX": canary[:10]}
            made = self.make_key(name)
            values |= {f"TENANT_{side}_KEY": made["secret"], f"KEY_ID_{side}": made["id"]}
            # Our own reads go by a key of their own, so that they use up no case's limit.
            self.readers[side] = self.make_key(name)["secret"]
            stored = self.tool(self.readers[side], "store_memory", filename=f"{canary[-6:]}.txt",
                               content=f"{values['CANARY_A_WORD']} {canary}", tags=canary)
            result = stored.messages()[-1]["result"]
            structured = result["structuredContent"]
            values[f"MEMORY_ID_{side}"] = structured.get("memory_id") or structured["id"]
        revoked = self.make_key(values["TENANT_A_NAME"])
        self.admin("DELETE", f"/admin/keys/{revoked['id']}")
        values["REVOKED_KEY"] = revoked["secret"]

    def make_key(self, tenant):
        return self.admin("POST", "/admin/keys", {"tenant": tenant, "name": "hostile"})

    def value(self, name):
        if name in ("HOST", "ADMIN_HOST"):
            return self.host
        if name == "RANDOM_WELLFORMED_KEY":
            return well_formed_key()
        if name == "TENANT_A_KEY_2":  # made when asked for: cases revoke it
            made = self.make_key(self.values["TENANT_A_NAME"])
            self.values |= {"TENANT_A_KEY_2": made["secret"], "KEY_ID_A_2": made["id"]}
        if name in ("SESSION_A", "SESSION_B") and name not in self.values:
            self.values[name] = self.session(self.values[f"TENANT_{name[-1]}_KEY"])
        if name == "EVENT_ID_A":
            return "0/0"  # ids of rmcp's own cache; with no event store none of A's exists
        if name == "CURSOR_OF_A":
            return self.cursor()
        if name not in self.values:
            raise Unavailable(f"there is no {{{name}}} in this deployment")
        return self.values[name]

    def renew(self):
        """Sessions do not outlive a case."""
        for name in ("SESSION_A", "SESSION_B"):
            self.values.pop(name, None)

    def session(self, key):
        hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": {"name": "hostile", "version": "1"}}}
        headers = {"Host": self.host, "Authorization": f"Bearer {key}",
                   "Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        answer = self.plain("POST", "/mcp", headers, json.dumps(hello).encode())
        session = answer.header("mcp-session-id")
        if not session:
            raise RuntimeError(f"no session: {answer.status} {answer.body!r}")
        ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        headers |= {"Mcp-Session-Id": session, "MCP-Protocol-Version": "2025-11-25"}
        self.plain("POST", "/mcp", headers, json.dumps(ready).encode())
        return session

    def cursor(self):
        answer = self.rpc(self.values["TENANT_A_KEY"], "resources/list", {})
        for message in answer.messages():
            if cursor := message.get("result", {}).get("nextCursor"):
                return cursor
        return base64.urlsafe_b64encode(b"offset=1;tenant=" + self.values["TENANT_A_ID"].encode()).decode()

    # ---------------------------------------------------------------------------- measures

    def secrets(self):
        names = ("ADMIN_KEY", "TENANT_A_KEY", "TENANT_B_KEY", "TENANT_A_KEY_2", "REVOKED_KEY")
        return [self.values[name] for name in names if name in self.values]

    def dump(self):
        """Every memory of both tenants as their owners read them."""
        found = []
        for side in "AB":
            answer = self.tool(self.readers[side], "retrieve_memories", limit=100)
            for message in answer.messages():
                content = message.get("result", {}).get("structuredContent", message)
                found.append(json.dumps(content, sort_keys=True))
        return found

    def rss(self):
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) * 1024
        return 0

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))
