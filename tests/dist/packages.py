"""The packages of a directory, and a program that one of them installed, called over MCP."""

import json
import os
import shutil
import subprocess
import tarfile
import tomllib
from pathlib import Path

from report import expect

ROOT = Path(__file__).resolve().parent.parent.parent
MANIFEST = tomllib.loads((ROOT / "Cargo.toml").read_text())
NAME = MANIFEST["package"]["name"]
VERSION = MANIFEST["workspace"]["package"]["version"]
ABOUT = MANIFEST["package"]["metadata"]["dist"]
BINSTALL = MANIFEST["package"]["metadata"]["binstall"]
# Everything but the image, which the checks of `deploy/` make.
QUICK = "tarball,wheel,sdist,npm,launcher,mcpb,deb,registry"
SECONDS = 120
STATEMENT = "SELECT count(*) AS orders FROM samples.retail.orders"


class Packages:
    """What `cargo xtask dist` wrote for this machine."""

    def __init__(self, directory, is_release, source):
        self.directory = directory
        self.is_release = is_release
        self.source = source
        self.module = ABOUT["pypi"].replace("-", "_")

    def one(self, pattern):
        """The one file with such a name."""
        found = sorted(self.directory.glob(pattern))
        expect(len(found) == 1, f"{pattern}: {[path.name for path in found]}")
        return found[0]

    def wheel(self):
        return self.one(f"{self.module}-{VERSION}-*.whl")

    def sdist(self):
        return self.one(f"{self.module}-{VERSION}.tar.gz")

    def launcher(self):
        return self.one(f"{ABOUT['npm']}-{VERSION}.tgz")

    def platform(self):
        return self.one(f"{ABOUT['npm']}-*-{VERSION}.tgz")

    def tarball(self):
        return self.one(f"{NAME}-{VERSION}-*.tar.gz")

    def bundle(self):
        return self.one(f"{NAME}-{VERSION}-*.mcpb")

    def debian(self):
        return self.one(f"{NAME}_{VERSION}-*.deb")

    def bill(self):
        return self.one(f"{NAME}-{VERSION}-*.cdx.json")


def make(binary, directory, copy):
    """Packages of a binary. Without what only a debugger reads, it is as small as it gets."""
    strip = shutil.which("strip")
    if strip:
        subprocess.run([strip, "-o", copy, binary], check=True)
        binary = copy
    run(
        ["cargo", "xtask", "dist", "--binary", binary, "--output", directory, "--level", "1", "--only", QUICK],
        cwd=ROOT,
        env=os.environ,
    )


def variables(home, **more):
    """The variables of a user without settings."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), **{name: str(value) for name, value in more.items()}}


def run(command, **options):
    """What a command prints, if it ends well."""
    options = {"stdin": subprocess.DEVNULL, **options} if "input" not in options else options
    done = subprocess.run(command, capture_output=True, text=True, timeout=options.pop("timeout", SECONDS), **options)
    name = " ".join(str(word) for word in command[:4])
    expect(done.returncode == 0, f"`{name} …` ended with {done.returncode}: {done.stdout[-1000:]}{done.stderr[-2000:]}")
    return done.stdout


def speak(command, home, sandbox=("--sandbox",), **more):
    """A client starts the command, lists its tools and calls one: SQL on the sandbox."""
    ask = [
        message(1, "initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo={"name": "a", "version": "1"}),
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        message(2, "tools/list"),
        message(3, "tools/call", name="execute_sql", arguments={"statement": STATEMENT}),
    ]
    text = "".join(json.dumps(line) + "\n" for line in ask)
    said = run([*command, *sandbox], env=variables(home, **more), input=text)
    answers = {answer.get("id"): answer.get("result") for answer in map(json.loads, said.splitlines())}
    version = answers[1]["serverInfo"]["version"]
    expect(version == VERSION, f"the version is {version}")
    names = [tool["name"] for tool in answers[2]["tools"]]
    expect("execute_sql" in names, str(names))
    expect(not answers[3].get("isError") and answers[3]["structuredContent"]["rows"][0][0] > 0, str(answers[3]))
    return names


def message(number, method, **parameters):
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": parameters}


def unpacked(archive, directory):
    with tarfile.open(archive) as opened:
        opened.extractall(directory, filter="tar")
    return directory
