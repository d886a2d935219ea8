"""nginx before three replicas, with the files of `deploy/nginx`: any replica answers, events come as they are written, and one may die."""

import contextlib
import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from pathlib import Path

from report import expect
from server import DEPLOY, SECONDS, call, clean, find, free_port, key, keys_file, running, sandbox, signing_keys

REPLICAS = 3
NAME = "mcp.acme.test"
NOTEBOOK = "/Shared/etl/failing_check"
TASK = {"task_key": "check", "notebook_task": {"notebook_path": NOTEBOOK}}


def run(report, binary):
    nginx, openssl = find("nginx", "nginx-light"), find("openssl", "openssl")
    if not (nginx and openssl):
        print("note: the proxy is not tried, as there is no nginx or no openssl (Debian and Ubuntu: install `nginx-light`)")
        return
    with contextlib.ExitStack() as stack, report.check("nginx shares the requests among three replicas"):
        workspace = stack.enter_context(sandbox(binary, "demo"))
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        secret, entry = key(binary, "alice")
        ports = [free_port() for _ in range(REPLICAS)]
        settings = clean(
            **workspace,
            DATABRICKS_MCP_PUBLIC_URL=f"https://{NAME}/mcp",
            DATABRICKS_MCP_AUTH="bearer",
            DATABRICKS_MCP_KEYS=keys_file(directory, entry),
            DATABRICKS_MCP_SIGNING_KEYS=signing_keys(directory),
        )
        replicas = []
        for number, port in enumerate(ports):
            command = [binary, "--audit-log", directory / f"{number}.jsonl", "http", "--no-sessions"]
            command += ["--listen", f"127.0.0.1:{port}"]
            replicas.append(stack.enter_context(running(command, port, settings)))
        port, trusted = start(stack, nginx, openssl, directory, ports)
        headers = {"Host": NAME, "Authorization": f"Bearer {secret}"}
        for _ in range(4 * REPLICAS):
            call(port, headers, connection=connect(port, trusted))
        calls = [directory.joinpath(f"{number}.jsonl").read_text().count('"tool":"list_jobs"') for number in range(REPLICAS)]
        expect(sum(calls) == 4 * REPLICAS and all(calls), str(calls))
        with report.check("a list goes on at any replica"):
            found, token = [], {}
            for _ in range(2 * REPLICAS):
                page = call(port, headers, "list_jobs", {"limit": 1, **token}, connect(port, trusted))
                found += [job["job_id"] for job in page["items"]]
                token = {"page_token": page["next_page_token"]}
            expect(len(set(found)) == 2 * REPLICAS, str(found))
        with report.check("the proxy passes events on as they are written"):
            progress(port, trusted, headers)
        with report.check("nothing else of a replica is reached through the proxy"):
            for path in ("/healthz", "/readyz", "/metrics", "/"):
                connection = connect(port, trusted)
                connection.request("GET", path, headers=headers)
                expect(connection.getresponse().status == 404, path)
        with report.check("calls go on when a replica dies, and none is made twice"):
            replicas[0].kill()
            made = [f"made-{number}" for number in range(4 * REPLICAS)]
            for name in made:
                call(port, headers, "create_job", {"name": name, "tasks": [TASK]}, connect(port, trusted))
            for name in made:
                found = call(port, headers, "list_jobs", {"name": name}, connect(port, trusted))
                expect(found["returned"] == 1, f"{name}: {found['returned']}")


def start(stack, nginx, openssl, directory, ports):
    """nginx with the files of the repository, in which only places and ports are others."""
    port = free_port()
    certificate, private = directory / "tls.crt", directory / "tls.key"
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", f"/CN={NAME}"]
    command += ["-addext", f"subjectAltName=DNS:{NAME}", "-keyout", private, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True)
    shutil.copy(DEPLOY / "nginx/databricks-mcp-proxy.conf", directory)
    text = (DEPLOY / "nginx/replicas.conf").read_text()
    for given, used in [
        ("/etc/nginx/databricks-mcp-proxy.conf", directory / "databricks-mcp-proxy.conf"),
        (f"/etc/nginx/tls/{NAME}.crt", certificate),
        (f"/etc/nginx/tls/{NAME}.key", private),
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        *((f"127.0.0.1:{8001 + number}", f"127.0.0.1:{used}") for number, used in enumerate(ports)),
    ]:
        expect(given in text, f"`{given}` is not in replicas.conf")
        text = text.replace(given, str(used))
    main = directory / "nginx.conf"
    temporary = "".join(
        f"{name}_temp_path {directory}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main.write_text(
        f"daemon off;\npid {directory}/pid;\nerror_log stderr;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{temporary}{text}\n}}\n"
    )
    # Its workers are of the user that runs this, as the directory is.
    command = [nginx, "-p", directory, "-c", main] + (["-g", "user root;"] if os.geteuid() == 0 else [])
    tested = subprocess.run([*command, "-t"], capture_output=True, text=True)
    expect(tested.returncode == 0, tested.stderr)
    stack.enter_context(running(command, port, clean()))
    trusted = ssl.create_default_context(cafile=certificate)
    return port, trusted


class Connection(http.client.HTTPSConnection):
    """A connection to this machine, under the name that the certificate is for."""

    def connect(self):
        raw = socket.create_connection(("127.0.0.1", self.port), self.timeout)
        self.sock = self._context.wrap_socket(raw, server_hostname=NAME)


def connect(port, trusted):
    return Connection(NAME, port, timeout=SECONDS, context=trusted)


def progress(port, trusted, headers):
    """The progress of a run that takes some time comes before its end."""
    message = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {
            "name": "run_notebook",
            "arguments": {"path": NOTEBOOK},
            "_meta": {"progressToken": "p"},
        },
    }
    sent = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream", **headers}
    with contextlib.closing(connect(port, trusted)) as connection:
        connection.request("POST", "/mcp", json.dumps(message), sent)
        response, times = connection.getresponse(), []
        while line := response.readline():
            if line.startswith(b"data: {"):
                times.append((time.monotonic(), json.loads(line[6:])))
    expect(len(times) > 1 and times[0][1].get("method") == "notifications/progress", str(times)[:2_000])
    expect(times[-1][0] - times[0][0] > 0.2, f"all events came at once: {[at for at, _ in times]}")
