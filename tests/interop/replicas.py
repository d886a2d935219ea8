"""Three servers behind nginx share the requests of every client: what one begins, the others go on with.

    python3 tests/interop/replicas.py target/release/databricks-mcp-server

A line per check, then the sum. Exit code 0: all passed; 1: not; 77: this machine lacks what it takes, and why.
"""

import sys

# Nothing is written into `tests/`, not even compiled modules.
sys.dont_write_bytecode = True

import environment
from report import Failed, Report, brief, expect, skipped

if __name__ == "__main__":
    try:
        environment.enter_venv()
    except environment.Missing as missing:
        sys.exit(skipped(missing))

import base64
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread

from over_http import MODES, connect
from person import Person
from service import Service, get, keys, until, workspace

REPLICAS = 3
SLOW = "import time\ntime.sleep(8)\n"
NOTEBOOK = "/Shared/slow"
# nginx buffers answers by default: that a stream is none of these is the server's to say. A POST that was sent is never sent
# again: the next server is asked only where there was no connection.
CONFIGURATION = """
daemon off;
pid {directory}/pid;
error_log {directory}/error.log;
worker_processes 1;
{user}
events {{ worker_connections 256; }}
http {{
    log_format to '$request_method $status $upstream_addr';
    access_log {directory}/access.log to;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    upstream replicas {{
        {servers}
    }}
    server {{
        listen {address};
        location / {{
            proxy_pass http://replicas;
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Connection "";
            proxy_read_timeout 1h;
        }}
    }}
}}
"""


def nginx():
    """The path of nginx; on CI it is installed where it is missing."""
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found:
        return found
    if os.environ.get("CI") != "true" or not shutil.which("apt-get"):
        raise environment.Missing("there is no nginx (Debian and Ubuntu: install `nginx-light`)")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    environment.run(["apt-get", "update"], "apt-get cannot update its lists", env=quiet)
    install = ["apt-get", "install", "--yes", "--no-install-recommends", "nginx-light"]
    environment.run(install, "apt-get cannot install nginx", env=quiet)
    return shutil.which("nginx", path="/usr/sbin:/usr/bin")


class Proxy:
    """An nginx before these servers."""

    def __init__(self, program, services):
        self.program, self.services = program, services

    def __enter__(self):
        self.place = tempfile.TemporaryDirectory()
        self.directory = Path(self.place.name)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = "{}:{}".format(*free.getsockname())
        servers = "\n        ".join(f"server {service.base.removeprefix('http://')};" for service in self.services)
        user = "user root;" if os.name == "posix" and os.getuid() == 0 else ""
        values = {"directory": self.directory, "servers": servers, "address": address, "user": user}
        (self.directory / "nginx.conf").write_text(CONFIGURATION.format(**values))
        command = [self.program, "-p", str(self.directory), "-c", str(self.directory / "nginx.conf")]
        errors = ["-e", str(self.directory / "error.log")]
        self.process = subprocess.Popen([*command, *errors], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.url = f"http://{address}/mcp"
        until(self.is_up, f"nginx is up: {self.errors()}")
        return self

    def is_up(self):
        if self.process.poll() is not None:
            raise Failed(f"nginx does not start: {self.errors()}")
        host, port = self.url.removeprefix("http://").removesuffix("/mcp").split(":")
        with socket.socket() as tried:
            return tried.connect_ex((host, int(port))) == 0

    def errors(self):
        log = self.directory / "error.log"
        return log.read_text()[-1_000:] if log.exists() else ""

    def answered(self):
        """The method, the status, and the servers that were asked, for each request that is over."""
        log = self.directory / "access.log"
        return [line.split(" ", 2) for line in log.read_text().splitlines()] if log.exists() else []

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.place.cleanup()


@contextmanager
def replicas(binary, place, path):
    """Servers that share what seals page tokens, and have nothing else in common but their workspace."""
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        signing = Path(directory) / "signing"
        signing.write_text(base64.b64encode(os.urandom(32)).decode() + "\n")
        options = ("--auth", "bearer", "--keys", path, "--no-sessions", *place.options)
        shared = (*options, "--signing-keys", str(signing))
        start = lambda options: stack.enter_context(Service(binary, *options, env=place.environment))
        yield [start(shared) for _ in range(REPLICAS)], start(options)


async def called(url, key, tool, mode="modern", heard=None, **arguments):
    """The structured content of an answer; each call is a client of its own."""

    async def listen(progress, total, message):
        heard.append((time.monotonic(), message))

    async with connect(url, MODES[mode][0], key) as client:
        listener = None if heard is None else listen
        answer = await client.call_tool(tool, arguments, progress_callback=listener)
    expect(not answer.is_error, f"`isError` with {answer.content}")
    return answer.structured_content


async def check_turns(report, proxy, key):
    with report.check("the requests go around"):
        for _ in range(REPLICAS):
            await called(proxy.url, key, "list_jobs")
        asked = {server for method, _, server in proxy.answered() if method == "POST"}
        expect(len(asked) == REPLICAS, f"only {asked} were asked")
    for name, (mode, _) in MODES.items():
        with report.check(f"{name}: a client lists, calls and reads"):
            async with connect(proxy.url, mode, key) as client:
                expect((await client.list_tools()).tools, "there is no tool")
                for number in range(2 * REPLICAS):
                    answer = await client.call_tool("execute_sql", {"statement": f"SELECT {number}"})
                    expect(answer.structured_content["rows"] == [[number]], f"{number} came as {answer}")
                resources = (await client.list_resources()).resources
                contents = (await client.read_resource(resources[-1].uri)).contents
                expect(contents[0].text, f"{resources[-1].uri} is empty")


async def check_tokens(report, services, stranger, proxy, made):
    writer, other = made["writer"], made["other"]
    with report.check("a page token of one server is taken by the others, and by nobody else"):
        names = sorted([f"job {number}" for number in range(7)])
        for name in names:
            await called(proxy.url, writer, "create_job", name=name, tasks=[])
        first = await called(services[0].url, writer, "list_jobs", limit=2)
        for service in services:
            second = await called(service.url, writer, "list_jobs", limit=2, page_token=first["next_page_token"])
            expect(second["items"] and second["items"] != first["items"], f"the second page is {second}")
        for service, key, who in ((services[0], other, "another caller"), (stranger, writer, "another server")):
            try:
                answer = await called(service.url, key, "list_jobs", limit=2, page_token=first["next_page_token"])
            except Failed:
                continue
            raise Failed(f"{who} got {brief(answer)}")
    with report.check("a list goes on from server to server, nothing missing and nothing twice"):
        whole = await called(services[0].url, writer, "list_jobs", limit=100)
        found, token = [], None
        while True:
            page = await called(proxy.url, writer, "list_jobs", limit=2, **({"page_token": token} if token else {}))
            found += [job["job_id"] for job in page["items"]]
            if not (token := page.get("next_page_token")):
                break
        wanted = [job["job_id"] for job in whole["items"]]
        expect(found == wanted and len(wanted) >= 7, f"the pages have {found}, not {wanted}")


def answered(url, key, body):
    """The answer to a request of the revision without a handshake."""
    headers = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
    headers |= {"Authorization": f"Bearer {key}", "MCP-Protocol-Version": "2026-07-28"}
    headers |= {"Mcp-Method": "tools/call", "Mcp-Name": body["params"]["name"]}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        return json.load(error)


def deleting(job, **more):
    """A call that a person has to confirm, of a client that can ask."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}},
        "io.modelcontextprotocol/clientInfo": {"name": "interop", "version": "1"},
    }
    params = {"name": "delete_job", "arguments": {"job_id": job}, "_meta": meta, **more}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


async def check_consent(report, services, stranger, proxy, made):
    """What a person is asked by one server, they answer to another."""
    writer, other = made["writer"], made["other"]
    job = lambda name: called(proxy.url, writer, "create_job", name=name, tasks=[])
    with report.check("a question of one server is answered through another, once, and by nobody else"):
        first = (await job("asked about"))["job_id"]
        asked = answered(services[0].url, writer, deleting(first))["result"]
        expect(asked["resultType"] == "input_required", f"answered with {brief(asked)}")
        text = asked["inputRequests"]["confirm"]["params"]["message"]
        expect("`asked about`" in text, f"asked was {text}")
        person = {"confirm": {"action": "accept", "content": {"confirm": True}}}
        confirmed = deleting(first, requestState=asked["requestState"], inputResponses=person)
        for service, key, who in ((services[1], other, "another caller"), (stranger, writer, "another server")):
            refused = answered(service.url, key, confirmed)
            expect(refused.get("error", {}).get("code") == -32602, f"{who} got {brief(refused)}")
        done = answered(services[1].url, writer, confirmed)["result"]
        expect(not done["isError"], f"answered with {brief(done)}")
        again = answered(services[1].url, writer, confirmed)["result"]
        expect(again["isError"] and "used before" in str(again), f"answered with {brief(again)}")
    for name in ("auto", "modern"):
        with report.check(f"{name}: a client asks its person through nginx, and the server that is answered is another"):
            second = (await job("through nginx"))["job_id"]
            asks = Person("accept")
            before = len(proxy.answered())
            async with connect(proxy.url, MODES[name][0], writer, asks) as client:
                answer = await client.call_tool("delete_job", {"job_id": second})
            expect(not answer.is_error and len(asks.asked) == 1, f"asked were {asks.asked}, answered {answer}")
            servers = [server for method, _, server in proxy.answered()[before:] if method == "POST"]
            expect(len(set(servers[-2:])) == 2, f"both were sent to {servers}")
    with report.check("legacy: without a session nobody can be asked, and the way out is told"):
        third = (await job("kept"))["job_id"]
        async with connect(proxy.url, MODES["legacy"][0], writer) as client:
            answer = await client.call_tool("delete_job", {"job_id": third})
        expect(answer.is_error and "in a session" in answer.content[0].text, f"answered with {answer}")


async def check_streams(report, proxy, place, key):
    async with anyio.create_task_group() as group:
        for name in MODES:
            group.start_soon(check_progress, report, proxy, key, name)
            group.start_soon(check_gone, report, proxy, place, key, name)


async def check_progress(report, proxy, key, name):
    with report.check(f"{name}: progress passes nginx as it comes"):
        heard = []
        await called(proxy.url, key, "run_notebook", name, heard, notebook_path=NOTEBOOK, run_name="stream")
        ended = time.monotonic()
        expect(len(heard) > 1, f"only {heard}")
        early = ended - next((at for at, message in heard if "RUNNING" in message), ended)
        expect(early > 1, f"that it runs was heard {early:.1f} s before the end: {heard}")


async def check_gone(report, proxy, place, key, name):
    with report.check(f"{name}: a client that gives up a call cancels it in the workspace"):
        statement = f"SELECT sandbox_sleep(25) -- nginx {name}"
        async with anyio.create_task_group() as group:
            group.start_soon(partial(called, proxy.url, key, "execute_sql", name, statement=statement))
            await anyio.to_thread.run_sync(until, lambda: place.statements(statement), "the statement runs")
            group.cancel_scope.cancel()
        is_cancelled = lambda: place.statements(statement) == ["CANCELED"]
        await anyio.to_thread.run_sync(until, is_cancelled, "the statement is cancelled")


def under_way(service, key):
    """How many calls a server has in hand."""
    found = re.search(r"^databricks_mcp_calls_under_way (\d+)", get(service.base + "/metrics", key), re.MULTILINE)
    return int(found.group(1))


async def check_death(report, services, proxy, place, key):
    """A server is killed while a call waits for a run: the run is not its own."""
    tasks = [{"task_key": "slow", "notebook_task": {"notebook_path": NOTEBOOK}}]
    job = (await called(proxy.url, key, "create_job", name="outlives", tasks=tasks))["job_id"]
    told = []

    async def wait():
        try:
            told.append(await called(proxy.url, key, "run_job_now", job_id=job, wait=True))
        except Exception as error:
            told.append(error)

    with report.check("a server is killed while it waits for a run, and its client is told"):
        async with anyio.create_task_group() as group:
            group.start_soon(wait)
            is_running = lambda: any(run["state"]["life_cycle_state"] == "RUNNING" for run in place.runs(job))
            await anyio.to_thread.run_sync(until, is_running, "the run runs")
            busy = [service for service in services if under_way(service, key)]
            expect(len(busy) == 1, f"{len(busy)} servers have a call in hand")
            busy[0].kill()
            with anyio.fail_after(20):
                while not told:
                    await anyio.sleep(0.05)
        expect(isinstance(told[0], Exception), f"it was answered with {told[0]}")
        left = [service for service in services if service is not busy[0]]
    with report.check("the run goes on, and is waited for through another server"):
        runs = place.runs(job)
        expect(len(runs) == 1, f"there are {len(runs)} runs")
        expect(runs[0]["state"]["life_cycle_state"] == "RUNNING", f"the run is {runs[0]['state']}")
        ended = await called(proxy.url, key, "wait_for_run", run_id=runs[0]["run_id"])
        expect(ended["result_state"] == "SUCCESS", f"the run ended as {ended}")
    with report.check("nothing was done twice, while a server was there and after"):
        for number in range(2 * REPLICAS):
            await called(proxy.url, key, "create_job", name=f"once {number}", tasks=[])
        names = [one["settings"]["name"] for one in place.get("/api/2.1/jobs/list?limit=100")["jobs"]]
        once = [name for name in names if name.startswith("once ")]
        expect(sorted(once) == [f"once {number}" for number in range(2 * REPLICAS)], f"the jobs are {sorted(once)}")
        expect(len(place.runs(job)) == 1, f"there are {len(place.runs(job))} runs")
        alive = {service.base.removeprefix("http://") for service in left}
        asked = {server for _, _, server in proxy.answered()[-2 * REPLICAS :]}
        expect(asked <= alive and len(asked) == len(alive), f"{asked} were asked, not {alive}")


async def check(report, binary, program):
    with workspace(binary) as place, keys(binary, writer=(), other=()) as (path, made):
        with replicas(binary, place, path) as (services, stranger), Proxy(program, services) as proxy:
            key = made["writer"]
            await check_turns(report, proxy, key)
            await check_tokens(report, services, stranger, proxy, made)
            await check_consent(report, services, stranger, proxy, made)
            slow = {"path": NOTEBOOK, "content": SLOW, "language": "PYTHON", "format": "SOURCE"}
            await called(proxy.url, key, "import_notebook", **slow)
            await check_streams(report, proxy, place, key)
            await check_death(report, services, proxy, place, key)


def main(binary):
    report = Report()
    try:
        program = nginx()
    except environment.Missing as missing:
        return skipped(missing)
    with report.check("three servers behind nginx"):
        anyio.run(check, report, binary, program)
    return report.close()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: replicas.py BINARY")
    sys.exit(main(sys.argv[1]))
