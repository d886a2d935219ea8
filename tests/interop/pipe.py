"""The server as a process: what is on its stdout, and when it ends. A plain pipe, no SDK between."""

import json
import os
import queue
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

from report import Failed, brief, expect

END_SECONDS = 5
# A request under way gets five seconds to end before the server does.
END_SECONDS_IN_CALL = 10
ANSWER_SECONDS = 30
INVALID_PARAMS = -32602
UNSUPPORTED_VERSION = -32022
INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "interop", "version": "1"},
}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "interop", "version": "1"},
}
SANDBOX = ("--sandbox", "--log-level", "off")
TALKATIVE_SANDBOX = ("--sandbox", "--log-level", "trace")
# A client that starts the server, waits for an answer, sends one more request and lives on until it is killed.
CLIENT = """
import json, subprocess, sys, time
sent = json.loads(sys.argv[1])
server = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
for message in sent:
    server.stdin.write(json.dumps(message).encode() + b"\\n")
server.stdin.flush()
if server.stdout.readline():
    print(server.pid, flush=True)
time.sleep(600)
"""


def check(report, binary):
    for era in ("legacy", "modern"):
        with report.check(f"{era}: nothing but protocol on stdout"):
            check_stdout(binary, era)
        with report.check(f"{era}: malformed parameters are refused with {INVALID_PARAMS}"):
            check_malformed(binary, era)
    with report.check(f"modern: an unknown version is refused with {UNSUPPORTED_VERSION}"):
        check_unknown_version(binary)
    with report.check("modern: every result says that it is complete, and of which server"):
        check_results(binary)
    with report.check("end of stdin ends the server"):
        with Server(binary, "legacy") as server:
            server.initialize()
            check_end(server)
    with report.check("end of stdin before any request ends the server"):
        with Server(binary, "legacy") as server:
            check_end(server)
    with report.check("end of stdin ends the server while a call waits for the workspace"):
        with silent_workspace() as options, Server(binary, "modern", *options) as server:
            server.send("tools/call", {"name": "list_jobs", "arguments": {}})
            check_end(server, END_SECONDS_IN_CALL)
    if os.name == "posix":
        with report.check("killing the client ends the server"):
            check_kill(binary, SANDBOX, [], END_SECONDS)
        with report.check("killing the client ends the server while a call waits for the workspace"):
            with silent_workspace() as options:
                call = {"name": "list_jobs", "arguments": {}, "_meta": META}
                check_kill(binary, options, [message(2, "tools/call", call)], END_SECONDS_IN_CALL)


def message(number, method, parameters):
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": parameters}


class Server:
    """A server at the other end of a pipe."""

    def __init__(self, binary, era, *options):
        self.era = era
        self.number = 0
        self.process = subprocess.Popen(
            [binary, *(options or TALKATIVE_SANDBOX)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(),
        )
        self.lines = lines(self.process.stdout)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def initialize(self):
        if self.era == "legacy":
            answer = self.request("initialize", INITIALIZE)
            expect("result" in answer, f"initialize is answered with {answer}")
            self.write({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def send(self, method, parameters):
        self.number += 1
        meta = {"_meta": META} if self.era == "modern" else {}
        self.write(message(self.number, method, {**meta, **parameters}))

    def write(self, value):
        self.process.stdin.write(json.dumps(value).encode() + b"\n")
        self.process.stdin.flush()

    def request(self, method, parameters):
        """The answer to a request. Every line until then has to be one of JSON-RPC."""
        self.send(method, parameters)
        while True:
            line = next_of(self.lines)
            expect(line, "the server ended")
            answer = parse(line)
            if answer.get("id") == self.number:
                return answer

    def close(self):
        self.process.stdin.close()


def lines(stream):
    """A queue of the lines of a stream, with nothing for its end."""
    found = queue.Queue()

    def read():
        with stream:
            for line in stream:
                found.put(line)
        found.put(None)

    threading.Thread(target=read, daemon=True).start()
    return found


def next_of(found):
    try:
        return found.get(timeout=ANSWER_SECONDS)
    except queue.Empty:
        raise Failed(f"no answer in {ANSWER_SECONDS} s") from None


def parse(line):
    try:
        value = json.loads(line)
    except ValueError:
        value = None
    is_message = isinstance(value, dict) and value.get("jsonrpc") == "2.0"
    expect(is_message and value.keys() & {"result", "error", "method"}, f"on stdout: {brief(line)}")
    return value


def check_stdout(binary, era):
    with Server(binary, era) as server:
        server.initialize()
        for method, parameters in (
            ("tools/list", {}),
            ("resources/list", {}),
            ("resources/templates/list", {}),
            ("tools/call", {"name": "list_jobs", "arguments": {}}),
            ("tools/call", {"name": "list_jobs", "arguments": {"limit": "many"}}),
            ("tools/call", {"name": "execute_sql", "arguments": {"statement": "SELECT 1"}}),
            ("resources/read", {"uri": "databricks://nothing/1"}),
            ("nothing/at_all", {}),
        ):
            server.request(method, parameters)
        # Neither are a line that is no JSON and one that is no message a reason to write anything else.
        server.process.stdin.write(b"no json\n{}\n\n")
        server.request("tools/list", {})
        server.close()
        while line := next_of(server.lines):
            parse(line)


def check_malformed(binary, era):
    with Server(binary, era) as server:
        server.initialize()
        for method, parameters in (
            ("tools/call", {"name": "list_jobs", "arguments": "text"}),
            ("tools/call", {"arguments": {}}),
            ("tools/call", {"name": 1}),
            ("resources/read", {}),
            ("resources/read", {"uri": ["databricks://folders/"]}),
        ):
            answer = server.request(method, parameters)
            code = answer.get("error", {}).get("code")
            expect(code == INVALID_PARAMS, f"{method} {parameters} is answered with {brief(answer)}")


def check_unknown_version(binary):
    with Server(binary, "modern") as server:
        meta = {**META, "io.modelcontextprotocol/protocolVersion": "2999-01-01"}
        answer = server.request("tools/list", {"_meta": meta})
        error = answer.get("error", {})
        expect(error.get("code") == UNSUPPORTED_VERSION, f"answered with {brief(answer)}")
        expect("2026-07-28" in error.get("data", {}).get("supported", ()), f"the error does not say what is: {error}")


def check_results(binary):
    with Server(binary, "modern") as server:
        for method, parameters in (
            ("server/discover", {}),
            ("tools/list", {}),
            ("resources/list", {}),
            ("resources/templates/list", {}),
            ("tools/call", {"name": "list_jobs", "arguments": {}}),
            ("resources/read", {"uri": "databricks://folders/"}),
            ("prompts/list", {}),
            ("prompts/get", {"name": "find_idle_compute"}),
        ):
            answer = server.request(method, parameters)
            result = answer.get("result", {})
            expect(result.get("resultType") == "complete", f"{method} is answered with {brief(answer)}")
            name = result.get("_meta", {}).get("io.modelcontextprotocol/serverInfo", {}).get("name")
            expect(name == "databricks-mcp-server", f"{method} is answered by {name}")
            if method not in ("tools/call", "prompts/get"):
                hints = isinstance(result.get("ttlMs"), int) and result.get("cacheScope") in ("public", "private")
                expect(hints, f"{method} says nothing about caching: {brief(answer)}")


def check_end(server, seconds=END_SECONDS):
    server.close()
    started = time.monotonic()
    try:
        code = server.process.wait(seconds)
    except subprocess.TimeoutExpired:
        code = None
    expect(code is not None, f"it still runs after {seconds} s")
    expect(code == 0, f"its exit code is {code} after {time.monotonic() - started:.1f} s")


def check_kill(binary, options, then, seconds):
    """The server alone keeps the pipe open after the client's death: the end of the pipe is the end of the server."""
    reader, writer = os.pipe()
    sent = [message(1, "server/discover", {"_meta": META}), *then]
    command = [sys.executable, "-B", "-c", CLIENT, json.dumps(sent), binary, *options]
    client = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=writer, env=environment())
    os.close(writer)
    try:
        line = next_of(lines(client.stdout))
        expect(line, "the server ended before its client was killed")
        client.kill()
        client.wait()
        if not ends(reader, seconds):
            os.kill(int(line), signal.SIGKILL)
            raise Failed(f"the server still runs {seconds} s after its client was killed")
    finally:
        client.kill()
        client.wait()
        os.close(reader)


def ends(reader, seconds):
    """Whether a pipe comes to its end in time."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        ready, _, _ = select.select([reader], [], [], left)
        if ready and not os.read(reader, 65_536):
            return True
    return False


@contextmanager
def silent_workspace():
    """Options for a workspace that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield ("--host", f"http://127.0.0.1:{listener.getsockname()[1]}", "--log-level", "error")


def environment():
    """Settings of the person who runs the checks stay out of them."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DATABRICKS_")}
    return {**kept, "DATABRICKS_TOKEN": "not-a-token"}
