"""Clients of other people drive the server over HTTP: in both eras, with and without keys, and by the transport before.

    python3 tests/interop/over_http.py target/release/databricks-mcp-server

A line per check, then the sum. Exit code 0: all passed; 1: not; 77: this machine lacks what it takes, and why.
"""

import sys

# Nothing is written into `tests/`, not even compiled modules.
sys.dont_write_bytecode = True

import environment
from report import Failed, Report, Under, brief, expect, skipped

if __name__ == "__main__":
    try:
        environment.enter_venv()
    except environment.Missing as missing:
        sys.exit(skipped(missing))

import json
import logging
import os
import shutil
import signal
import subprocess
from functools import partial

import anyio
import anyio.to_thread
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

import client as stdio
import lasting
import person
import scenarios
import waiting
from caller import Caller
from inspector import Inspector
from service import Service, keys, status, until, workspace

# The Python client logs an error where an event comes while it is being closed.
logging.getLogger("mcp.client").setLevel(logging.CRITICAL)
# What each mode of the Python client comes to.
MODES = {"legacy": ("legacy", "legacy"), "auto": ("auto", "modern"), "modern": (stdio.MODERN, "modern")}
STREAMABLE = ("client-legacy", "client-auto", "client-modern", "sdk")
LEGACY_SSE = ("sdk-sse",)
SELECT = {"statement": "SELECT 1 AS one"}
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "interop", "version": "1"}},
}


def connect(url, mode, key=None, asks=person.Person(), **more):
    """A Python client, which keeps no answers. Its person confirms whatever it asks."""
    http = create_mcp_http_client(headers={"Authorization": f"Bearer {key}"} if key else None)
    transport = streamable_http_client(url, http_client=http)
    seconds = stdio.TIMEOUT_SECONDS
    return Client(transport, mode=mode, read_timeout_seconds=seconds, cache=None, elicitation_callback=asks, **more)


async def check_python(report, binary, name):
    """What is checked on stdio, over HTTP with a server of its own."""
    mode, era = MODES[name]
    report = Under(report, f"python {name}")
    with report.check("session"), Service(binary, "--sandbox", "--sandbox-clock", "fast") as service:
        async with connect(service.url, mode) as client:
            with report.check("handshake"):
                # A client that pins the modern version asks nothing before its first request.
                if name != "modern":
                    stdio.check_identity(client, era)
            await stdio.check_tools(report, client, era)
            call, known = Caller(report, era, client), scenarios.Known()
            for area in scenarios.AREAS:
                await stdio.check_area(report, call, known, area)
            await stdio.check_resources(report, client, era, known)
            await waiting.check(report, call, known)
            await stdio.check_errors(report, client, era)
        await lasting.check(report, era, partial(connect, service.url, mode))
        await person.check(report, lambda asks: connect(service.url, mode, asks=asks))


async def check_typescript(report, service, place, path, key, names):
    """The clients of `clients.mjs`, at the same time."""
    node = environment.node()
    script = shutil.copy(environment.HERE / "clients.mjs", environment.NODE)
    kept = {"DATABRICKS_HOST": place.host, "DATABRICKS_TOKEN": place.token}

    async def check(name):
        command = [node, script, name, service.base + path, key]
        done = await anyio.run_process(command, check=False, env={**os.environ, **kept})
        told = [json.loads(line) for line in done.stdout.decode().splitlines()]
        for one in told:
            with report.check(f"typescript {one['name']}"):
                expect("failure" not in one, one.get("failure"))
        with report.check(f"typescript {name}: ends"):
            said = brief(done.stderr.decode().strip(), 1_500)
            expect(done.returncode == 0 and told, f"exit code {done.returncode} after {len(told)} checks: {said}")

    async with anyio.create_task_group() as group:
        for name in names:
            group.start_soon(check, name)


async def check_inspectors(report, inspector, service, place):
    """Each method is a session of its own, so that they can run at the same time."""
    at = [service.url]

    def check(era, name, run):
        with report.check(f"inspector {era}: {name}"):
            run(partial(asked, inspector, at, era))

    async with anyio.create_task_group() as group:
        for era in ("legacy", "auto", "modern"):
            checks = (("tools/list", listed), ("tools/call", called), ("resources", read), ("a long call", waited))
            for name, run in checks:
                group.start_soon(anyio.to_thread.run_sync, check, era, name, run)
        group.start_soon(anyio.to_thread.run_sync, check_failures, report, inspector, at)
        group.start_soon(anyio.to_thread.run_sync, check_gone, report, inspector, at, place)


def asked(inspector, at, era, method, *options):
    return inspector(at, method, "--protocol-era", era, *options)["result"]


def listed(ask):
    expect(ask("tools/list")["tools"], "there is no tool")


def called(ask):
    answer = ask("tools/call", "--tool-name", "execute_sql", "--tool-args-json", json.dumps(SELECT))
    expect(answer["structuredContent"]["rows"] == [[1]], f"SELECT 1 gave {brief(answer)}")


def waited(ask):
    """In the era without a handshake it becomes a task, which the Inspector follows."""
    statement = {"statement": lasting.LONG_STATEMENT}
    answer = ask("tools/call", "--tool-name", "execute_sql", "--tool-args-json", json.dumps(statement))
    expect(len(answer["structuredContent"]["rows"]) == 1, f"a long statement gave {brief(answer)}")


def read(ask):
    uri = ask("resources/list")["resources"][-1]["uri"]
    contents = ask("resources/read", "--uri", uri)["contents"]
    expect(contents[0]["uri"] == uri and contents[0]["text"], f"{uri} is {brief(contents)}")


def command(inspector, at, era, tool, arguments):
    options = ("--tool-name", tool, "--tool-args-json", json.dumps(arguments), "--protocol-era", era)
    return [*inspector.command, "--cli", "--format", "json", "--method", "tools/call", *options, "--", *at]


def check_failures(report, inspector, at):
    for era in ("legacy", "modern"):
        for tool, words in (("get_job", "`list_jobs`"), ("get_jobb", "not found")):
            with report.check(f"inspector {era}: {tool} of nothing fails and says why"):
                line = command(inspector, at, era, tool, {"job_id": "987654321"})
                done = subprocess.run(line, capture_output=True, text=True, env=inspector.environment, timeout=60)
                said = done.stdout + done.stderr
                expect(done.returncode != 0 and words in said, f"exit code {done.returncode}, {brief(said)}")


def check_gone(report, inspector, at, place):
    """Who has no session leaves nothing behind, whatever became of the program."""
    with report.check("inspector modern: the call of a program that was killed is cancelled in the workspace"):
        statement = "SELECT sandbox_sleep(25) -- killed"
        line = command(inspector, at, "modern", "execute_sql", {"statement": statement})
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        child = subprocess.Popen(line, env=inspector.environment, start_new_session=True, **quiet)
        try:
            until(lambda: place.statements(statement), "the statement runs")
        finally:
            # The launcher has a child, whose connection it is.
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        until(lambda: place.statements(statement) == ["CANCELED"], "the statement is cancelled")


async def check_keys(report, binary, inspector, place):
    callers = {"writer": (), "reader": ("read_only: true",)}
    with keys(binary, **callers) as (path, made):
        options = (*place.options, "--auth", "bearer", "--keys", path, "--legacy-sse")
        with Service(binary, *options, env=place.environment) as service:
            with report.check("a request without a key, or with another one, is refused"):
                for key in (None, "dbmcp_" + "A" * 43):
                    for at in (service.url, service.base + "/sse", service.base + "/metrics"):
                        body = INITIALIZE if at == service.url else None
                        code, headers = status(at, key, body)
                        challenge = headers.get("WWW-Authenticate", "")
                        expect(code == 401 and challenge.startswith("Bearer"), f"{at}: {code}, `{challenge}`")
            for name, (mode, _) in MODES.items():
                await check_keys_python(report, service, name, mode, made)
            async with anyio.create_task_group() as group:
                group.start_soon(
                    partial(check_typescript, report, service, place, "/mcp", made["writer"], STREAMABLE),
                )
                group.start_soon(partial(check_typescript, report, service, place, "/sse", made["writer"], LEGACY_SSE))
            with report.check("inspector: a key is a header"):
                header = ("--header", f"Authorization: Bearer {made['writer']}")
                for at in (service.url, service.base + "/sse"):
                    expect(inspector([at], "tools/list", *header)["result"]["tools"], f"{at}: there is no tool")


async def check_keys_python(report, service, name, mode, made):
    with report.check(f"python {name}: a key that may only read lists and calls nothing else"):
        async with connect(service.url, mode, made["reader"]) as client:
            tools = {tool.name for tool in (await client.list_tools()).tools}
            expect("list_jobs" in tools and "create_job" not in tools, f"the tools are {sorted(tools)}")
            refused = None
            try:
                refused = await client.call_tool("execute_sql", {"statement": "CREATE TABLE main.default.t (a INT)"})
            except Exception as error:
                refused = error
            expect(getattr(refused, "is_error", True), f"a table was made: {refused}")
            answer = await client.call_tool("execute_sql", SELECT)
            expect(not answer.is_error and answer.structured_content["rows"] == [[1]], f"SELECT 1 gave {answer}")
    with report.check(f"python {name}: no key, no session"):
        try:
            async with connect(service.url, mode) as client:
                answer = await client.list_tools()
        except Exception:
            return
        raise Failed(f"answered with {brief(answer)}")


async def check(report, binary, inspector):
    async with anyio.create_task_group() as group:
        for name in MODES:
            group.start_soon(check_python, report, binary, name)
    with workspace(binary) as place:
        with Service(binary, *place.options, env=place.environment) as service:
            await check_inspectors(report, inspector, service, place)
        await check_keys(report, binary, inspector, place)


def main(binary):
    report = Report()
    try:
        inspector = Inspector(environment.inspector())
    except environment.Missing as missing:
        return skipped(missing)
    anyio.run(check, report, binary, inspector)
    return report.close()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: over_http.py BINARY")
    sys.exit(main(sys.argv[1]))
