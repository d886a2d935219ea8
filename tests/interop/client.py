"""The official Python SDK drives the server on stdio against its sandbox, in both eras of the protocol.

    python3 tests/interop/client.py target/release/databricks-mcp-server

A line per check, then the sum. Exit code 0: all passed; 1: not; 77: this machine lacks what it takes, and why.
"""

import sys

# Nothing is written into `tests/`, not even compiled modules.
sys.dont_write_bytecode = True

import environment
import report

if __name__ == "__main__":
    try:
        environment.enter_venv()
    except environment.Missing as missing:
        sys.exit(report.skipped(missing))

import json
import logging
from pathlib import Path

import anyio
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared.exceptions import MCPError
from mcp.shared.uri_template import UriTemplate

import paging
import pipe
import scenarios
from report import Report, brief, expect

MODERN = "2026-07-28"
ERAS = {"legacy": "legacy", "modern": MODERN}
INVALID_PARAMS = -32602
NOT_FOUND = {"legacy": -32002, "modern": INVALID_PARAMS}
TIMEOUT_SECONDS = 60


def connect(binary, mode, *options):
    """A client of a new server, which has a sandbox of its own."""
    parameters = StdioServerParameters(command=str(binary), args=["--sandbox", "--log-level", "error", *options])
    return Client(stdio_client(parameters), mode=mode, read_timeout_seconds=TIMEOUT_SECONDS, cache=False)


class Caller:
    """Calls tools and checks what holds for every answer; remembers which tools have answered with success."""

    def __init__(self, report, era, client):
        self.report, self.era, self.client = report, era, client
        self.succeeded = set()

    async def __call__(self, tool, wanted=None, is_last=True, **arguments):
        """The structured content of an answer. Where it is not as wanted and not the last try, nothing is reported."""
        name = f"{self.era}: {tool} {brief(json.dumps(arguments, ensure_ascii=False), 120)}"
        answer = None
        with self.report.check(name) if is_last or wanted is None else Quiet(self.report, name) as check:
            answer = await self.ask(tool, arguments)
            is_wanted = wanted is None or wanted(answer)
            expect(is_wanted or not is_last, f"still not as wanted: {brief(answer)}")
            if check:
                check.is_done = is_wanted
            self.succeeded.add(tool)
        if answer is None:
            raise Stopped
        return answer

    async def ask(self, tool, arguments):
        result = await self.client.call_tool(tool, arguments)
        text = [block.text for block in result.content if block.type == "text"]
        expect(not result.is_error, f"`isError` with {text}")
        expect(isinstance(result.structured_content, dict), f"no structured content but {result.structured_content}")
        expect(len(text) == len(result.content) == 1, f"not one text but {result.content}")
        same = json.loads(text[0]) == result.structured_content
        expect(same, f"the text {brief(text[0])} is not the structured content {brief(result.structured_content)}")
        return result.structured_content
