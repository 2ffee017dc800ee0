"""Plays cases and says, one line a case, what failed and what was skipped and why.

Three sorts of cases do not count as passed: `skipped` ones need something that is not built yet, or of
another test (skips.toml), `deviations` expect something that our design decided otherwise
(deviations.toml says what is checked instead), and `failed` ones are failures.
"""

import argparse
import sys
import time
from contextlib import ExitStack

import corpus
import generators
import identity
import tls
import wire
from corpus import Unavailable, fill, macros
from verdict import Invariants, complaints
from wire import Answer
from world import World

# Cases that break their deployment, or need settings of their own, get one to themselves.
OWN_WORLD = ("FS", "FAULT")
SETUPS = {
    "rate_limit": lambda v: {"RATE_LIMIT_REQUESTS": str(v["requests"]), "RATE_LIMIT_WINDOW": str(v["window_s"]),
                             "MEMGATE_LIMITS__PER_ADDRESS": None},
    "trusted_proxies": lambda v: {"MEMGATE_LIMITS__FAILURES": None},
    "env": lambda v: v,
    # A world of its own has them (`with_clients`).
    "mtls": lambda v: {},
    "cert_binding": lambda v: {},
}


class Run:
    def __init__(self):
        self.skips = corpus.table("skips.toml")["skip"]
        self.deviations = corpus.table("deviations.toml")["deviation"]
        self.worlds = ExitStack()
        self.shared = self.secure = self.certified = self.trusting = None
        self.counts = {"passed": 0, "failed": 0, "skipped": 0, "deviating": 0}

    # ------------------------------------------------------------------------ worlds

    def world(self, settings=None, paths=None, issuer=None, clients=None):
        world = World(settings, tls.Client(paths, clients) if paths else None, issuer)
        self.worlds.callback(world.close)
        return world

    def plain(self):
        self.shared = self.shared or self.world()
        return self.shared

    def tls(self):
        if not self.secure:
            paths = tls.certificate(self.plain().directory)
            self.secure = self.world(tls.settings(paths), paths)
        return self.secure

    def with_clients(self):
        """A deployment that asks for client certificates."""
        if not self.certified:
            # Its own: the other world with a certificate would take a new one of the same name.
            directory = self.plain().directory / "certified"
            directory.mkdir()
            paths, clients = tls.certificate(directory), tls.Clients(directory)
            self.certified = self.world(tls.settings(paths) | clients.settings(), paths, clients=clients)
        return self.certified

    def issuer(self):
        issuer = identity.Issuer()
        self.worlds.callback(issuer.close)
        return issuer

    def behind_issuer(self, case):
        """A deployment that trusts an identity provider; a fault gets one to itself."""
        spec = case["request"].get("generator") or {}
        if spec.get("kind") == "jwks_fault":
            return self.world(issuer=identity.prepare(self.issuer(), spec))
        self.trusting = self.trusting or self.world(issuer=self.issuer())
        return self.trusting

    def place(self, case):
        """The world a case plays in."""
        settings = {}
        for name, value in case.get("setup", {}).items():
            if name in SETUPS:
                settings |= SETUPS[name](value)
            elif name != "key":
                raise Unavailable(f"setup `{name}` is not built yet")
        if case["expect"]["status"] == "START_REFUSED" and settings:
            return None, settings
        if "jwt" in case.get("needs", []):
            return self.behind_issuer(case), settings
        if "mtls" in case.get("setup", {}):
            return self.with_clients(), settings
        kind = (case["request"].get("generator") or {}).get("kind")
        if kind == "idle":
            settings |= {"MEMGATE_LISTEN__IDLE_TIMEOUT": "5s"}
        body = str((case["request"].get("generator") or {}).get("request", {}).get("body"))
        fills_up = kind == "flood" and "initialize" in body  # its sessions would outlive the case
        if settings or fills_up or case["request"]["method"] in OWN_WORLD:
            return self.world(settings), settings
        return (self.tls() if case["request"]["method"] == "TLS" else self.plain()), settings

    # ------------------------------------------------------------------------ one case

    def answers(self, case, world):
        request = case["request"]
        spec = request.get("generator")
        if request["method"] == "CONFIG":
            return generators.config(world, case, spec)
        if request["method"] == "TLS":
            return [tls.play(world, corpus.fill(spec, world), {})]
        if spec:
            if spec["kind"] not in generators.KINDS:
                raise Unavailable(f"no generator called {spec['kind']}")
            return generators.KINDS[spec["kind"]](world, case, spec)
        data = generators.encoded(world, with_key(case))
        return [world.exchange(data, is_stream=request["method"] == "GET")]

    def refused_start(self, world_settings):
        ended = self.plain().command("serve", settings=world_settings | {"PORT": "0"},
                                     data=self.plain().directory / "refused")
        return [Answer("START_REFUSED" if ended.returncode == 2 else f"exit {ended.returncode}")]

    def play(self, case):
        skip = corpus.lookup(self.skips, case)
        if skip:
            return "skipped", [skip["reason"]]
        deviation = corpus.lookup(self.deviations, case) or {}
        if "instead" in deviation:
            case = case | {"expect": case["expect"] | deviation["instead"]}
        try:
            world, settings = self.place(case)
            if world is None:
                return self.judged(deviation, complaints(case, self.refused_start(settings), self.plain()))
            world.renew()
            before = Invariants(world)
            answers = self.answers(case, world)
            found = complaints(case, answers, world, frozenset(deviation.get("headers", [])))
            single = len(answers) == 1 and case["request"]["method"] not in ("CONFIG", "FS", "FAULT", "TLS")
            if case["request"]["method"] not in OWN_WORLD:
                before_complaints = before.complaints(case, answers, single)
                found += [c for c in before_complaints if not any(w in c for w in deviation.get("without", []))]
            if world.process.poll() is not None and world is self.shared:
                self.shared = None
            return self.judged(deviation, found)
        except Unavailable as missing:
            return "skipped", [str(missing)]

    @staticmethod
    def judged(deviation, found):
        if found:
            return "failed", found
        return ("deviating", [deviation["reason"]]) if deviation else ("passed", [])


def with_key(case):
    """`setup.key` plays the case with the other tenant's key."""
    if case.get("setup", {}).get("key") != "B":
        return case["request"]
    headers = {k: v.replace("TENANT_A_KEY", "TENANT_B_KEY") if isinstance(v, str) else v
               for k, v in case["request"]["headers"].items()}
    return case["request"] | {"headers": headers}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", nargs="+", required=True)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    run, start = Run(), time.monotonic()
    with run.worlds:
        for case in corpus.load(options.cases):
            if options.only and not {case["id"], case["group"]} & set(options.only):
                continue
            begun = time.monotonic()
            try:
                verdict, lines = run.play(case)
            except Exception as error:  # noqa: BLE001: a runner's fault is a failure of that case
                verdict, lines = "failed", [f"{type(error).__name__}: {error}"]
            run.counts[verdict] += 1
            seconds = time.monotonic() - begun
            if verdict != "passed" or options.verbose or seconds > 20:
                print(f"{verdict:9} {case['id']:14} {seconds:5.1f} s  {'; '.join(lines)}"[:400], flush=True)
    counts = run.counts
    print(f"{counts['deviating']} of the passed cases are held to our design instead "
          f"(deviations.toml); {time.monotonic() - start:.0f} s")
    print(f"hostile: {counts['passed'] + counts['deviating']} passed, {counts['failed']} failed, "
          f"{counts['skipped']} skipped")
    sys.exit(1 if counts["failed"] or not counts["passed"] else 0)


if __name__ == "__main__":
    main()
