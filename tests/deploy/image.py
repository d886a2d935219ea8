"""The image: the Containerfile is linted, and the server runs in the root directory that it gives it."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from environment import VENV
from report import expect
from server import DEPLOY, ROOT, call, clean, free_port, get, key, keys_file, running

CONTAINERFILE = DEPLOY / "Containerfile"
NOBODY = 65532


def run(report, binary):
    with report.check("the Containerfile has no finding of hadolint"):
        done = subprocess.run([VENV / "bin/hadolint", CONTAINERFILE], capture_output=True, text=True)
        expect(done.returncode == 0, done.stdout + done.stderr)
    with report.check("the image has its version, a name for the MCP registry, and no root"):
        text = CONTAINERFILE.read_text()
        version = next(line for line in (ROOT / "Cargo.toml").read_text().splitlines() if line.startswith("version"))
        number = version.split('"')[1]
        expect(f"ARG VERSION={number}\n" in text, "ARG VERSION is not the version of Cargo.toml")
        expect(f"USER {NOBODY}:{NOBODY}" in text, "USER is not by number")
        expect('LABEL io.modelcontextprotocol.server.name="' in text, "the label of the registry is missing")
    if os.geteuid() != 0 or not shutil.which("unshare"):
        print("note: the root directory of the image is not tried, as that takes root")
        return
    with report.check("the server runs in the root directory of the image, read-only and without privileges"):
        run_in_root(binary)


def run_in_root(binary):
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory) / "root"
        done = subprocess.run(["sh", DEPLOY / "root.sh", binary, root], capture_output=True, text=True)
        expect(done.returncode == 0, done.stderr)
        Path(directory).chmod(0o755)
        secret, entry = key(binary, "alice")
        keys_file(root / "etc/databricks-mcp-server", entry).chmod(0o644)
        port = free_port()
        # What an engine does: the root directory is bound and made read-only, in mounts that only this process sees.
        script = (
            'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && '
            f'exec chroot --userspec={NOBODY}:{NOBODY} "$0" /usr/bin/databricks-mcp-server http --sandbox'
        )
        variables = clean(
            DATABRICKS_MCP_LISTEN=f"0.0.0.0:{port}",
            DATABRICKS_MCP_AUTH="bearer",
            DATABRICKS_MCP_KEYS="/etc/databricks-mcp-server/keys.yaml",
            DATABRICKS_MCP_ALLOWED_HOSTS="localhost",
        )
        with running(["unshare", "--mount", "sh", "-c", script, root], port, variables):
            status, body = get(port, "/readyz", {"Host": "localhost"})
            expect(status == 200, f"{status}: {body}")
            answer = call(port, {"Host": "localhost", "Authorization": f"Bearer {secret}"})
            expect(answer["returned"] == 1, str(answer))
