"""The conformance suite of the protocol judges the server by what two revisions require.

    python3 tests/interop/conformance.py target/release/databricks-mcp-server

What it does not pass is listed beside this file, with the reasons. A line per scenario, then the sum. Exit code 0: what is
listed fails, and nothing else; 1: not; 77: this machine lacks what it takes, and why.
"""

import sys

# Nothing is written into `tests/`, not even compiled modules.
sys.dont_write_bytecode = True

import environment
from report import Report, brief, expect, skipped

if __name__ == "__main__":
    try:
        environment.enter_venv()
    except environment.Missing as missing:
        sys.exit(skipped(missing))

import json
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

from service import Service

# How many scenarios each revision requires or has besides, so that none goes missing unseen.
SCENARIOS = {"2025-11-25": 33, "2026-07-28": 50}
# A warning is what should be and need not.
FAILURES = ("FAILURE", "WARNING")
RESULTS = environment.DIRECTORY / "conformance"
TIMEOUT_SECONDS = 300
REASON = re.compile(r"  # (feature|fixture): .{5,}")
ENTRY = re.compile(r"  - ([\w.-]+:[\w.-]+)")


def judged(binary, suite, revision):
    """How a run of the suite ended, with what it printed."""
    results = RESULTS / revision
    shutil.rmtree(results, ignore_errors=True)
    with Service(binary, "--sandbox", "--sandbox-clock", "fast") as service:
        options = ("--url", service.url, "--requirements", revision, "-o", str(results))
        command = [*suite, "server", *options, "--expected-failures", str(baseline(revision))]
        return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS)


def baseline(revision):
    return environment.HERE / f"conformance-{revision}.yaml"


def exceptions(text):
    """The checks that are listed, each once, in a group with a reason."""
    lines = text.splitlines()
    lines = lines[lines.index("server:") + 1 :]
    expect(lines and REASON.fullmatch(lines[0]), "the first line is no reason")
    wrong = [line for line in lines if not (REASON.fullmatch(line) or ENTRY.fullmatch(line))]
    expect(not wrong, f"neither `  # feature: WHY` or `  # fixture: WHAT` nor `  - SCENARIO:CHECK`: {wrong}")
    listed = [found[1] for found in map(ENTRY.fullmatch, lines) if found]
    expect(len(set(listed)) == len(listed), "an entry is there twice")
    return listed


def check(report, revision, done):
    listed = []
    with report.check(f"conformance {revision}: every exception has a reason"):
        listed = exceptions(baseline(revision).read_text())
    listed = set(listed)
    found = {}
    for path in sorted((RESULTS / revision).glob("*/checks.json")):
        scenario = re.sub(r"-\d{4}-\d\d-\d\dT[\d-]+Z$", "", path.parent.name).removeprefix("server-")
        found[scenario] = json.loads(path.read_text())
    with report.check(f"conformance {revision}: every scenario was run"):
        expect(len(found) == SCENARIOS[revision], f"{len(found)} scenarios, not {SCENARIOS[revision]}: {sorted(found)}")
    fails = set()
    for scenario, checks in found.items():
        failed = {f"{scenario}:{one['id']}": one for one in checks if one["status"] in FAILURES}
        fails |= failed.keys()
        passed = sum(one["status"] == "SUCCESS" for one in checks)
        known = len(failed.keys() & listed)
        with report.check(f"conformance {revision}: {scenario}: {passed} passed, {known} known to fail"):
            new = failed.keys() - listed
            expect(not new, "; ".join(f"{one}: {failed[one].get('errorMessage')}" for one in sorted(new)))
    with report.check(f"conformance {revision}: every exception fails"):
        expect(listed <= fails, f"these pass, or are no checks: {sorted(listed - fails)}")
    with report.check(f"conformance {revision}: the suite is content"):
        said = done.stdout[-1_500:] + done.stderr
        expect(done.returncode == 0, f"exit code {done.returncode}: {brief(said, 2_000)}")


def main(binary):
    report = Report()
    try:
        suite = environment.conformance()
    except environment.Missing as missing:
        return skipped(missing)
    with ThreadPoolExecutor() as pool:
        runs = {revision: pool.submit(judged, binary, suite, revision) for revision in SCENARIOS}
    for revision, run in runs.items():
        check(report, revision, run.result())
    return report.close()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: conformance.py BINARY")
    sys.exit(main(sys.argv[1]))
