"""The systemd unit: verified and judged by systemd itself, and the server run with its settings under its system calls."""

import re
import subprocess
import tempfile
from pathlib import Path

from report import expect
from server import DEPLOY, call, clean, find, free_port, get, key, keys_file, running, sandbox

UNIT = DEPLOY / "systemd/databricks-mcp-server.service"
SETTINGS = DEPLOY / "systemd/databricks-mcp-server.env"
# By `systemd-analyze security`, from 0 to 10; a service without any hardening has 9.6.
MOST_EXPOSURE = 1.5


def run(report, binary):
    analyze = find("systemd-analyze", "systemd")
    if not analyze:
        print("note: the unit is not verified, as there is no `systemd-analyze` (Debian and Ubuntu: install `systemd`)")
    else:
        with report.check("systemd understands the unit, and finds it hardened"):
            verify(analyze, binary)
    with report.check("the server runs with the settings of the unit"):
        run_with_settings(binary)


def verify(analyze, binary):
    with tempfile.TemporaryDirectory() as directory:
        unit = Path(directory) / UNIT.name
        # The file is checked, too, whether it can be run.
        unit.write_text(UNIT.read_text().replace("/usr/local/bin/databricks-mcp-server", str(binary)))
        done = subprocess.run([analyze, "verify", unit], capture_output=True, text=True)
        expect(done.returncode == 0 and not done.stderr, done.stderr)
        command = [analyze, "security", "--no-pager", "--offline=yes", unit]
        done = subprocess.run(command, capture_output=True, text=True)
        found = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)
        expect(found is not None, done.stdout + done.stderr)
        expect(float(found[1]) <= MOST_EXPOSURE, done.stdout)


def run_with_settings(binary):
    lines = [line for line in SETTINGS.read_text().splitlines() if line and not line.startswith("#")]
    settings = {name: value for name, _, value in (line.partition("=") for line in lines)}
    with sandbox(binary) as workspace, tempfile.TemporaryDirectory() as directory:
        secret, entry = key(binary, "alice")
        credentials = Path(directory) / "databrickscfg"
        host, token = workspace["DATABRICKS_HOST"], workspace["DATABRICKS_TOKEN"]
        credentials.write_text(f"[DEFAULT]\nhost = {host}\ntoken = {token}\n")
        port = free_port()
        settings |= {
            "DATABRICKS_MCP_LISTEN": f"127.0.0.1:{port}",
            "DATABRICKS_MCP_KEYS": keys_file(directory, entry),
            "DATABRICKS_MCP_AUDIT_LOG": Path(directory) / "audit.jsonl",
            "DATABRICKS_CONFIG_FILE": credentials,
        }
        with running([binary, "http"], port, clean(**settings)):
            status, body = get(port, "/readyz", {"Host": "mcp.acme.test"})
            expect(status == 200, f"{status}: {body}")
            answer = call(port, {"Host": "mcp.acme.test", "Authorization": f"Bearer {secret}"})
            expect(answer["returned"] == 1, str(answer))
        done = subprocess.run([binary, "audit", "verify", settings["DATABRICKS_MCP_AUDIT_LOG"]], capture_output=True)
        expect(done.returncode == 0, done.stderr.decode())
