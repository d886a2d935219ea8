"""The packages of npm, from a registry of our own: npm chooses the one for this machine, and the launcher starts it."""

import base64
import contextlib
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tarfile
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import environment
from packages import ABOUT, NAME, SECONDS, VERSION, run as done, speak, variables
from report import expect

PACKAGE = ABOUT["npm"]


def run(report, packages):
    with tempfile.TemporaryDirectory() as directory, registry(packages) as (url, asked):
        directory = Path(directory)
        with report.check("npm installs the launcher and the program for this machine, and nothing else"):
            install(packages, directory, url, asked)
        with report.check("the launcher serves MCP"):
            speak([node(), directory / "prefix/node_modules/.bin" / PACKAGE], directory)
            speak([directory / "prefix/node_modules/.bin" / NAME], directory, PATH=path())
        with report.check("npx runs the package by its name"):
            said = npm(directory, url, "exec", "--yes", "--", PACKAGE, "--version", tool="npx")
            expect(said == f"{NAME} {VERSION}\n", said)
        if packages.is_release:
            with report.check("a global installation has manual pages and completions"):
                everywhere(packages, directory, url)
        with report.check("the launcher passes signals on, and how the program ended"):
            signals(directory)
        with report.check("without a program for the machine, the launcher says what to do"):
            missing(directory)


def node():
    return environment.node_and_npm()[0]


def path():
    return f"{Path(node()).parent}{os.pathsep}{os.environ['PATH']}"


def npm(directory, url, *arguments, tool="npm"):
    program = environment.node_and_npm()[1]
    settings = variables(
        directory,
        npm_config_registry=url,
        npm_config_cache=directory / "cache",
        npm_config_update_notifier="false",
        npm_config_audit="false",
        npm_config_fund="false",
    )
    settings["PATH"] = path()
    return done([*program, *arguments], env=settings, cwd=directory)


def install(packages, directory, url, asked):
    prefix = directory / "prefix"
    prefix.mkdir()
    npm(directory, url, "install", "--prefix", prefix, PACKAGE)
    installed = {entry.name for entry in (prefix / "node_modules").iterdir() if not entry.name.startswith(".")}
    platform = packages.platform().name.removesuffix(f"-{VERSION}.tgz")
    expect(installed == {PACKAGE, platform}, str(installed))
    fetched = {name for name in asked if name.endswith(".tgz")}
    expect(fetched == {packages.launcher().name, packages.platform().name}, f"it fetched {fetched}")
    for name in installed:
        manifest = json.loads((prefix / "node_modules" / name / "package.json").read_text())
        expect("scripts" not in manifest, f"{name} runs something when it is installed")


def everywhere(packages, directory, url):
    npm(directory, url, "install", "--global", "--prefix", directory / "global", PACKAGE)
    for name in (f"bin/{NAME}", f"share/man/man1/{NAME}.1", f"lib/node_modules/{PACKAGE}/completions/_{NAME}"):
        expect((directory / "global" / name).exists(), f"{name} is missing")


def signals(directory):
    command = [node(), directory / "prefix/node_modules/.bin" / PACKAGE, "sandbox"]
    process = subprocess.Popen(command, env=variables(directory), stdout=subprocess.PIPE, text=True)
    try:
        host = process.stdout.readline().strip().split("=", 1)[1]
        port = int(host.rsplit(":", 1)[1])
        process.send_signal(signal.SIGTERM)
        ended = process.wait(SECONDS)
    finally:
        process.kill()
        process.communicate()
    expect(ended in (0, -signal.SIGTERM), f"it ended with {ended}")
    with socket.socket() as client:
        expect(client.connect_ex(("127.0.0.1", port)) != 0, "the program goes on without its launcher")
    wrong = [*command[:2], "--no-such-flag"]
    failed = subprocess.run(wrong, env=variables(directory), capture_output=True, text=True, timeout=SECONDS)
    expect(failed.returncode == 2 and wrong[2] in failed.stderr, f"{failed.returncode}: {failed.stderr}")


def missing(directory):
    alone = directory / "alone"
    shutil.copytree(directory / "prefix/node_modules" / PACKAGE, alone / PACKAGE)
    failed = subprocess.run(
        [node(), alone / PACKAGE / "launcher.js"], env=variables(directory), capture_output=True, text=True, timeout=SECONDS
    )
    expect(failed.returncode == 1 and "--omit=optional" in failed.stderr, f"{failed.returncode}: {failed.stderr}")


@contextlib.contextmanager
def registry(packages):
    """A registry with these packages, and with the names of the others: those have no file, so whoever fetches one fails."""
    files = {path.name: path.read_bytes() for path in (packages.launcher(), packages.platform())}
    known, asked = {}, []
    for name, content in files.items():
        with tarfile.open(packages.directory / name) as archive:
            manifest = json.load(archive.extractfile("package/package.json"))
        known[manifest["name"]] = (manifest, name, content)
    for name in known[PACKAGE][0]["optionalDependencies"]:
        system, machine, *libc = name.removeprefix(f"{PACKAGE}-").split("-")
        other = {"name": name, "version": VERSION, "os": [system], "cpu": [machine], "libc": libc or ["glibc"]}
        if system != "linux":
            del other["libc"]
        known.setdefault(name, (other, f"{name}.tgz", b""))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            name = unquote(self.path).lstrip("/").split("?")[0]
            asked.append(name)
            if name in files:
                return self.answer(200, files[name], "application/octet-stream")
            if name not in known:
                return self.answer(404, b"{}", "application/json")
            manifest, file, content = known[name]
            host = f"http://127.0.0.1:{self.server.server_port}"
            digest = base64.b64encode(hashlib.sha512(content).digest()).decode()
            version = {**manifest, "dist": {"tarball": f"{host}/{file}", "integrity": f"sha512-{digest}"}}
            document = {"name": name, "dist-tags": {"latest": VERSION}, "versions": {VERSION: version}}
            return self.answer(200, json.dumps(document).encode(), "application/json")

        def answer(self, status, body, kind):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", asked
    finally:
        server.shutdown()
        server.server_close()
