"""The packages of `cargo xtask dist`: `dist.py BINARY`, or `dist.py --packages DIRECTORY [--source]`.

Each is held against what its own tools and schemas ask for, installed into a clean place, and called over MCP. The first form
makes packages of a binary and checks them quickly; the second checks the packages of a release, with what takes longer: an
image, a Debian system of its own, and with `--source` a build of the source package. A line per check, then the sum. Exit code
0: all passed; 1: not; 77: this machine lacks what it takes, and why.
"""

import argparse
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# Nothing is written into `tests/`, not even compiled modules.
sys.dont_write_bytecode = True

HERE = Path(__file__).resolve().parent
for folder in ("interop", "deploy"):
    sys.path.insert(0, str(HERE.parent / folder))

import environment  # noqa: E402
from report import Report, skipped  # noqa: E402

environment.HERE = HERE
environment.DIRECTORY = HERE.parent.parent / "target" / "dist"
environment.VENV = environment.DIRECTORY / "venv"
environment.VENV_PYTHON = environment.VENV / "bin/python"
environment.NODE = environment.DIRECTORY / "node"
environment.INSPECTOR_MAIN = environment.NODE / "node_modules/@anthropic-ai/mcpb/dist/cli/cli.js"
environment.LOG = environment.DIRECTORY / "install.log"
environment.OLDEST_NODE = (20, 0, 0)

if __name__ == "__main__":
    try:
        if sys.platform != "linux":
            raise environment.Missing("the packages are checked on Linux")
        environment.enter_venv()
    except environment.Missing as missing:
        sys.exit(skipped(missing))

import bundle  # noqa: E402
import papers  # noqa: E402
import npm  # noqa: E402
import system  # noqa: E402
import wheels  # noqa: E402
from packages import Packages, make  # noqa: E402

PARTS = (wheels, npm, bundle, system, papers)
CORES = 2


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary", type=Path, nargs="?")
    parser.add_argument("--packages", type=Path)
    parser.add_argument("--source", action="store_true")
    arguments = parser.parse_args()
    report = Report()
    with tempfile.TemporaryDirectory() as made, ThreadPoolExecutor(CORES) as pool:
        # What the bundle's check needs is installed while packages are made.
        node = pool.submit(environment.node)
        directory = arguments.packages
        if not directory:
            directory = Path(made) / "dist"
            with report.check("`cargo xtask dist` writes the packages"):
                make(arguments.binary.resolve(), directory, Path(made) / "binary")
        try:
            node.result()
        except environment.Missing as missing:
            return skipped(missing)
        if report.failed:
            return report.close()
        packages = Packages(directory.resolve(), is_release=bool(arguments.packages), source=arguments.source)
        # Much of it is waiting for other programs. Each counts for itself.
        reports = [Report() for _ in PARTS]
        list(pool.map(lambda part, own: part.run(own, packages), PARTS, reports))
        report.passed += sum(own.passed for own in reports)
        report.failed += sum(own.failed for own in reports)
    return report.close()


if __name__ == "__main__":
    sys.exit(main())
