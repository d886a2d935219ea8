// The TypeScript clients drive a server over HTTP: `node clients.mjs CLIENT URL [KEY]`. It is copied to where their packages
// are. DATABRICKS_HOST and DATABRICKS_TOKEN are those of the workspace behind the server. Prints a line of JSON for each
// check: its name, and what failed.

import assert from "node:assert/strict";

const MODERN = "2026-07-28";
const INVALID_PARAMS = -32602;
const PATIENCE_MS = 30_000;

const [name, url, key] = process.argv.slice(2);
const init = key ? { requestInit: { headers: { Authorization: `Bearer ${key}` } } } : {};
const who = { name: "interop", version: "1" };

// What the person was asked, and what they answer.
const asked = [];
let says = "accept";

/** A client of the package with both eras. */
async function client(versionNegotiation) {
  const { Client, StreamableHTTPClientTransport } = await import("@modelcontextprotocol/client");
  const capabilities = { elicitation: { form: {} } };
  const made = new Client(who, { capabilities, ...(versionNegotiation && { versionNegotiation }) });
  made.setRequestHandler("elicitation/create", async ({ params }) => {
    asked.push(params.message);
    return says === "accept" ? { action: says, content: { confirm: true } } : { action: says };
  });
  await made.connect(new StreamableHTTPClientTransport(new URL(url), init));
  const call = (params, options) => made.callTool(params, options);
  return { made, call, version: () => made.getNegotiatedProtocolVersion() };
}

/** A client of the package before it, which knows no revision without a handshake. */
async function sdk(transport) {
  const { Client } = await import("@modelcontextprotocol/sdk/client/index.js");
  const made = new Client(who);
  let version;
  transport.setProtocolVersion = ((set) => (told) => {
    version = told;
    set?.call(transport, told);
  })(transport.setProtocolVersion);
  await made.connect(transport);
  const call = (params, options) => made.callTool(params, undefined, options);
  return { made, call, version: () => version };
}

const CLIENTS = {
  "client-legacy": () => client(),
  "client-auto": () => client({ mode: "auto" }),
  "client-modern": () => client({ mode: { pin: MODERN } }),
  "sdk": async () => {
    const { StreamableHTTPClientTransport } = await import("@modelcontextprotocol/sdk/client/streamableHttp.js");
    return sdk(new StreamableHTTPClientTransport(new URL(url), init));
  },
  "sdk-sse": async () => {
    const { SSEClientTransport } = await import("@modelcontextprotocol/sdk/client/sse.js");
    const withKey = (how) => ({ ...how, headers: { ...how.headers, ...init.requestInit?.headers } });
    const eventSourceInit = { fetch: (at, how) => fetch(at, withKey(how)) };
    return sdk(new SSEClientTransport(new URL(url), { ...init, eventSourceInit }));
  },
};

async function check(what, run) {
  const told = { name: `${name}: ${what}` };
  try {
    await run();
  } catch (error) {
    told.failure = String(error.stack ?? error).slice(0, 1_500);
  }
  console.log(JSON.stringify(told));
}

/** The states of the statements with this text, as the workspace has them. */
async function statements(text) {
  const path = "/api/2.0/sql/history/queries?max_results=100";
  const headers = { Authorization: `Bearer ${process.env.DATABRICKS_TOKEN}` };
  const answer = await (await fetch(`${process.env.DATABRICKS_HOST}${path}`, { headers })).json();
  return (answer.res ?? []).filter((query) => query.query_text === text).map((query) => query.status);
}

async function until(what, isSo) {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await isSo())) {
    assert(Date.now() < deadline, `not so: ${what}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

/** Calls a statement that takes its time, and gives it up by `leave` once it runs. */
async function cancelled(why, options, leave) {
  const statement = `SELECT sandbox_sleep(25) -- ${name}, ${why}`;
  const sent = call({ name: "execute_sql", arguments: { statement } }, options);
  const over = sent.then(() => "answered", (error) => error);
  await until("the statement runs", async () => (await statements(statement)).length === 1);
  await leave();
  await until("it is cancelled", async () => (await statements(statement))[0] === "CANCELED");
  assert.notEqual(await over, "answered");
}

const { made, call, version } = await CLIENTS[name]();

await check("handshake", () => {
  const isModern = ["client-auto", "client-modern"].includes(name);
  assert.equal(version() >= MODERN, isModern, `the revision is ${version()}`);
  // A client that pins the revision has not asked who answers.
  if (name !== "client-modern") assert.equal(made.getServerVersion()?.name, "databricks-mcp-server");
});
await check("tools/list", async () => {
  const { tools, nextCursor } = await made.listTools();
  assert(tools.length > 0 && nextCursor === undefined, `${tools.length} tools, ${nextCursor}`);
});
await check("tools/call", async () => {
  const answer = await call({ name: "execute_sql", arguments: { statement: "SELECT 1 AS one" } });
  assert.deepEqual(answer.structuredContent.rows, [[1]]);
});
await check("a job that does not exist is an answer with `isError`", async () => {
  const answer = await call({ name: "get_job", arguments: { job_id: "987654321" } });
  assert(answer.isError && answer.content[0].text.includes("`list_jobs`"), JSON.stringify(answer));
});
await check("an unknown tool is refused", async () => {
  await assert.rejects(call({ name: "get_jobb", arguments: {} }), (error) => error.code === INVALID_PARAMS);
});
await check("resources/list and resources/read", async () => {
  const { resources } = await made.listResources();
  const { contents } = await made.readResource({ uri: resources.at(-1).uri });
  assert(contents[0].uri === resources.at(-1).uri && contents[0].text, JSON.stringify(contents));
});
await check("progress grows, and comes before the result", async () => {
  // What comes at once with the result, this client does not hear: the run takes a while.
  const content = "import time\ntime.sleep(2)\n";
  const notebook = { path: "/Shared/hello", content, language: "PYTHON", format: "SOURCE", overwrite: true };
  await call({ name: "import_notebook", arguments: notebook });
  const tasks = [{ task_key: "hello", notebook_task: { notebook_path: notebook.path } }];
  const { structuredContent: job } = await call({ name: "create_job", arguments: { name, tasks } });
  const heard = [];
  const options = { onprogress: ({ progress }) => heard.push(progress) };
  const answer = await call({ name: "run_job_now", arguments: { job_id: job.job_id, wait: true } }, options);
  assert(!answer.isError, JSON.stringify(answer));
  assert(heard.length > 1 && heard.every((value, index) => index === 0 || value > heard[index - 1]), `${heard}`);
});
await check("a subscription hears that a run has ended", async () => {
  // The transport before has one stream, and its client is told on that.
  const content = "import time\ntime.sleep(3)\n";
  const notebook = { path: `/Shared/lasting-${name}`, content, language: "PYTHON", overwrite: true };
  await call({ name: "import_notebook", arguments: notebook });
  const { structuredContent: run } = await call({ name: "run_notebook", arguments: { path: notebook.path, wait: false } });
  const uri = `databricks://runs/${run.run_id}`;
  let heard = 0;
  const hear = ({ params }) => {
    if (params.uri === uri) heard += 1;
  };
  let listening;
  if (name.startsWith("client")) {
    made.setNotificationHandler("notifications/resources/updated", hear);
  } else {
    const { ResourceUpdatedNotificationSchema } = await import("@modelcontextprotocol/sdk/types.js");
    made.setNotificationHandler(ResourceUpdatedNotificationSchema, hear);
  }
  if (version() >= MODERN) {
    listening = await made.listen({ resourceSubscriptions: [uri, "databricks://jobs/1"] });
    assert.deepEqual(listening.honoredFilter.resourceSubscriptions, [uri]);
  } else {
    await made.subscribeResource({ uri });
  }
  const hasEnded = async () => {
    const { structuredContent } = await call({ name: "get_run", arguments: { run_id: run.run_id } });
    return structuredContent.state.life_cycle_state === "TERMINATED";
  };
  await until("the run has ended", hasEnded);
  await until("the client has heard of it", () => heard > 0);
  if (listening) await listening.close();
  else await made.unsubscribeResource({ uri });
});
await check("a person confirms, or the call is refused", async () => {
  const { structuredContent: job } = await call({ name: "create_job", arguments: { name: `asked by ${name}`, tasks: [] } });
  const erase = { name: "delete_job", arguments: { job_id: job.job_id } };
  asked.length = 0;
  says = "decline";
  const refused = await call(erase);
  // The client before that one is not told how to ask.
  const words = name.startsWith("client") ? "declined" : "`elicitation`";
  assert(refused.isError && refused.content[0].text.includes(words), JSON.stringify(refused));
  says = "accept";
  if (name.startsWith("client")) {
    const done = await call(erase);
    assert(!done.isError && asked.length === 2, JSON.stringify([done, asked]));
    assert(asked.every((text) => text.includes(`Delete job \`asked by ${name}\`?`)), JSON.stringify(asked));
  }
});
await check("a call that is given up is cancelled in the workspace", () => {
  const giveUp = new AbortController();
  return cancelled("given up", { signal: giveUp.signal }, () => giveUp.abort("given up"));
});
await check("what runs when the client leaves is cancelled in the workspace", () =>
  cancelled("left", {}, async () => {
    // A stream of a session may break and the call goes on, until the session ends.
    await made.transport.terminateSession?.();
    await made.close();
  }),
);
process.exit(0);
