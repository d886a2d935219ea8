"""The MCP Inspector's command line drives the server on stdio against its sandbox, in every era that it speaks.

    python3 tests/interop/inspector.py target/release/databricks-mcp-server

A line per check, then the sum. Exit code 0: all passed; 1: not; 77: this machine lacks what it takes, and why.
"""

import sys

# Nothing is written into `tests/`, not even compiled modules.
sys.dont_write_bytecode = True

import environment
from report import Report, brief, expect, skipped

if __name__ == "__main__":
    try:
        environment.enter_venv()
    except environment.Missing as missing:
        sys.exit(skipped(missing))

import json
import os
import subprocess
from contextlib import contextmanager
from types import SimpleNamespace

import anyio
from mcp.shared.uri_template import UriTemplate

import scenarios
from caller import Caller, Stopped

ERAS = ("legacy", "auto", "modern")
TIMEOUT_SECONDS = 120
# A server with one tool, whose schema `--strict` warns of: that the Inspector finds it shows that it looks.
SUSPECT = """
import json, sys
tool = {"name": "suspect", "inputSchema": {"type": "object", "properties": {"a": {"type": ["string", "null"]}}}}
server = {"name": "suspect", "version": "1"}
initialized = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": server}
for line in sys.stdin:
    request = json.loads(line)
    if "id" in request:
        result = {"initialize": initialized, "tools/list": {"tools": [tool]}}.get(request["method"], {})
        print(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}), flush=True)
"""


class Inspector:
    def __init__(self, command):
        self.command = command
        # The Inspector keeps what it remembers at home; settings of the person who runs the checks stay out of them.
        home = environment.DIRECTORY / "home"
        home.mkdir(parents=True, exist_ok=True)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DATABRICKS_", "MCP_"))}
        self.environment = {**kept, "HOME": str(home), "USERPROFILE": str(home)}

    def __call__(self, server, method, *options):
        """The whole answer to one request of a new session: its result, and what `--strict` finds."""
        arguments = ["--cli", "--format", "json", "--method", method, *options, "--", *server]
        done = subprocess.run(
            [*self.command, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            env=self.environment,
        )
        said = f"exit code {done.returncode}, {brief(done.stderr.strip(), 1_500)}"
        # With `--strict`, 6 says that an error was found; the findings are in the answer.
        expect(done.returncode in (0, 6), said)
        try:
            return json.loads(done.stdout)
        except ValueError:
            expect(False, f"no JSON but {brief(done.stdout)}; {said}")


def check_era(report, inspector, binary, era):
    server = [binary, "--sandbox", "--log-level", "off"]

    def ask(method, *options):
        return inspector(server, method, "--protocol-era", era, *options)

    with report.check(f"{era}: tools/list has no finding of --strict"):
        answer = ask("tools/list", "--strict")
        expect(answer["result"]["tools"], "there is no tool")
        # Only errors show in the exit code; warnings are here as well.
        expect(not findings(answer), "; ".join(findings(answer)))
    with report.check(f"{era}: resources/templates/list"):
        templates = ask("resources/templates/list")["result"]["resourceTemplates"]
        expect(templates, "there is no template")
    with report.check(f"{era}: tools/call"):
        answer = ask("tools/call", "--tool-name", "execute_sql", "--tool-args-json", '{"statement":"SELECT 1 AS one"}')
        expect(answer["result"]["structuredContent"]["rows"] == [[1]], f"SELECT 1 gave {brief(answer)}")
    with report.check(f"{era}: prompts/list and prompts/get"):
        prompts = ask("prompts/list")["result"]["prompts"]
        expect(any(prompt["name"] == "profile_table" for prompt in prompts), f"the prompts are {brief(prompts)}")
        options = ("--prompt-name", "profile_table", "--prompt-args", "table=samples.retail.orders")
        messages = ask("prompts/get", *options)["result"]["messages"]
        kinds = [message["content"]["type"] for message in messages]
        expect(kinds == ["text", "text", "resource"], f"the messages are {brief(messages)}")
    with report.check(f"{era}: resources/list and resources/read"):
        listed = ask("resources/list")["result"]["resources"]
        expect(listed, "there is no resource")
        uri = listed[-1]["uri"]
        contents = ask("resources/read", "--uri", uri)["result"]["contents"]
        expect(contents[0]["uri"] == uri and json.loads(contents[0]["text"]), f"{uri} is {brief(contents)}")


class Session:
    """A client of which each call is a new session of the Inspector, all with one sandbox."""

    def __init__(self, inspector, server):
        self.inspector, self.server = inspector, server

    async def call_tool(self, tool, arguments):
        options = ("--tool-name", tool, "--tool-args-json", json.dumps(arguments))
        result = self.inspector(self.server, "tools/call", *options)["result"]
        content = [SimpleNamespace(type=block["type"], text=block.get("text")) for block in result["content"]]
        structured = result.get("structuredContent")
        return SimpleNamespace(content=content, is_error=result.get("isError", False), structured_content=structured)


async def check_every_tool(report, inspector, binary):
    """Every default tool is called with success, and every resource template read."""
    with sandbox(binary) as (host, token):
        # The Inspector's command line has nobody to ask.
        options = ("--host", host, "--log-level", "off", "--confirm", "never")
        server = ["env", f"DATABRICKS_TOKEN={token}", binary, *options]
        call = Caller(report, "inspector", Session(inspector, server))
        known = scenarios.Known()
        for area in scenarios.AREAS:
            try:
                await area(call, known)
            except Stopped:
                pass
        with report.check("inspector: every default tool was called with success"):
            tools = {tool["name"] for tool in inspector(server, "tools/list")["result"]["tools"]}
            missing = tools - call.succeeded - {"delete_job"}
            expect(not missing, f"not called: {sorted(missing)}")
        for template in inspector(server, "resources/templates/list")["result"]["resourceTemplates"]:
            with report.check(f"inspector: a {template['name']} is read"):
                variables = scenarios.RESOURCES[template["name"]](known)
                uri = UriTemplate.parse(template["uriTemplate"]).expand(
                    {name: str(value).lstrip("/") for name, value in variables.items()}
                )
                contents = inspector(server, "resources/read", "--uri", uri)["result"]["contents"]
                expect(contents[0]["text"], f"{uri} is {brief(contents)}")
        try:
            await scenarios.cleanup(call, known)
        except Stopped:
            pass


@contextmanager
def sandbox(binary):
    """Starts a sandbox alone; gives its host and token."""
    child = subprocess.Popen([binary, "sandbox"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        told = dict(child.stdout.readline().strip().split("=", 1) for _ in range(2))
        yield told["DATABRICKS_HOST"], told["DATABRICKS_TOKEN"]
    finally:
        child.kill()
        child.wait()


def check_strict(report, inspector, binary):
    with report.check("--strict tells of a warning"):
        found = findings(inspector([sys.executable, "-c", SUSPECT], "tools/list", "--strict"))
        expect(len(found) == 1 and "warning" in found[0], f"it found {found}")
    with report.check("all toolsets: tools/list has no finding of --strict"):
        server = [binary, "--sandbox", "--log-level", "off", "--toolsets", "all"]
        found = findings(inspector(server, "tools/list", "--strict"))
        expect(not found, "; ".join(found))


def findings(answer):
    return [
        f"{finding['severity']} {finding['rule']} in {tool['toolName']}, {finding['schema']}.{finding['path']}: "
        f"{finding['issue']} {finding['suggestion']}"
        for tool in answer.get("schemaFindings", ())
        for finding in tool["findings"]
    ]


def main(binary):
    report = Report()
    try:
        inspector = Inspector(environment.inspector())
    except environment.Missing as missing:
        return skipped(missing)
    check_strict(report, inspector, binary)
    for era in ERAS:
        check_era(report, inspector, binary, era)
    anyio.run(check_every_tool, report, inspector, binary)
    return report.close()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: inspector.py BINARY")
    sys.exit(main(sys.argv[1]))
