// The TypeScript clients log in to a server over HTTP by OAuth: `node logins.mjs CLIENT URL`. It is copied to where their
// packages are. Prints a line of JSON for each check: its name, and what failed.

import assert from "node:assert/strict";

const MODERN = "2026-07-28";
const REDIRECT = "http://127.0.0.1:9/callback";
const SCHEMA = { statement: "CREATE SCHEMA main.made" };

const [name, url] = process.argv.slice(2);

/** What a client keeps, and the browser that it sends to the page for consent. */
class Person {
  redirectUrl = REDIRECT;
  clientMetadata = {
    client_name: "interop",
    redirect_uris: [REDIRECT],
    grant_types: ["authorization_code"],
    response_types: ["code"],
    token_endpoint_auth_method: "none",
  };
  kept = {};

  clientInformation = () => this.kept.client;
  saveClientInformation = (client) => void (this.kept.client = client);
  tokens = () => this.kept.tokens;
  saveTokens = (tokens) => void (this.kept.tokens = tokens);
  codeVerifier = () => this.kept.verifier;
  saveCodeVerifier = (verifier) => void (this.kept.verifier = verifier);

  async redirectToAuthorization(page) {
    const answer = await fetch(page, { redirect: "manual" });
    assert.equal(answer.status, 302, `the page for consent answers ${answer.status}: ${await answer.text()}`);
    this.back = new URL(answer.headers.get("location")).searchParams;
  }

  /** What it came back with, once. */
  takeBack() {
    const back = this.back;
    this.back = undefined;
    return back;
  }
}

const person = new Person();
let transport;

/** Does something, and again with the token of a login that it led to. */
async function withLogin(work) {
  try {
    return await work();
  } catch (error) {
    const back = person.takeBack();
    if (!back) throw error;
    await transport.finishAuth(back.get("code"), back.get("iss"));
    return await work();
  }
}

async function connect() {
  const { Client, StreamableHTTPClientTransport } =
    name === "sdk"
      ? {
          ...(await import("@modelcontextprotocol/sdk/client/index.js")),
          ...(await import("@modelcontextprotocol/sdk/client/streamableHttp.js")),
        }
      : await import("@modelcontextprotocol/client");
  const mode = { "client-auto": "auto", "client-modern": { pin: MODERN } }[name];
  return withLogin(async () => {
    const made = new Client({ name: "interop", version: "1" }, mode && { versionNegotiation: { mode } });
    transport = new StreamableHTTPClientTransport(new URL(url), { authProvider: person });
    await made.connect(transport);
    // A client that pins the revision asks nothing before this.
    await made.listTools();
    return made;
  });
}

async function check(what, run) {
  const told = { name: `${name}: ${what}` };
  try {
    await run();
  } catch (error) {
    told.failure = String(error.stack ?? error).slice(0, 1_500);
  }
  console.log(JSON.stringify(told));
}

let made;

async function call(tool, given) {
  const answer = await withLogin(() => made.callTool({ name: tool, arguments: given }));
  assert(!answer.isError, JSON.stringify(answer));
  return answer.structuredContent;
}

await check("401, metadata, registration, code, token, call", async () => {
  made = await connect();
  await call("list_jobs", {});
  assert.equal(person.tokens().scope, "databricks.read");
});
await check("step-up by the tool", async () => {
  const { items } = await call("list_jobs", { limit: 1 });
  const { run_id } = await call("run_job_now", { job_id: items[0].job_id });
  assert(run_id, "no run");
  assert.equal(person.tokens().scope, "databricks.read databricks.write");
});
await check("step-up by the statement", async () => {
  const { rows } = await call("execute_sql", { statement: "SELECT 1 AS one" });
  assert.deepEqual(rows, [[1]]);
  assert.equal(person.tokens().scope, "databricks.read databricks.write");
  await call("execute_sql", SCHEMA);
  assert.equal(person.tokens().scope, "databricks.read databricks.write databricks.destructive");
});
process.exit(0);
