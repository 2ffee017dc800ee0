"""Whether answers are what a case expects, and the invariants that hold after every case."""

import re
import time

from corpus import fill

RSS_GROWTH = 64 * 1024 * 1024
DESCRIPTORS = 24  # stores and connections that may rightly be open a moment longer
BOUND = re.compile(r"CLOSED<=(.+)$")
# Settings of the world that slow cases run in, in seconds.
NAMED = {"idle_timeout": 5}
# Every answer of every status carries these.
ALWAYS = ("x-content-type-options", "x-frame-options", "x-xss-protection", "referrer-policy",
          "content-security-policy", "cache-control", "x-request-id")


def complaints(case, answers, world, lenient=frozenset()):
    """Every way in which the answers differ from the case's expectation."""
    expect, found = case["expect"], []
    wanted = expect["status"] if isinstance(expect["status"], list) else [expect["status"]]
    for answer in answers:
        if not any(fits(answer.status, one) for one in wanted):
            shown = answer.body[:160].decode("utf-8", "replace")
            found.append(f"status {answer.status} instead of {expect['status']} {shown!r}")
            break
    single = answers[0] if len(answers) == 1 else None
    if single is not None:
        found += details(expect, single, world, lenient)
    for answer in answers:
        if answer.headers and (bare := [name for name in ALWAYS if not answer.header(name)]):
            found.append(f"the answer {answer.status} is without {', '.join(bare)}")
            break
    for answer in answers:
        if hit := forbidden(case, expect, answer, world):
            found.append(f"the answer holds {hit!r}")
            break
    return [line for line in found if line]


def fits(status, wanted):
    if status == wanted:
        return True
    bound = BOUND.match(wanted) if isinstance(wanted, str) else None
    closed = BOUND.match(status) if isinstance(status, str) else None
    if bound and status == "CLOSED":
        return True
    if bound and closed:
        limit = sum(NAMED.get(part.strip()) or float(part.strip().rstrip("s")) for part in bound.group(1).split("+"))
        return float(closed.group(1).rstrip("s")) <= limit + 3  # a busy machine's share
    return False


def details(expect, answer, world, lenient):
    message = (answer.messages() or [{}])[-1]
    message = message if isinstance(message, dict) else {}
    if "jsonrpc_code" in expect and answer.status not in (413, 415, 431):
        code = (message.get("error") or {}).get("code")
        if code != expect["jsonrpc_code"]:
            yield f"code {code} instead of {expect['jsonrpc_code']}"
    if expect.get("tool_is_error") and answer.status == 200:
        if not ((message.get("result") or {}).get("isError") or message.get("error")):
            yield f"the tool did not fail: {answer.body[:160]!r}"
    if "body_matches" in expect and isinstance(answer.status, int):
        text = answer.body.decode("utf-8", "replace")
        bodyless = answer.status != 401 and 401 in as_list(expect["status"])
        if not bodyless and not re.search(fill(expect["body_matches"], world), text):
            yield f"body {text[:160]!r}"
    for name, pattern in expect.get("headers", {}).items():
        value = answer.header(name)
        if name in lenient or (answer.status != 401 and name == "www-authenticate"):
            continue
        if pattern is None and value is not None:
            yield f"there is a header {name}: {value}"
        elif pattern is not None and not re.search(pattern, value or ""):
            yield f"header {name}: {value!r}"


def as_list(value):
    return value if isinstance(value, list) else [value]


def forbidden(case, expect, answer, world):
    text = (answer.raw or answer.body).decode("utf-8", "replace")
    for word in expect["must_not_contain"]:
        try:
            word = fill(word, world)
        except Exception:  # noqa: BLE001: what does not exist cannot be in an answer
            continue
        if word and word in text:
            return word
    return None


class Invariants:
    """What was true before a case, to compare with what is true after it."""

    def __init__(self, world):
        self.world = world
        self.pid = world.process.pid
        self.rss = world.rss()
        self.descriptors = world.descriptors()
        self.dump = world.dump()
        self.logged = len(world.log())

    def complaints(self, case, answers, is_single):
        world = self.world
        if world.process.poll() is not None or world.process.pid != self.pid:
            yield "the process is gone"
            return
        if not world.wait_ready(2):
            yield "/readyz is not 200 within 2 s"
            return
        # Before the dump: its own requests are logged, too.
        log = world.log()[self.logged :]
        if "panicked" in log:
            yield "a panic in the log: " + next(l for l in log.splitlines() if "panicked" in l)[:200]
        for secret in world.secrets():
            if secret in log:
                yield "a planted secret in the log"
        unauthorized = {answer.body for answer in answers if answer.status == 401}
        if unauthorized - {b'{"error":"unauthorized"}'}:
            yield f"another 401 body: {unauthorized}"
        if is_single and isinstance(answers[0].status, int):
            request_id = answers[0].header("x-request-id")
            lines = [l for l in log.splitlines() if request_id and request_id in l and "status" in l]
            if request_id and len(lines) != 1:
                yield f"{len(lines)} access log lines for one request"
        if world.dump() != self.dump:
            yield "a store changed"
        if world.rss() - self.rss > RSS_GROWTH:
            yield f"memory grew by {(world.rss() - self.rss) >> 20} MiB"
        end = time.monotonic() + 3
        while world.descriptors() > self.descriptors + DESCRIPTORS and time.monotonic() < end:
            time.sleep(0.05)
        if world.descriptors() > self.descriptors + DESCRIPTORS:
            yield f"{world.descriptors() - self.descriptors} descriptors more than before"
