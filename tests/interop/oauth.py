"""The official SDKs of Python and TypeScript log in to the server over HTTP by OAuth, in both eras of the protocol.

    python3 tests/interop/oauth.py target/release/databricks-mcp-server

Their own clients find the authorization server from the first 401, register, get a code with PKCE and a token, call, and ask
for more scopes when a 403 tells them to. A line per check, then the sum. Exit code 0: all passed; 1: not; 77: this machine lacks
what it takes, and why.
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
import shutil
import socket
import subprocess
import time
import urllib.request
from contextlib import asynccontextmanager, contextmanager
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx2
from mcp.client.auth import OAuthClientProvider
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata

from issuer import SCOPES, Issuer

ERAS = {"legacy": "legacy", "modern": "2026-07-28"}
REDIRECT = "http://127.0.0.1:9/callback"
TYPESCRIPT = ("client-legacy", "client-auto", "client-modern", "sdk")
START_SECONDS = 30
SCHEMA = {"statement": "CREATE SCHEMA main.made"}
JOB = {"name": "nightly", "tasks": [{"task_key": "a", "notebook_task": {"notebook_path": "/a"}}]}


@contextmanager
def serving(binary, issuer):
    """The URL of a server that takes the tokens of an issuer."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    url = f"http://{address}/mcp"
    arguments = ["http", "--sandbox", "--log-level", "off", "--toolsets", "jobs,sql", "--listen", address]
    arguments += ["--auth", "oauth", "--oauth-issuer", issuer.url, "--public-url", url]
    process = subprocess.Popen([binary, *arguments], stderr=subprocess.DEVNULL)
    try:
        until_alive(address, process)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def until_alive(address, process):
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return urllib.request.urlopen(f"http://{address}/healthz", timeout=5).read()
        except OSError:
            expect(process.poll() is None, f"the server ended with {process.returncode}")
            expect(time.monotonic() < deadline, "the server does not answer")
            time.sleep(0.1)


class Store:
    """Keeps what a client knows in memory."""

    def __init__(self, client=None):
        self.client = client
        self.tokens = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client):
        self.client = client


@asynccontextmanager
async def connected(url, mode, store):
    """A client that logs in when it is told to; the page for consent is its browser."""
    come_back = {}

    async def show(page):
        async with httpx2.AsyncClient() as browser:
            answer = await browser.get(page, follow_redirects=False)
        expect(answer.status_code == 302, f"the page for consent answers {answer.status_code}: {answer.text}")
        come_back.update(parse_qs(urlsplit(answer.headers["location"]).query))

    async def result():
        return AuthorizationCodeResult(**{name: come_back[name][0] for name in ("code", "state", "iss")})

    metadata = OAuthClientMetadata(
        client_name="interop",
        redirect_uris=[REDIRECT],
        grant_types=["authorization_code"],
        response_types=["code"],
        token_endpoint_auth_method="none",
    )
    provider = OAuthClientProvider(url, metadata, store, redirect_handler=show, callback_handler=result)
    async with httpx2.AsyncClient(auth=provider, timeout=60) as http:
        async with Client(streamable_http_client(url, http_client=http), mode=mode, cache=None) as client:
            yield client


def scopes(issuer):
    return [set(fields["scope"].split()) for fields in issuer.events("token")]


async def check_flow(report, binary, era):
    issuer = Issuer()
    with serving(binary, issuer) as url:
        with report.check(f"{era}: 401, metadata, registration, code, token, call"):
            store = Store()
            async with connected(url, ERAS[era], store) as client:
                names = {tool.name for tool in (await client.list_tools()).tools}
                expect("list_jobs" in names and "create_job" in names, f"the tools are {sorted(names)}")
                answer = await client.call_tool("list_jobs", {})
                expect(not answer.is_error, f"refused: {brief(answer)}")
                expect(len(issuer.events("register")) == 1, "the client has not registered once")
                expect(scopes(issuer) == [{"databricks.read"}], f"the scopes are {scopes(issuer)}")
        with report.check(f"{era}: step-up by 403"):
            async with connected(url, ERAS[era], store) as client:
                answer = await client.call_tool("create_job", JOB)
                expect(not answer.is_error, f"refused: {brief(answer)}")
                expect(len(issuer.events("register")) == 1, "the client has registered again")
                asked = [set(fields["scope"].split()) for fields in issuer.events("authorize")]
                expect(len(asked) == 2 and asked[1] >= set(SCOPES[:2]), f"the scopes asked for are {asked}")
                answer = await client.call_tool("list_jobs", {})
                expect("nightly" in str(answer.structured_content), f"the job is not there: {brief(answer)}")
                expect(len(issuer.events("token")) == 2, "a token was asked for without need")
        with report.check(f"{era}: step-up by what a statement does"):
            before = len(scopes(issuer))
            async with connected(url, ERAS[era], Store()) as client:
                answer = await client.call_tool("execute_sql", {"statement": "SELECT 1 AS one"})
                expect(answer.structured_content["rows"] == [[1]], f"SELECT 1 gave {brief(answer)}")
                expect(scopes(issuer)[before:] == [{"databricks.read"}], f"the scopes are {scopes(issuer)[before:]}")
                answer = await client.call_tool("execute_sql", SCHEMA)
                expect(not answer.is_error, f"refused: {brief(answer)}")
                expect(scopes(issuer)[-1] == set(SCOPES), f"the scopes are {scopes(issuer)}")
        check_resources(report, issuer, url, era)
        with report.check(f"{era}: a narrowed path has the same tokens"):
            async with connected(f"{url}/readonly", ERAS[era], Store()) as client:
                names = {tool.name for tool in (await client.list_tools()).tools}
                expect("list_jobs" in names and "create_job" not in names, f"the tools are {sorted(names)}")
    issuer.close()


def check_resources(report, issuer, url, name):
    with report.check(f"{name}: every request for a token named the server"):
        for event in ("authorize", "token"):
            resources = {fields["resource"] for fields in issuer.events(event)}
            expect(resources == {url}, f"the resources are {resources}")
        expect(not issuer.events("refused"), f"refused: {issuer.events('refused')}")


async def check_typescript(report, binary, name):
    issuer = Issuer()
    script = shutil.copy(environment.HERE / "logins.mjs", environment.NODE)
    with serving(binary, issuer) as url:
        done = await anyio.run_process([environment.node(), script, name, url], check=False)
        told = [json.loads(line) for line in done.stdout.decode().splitlines()]
        for one in told:
            with report.check(f"typescript {one['name']}"):
                expect("failure" not in one, one.get("failure"))
        with report.check(f"typescript {name}: one registration, three tokens, each with more scopes"):
            said = brief(done.stderr.decode().strip(), 1_500)
            expect(done.returncode == 0 and told, f"exit code {done.returncode} after {len(told)} checks: {said}")
            expect(len(issuer.events("register")) == 1, "the client has not registered once")
            expected = [set(SCOPES[: count + 1]) for count in range(len(SCOPES))]
            expect(scopes(issuer) == expected, f"the scopes are {scopes(issuer)}")
        check_resources(report, issuer, url, f"typescript {name}")
    issuer.close()


async def check_registered(report, binary, era):
    issuer = Issuer()
    with serving(binary, issuer) as url, report.check(f"{era}: a client that is registered before"):
        known = issuer.register([REDIRECT])
        client_information = OAuthClientInformationFull(
            client_id=known, redirect_uris=[REDIRECT], token_endpoint_auth_method="none", issuer=issuer.url
        )
        async with connected(url, ERAS[era], Store(client_information)) as client:
            await client.list_tools()
        expect(not issuer.events("register"), "the client has registered anew")
        expect(issuer.events("token")[0]["client_id"] == known, "the token is of another client")
    issuer.close()


async def check_refused(report, binary, era):
    issuer = Issuer(grants=SCOPES[:1])
    with serving(binary, issuer) as url, report.check(f"{era}: scopes that are not granted end the asking"):
        async with connected(url, ERAS[era], Store()) as client:
            await client.list_tools()
            try:
                answer = await client.call_tool("create_job", JOB)
                expect(answer.is_error, f"done: {brief(answer)}")
            except Exception as error:
                told = str(error)
                expect("create_job" in told or "403" in told or "scope" in told, f"told: {told}")
        expect(len(issuer.events("token")) <= 3, f"{len(issuer.events('token'))} tokens were asked for")
    issuer.close()


async def main(binary):
    report = Report()
    try:
        environment.node()
    except environment.Missing as missing:
        return skipped(missing)
    for era in ERAS:
        await check_flow(report, binary, era)
        await check_registered(report, binary, era)
        await check_refused(report, binary, era)
    for name in TYPESCRIPT:
        await check_typescript(report, binary, name)
    return report.close()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: oauth.py BINARY")
    sys.exit(anyio.run(main, sys.argv[1]))
