"""A sandbox of the binary to drive, and the venv to drive it from: that of the interop checks, with other pins."""

import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "interop"))

import environment  # noqa: E402
from report import expect  # noqa: E402

# The sandbox is quick; what takes longer is stuck.
SOON = timedelta(seconds=30)

# The checks of the SDK have a venv of their own, under `target/sdk/`.
environment.HERE = HERE
environment.DIRECTORY = HERE.parent.parent / "target" / "sdk"
environment.VENV = environment.DIRECTORY / "venv"
environment.VENV_PYTHON = environment.VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
environment.LOG = environment.DIRECTORY / "install.log"
# The SDK is the one that the specs come from.
SPECS = json.loads((HERE.parent.parent / "specs" / "source.json").read_text())
environment.DERIVED = [f"{SPECS['distribution']}=={SPECS['version']}"]
# All pins are there, so pip has nothing to resolve.
os.environ.setdefault("PIP_NO_DEPS", "1")


def binary():
    """The binary to drive, from the command line."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} BINARY")
    return Path(sys.argv[1]).resolve()


@contextmanager
def sandbox():
    """Starts a sandbox; gives its host and token."""
    # What could lead the SDK to another workspace must not reach it.
    for name in [name for name in os.environ if name.startswith("DATABRICKS_")]:
        del os.environ[name]
    child = subprocess.Popen(
        [binary(), "sandbox", "--port", "0", "--sandbox-clock", "fast"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )
    watchdog = threading.Timer(300, child.kill)
    watchdog.daemon = True
    watchdog.start()
    try:
        told = dict(child.stdout.readline().strip().split("=", 1) for _ in range(2))
        yield told["DATABRICKS_HOST"], told["DATABRICKS_TOKEN"]
    finally:
        watchdog.cancel()
        child.kill()
        child.wait()


def refused(kind, call):
    """What a call is refused with, which has to be of this class."""
    try:
        answer = call()
        if hasattr(answer, "__next__"):
            list(answer)
    except kind as error:
        return error
    expect(False, f"no {kind.__name__}")
