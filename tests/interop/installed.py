"""The server as `install` writes it into the files of clients, started from these files; and `setup`, as at a terminal."""

import json
import os
import pty
import select
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters

from report import Failed, expect

# Files as clients have them, and where each keeps its servers.
FILES = {
    "claude-code": (".claude.json", '{\n  "numStartups": 3,\n  "mcpServers": {}\n}\n', "mcpServers"),
    "vscode": (".config/Code/User/mcp.json", '{\n\t"servers": {},\n\t"inputs": []\n}', "servers"),
    "codex": (".codex/config.toml", '# mine\nmodel = "o3"\n\n[tools]\nweb = true\n', "mcp_servers"),
}
SETUP_SECONDS = 60
# What `setup` asks, and the key that answers it: the first of a list, or yes.
ANSWERS = (
    ("Which workspace", "\r"),
    ("Which tools", "\r"),
    ("Only read", "y"),
    ("Which clients", "\r"),
    ("Type `yes`", "yes\r"),
)


async def check(report, binary):
    if sys.platform == "win32":
        return
    with tempfile.TemporaryDirectory() as home:
        for client, (path, text, _) in FILES.items():
            write(Path(home) / path, text)
        with report.check("install: three files of clients get the server"):
            done = run(binary, home, "install", "--sandbox", "--read-only", "--client", ",".join(FILES))
            expect(done.returncode == 0, done.stderr)
        for client, (path, _, servers) in FILES.items():
            with report.check(f"install: the server starts from the file of {client}"):
                await serves(Path(home) / path, servers)
        with report.check("uninstall: the files are as they were, byte for byte, and nothing else is left"):
            done = run(binary, home, "uninstall")
            expect(done.returncode == 0, done.stderr)
            for path, text, _ in FILES.values():
                expect((Path(home) / path).read_text() == text, f"{path} differs")
            expect(not (Path(home) / ".local").exists(), "the state is still there")
    with tempfile.TemporaryDirectory() as home, report.check("setup: asks at a terminal, one question after the other"):
        write(Path(home) / ".claude.json", "{}\n")
        code, said = at_terminal([binary, "setup"], home)
        expect(code == 0, f"ended with {code}: {said[-2_000:]}")
        expect("all is well" in said and "Then ask" in said, said[-2_000:])
        await serves(Path(home) / ".claude.json", "mcpServers")


async def serves(path, servers):
    text = path.read_text()
    entry = (tomllib.loads(text) if path.suffix == ".toml" else json.loads(text))[servers]["databricks"]
    # A client gives a server few of its variables.
    parameters = StdioServerParameters(command=entry["command"], args=entry["args"], env=entry.get("env"))
    async with Client(parameters) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        expect("list_catalogs" in names, f"no `list_catalogs` among {names}")
        expect(not any(name.startswith("delete_") for name in names), f"not only reading tools: {names}")
        answer = await client.call_tool("list_catalogs", {})
        expect(not answer.is_error, f"{answer.content}")


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def run(binary, home, *arguments):
    variables = {"HOME": home}
    return subprocess.run([binary, *arguments], env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True)


def at_terminal(command, home):
    """The exit code and the output of a command at a terminal, where each question gets its answer."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(command[0], command, {"HOME": home, "TERM": "xterm"})
    said, answers, seen, ends = "", list(ANSWERS), 0, time.monotonic() + SETUP_SECONDS
    try:
        while time.monotonic() < ends:
            if select.select([terminal], [], [], 0.2)[0]:
                try:
                    data = os.read(terminal, 65_536)
                except OSError:
                    data = b""
                if not data:
                    break
                said += data.decode(errors="replace")
            elif answers and answers[0][0] in said[seen:]:
                seen = len(said)
                os.write(terminal, answers.pop(0)[1].encode())
        else:
            os.kill(pid, 9)
            raise Failed(f"no end, waiting for {answers[:1]}: {said[-2_000:]}")
    finally:
        os.close(terminal)
        _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), said
