// The official TypeScript client: connect, list, store, retrieve; a second app sees nothing of it.

import assert from "node:assert/strict";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

const url = new URL(process.env.MEMGATE_URL);
const forms = {
  Authorization: (key) => ({ requestInit: { headers: { Authorization: `Bearer ${key}` } } }),
  "X-API-Key": (key) => ({ requestInit: { headers: { "X-API-Key": key } } }),
  "token provider": (key) => ({ authProvider: { token: async () => key } }),
};
const eras = {
  legacy: ["2025-11-25", { mode: "legacy" }],
  auto: ["2026-07-28", { mode: "auto" }],
  pinned: ["2026-07-28", { mode: { pin: "2026-07-28" } }],
};

async function connect(options, versionNegotiation) {
  const client = new Client({ name: "memgate-tests", version: "1.0.0" }, { versionNegotiation });
  const transport = new StreamableHTTPClientTransport(url, options);
  await client.connect(transport);
  return { client, transport };
}

const text = (result) => {
  assert.ok(!result.isError, JSON.stringify(result));
  return result.content.map((part) => part.text).join("");
};
const call = (app, name, args) => app.client.callTool({ name, arguments: args });

async function twoApps(form, era) {
  const word = `typescript-${form}-${era}`.toLowerCase().replaceAll(" ", "-");
  const [revision, negotiation] = eras[era];
  const acme = await connect(forms[form](process.env.ACME_KEY), negotiation);
  const globex = await connect(forms[form](process.env.GLOBEX_KEY), negotiation);
  assert.equal(acme.client.getNegotiatedProtocolVersion(), revision);
  const tools = (await acme.client.listTools()).tools.map((tool) => tool.name);
  for (const name of ["store_memory", "retrieve_memories", "add_memory"]) assert.ok(tools.includes(name), name);
  assert.match(text(await call(acme, "store_memory", { content: `the secret is ${word}` })), /Successfully stored/);
  assert.ok(text(await call(acme, "retrieve_memories", { query: word })).includes(word));
  const theirs = text(await call(globex, "retrieve_memories", { query: word }));
  assert.ok(!theirs.includes(`secret is ${word}`), theirs);
  if (era === "legacy") await acme.transport.terminateSession();
  await acme.client.close();
  await globex.client.close();
}

async function withoutKey() {
  await assert.rejects(connect({}, { mode: "auto" }));
}

let passed = 0;
let failed = 0;
const checks = [["no key", withoutKey]];
for (const era of Object.keys(eras))
  for (const form of Object.keys(forms)) checks.push([`${era} ${form}`, () => twoApps(form, era)]);
for (const [name, check] of checks) {
  try {
    await check();
    passed += 1;
  } catch (error) {
    failed += 1;
    console.log(`failed: typescript ${name}: ${error?.stack ?? error}`);
  }
}
console.log(`typescript: ${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
