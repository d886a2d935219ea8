"""The binary as a server, for as long as a check needs it."""

import base64
import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import environment
from report import Failed, expect

ROOT = Path(__file__).resolve().parent.parent.parent
DEPLOY = ROOT / "deploy"
SECONDS = 60


def find(program, package):
    """The path of a program; on CI it is installed where it is missing."""
    path = f"{os.environ['PATH']}{os.pathsep}/usr/sbin"
    found = shutil.which(program, path=path)
    if found or os.environ.get("CI") != "true" or not shutil.which("apt-get"):
        return found
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    environment.run(["apt-get", "update"], "apt-get cannot update its lists", env=quiet)
    install = ["apt-get", "install", "--yes", "--no-install-recommends", package]
    environment.run(install, f"apt-get cannot install {package}", env=quiet)
    return shutil.which(program, path=path)


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def clean(**variables):
    """The variables of a service: none of this machine but the path."""
    return {"PATH": os.environ["PATH"], **{name: str(value) for name, value in variables.items()}}


@contextlib.contextmanager
def running(command, port, variables, **options):
    """A server that answers on `port`; its log is in what is raised where it does not."""
    process = subprocess.Popen(
        command, env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options
    )
    try:
        wait(port, process)
        yield process
    finally:
        process.terminate()
        try:
            process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def wait(port, process):
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            raise Failed(f"the server ended: {process.stderr.read().decode(errors='replace')}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise Failed("the server does not listen")


@contextlib.contextmanager
def sandbox(binary, clock="fast"):
    """A workspace for several servers: its host and token."""
    process = subprocess.Popen(
        [binary, "sandbox", "--sandbox-clock", clock], env=clean(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        lines = [process.stdout.readline().decode().strip() for _ in range(2)]
        yield {name: value for name, value in (line.split("=", 1) for line in lines)}
    finally:
        process.kill()
        process.communicate()


def key(binary, name):
    """A new key, and its entry for the file of keys."""
    made = subprocess.run([binary, "keys", "new", name], env=clean(), check=True, capture_output=True, text=True).stdout
    first, _, entry = made.partition("\n")
    return first.removeprefix("# key: "), entry


def keys_file(directory, *entries):
    path = Path(directory) / "keys.yaml"
    path.write_text("keys:\n" + "".join(entries))
    return path


def signing_keys(directory):
    path = Path(directory) / "signing-keys"
    path.write_text(base64.b64encode(os.urandom(32)).decode() + "\n")
    return path


def get(port, path, headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    with contextlib.closing(connection):
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read().decode()


def call(port, headers, tool="list_jobs", arguments=None, connection=None):
    """The content of a call without a session."""
    message = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": tool, "arguments": {"limit": 1} if arguments is None else arguments},
    }
    connection = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    with contextlib.closing(connection):
        sent = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream", **headers}
        connection.request("POST", "/mcp", json.dumps(message), sent)
        response = connection.getresponse()
        body = response.read().decode()
    expect(response.status == 200, f"{response.status}: {body}")
    result = json.loads(body)["result"]
    expect(not result.get("isError"), body)
    return result["structuredContent"]
