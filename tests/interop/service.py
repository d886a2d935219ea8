"""The server over HTTP as a process, with the workspace that it serves."""

import json
import os
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

from report import Failed

START_SECONDS = 60
PATIENCE_SECONDS = 30


class Service:
    """A server on loopback that takes any free port, or the one of `listen`."""

    def __init__(self, binary, *options, listen="127.0.0.1:0", env=None):
        self.arguments = [binary, "http", "--listen", listen, "--log-level", "off", *options]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DATABRICKS_")}
        self.environment = {**kept, **(env or {})}

    def __enter__(self):
        self.process = subprocess.Popen(
            self.arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
        )
        self.said, told = [], threading.Event()
        threading.Thread(target=self.listen, args=(told,), daemon=True).start()
        if not told.wait(START_SECONDS) or not self.said[-1].startswith("MCP on "):
            self.kill()
            raise Failed(f"the server does not start: {self.said}")
        self.url = self.said[-1].split()[2]
        self.base = self.url.removesuffix("/mcp")
        return self

    def listen(self, told):
        """Reads what the server says until it ends, so that it never waits for a reader."""
        for line in self.process.stderr:
            self.said.append(line.strip())
            if line.startswith("MCP on "):
                told.set()
        told.set()

    def kill(self):
        """Ends the server at once, without a chance to tidy up."""
        self.process.kill()
        self.process.wait()

    def __exit__(self, *_):
        self.kill()


class Workspace:
    """The sandbox, looked at past every server."""

    def __init__(self, host, token):
        self.host, self.token = host, token
        self.options = ("--host", host)
        self.environment = {"DATABRICKS_TOKEN": token}

    def get(self, path):
        return get(f"{self.host}{path}", self.token)

    def statements(self, text):
        """The states of the statements with this text."""
        found = self.get("/api/2.0/sql/history/queries?max_results=100").get("res", ())
        return [query["status"] for query in found if query["query_text"] == text]

    def runs(self, job):
        return self.get(f"/api/2.1/jobs/runs/list?job_id={job}&limit=25").get("runs", [])


@contextmanager
def workspace(binary, clock="fast"):
    """A sandbox of its own."""
    command = [binary, "sandbox", "--port", "0", "--sandbox-clock", clock]
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        told = dict(child.stdout.readline().strip().split("=", 1) for _ in range(2))
        yield Workspace(told["DATABRICKS_HOST"], told["DATABRICKS_TOKEN"])
    finally:
        child.kill()
        child.wait()


@contextmanager
def keys(binary, **callers):
    """A file of keys for these callers, each with further lines of its entry; gives its path and the keys by name."""
    made, entries = {}, ["keys:"]
    for name, lines in callers.items():
        told = subprocess.run([binary, "keys", "new", name], check=True, capture_output=True, text=True).stdout
        first, *entry = told.splitlines()
        made[name] = first.removeprefix("# key: ")
        entries += [f"  {line}" for line in [*entry, *(f"  {line}" for line in lines)]]
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "keys.yaml"
        path.write_text("\n".join(entries) + "\n")
        yield str(path), made


def get(url, token=None):
    """The JSON at a URL, or the text where it is none."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=PATIENCE_SECONDS) as answer:
        text = answer.read().decode()
    try:
        return json.loads(text)
    except ValueError:
        return text


def status(url, token=None, body=None, **headers):
    """The status and the headers with which a request is answered."""
    everything = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
    everything |= {name.replace("_", "-"): value for name, value in headers.items()}
    if token:
        everything["Authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, everything), timeout=PATIENCE_SECONDS) as answer:
            return answer.status, answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.headers


def until(is_so, what):
    """Waits until something is so."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := is_so()):
        if time.monotonic() > deadline:
            raise Failed(f"not so in {PATIENCE_SECONDS} s: {what}")
        time.sleep(0.05)
    return found
