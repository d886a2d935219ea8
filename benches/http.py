"""How fast the server is over HTTP, and what idle clients cost: `http.py BINARY`. Figures of a debug binary mean nothing.
With `--write docs/http.md` they are put there, with the date.

Calls of `list_clusters` of one caller by many connections, beside the same requests to the workspace without the server,
and beside requests that ask nothing, which is as fast as this program can send. Then how long a fast call takes while
others wait, and the memory of open streams and of callers. Nothing is asserted: machines differ. Each measure is a line of JSON.
Where other programs run beside it, `cpu_us`, the time of a processor that each request took, says more than how many there
were. All of it is on loopback, and ends.
"""

import argparse
import asyncio
import hashlib
import json
import os
import re
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import urlsplit

# Nothing is written beside the scripts, not even compiled modules.
sys.dont_write_bytecode = True
# This folder has a module by the name of one of Python's own.
sys.path[0] = str(Path(__file__).resolve().parent.parent / "tests" / "interop")

from service import Service, keys, workspace  # noqa: E402

CONNECTIONS = (32, 256)
# Those who wait while another calls.
CALLERS = 10
TICKS = os.sysconf("SC_CLK_TCK")
FIGURES = []
END_OF_HEAD = b"\r\n\r\n"
END_OF_CHUNKS = b"0\r\n\r\n"
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "bench", "version": "1"},
}


def request(method, url, headers=(), body=b""):
    """The bytes of a request."""
    parts = urlsplit(url)
    lines = [f"{method} {parts.path}{'?' + parts.query if parts.query else ''} HTTP/1.1", f"Host: {parts.netloc}"]
    lines += [*headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def post(url, method, params, headers=()):
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    content = ("Content-Type: application/json", "Accept: application/json, text/event-stream")
    return request("POST", url, (*content, *headers), body)


def call(url, tool, arguments, *more):
    """A call without a handshake."""
    headers = ("MCP-Protocol-Version: 2026-07-28", "Mcp-Method: tools/call", f"Mcp-Name: {tool}", *more)
    return post(url, "tools/call", {"name": tool, "arguments": arguments, "_meta": META}, headers)


class Connection(asyncio.Protocol):
    """Sends a request again and again until the time is over, each when the one before is answered."""

    def __init__(self, sent, until, took):
        self.sent, self.until, self.took = sent, until, took
        self.over = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport
        self.send()

    def send(self):
        self.answer, self.began = b"", time.perf_counter()
        self.transport.write(self.sent)

    def data_received(self, data):
        self.answer += data
        if not is_whole(self.answer):
            return
        if not self.answer.startswith(b"HTTP/1.1 200"):
            self.end(RuntimeError(f"answered with {self.answer[:300]}"))
            return
        self.took.append(time.perf_counter() - self.began)
        if time.monotonic() < self.until:
            self.send()
        else:
            self.end(None)

    def connection_lost(self, error):
        self.end(error or RuntimeError("the connection was closed"))

    def end(self, error):
        if self.over.done():
            return
        if error:
            self.over.set_exception(error)
        else:
            self.over.set_result(None)
        self.transport.close()


def is_whole(answer):
    head, end, body = answer.partition(END_OF_HEAD)
    if not end:
        return False
    lower = head.lower()
    if b"transfer-encoding: chunked" in lower:
        return body.endswith(END_OF_CHUNKS)
    _, found, length = lower.partition(b"content-length:")
    return bool(found) and len(body) >= int(length.split(b"\r\n")[0])


async def measure(sent, url, connections, seconds):
    """How long each of the requests took that so many connections sent in so many seconds."""
    took, loop, parts = [], asyncio.get_running_loop(), urlsplit(url)
    until = time.monotonic() + seconds
    made = lambda: Connection(sent, until, took)
    opened = [await loop.create_connection(made, parts.hostname, parts.port) for _ in range(connections)]
    await asyncio.gather(*(protocol.over for _, protocol in opened))
    return took


def told(name, took, seconds, **more):
    took = sorted(took)
    at = lambda part: round(took[min(len(took) - 1, int(len(took) * part))] * 1_000, 2)
    say({"measure": name, **more, "per_second": round(len(took) / seconds), "p50_ms": at(0.5), "p99_ms": at(0.99)})


def say(line):
    FIGURES.append(line)
    print(json.dumps(line), flush=True)


def processor_seconds(pid):
    """What a process has had of the processors."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_kib(pid):
    text = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("VmRSS:")).split()[1])


def clusters(place):
    """What the tool asks the workspace for."""
    token = f"Authorization: Bearer {place.token}"
    return request("GET", f"{place.host}/api/2.1/clusters/list?page_size=100", (token,))


async def speed(service, place, seconds):
    kinds = {
        "nothing": (request("GET", service.base + "/healthz"), service.base),
        "direct": (clusters(place), place.host),
        "calls": (call(service.url, "list_clusters", {}), service.url),
    }
    for connections in CONNECTIONS:
        for name, (sent, url) in kinds.items():
            await measure(sent, url, connections, 0.5)
            before = (processor_seconds(service.process.pid), time.process_time())
            took = await measure(sent, url, connections, seconds)
            after = (processor_seconds(service.process.pid), time.process_time())
            server, here = (round((end - start) / len(took) * 1_000_000) for start, end in zip(before, after))
            told(name, took, seconds, connections=connections, cpu_us=server, generator_cpu_us=here)


async def begin(url):
    """A session with an open stream."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(post(url, "initialize", INITIALIZE))
    head = await reader.readuntil(END_OF_HEAD)
    session = next(line for line in head.decode().split("\r\n") if line.lower().startswith("mcp-session-id:"))
    writer.close()
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(request("GET", url, ("Accept: text/event-stream", session)))
    head = await reader.readuntil(END_OF_HEAD)
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"no stream but {head}")
    return reader, writer


async def idle(service, streams):
    """The memory that open streams take, after the server has had work that warms it up."""
    await measure(call(service.url, "list_clusters", {}), service.url, CONNECTIONS[0], 1)
    before = resident_kib(service.process.pid)
    held = [await begin(service.url) for _ in range(streams)]
    await asyncio.sleep(2)
    more = resident_kib(service.process.pid) - before
    say({"measure": "idle streams", "streams": len(held), "before_kib": before, "more_kib": more})
    for _, writer in held:
        writer.close()


async def beside(service, place, made, waits, seconds):
    """How long a fast call takes alone, and while others wait for a statement; and the workspace itself meanwhile."""
    first, *others = (f"Authorization: Bearer {key}" for key in made.values())
    fast, direct = call(service.url, "list_clusters", {}, first), clusters(place)
    told("fast calls", await measure(fast, service.url, 8, seconds), seconds, waits=0)
    told("fast and direct", await measure(direct, place.host, 8, seconds), seconds, waits=0)
    parts = urlsplit(service.url)
    held = [await asyncio.open_connection(parts.hostname, parts.port) for _ in range(waits)]
    slow = {"statement": f"SELECT sandbox_sleep({int(seconds) + 30})"}
    for number, (_, writer) in enumerate(held):
        writer.write(call(service.url, "execute_sql", slow, others[number % len(others)]))
    await asyncio.sleep(2)
    told("fast calls", await measure(fast, service.url, 8, seconds), seconds, waits=waits)
    told("fast and direct", await measure(direct, place.host, 8, seconds), seconds, waits=waits)
    for _, writer in held:
        writer.close()


async def callers(arguments, place, entry, name):
    """The memory of so many callers, each of whom has called once."""
    made = [f"key of caller {number}" for number in range(arguments.callers)]
    lines = ["keys:"]
    for number, key in enumerate(made):
        lines.append(f"- {{ name: c{number}, sha256: {hashlib.sha256(key.encode()).hexdigest()}{entry} }}")
    unlimited = {**place.environment, "DATABRICKS_RATE_LIMIT": "0"}
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "keys.yaml"
        path.write_text("\n".join(lines) + "\n")
        with Service(arguments.binary, *place.options, "--auth", "bearer", "--keys", str(path), env=unlimited) as service:
            before, parts = resident_kib(service.process.pid), urlsplit(service.url)
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            for key in made:
                writer.write(call(service.url, "list_clusters", {}, f"Authorization: Bearer {key}"))
                answer = b""
                while not is_whole(answer):
                    answer += await reader.read(1 << 16)
                if not answer.startswith(b"HTTP/1.1 200"):
                    raise RuntimeError(f"answered with {answer}")
            more = resident_kib(service.process.pid) - before
            say({"measure": name, "callers": len(made), "before_kib": before, "more_kib": more})
            writer.close()


def table():
    """The figures as Markdown."""
    lines = ["| measured | with | result |", "|---|---|---|"]
    for line in FIGURES:
        name, more = line["measure"], {key: value for key, value in line.items() if key != "measure"}
        shown = {
            "connections": "{} connections",
            "waits": "{} others that wait",
            "streams": "{} streams",
            "callers": "{} callers",
            "per_second": "{:,} a second",
            "p50_ms": "median {} ms",
            "p99_ms": "99 of 100 within {} ms",
            "cpu_us": "{} µs of a processor each",
            "generator_cpu_us": "{} µs for the generator",
            "more_kib": "{:,} KiB more",
            "before_kib": "{:,} KiB before",
        }
        texts = {key: shown[key].format(value) for key, value in more.items()}
        given = [texts.pop(key) for key in ("connections", "waits", "streams", "callers") if key in texts]
        lines.append(f"| {name} | {', '.join(given)} | {', '.join(texts.values())} |")
    return "\n".join(lines)


def write(path):
    """Puts the figures between the two marks of a file."""
    load = ", ".join(f"{part:.1f}" for part in os.getloadavg())
    day = datetime.now(timezone.utc).date().isoformat()
    told = f"On {day}, with {os.cpu_count()} processors that clients, server and workspace share; load {load}.\n\n{table()}"
    marks = re.compile(r"(<!-- figures -->\n).*(<!-- end of figures -->)", re.DOTALL)
    text = path.read_text()
    if not marks.search(text):
        raise SystemExit(f"{path} has no place for figures")
    path.write_text(marks.sub(lambda found: f"{found[1]}{told}\n{found[2]}", text))


async def run(arguments):
    waiting = {f"caller{number}": () for number in range(1 + CALLERS)}
    with workspace(arguments.binary, clock="real") as place, keys(arguments.binary, **waiting) as (path, made):
        # The limit that spares a real workspace would be all that is measured.
        unlimited = {**place.environment, "DATABRICKS_RATE_LIMIT": "0"}
        start = lambda *more: Service(arguments.binary, *place.options, *more, env=unlimited)
        with start("--max-calls", "256") as service:
            await speed(service, place, arguments.seconds)
        with start("--auth", "bearer", "--keys", path) as service:
            await beside(service, place, made, arguments.waits, arguments.seconds)
        with start("--max-streams", str(arguments.streams)) as service:
            await idle(service, arguments.streams)
        await callers(arguments, place, "", "callers")
        await callers(arguments, place, ", read_only: true", "callers who may only read")
    if arguments.write:
        write(arguments.write)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("binary")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--streams", type=int, default=1_000)
    parser.add_argument("--waits", type=int, default=500)
    parser.add_argument("--callers", type=int, default=10_000)
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the figures into this file, too")
    asyncio.run(run(parser.parse_args()))
