"""The Databricks App: its two descriptions agree, and it starts as Databricks starts it, before a workspace that is the sandbox."""

import base64
import contextlib
import hashlib
import http.client
import json
import subprocess
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import yaml
from report import expect
from server import DEPLOY, call, clean, free_port, get, running, sandbox

APP = DEPLOY / "databricks-app"
BINARY = "/Volumes/main/mcp/binaries/databricks-mcp-server"
NAME = "mcp-databricks-1.aws.databricksapps.test"
# Of apps, and of files in them.
SECONDS_TO_END = 15
MOST_BYTES = 10_000_000
UNDO_SECONDS = 10


def run(report, binary):
    described = yaml.safe_load((APP / "app.yaml").read_text())
    bundled = yaml.safe_load((APP / "databricks.yml").read_text())["resources"]["apps"]["mcp"]["config"]
    with report.check("app.yaml and databricks.yml start the same, with variables that the server knows"):
        expect(described["command"] == bundled["command"], str(bundled["command"]))
        names = [{variable["name"] for variable in config["env"]} for config in (described, bundled)]
        expect(names[1] - names[0] == {"DATABRICKS_WAREHOUSE_ID"} and not names[0] - names[1], str(names))
        text = subprocess.run([binary, "http", "--help"], env=clean(), capture_output=True, text=True).stdout
        own = {"DATABRICKS_MCP_BINARY", "DATABRICKS_MCP_BINARY_SHA256"}
        unknown = [name for name in names[1] - own if name not in text]
        expect(not unknown, f"{unknown} are variables of nothing")
    with report.check("an app of these files keeps to the bounds of Databricks Apps"):
        sizes = {file.name: file.stat().st_size for file in APP.iterdir()}
        expect(max(sizes.values()) < MOST_BYTES, str(sizes))
        drain = value(described, "DATABRICKS_MCP_DRAIN_SECONDS")
        expect(int(drain) + UNDO_SECONDS < SECONDS_TO_END, f"{drain} s")
    with report.check("the app starts, and calls on behalf of its user"):
        start(binary, described)
    with report.check("the app refuses a binary that is not the deployed one"):
        start_wrong(binary, described)


def value(config, name):
    return next(variable["value"] for variable in config["env"] if variable["name"] == name)


class Workspace(BaseHTTPRequestHandler):
    """A workspace that has the binary in a volume, knows an app and a user, and is the sandbox otherwise."""

    protocol_version = "HTTP/1.1"
    content = b""
    sandbox = {}
    seen = []

    def do_GET(self):
        presented = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.path.startswith("/oidc/.well-known"):
            self.answer(json.dumps({"token_endpoint": f"http://{self.headers['Host']}/oidc/v1/token"}).encode())
        elif self.path == f"/api/2.0/fs/files{BINARY}" and presented == "app-token":
            self.answer(self.content)
        else:
            self.forward(presented)

    def do_POST(self):
        if self.path != "/oidc/v1/token":
            return self.forward(self.headers.get("Authorization", "").removeprefix("Bearer "))
        self.rfile.read(int(self.headers["Content-Length"]))
        pair = base64.b64decode(self.headers["Authorization"].removeprefix("Basic ")).decode()
        if pair != "app:app-secret":
            return self.answer(b'{"error": "invalid_client"}', 401)
        self.answer(json.dumps({"access_token": "app-token", "token_type": "Bearer", "expires_in": 3600}).encode())

    def forward(self, presented):
        type(self).seen.append((presented, self.path))
        if presented not in ("app-token", "user-token"):
            return self.answer(b'{"error_code": "UNAUTHENTICATED"}', 401)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        connection = http.client.HTTPConnection(urlsplit(self.sandbox["DATABRICKS_HOST"]).netloc)
        with contextlib.closing(connection):
            headers = {"Authorization": f"Bearer {self.sandbox['DATABRICKS_TOKEN']}", "Content-Type": "application/json"}
            connection.request(self.command, self.path, body, headers)
            response = connection.getresponse()
            self.answer(response.read(), response.status)

    def answer(self, content, status=200):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def workspace(binary, found):
    Workspace.content, Workspace.sandbox, Workspace.seen = Path(binary).read_bytes(), found, []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Workspace)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def settings(described, host, port, digest, directory):
    """What Databricks sets, and what the app does; `valueFrom` is not used."""
    own = {variable["name"]: variable["value"] for variable in described["env"]}
    return clean(
        **{
            **own,
            "DATABRICKS_APP_NAME": "mcp-databricks",
            "DATABRICKS_APP_PORT": port,
            "DATABRICKS_HOST": host,
            "DATABRICKS_WORKSPACE_ID": "7405606000000001",
            "DATABRICKS_CLIENT_ID": "app",
            "DATABRICKS_CLIENT_SECRET": "app-secret",
            "DATABRICKS_MCP_BINARY_SHA256": digest,
            "DATABRICKS_MCP_PUBLIC_URL": f"https://{NAME}/mcp",
            "TMPDIR": directory,
        }
    )


def command(described):
    return ["python3" if word == "python" else word for word in described["command"]]


def start(binary, described):
    digest = hashlib.sha256(Path(binary).read_bytes()).hexdigest()
    with sandbox(binary) as found, tempfile.TemporaryDirectory() as directory, workspace(binary, found) as host:
        port = free_port()
        variables = settings(described, host, port, digest, directory)
        with running(command(described), port, variables, cwd=APP):
            headers = {"Host": NAME, "x-forwarded-user": "1@2", "x-forwarded-email": "ada@acme.test"}
            status, body = get(port, "/readyz", headers)
            expect(status == 200, f"{status}: {body}")
            Workspace.seen.clear()
            answer = call(port, {**headers, "x-forwarded-access-token": "user-token"}, "list_catalogs", {})
            expect(answer["returned"] >= 1, str(answer))
            expect({token for token, _ in Workspace.seen} == {"user-token"}, str(Workspace.seen))
            # Without the proxy's headers nobody is the user.
            expect(refused(port, {"Host": NAME}), "a request without the proxy was taken")


def refused(port, headers):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    with contextlib.closing(connection):
        connection.request("POST", "/mcp", "{}", {"Content-Type": "application/json", **headers})
        return connection.getresponse().status == 401


def start_wrong(binary, described):
    with tempfile.TemporaryDirectory() as directory, workspace(binary, {}) as host:
        variables = settings(described, host, free_port(), "0" * 64, directory)
        done = subprocess.run(command(described), env=variables, cwd=APP, capture_output=True, text=True)
        expect(done.returncode == 1 and "was deployed" in done.stderr, done.stderr)
