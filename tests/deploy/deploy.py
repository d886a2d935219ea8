"""What `deploy/` holds, without an engine or a cluster: `deploy.py BINARY`.

Lints, schemas, and where it can be, the real thing: the binary runs with the options, probes, root directory and proxy that the files
give it. A line per check, then the sum. Exit code 0: all passed; 1: not; 77: this machine lacks what it takes, and why.
"""

import sys
from pathlib import Path

# Nothing is written into `tests/`, not even compiled modules.
sys.dont_write_bytecode = True

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "interop"))

import environment  # noqa: E402
from report import Report, skipped  # noqa: E402

environment.HERE = HERE
environment.DIRECTORY = HERE.parent.parent / "target" / "deploy"
environment.VENV = environment.DIRECTORY / "venv"
environment.VENV_PYTHON = environment.VENV / "bin/python"
environment.LOG = environment.DIRECTORY / "install.log"

if __name__ == "__main__":
    try:
        if sys.platform != "linux":
            raise environment.Missing("these files are for Linux")
        environment.enter_venv()
    except environment.Missing as missing:
        sys.exit(skipped(missing))

import app  # noqa: E402
import chart  # noqa: E402
import image  # noqa: E402
import proxy  # noqa: E402
import unit  # noqa: E402


def main():
    binary = Path(sys.argv[1]).resolve()
    report = Report()
    for part in (chart, image, unit, proxy, app):
        part.run(report, binary)
    return report.close()


if __name__ == "__main__":
    sys.exit(main())
