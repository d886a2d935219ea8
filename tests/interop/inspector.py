"""The MCP Inspector's command line drives the server on stdio against its sandbox, in every era that it speaks.

    python3 tests/interop/inspector.py target/release/databricks-mcp-server

A line per check, then the sum. Exit code 0: all passed; 1: not; 77: this machine lacks what it takes, and why.
"""

import sys

# Nothing is written into `tests/`, not even compiled modules.
sys.dont_write_bytecode = True

import json
import os
import subprocess

import environment
from report import Report, brief, expect, skipped

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
    with report.check(f"{era}: resources/list and resources/read"):
        listed = ask("resources/list")["result"]["resources"]
        expect(listed, "there is no resource")
        uri = listed[-1]["uri"]
        contents = ask("resources/read", "--uri", uri)["result"]["contents"]
        expect(contents[0]["uri"] == uri and json.loads(contents[0]["text"]), f"{uri} is {brief(contents)}")


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
    return report.close()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: inspector.py BINARY")
    sys.exit(main(sys.argv[1]))
