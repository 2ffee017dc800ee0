"""Cases that are made instead of written down: floods, slow peers, broken bytes, broken files.

Each generator takes a world and a case and returns the answers that the case's expectation is
held against. Floods are bounded in count and in time and go to the loopback address only.
"""

import base64
import json
import os
import random
import resource
import select
import shutil
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import frames
import identity
import wire
from corpus import META, Unavailable, fill, macros
from wire import Answer

BODY_LIMIT = 1024 * 1024  # the default of `listen.max_body_bytes`


def encoded(world, request, **extra):
    """A request of the corpus as bytes."""
    request = fill(macros(request), world, **extra)
    content = request.get("body")
    if content is not None and not isinstance(content, str):
        content = json.dumps(content)
    data = content.encode("utf-8", "surrogatepass") if content is not None else None
    if data is None and request.get("method", "POST") == "POST":
        data = b""
    return wire.request(request.get("method", "POST"), request.get("path", "/mcp"),
                        request["headers"], data)


def base(case):
    """The header fields of a case whose body a generator makes."""
    headers = dict(case["request"]["headers"])
    if not headers:
        headers = {"Host": "{HOST}", "Content-Type": "application/json",
                   "Accept": "application/json, text/event-stream",
                   "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list",
                   "Authorization": "Bearer {TENANT_A_KEY}"}
    return headers


def send_body(world, case, data, chunked=False):
    request = case["request"]
    headers = fill(macros(base(case)), world)
    return [world.exchange(wire.request(request["method"], request["path"], headers, data, chunked))]


def listing(**params):
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": params | {"_meta": META}}


# -------------------------------------------------------------------------------- bodies

def raw_body(world, case, spec):
    data = base64.b64decode(spec["b64"]) if "b64" in spec else fill(spec["text"], world).encode()
    return send_body(world, case, data)


def repeat_in_array(world, case, spec):
    return send_body(world, case, json.dumps([spec["item"]] * spec["n"]).encode())


def nest(world, case, spec):
    # Under the body limit, so that the parser meets it and not the size check.
    depth = min(spec["depth"], BODY_LIMIT // 2 - 1)
    return send_body(world, case, (spec["open"] * depth + spec["close"] * depth).encode())


def nest_in_args(world, case, spec):
    inner = '{"a":' * spec["depth"] + "1" + "}" * spec["depth"]
    text = json.dumps(listing(arguments="@")).replace('"@"', inner)
    return send_body(world, case, text.encode())


def pad(world, case, spec):
    body, path = listing(), spec["path"].split(".")
    place = body
    for name in path[:-1]:
        place = place.setdefault(name, {})
    place[path[-1]] = "x" * spec["bytes"]
    return send_body(world, case, json.dumps(body).encode())


def pad_body(world, case, spec):
    size = BODY_LIMIT + 1 if spec["bytes"] == "limit+1" else int(spec["bytes"])
    body = json.dumps(listing(pad="@"))
    data = body.replace("@", "x" * (size - len(body) + 1)).encode()
    return send_body(world, case, data, spec.get("chunked", False))


def encode(world, case, spec):
    return send_body(world, case, json.dumps(listing()).encode(spec["charset"]))


def many_keys(world, case, spec):
    params = {f"{n:x}": 1 for n in range(spec["n"])}
    data = json.dumps(listing(**params), separators=(",", ":")).encode()
    start = time.monotonic()
    answers = send_body(world, case, data)
    if time.monotonic() - start > 1:
        answers.append(Answer("SLOW"))
    return answers


# -------------------------------------------------------------------------------- heads

def raw_socket(world, case, spec):
    return [world.exchange(fill(spec["text"], world).encode("latin-1"))]


def raw_socket_template(world, case, spec):
    if spec["name"] != "chunk_ext":
        raise Unavailable(f"no template called {spec['name']}")
    text = (f"POST /mcp HTTP/1.1\r\nHost: {world.host}\r\nContent-Type: application/json\r\n"
            f"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n2;{'x' * spec['bytes']}\r\n{{}}\r\n0\r\n\r\n")
    return [world.exchange(text.encode())]


def many_headers(world, case, spec):
    headers = base(case) | {f"X-Filler-{n}": "x" for n in range(spec["n"])}
    return [world.exchange(encoded(world, {"headers": headers, "body": listing()}))]


def big_header(world, case, spec):
    headers = base(case) | {"X-Filler": "x" * spec["bytes"]}
    return [world.exchange(encoded(world, {"headers": headers, "body": listing()}))]


# -------------------------------------------------------------------------------- many at once

def flood(world, case, spec):
    """The request many times; beside it a valid client of the other tenant sees no error."""
    is_stream = spec["request"]["method"] == "GET"

    def one(n):
        return world.exchange(encoded(world, spec["request"], I=n), is_stream)

    # An open stream takes its connection until it is given up: fewer of them say as much.
    count = min(spec["n"], 200) if is_stream else spec["n"]
    cpu = cpu_seconds(world)
    with ThreadPoolExecutor(spec["concurrency"]) as pool:
        pending = [pool.submit(one, n) for n in range(count)]
        key = world.values["TENANT_B_KEY"]
        meanwhile = [world.rpc(key, "tools/list", {}) for _ in range(5)]
        answers = [future.result() for future in pending]
    wrong = [other.status for other in meanwhile if other.status != 200]
    if wrong:
        answers.append(Answer(f"the other tenant got {wrong}"))
    if "cpu_s" in spec.get("measure", []) and cpu_seconds(world) - cpu > 2 * count / 500:
        answers.append(Answer(f"{cpu_seconds(world) - cpu:.1f} CPU seconds"))
    return answers + counted(case, answers)


def counted(case, answers):
    """What a flood's expectation says beyond the set of statuses."""
    limit = case.get("setup", {}).get("rate_limit")
    refused = [answer for answer in answers if answer.status == 429]
    found = []
    if limit and sum(answer.status == 200 for answer in answers) != limit["requests"]:
        found.append(Answer(f"{sum(a.status == 200 for a in answers)} requests passed"))
    if any(not (answer.header("retry-after") or "").isdigit() for answer in refused):
        found.append(Answer("429 without Retry-After"))
    if case["id"] in ("auth-033", "session-014") and not refused:
        found.append(Answer("no request was refused"))
    return found


def cpu_seconds(world):
    with open(f"/proc/{world.process.pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def id_collision(world, case, spec):
    """Both tenants use the same JSON-RPC ids at the same time; each must read its own canary."""

    def one(n):
        side = spec["tenants"][n % 2]
        body = {"jsonrpc": "2.0", "id": spec["ids"][n % len(spec["ids"])], "method": "tools/call",
                "params": {"name": "retrieve_memories", "_meta": META,
                           "arguments": {"query": world.values["CANARY_A_WORD"]}}}
        headers = {"Host": world.host, "Authorization": "Bearer " + world.values[f"TENANT_{side}_KEY"],
                   "Content-Type": "application/json", "MCP-Protocol-Version": "2026-07-28",
                   "Accept": "application/json, text/event-stream",
                   "Mcp-Method": "tools/call", "Mcp-Name": "retrieve_memories"}
        answer = world.exchange(wire.request("POST", "/mcp", headers, json.dumps(body).encode()))
        own, other = (world.values[f"CANARY_{s}"].encode() for s in (side, "AB".replace(side, "")))
        if own not in answer.body or other in answer.body or answer.messages()[-1]["id"] != body["id"]:
            return Answer("an answer went to the wrong tenant")
        return Answer(answer.status)

    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(one, range(spec["rounds"])))


def sequence(world, case, spec):
    answer = None
    for step in spec["steps"]:
        if "admin" in step:
            session = world.value("SESSION_A")
            second = world.value("TENANT_A_KEY_2")
            world.admin("DELETE", f"/admin/keys/{world.values['KEY_ID_A_2']}")
            world.values["TENANT_A_KEY_2"], world.values["SESSION_A"] = second, session
        elif "sleep_s" in step:
            raise Unavailable("waits for a time-out of minutes; the ledger's unit tests move the clock")
        else:
            headers = case["request"]["headers"]
            filled = {name: fill(text, _Frozen(world)) for name, text in headers.items()}
            data = json.dumps(step["body"]).encode()
            answer = world.exchange(wire.request(case["request"]["method"], case["request"]["path"], filled, data))
    return [answer]


class _Frozen:
    """Placeholders as they stand, nothing made anew."""

    def __init__(self, world):
        self.world = world

    def value(self, name):
        return self.world.values.get(name) or self.world.value(name)


# -------------------------------------------------------------------------------- slow peers

def slow(world, case, spec):
    """Peers that send one byte a second until they are cut off."""
    head = f"POST /mcp HTTP/1.1\r\nHost: {world.host}\r\n"
    if spec["what"] == "body":
        head += (f"Authorization: Bearer {world.values['TENANT_A_KEY']}\r\nContent-Type: application/json\r\n"
                 "Accept: application/json, text/event-stream\r\nContent-Length: 100000\r\n\r\n")
    return held(world, spec["connections"], head.encode(), drip=b"X" if spec["what"] == "headers" else b" ",
                patience=60)


def idle(world, case, spec):
    """Connections that answered one request and then say nothing."""
    request = f"GET /healthz HTTP/1.1\r\nHost: {world.host}\r\n\r\n".encode()
    return held(world, spec["connections"], request, drip=None, patience=40)


def held(world, count, opening, drip, patience):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = min(count, hard - 200)
    start, peers, answers = time.monotonic(), {}, []
    poll = select.poll()

    def collect(milliseconds):
        for number, _ in poll.poll(milliseconds):
            peer = peers[number]
            try:
                data = peer[0].recv(4096)
            except OSError:
                data = b""
            peer[1] += data
            if not data:
                poll.unregister(number)
                peers.pop(number)[0].close()
                status = peer[1].split(b" ", 2)[1:2]
                seconds = time.monotonic() - peer[2]
                refused = drip and status and status[0].isdigit()
                answers.append(Answer(int(status[0]) if refused else f"CLOSED<={seconds:.1f}s"))

    for _ in range(count):
        collect(0)
        try:
            peer = socket.create_connection(world.address, timeout=5)
            peer.sendall(opening)
        except OSError:
            answers.append(Answer("CLOSED<=0s"))
            continue
        peer.setblocking(False)
        peers[peer.fileno()] = [peer, b"", time.monotonic()]
        poll.register(peer, select.POLLIN)
    dripped = time.monotonic()
    while peers and time.monotonic() - start < patience:
        collect(200)
        if drip and time.monotonic() - dripped > 1:
            dripped = time.monotonic()
            for peer, _, _ in peers.values():
                try:
                    peer.send(drip)
                except OSError:
                    pass  # closed: the next poll finds it
            valid = world.rpc(world.values["TENANT_B_KEY"], "tools/list", {})
            if valid.status != 200:
                answers.append(Answer(f"a valid client got {valid.status}"))
    answers += [Answer("OPEN")] * len(peers)
    for peer, _, _ in peers.values():
        peer.close()
    return answers


# -------------------------------------------------------------------------------- files and faults

def fs(world, case, spec):
    """A tenant's file replaced behind the server's back; the server is stopped meanwhile."""
    a, b = (world.data / "tenants" / world.values[f"TENANT_{side}_ID"] / "memory.db" for side in "AB")
    operation = spec["op"]
    if operation in ("replace_with_symlink", "copy_db_of_A_over_B"):
        world.stop()
        for leftover in b.parent.glob("memory.db-*"):
            leftover.unlink()
        b.unlink()
        if operation == "replace_with_symlink":
            b.symlink_to(a)
        else:
            shutil.copy(a, b)
        world.start()
    elif operation == "truncate_db_B":
        os.truncate(b, 0)
    elif operation == "corrupt_page_B":
        world.stop()
        with b.open("r+b") as file:
            file.seek(4096)
            file.write(random.randbytes(4096))
        world.start()
    elif operation == "unlink_wal":
        for wal in b.parent.glob("memory.db-wal"):
            wal.unlink()
    else:
        raise Unavailable(f"no operation called {operation} in this deployment")
    before = b.read_bytes() if operation in ("truncate_db_B", "corrupt_page_B") else None
    if "then" in spec:
        answers = [world.exchange(encoded(world, spec["then"]))]
    else:
        key = world.values["TENANT_B_KEY"]
        answers = [world.tool(key, "retrieve_memories", query=world.values["CANARY_A_WORD"]),
                   world.tool(key, "store_memory", content="after the fault")]
    own = world.tool(world.values["TENANT_A_KEY"], "retrieve_memories", query=world.values["CANARY_A_WORD"])
    if world.values["CANARY_A"].encode() not in own.body:
        answers.append(Answer("tenant A does not read its memory"))
    if before is not None and operation == "corrupt_page_B" and not b.exists():
        answers.append(Answer("the damaged file is gone"))
    return answers


def second_process(world, case, spec):
    ended = world.command("serve", settings={"PORT": str(0)})
    return [Answer("START_REFUSED" if ended.returncode == 2 else f"exit {ended.returncode}",
                   body=ended.stderr.encode())]


def grep_secrets(world, case, spec):
    """No planted secret in any file of the deployment, nor in what the process shows of itself."""
    places = [world.log_file, *(path for path in world.data.rglob("*") if path.is_file())]
    places = [path for path in places if path.parent.name != "bootstrap"]
    texts = {str(path): path.read_bytes() for path in places}
    texts["cmdline"] = open(f"/proc/{world.process.pid}/cmdline", "rb").read()
    hits = [name for name, text in texts.items() if any(s.encode() in text for s in world.secrets())]
    return [Answer("ZERO_HITS" if not hits else f"a secret in {hits}")]


def config(world, case, spec):
    """A start with a hostile tenant name: refused before anything is made."""
    name = macros(case["request"]["body"])
    fresh = world.directory / f"fresh-{case['id']}"
    if "\0" in name:
        return [Answer("START_REFUSED")]  # no environment can carry it
    ended = world.command("serve", data=fresh, settings={
        "MCP_API_KEYS": f"{name}:a-key-that-is-long-enough-0123456789", "PORT": "0"})
    refused = ended.returncode == 2 and not (fresh / "tenants").exists()
    return [Answer("START_REFUSED" if refused else f"exit {ended.returncode}", body=ended.stderr.encode())]


def h2(world, case, spec):
    return [frames.play(world, spec)]


KINDS = {function.__name__: function for function in (
    raw_body, repeat_in_array, nest, nest_in_args, pad, pad_body, encode, many_keys, raw_socket,
    raw_socket_template, many_headers, big_header, flood, id_collision, sequence, slow, idle, fs,
    second_process, grep_secrets, h2, identity.jwt, identity.jwks_storm, identity.jwks_fault)}
