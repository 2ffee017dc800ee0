"""The official Python client: connect, list, store, retrieve; a second app sees nothing of it."""

import asyncio
import os
import sys

from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

URL = os.environ["MEMGATE_URL"]
FORMS = {
    "Authorization": lambda key: {"Authorization": f"Bearer {key}"},
    "X-API-Key": lambda key: {"X-API-Key": key},
}
ERAS = {"legacy": "2025-11-25", "auto": "2026-07-28", "2026-07-28": "2026-07-28"}


def client(key, form, era):
    http = create_mcp_http_client(headers=FORMS[form](key))
    return Client(streamable_http_client(URL, http_client=http), mode=era)


def text(result):
    assert not result.is_error, result
    return "".join(part.text for part in result.content)


async def two_apps(form, era):
    word = f"python-{form}-{era}".lower()
    async with (client(os.environ["ACME_KEY"], form, era) as acme,
                client(os.environ["GLOBEX_KEY"], form, era) as globex):
        assert acme.protocol_version == ERAS[era], acme.protocol_version
        tools = {tool.name for tool in (await acme.list_tools()).tools}
        assert {"store_memory", "retrieve_memories", "add_memory", "retrieve_memory"} <= tools, tools
        stored = await acme.call_tool("store_memory", {"content": f"the secret is {word}", "tags": "py"})
        assert "Successfully stored" in text(stored), stored
        mine = await acme.call_tool("retrieve_memories", {"query": word})
        assert word in text(mine), mine
        theirs = await globex.call_tool("retrieve_memories", {"query": word})
        assert f"secret is {word}" not in text(theirs), theirs
        await globex.call_tool("add_memory", {"user_input": "who?", "agent_response": f"globex {word}"})
        again = await acme.call_tool("retrieve_memory", {"query": "globex"})
        assert f"globex {word}" not in text(again), again
        prompts = await acme.list_prompts()
        assert prompts.prompts, prompts
        resources = await acme.list_resources()
        assert any(str(r.uri).startswith(("memory://", "info://")) for r in resources.resources), resources


async def without_a_key(era):
    try:
        async with Client(streamable_http_client(URL, http_client=create_mcp_http_client()), mode=era) as nobody:
            await nobody.list_tools()
    except BaseException:  # noqa: BLE001: the client wraps the refusal in a group of its own
        return
    raise AssertionError("it got in without a key")


async def main():
    passed = failed = 0
    checks = [(f"python {era} {form}", two_apps(form, era)) for era in ERAS for form in FORMS]
    checks += [(f"python {era} no key", without_a_key(era)) for era in ("legacy", "auto")]
    for name, check in checks:
        try:
            await asyncio.wait_for(check, 60)
            passed += 1
        except BaseException as error:  # noqa: BLE001: every check is reported
            failed += 1
            print(f"failed: {name}: {type(error).__name__}: {error}")
            for inner in getattr(error, "exceptions", ()):
                print(f"    {type(inner).__name__}: {inner}")
    print(f"python: {passed} passed, {failed} failed")
    return failed


sys.exit(1 if asyncio.run(main()) else 0)
