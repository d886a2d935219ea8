"""Starts the server in a Databricks App: `start.py ARGUMENTS`.

A file of an app has at most 10 MB, and the binary is larger, so the binary is in a volume. This script downloads it with the identity
of the app, checks that it is the one that was deployed, and replaces itself with it. It needs only Python.
"""

import hashlib
import json
import os
import sys
import tempfile
import urllib.parse
import urllib.request
from base64 import b64encode
from pathlib import Path

SECONDS = 60


def variable(name):
    value = os.environ.get(name, "").strip()
    if not value:
        sys.exit(f"start.py: {name} is not set")
    return value


def host():
    """The workspace, which Databricks gives with `https://` or without."""
    given = variable("DATABRICKS_HOST").rstrip("/")
    return given if "://" in given else f"https://{given}"


def answer(request):
    try:
        return urllib.request.urlopen(request, timeout=SECONDS)
    except OSError as error:
        sys.exit(f"start.py: {request.full_url.partition('?')[0]}: {error}")


def token():
    """A token of the app's own service principal."""
    pair = f"{variable('DATABRICKS_CLIENT_ID')}:{variable('DATABRICKS_CLIENT_SECRET')}"
    form = urllib.parse.urlencode({"grant_type": "client_credentials", "scope": "all-apis"}).encode()
    basic = b64encode(pair.encode()).decode()
    request = urllib.request.Request(f"{host()}/oidc/v1/token", form, {"Authorization": f"Basic {basic}"})
    with answer(request) as response:
        return json.load(response)["access_token"]


def download(path, expected, directory):
    """The binary, if it is the expected one."""
    url = f"{host()}/api/2.0/fs/files{urllib.parse.quote(path)}"
    binary = Path(directory) / "databricks-mcp-server"
    digest = hashlib.sha256()
    with answer(urllib.request.Request(url, headers={"Authorization": f"Bearer {token()}"})) as response:
        with binary.open("wb") as file:
            while block := response.read(1 << 20):
                digest.update(block)
                file.write(block)
    if digest.hexdigest() != expected.lower():
        sys.exit(f"start.py: {path} has the SHA-256 {digest.hexdigest()}, but {expected} was deployed")
    binary.chmod(0o500)
    return binary


if __name__ == "__main__":
    binary = download(
        variable("DATABRICKS_MCP_BINARY"), variable("DATABRICKS_MCP_BINARY_SHA256"), tempfile.mkdtemp(prefix="mcp-")
    )
    os.environ["DATABRICKS_MCP_LISTEN"] = f"0.0.0.0:{variable('DATABRICKS_APP_PORT')}"
    sys.stdout.flush()
    os.execv(binary, [str(binary), *sys.argv[1:]])
