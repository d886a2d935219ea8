"""An authorization server on loopback that checks every field of a flow: metadata, registration, code with PKCE, tokens.

It asks nobody: whoever comes to its page for consent is `ada@acme.test`, and grants what is asked for, up to `grants`.
"""

import base64
import hashlib
import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

SCOPES = ("databricks.read", "databricks.write", "databricks.destructive")
KEY_ID = "key-1"


class Refused(Exception):
    """What a client did that it may not."""


class Issuer:
    """The server, from its making until `close`."""

    def __init__(self, grants=SCOPES):
        self.grants = set(grants)
        self.key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
        self.clients = {}
        self.codes = {}
        # Each a name and its fields, in their order.
        self.log = []
        handler = type("Handler", (Handler,), {"issuer": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.origin = f"http://127.0.0.1:{self.server.server_port}"
        # With a path, so that the places of its metadata are not all the same.
        self.url = f"{self.origin}/realms/data"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def events(self, name):
        return [fields for event, fields in self.log if event == name]

    def register(self, redirect_uris):
        client_id = f"client-{len(self.clients) + 1}"
        self.clients[client_id] = list(redirect_uris)
        return client_id

    def metadata(self):
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.origin}/authorize",
            "token_endpoint": f"{self.origin}/token",
            "registration_endpoint": f"{self.origin}/register",
            "jwks_uri": f"{self.origin}/keys",
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none"],
            "scopes_supported": list(SCOPES),
            "authorization_response_iss_parameter_supported": True,
        }

    def keys(self):
        public = json.loads(RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [{"kty": "RSA", "kid": KEY_ID, "use": "sig", "alg": "RS256", "n": public["n"], "e": public["e"]}]}

    def authorize(self, fields):
        """The place to go on to, with a code."""
        redirect = fields.get("redirect_uri")
        need(redirect in self.clients.get(fields.get("client_id"), ()), "the client or its redirect is not registered")
        need(fields.get("response_type") == "code", "no code is asked for")
        need(fields.get("code_challenge_method") == "S256" and fields.get("code_challenge"), "no PKCE")
        need(fields.get("resource"), "no resource is named")
        self.log.append(("authorize", fields))
        code = secrets.token_urlsafe(16)
        self.codes[code] = fields
        return f"{redirect}?{urlencode({'code': code, 'state': fields.get('state', ''), 'iss': self.url})}"

    def token(self, fields):
        need(fields.get("grant_type") == "authorization_code", "another grant")
        asked = self.codes.pop(fields.get("code"), None)
        need(asked, "no such code")
        for name in ("client_id", "redirect_uri", "resource"):
            need(fields.get(name) == asked[name], f"another `{name}` than for the code")
        digest = hashlib.sha256(fields.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        need(challenge == asked["code_challenge"], "the verifier does not fit")
        granted = [scope for scope in asked.get("scope", "").split() if scope in self.grants]
        self.log.append(("token", {**fields, "scope": " ".join(granted)}))
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": asked["resource"],
            "sub": "u-ada",
            "email": "ada@acme.test",
            "client_id": asked["client_id"],
            "scope": " ".join(granted),
            "iat": now,
            "exp": now + 600,
        }
        token = jwt.encode(claims, self.key, algorithm="RS256", headers={"kid": KEY_ID, "typ": "at+jwt"})
        return {"access_token": token, "token_type": "Bearer", "expires_in": 600, "scope": " ".join(granted)}


def need(is_so, message):
    if not is_so:
        raise Refused(message)


class Handler(BaseHTTPRequestHandler):
    issuer = None

    def log_message(self, *_):
        pass

    def do_GET(self):
        url = urlsplit(self.path)
        if url.path == "/.well-known/oauth-authorization-server/realms/data":
            self.answer(200, self.issuer.metadata())
        elif url.path == "/keys":
            self.answer(200, self.issuer.keys())
        elif url.path == "/authorize":
            self.refusing(lambda: self.go_on(self.issuer.authorize(fields(url.query))))
        else:
            self.answer(404, {})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        if self.path == "/register":
            asked = json.loads(body)
            client_id = self.issuer.register(asked["redirect_uris"])
            self.issuer.log.append(("register", asked))
            self.answer(201, {**asked, "client_id": client_id, "token_endpoint_auth_method": "none"})
        elif self.path == "/token":
            self.refusing(lambda: self.answer(200, self.issuer.token(fields(body))))
        else:
            self.answer(404, {})

    def refusing(self, work):
        try:
            work()
        except Refused as refused:
            self.issuer.log.append(("refused", str(refused)))
            self.answer(400, {"error": "invalid_request", "error_description": str(refused)})

    def go_on(self, place):
        self.send_response(302)
        self.send_header("Location", place)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def fields(query):
    return {name: values[0] for name, values in parse_qs(query).items()}
