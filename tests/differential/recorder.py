"""A workspace on loopback that writes down what it is asked, byte for byte, and answers from a script."""

import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

# What the HTTP libraries send for themselves, and what names the client.
OF_THE_LIBRARY = {"host", "user-agent", "accept-encoding", "connection", "content-length", "transfer-encoding"}


@dataclass
class Request:
    """A request, in a form that can be compared."""

    method: str
    # As it was on the wire.
    path: str
    query: dict
    headers: dict
    body: object


class Recorder:
    """The server; its answers are `{}` unless a script is set."""

    def __init__(self):
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle_any(self):
                length = int(self.headers.get("content-length") or 0)
                body = self.rfile.read(length) if length else b""
                target = self.requestline.split(" ")[1]
                # Questions about the host itself belong to no call.
                status, answer = (404, {}) if target.startswith("/.well-known/") else (200, None)
                if answer is None:
                    answer = recorder.record(self.command, target, dict(self.headers.items()), body)
                content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

            def log_message(self, *arguments):
                pass

        self.requests, self.script, self.lock = [], None, threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        # A client that hangs up has its answer already.
        self.server.handle_error = lambda *_: None
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}"

    def record(self, method, target, headers, body):
        path, _, query = target.partition("?")
        headers = {name.lower(): value for name, value in headers.items()}
        pairs = {}
        for name, value in parse_qsl(query, keep_blank_values=True):
            pairs.setdefault(name, []).append(value)
        with self.lock:
            self.requests.append(
                Request(
                    method,
                    path,
                    pairs,
                    {name: value for name, value in headers.items() if name not in OF_THE_LIBRARY},
                    content(body),
                )
            )
            return self.script(len(self.requests) - 1) if self.script else {}

    def take(self):
        """What was recorded since the last time."""
        with self.lock:
            taken, self.requests = self.requests, []
            return taken


def content(body):
    """The body as JSON where it is, else as text; nothing for nothing."""
    if not body:
        return None
    try:
        return json.loads(body)
    except ValueError:
        return body.decode("utf-8", "surrogateescape")
