"""Cases: lines of JSON, with macros and placeholders filled in.

A case keeps its text as it is; what a placeholder stands for is asked of the world at the moment
the case is played, because sessions and canaries are made anew.
"""

import json
import random
import re
import tomllib
from pathlib import Path

META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "hostile", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
PLACEHOLDER = re.compile(r"\{([A-Z][A-Z0-9_]*)(?::([A-Z_0-9]+))?\}")


class Unavailable(Exception):
    """The case needs something that this deployment does not have; the text says what."""


def load(paths):
    for path in paths:
        for number, line in enumerate(Path(path).read_text().splitlines(), 1):
            if line.strip():
                case = json.loads(line)
                case["where"] = f"{Path(path).name}:{number}"
                yield case


def table(name):
    """A TOML file beside this one: lists of {cases = [...], reason = "..."} by section."""
    return tomllib.loads((Path(__file__).parent / name).read_text())


def lookup(entries, case):
    """The first entry that names the case, by its id or by a prefix that ends in `*`."""
    for entry in entries:
        for pattern in entry["cases"]:
            if pattern == case["id"] or (pattern.endswith("*") and case["id"].startswith(pattern[:-1])):
                return entry
    return None


def macros(value):
    """Replaces {"$repeat": …}, {"$concat": …} and {"$repeat_item": …}."""
    if isinstance(value, dict):
        if set(value) == {"$repeat"}:
            text, times = value["$repeat"]
            return text * times
        if set(value) == {"$concat"}:
            return "".join(macros(part) for part in value["$concat"])
        if set(value) == {"$repeat_item"}:
            item, times = value["$repeat_item"]
            return [macros(item)] * times
        return {key: macros(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [macros(inner) for inner in value]
    return value


def changed(text, how):
    """A placeholder's value after a named change."""
    body, _, check = text.rpartition("_")
    other = {"0": "1"}.get(check[-1:], "0")
    changes = {
        "BAD_CHECKSUM": lambda: f"{body}_{check[:-1]}{other}",
        "TRUNCATED_HALF": lambda: text[: len(text) // 2],
        "TRAILING_X": lambda: text + "x",
        "UPPERCASED": lambda: text.upper(),
        "FLIP_LAST_SECRET_CHAR": lambda: f"{body[:-1]}{'A' if body[-1] != 'A' else 'B'}_{check}",
        "FLIP_BIT": lambda: text[:-1] + chr(ord(text[-1]) ^ 1),
    }
    if how not in changes:
        raise Unavailable(f"no change called {how}")
    return changes[how]()


def fill(value, world, **extra):
    """Fills placeholders in texts, lists and objects; `META` in raw text is the `_meta` object."""
    if isinstance(value, str):

        def replacement(match):
            name, change = match.group(1), match.group(2)
            if name == "META":
                return json.dumps(META)
            if name in extra:
                text = str(extra[name])
            elif name == "RANDOM_IPV4":
                text = ".".join(str(random.randrange(1, 255)) for _ in range(4))
            else:
                text = world.value(name)
            return changed(text, change) if change else text

        return PLACEHOLDER.sub(replacement, value)
    if isinstance(value, list):
        return [fill(inner, world, **extra) for inner in value]
    if isinstance(value, dict):
        return {fill(key, world, **extra): fill(inner, world, **extra) for key, inner in value.items()}
    return value
