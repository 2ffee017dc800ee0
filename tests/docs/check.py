"""Checks pages against the tree: test names, links, settings, endpoints, tools, JSON, screens."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

root = Path(sys.argv[1]).resolve()
program = os.environ["MEMGATE_BIN"]
readme = (root / "README.md").read_text()
source = "\n".join(path.read_text() for folder in ("src", "tests") for path in (root / folder).rglob("*.rs"))
wrong = []


def section(title):
    return readme.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def names(text, pattern=r"`([^`]+)`"):
    return re.findall(pattern, text)


def rows(text):
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


pages = [*root.glob("*.md"), root / "k8s/README.md", root / "certs/README.md"]
for page in pages:
    text = page.read_text()
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if "://" not in target and not (page.parent / target).exists():
            wrong.append(f"{page.name}: no {target}")
    for block in re.findall(r"```json\n(.*?)```", text, re.S):
        try:
            json.loads(block)
        except ValueError as error:
            wrong.append(f"{page.name}: a JSON example does not parse: {error}")

for name in names(section("Isolation"), r"`([iv]\d+_\w+)`"):
    if f"fn {name}(" not in source:
        wrong.append(f"no test {name}")

# The program's own reference decides: two tables, the settings and the names without the pattern.
ended = subprocess.run([program, "config", "reference"], capture_output=True, text=True, check=True)
settings, plain = (rows(table) for table in ended.stdout.split("\n\n"))
default_of = {names(row[0])[0]: names(row[1])[0] for row in settings}
setting_of = {names(row[0])[0]: (names(row[1]) or [None])[0] for row in plain}
told = set()
for row in rows(section("Settings")):
    defaults = row[1].split(", ")
    for name, default in zip(names(row[0]), defaults if len(defaults) == len(names(row[0])) else []):
        says = names(default)[0] if names(default) else default
        real = default_of.get(setting_of.get(name), says)
        # Words ("loopback names and the bind address") explain an empty list.
        if says != real and not (real == "none" and " " in says):
            wrong.append(f"the default of {name} is {real}, not {says}")
    for name in names(row[0]):
        told.add(name)
        if name not in setting_of:
            wrong.append(f"no setting {name}")
wrong += [f"{name} is not listed" for name, key in setting_of.items() if key and name not in told]
for page in pages:
    for key in names(page.read_text(), r"`((?:%s)\.[a-z_.]+)`" % "|".join({k.split(".")[0] for k in default_of})):
        if key not in default_of:
            wrong.append(f"{page.name}: no setting {key}")

routes = (root / "src/http/routes.rs").read_text()
listed = {(method, path) for row in rows(section("Endpoints")) for path in names(row[0])
          for method in row[1].split(", ")}
table = set(re.findall(r'operator\(\s*"(\w+)",\s*"([^"]+)"', routes))
table |= {("GET", path) for path in re.findall(r'(?:open|resource)\("([^"]+)"', routes)}
table |= {(method, "/mcp") for method in re.findall(r'agent\("(\w+)"\)', routes)}
wrong += [f"endpoint on one side only: {method} {path}" for method, path in sorted(listed ^ table)]

for row in rows(section("Tools")):
    for tool in names(row[1]):
        if f'name: "{tool}"' not in source:
            wrong.append(f"no tool {tool}")

parts = subprocess.run([root / "tests/run", "--list"], capture_output=True, text=True, check=True).stdout.split()
if [names(row[0])[0] for row in rows(section("Tests"))] != parts:
    wrong.append(f"parts of tests/run are {parts}")

# A block that shows a command which needs no server is run again and must say the same.
shown = 0
for block in re.findall(r"```console\n(.*?)```", readme, re.S):
    command, _, output = block.partition("\n")
    if match := re.fullmatch(r"\$ memgate ((?:\w+ )*--(?:help|version))", command.strip()):
        ended = subprocess.run([program, *match.group(1).split()], capture_output=True, text=True)
        shown += 1
        if ended.stdout.strip() != output.strip():
            wrong.append(f"`memgate {match.group(1)}` says something else now")

for line in wrong:
    print(f"failed: {line}")
print(f"docs: {len(listed) + shown} passed, {len(wrong)} failed")
sys.exit(1 if wrong else 0)
