"""The official Python SDK drives the server on stdio against its sandbox, in both eras of the protocol.

    python3 tests/interop/client.py target/release/databricks-mcp-server

A line per check, then the sum. Exit code 0: all passed; 1: not; 77: this machine lacks what it takes, and why.
"""

import sys

# Nothing is written into `tests/`, not even compiled modules.
sys.dont_write_bytecode = True

import environment
from report import Failed, Report, Under, brief, expect, skipped

if __name__ == "__main__":
    try:
        environment.enter_venv()
    except environment.Missing as missing:
        sys.exit(skipped(missing))

import json
from functools import partial

import anyio
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.shared.exceptions import MCPError
from mcp.shared.uri_template import UriTemplate

import installed
import lasting
import paging
import person
import pipe
import prompts
import scenarios
import waiting
from caller import Caller, Stopped
from service import workspace

MODERN = "2026-07-28"
ERAS = {"legacy": "legacy", "modern": MODERN}
INVALID_PARAMS = -32602
RESOURCE_NOT_FOUND = {"legacy": -32002, "modern": INVALID_PARAMS}
MOST_TOOLS = 40
MOST_CHARACTERS_OF_INSTRUCTIONS = 2_048
TIMEOUT_SECONDS = 60


def connect(binary, mode, *options, asks=person.Person(), **more):
    """A client of a new server with a sandbox of its own; it keeps no answers, and its person confirms whatever it asks."""
    clock = () if "--sandbox-clock" in options else ("--sandbox-clock", "fast")
    arguments = ["--sandbox", "--log-level", "off", *clock, *options]
    parameters = StdioServerParameters(command=binary, args=arguments)
    return Client(
        parameters, mode=mode, read_timeout_seconds=TIMEOUT_SECONDS, cache=None, elicitation_callback=asks, **more
    )


async def check_era(report, binary, era):
    with report.check(f"{era}: handshake"):
        # A client that pins the modern version asks nothing before its first request: one that negotiates does.
        async with connect(binary, "legacy" if era == "legacy" else "auto") as client:
            check_identity(client, era)
    with report.check(f"{era}: session"):
        async with connect(binary, ERAS[era]) as client:
            tools = await check_tools(report, client, era)
            call = Caller(report, era, client)
            known = scenarios.Known()
            for area in scenarios.AREAS:
                await check_area(report, call, known, area)
            await check_resources(report, client, era, known)
            await prompts.check(report, client, era)
            await paging.check_lists(report, call)
            await paging.check_resources(report, call, known)
            await waiting.check(report, call, known)
            await check_area(report, call, known, scenarios.cleanup)
            with report.check(f"{era}: every tool was called with success"):
                left = sorted(set(tools) - call.succeeded)
                expect(tools, "no tool is known")
                expect(not left, f"no successful call of {', '.join(left)}; see tests/interop/scenarios.py")
            await check_errors(report, client, era)
    await lasting.check(report, era, partial(connect, binary, ERAS[era]))
    with report.check(f"{era}: a person confirms"), workspace(binary) as place:
        await person.check(Under(report, era), lambda asks: beside(binary, ERAS[era], place, asks))
    with report.check(f"{era}: session with a slow workspace"):
        slow = ("--toolsets", "compute,compute_admin,sql,pipelines", "--sandbox-clock", "real")
        async with connect(binary, ERAS[era], *slow) as client:
            await waiting.check_slow(report, Caller(report, f"{era}, slow", client))
    with report.check(f"{era}: session with small answers"):
        async with connect(binary, ERAS[era], "--max-result-tokens", "500") as client:
            await paging.check_cuts(report, Caller(report, f"{era}, small answers", client))


def beside(binary, mode, place, asks):
    """A client of a new server of a workspace that is there."""
    arguments = [*place.options, "--log-level", "off"]
    parameters = StdioServerParameters(command=binary, args=arguments, env=place.environment)
    seconds = TIMEOUT_SECONDS
    return Client(parameters, mode=mode, read_timeout_seconds=seconds, cache=None, elicitation_callback=asks)


def check_identity(client, era):
    is_modern = client.protocol_version >= MODERN
    expect(is_modern == (era == "modern"), f"the version is {client.protocol_version}")
    name = client.server_info and client.server_info.name
    expect(name == "databricks-mcp-server", f"the server's name is {name}")
    expect(client.server_info.version, "the server names no version")
    length = len(client.instructions or "")
    expect(0 < length <= MOST_CHARACTERS_OF_INSTRUCTIONS, f"the instructions have {length} characters")
    capabilities = client.server_capabilities
    expect(capabilities.tools is not None, "the server has no capability `tools`")
    expect(capabilities.resources is not None, "the server has no capability `resources`")
    expect(capabilities.prompts is not None, "the server has no capability `prompts`")
    expect(capabilities.completions is not None, "the server has no capability `completions`")


async def check_tools(report, client, era):
    """The names of the tools, whose list is as clients need it."""
    tools = []
    with report.check(f"{era}: tools/list"):
        answer = await client.list_tools()
        tools = answer.tools
        names = [tool.name for tool in tools]
        expect(0 < len(names) <= MOST_TOOLS, f"there are {len(names)} tools")
        expect(answer.next_cursor is None, "the list has a second page")
        expect(names == sorted(set(names)), f"the names are not sorted or not unique: {names}")
        for tool in tools:
            expect(tool.title and tool.description, f"{tool.name} lacks a title or a description")
            hints = tool.annotations and (
                tool.annotations.read_only_hint,
                tool.annotations.destructive_hint,
                tool.annotations.idempotent_hint,
                tool.annotations.open_world_hint,
            )
            expect(hints and None not in hints, f"{tool.name} lacks annotations: {tool.annotations}")
            expect(not (hints[0] and hints[1]), f"{tool.name} reads only and destroys")
            expect(tool.input_schema.get("type") == "object", f"{tool.name} takes {tool.input_schema}")
    return [tool.name for tool in tools]


async def check_area(report, call, known, area):
    with report.check(f"{call.era}: area {area.__name__}"):
        try:
            await area(call, known)
        except Stopped as stopped:
            raise Failed(f"stopped at {stopped}") from None


async def check_resources(report, client, era, known):
    templates = []
    with report.check(f"{era}: resources/templates/list"):
        templates = (await client.list_resource_templates()).resource_templates
        names = {template.name for template in templates}
        unknown = names ^ scenarios.RESOURCES.keys()
        expect(not unknown, f"templates and tests/interop/scenarios.py differ in {sorted(unknown)}")
    for template in templates:
        with report.check(f"{era}: resources/read {template.uri_template}"):
            variables = scenarios.RESOURCES[template.name](known)
            texts = {name: str(value) for name, value in variables.items()}
            uri = UriTemplate.parse(template.uri_template).expand(texts)
            await check_resource(client, uri, template.mime_type)
    listed = []
    with report.check(f"{era}: resources/list"):
        listed = (await client.list_resources()).resources
        expect(listed, "there is no resource")
        expect(all(resource.uri and resource.title and resource.mime_type for resource in listed), f"{brief(listed)}")
    first = {}
    for resource in listed:
        first.setdefault(resource.name, resource)
    for resource in first.values():
        with report.check(f"{era}: resources/read {resource.uri}"):
            await check_resource(client, resource.uri, resource.mime_type)


async def check_resource(client, uri, mime_type):
    contents = (await client.read_resource(uri)).contents
    expect(len(contents) == 1, f"{uri} has {len(contents)} contents")
    content = contents[0]
    expect(str(content.uri) == uri, f"{uri} is answered as {content.uri}")
    if mime_type == "application/json":
        expect(content.mime_type == mime_type, f"{uri} has the type {content.mime_type}, not {mime_type}")
        expect(json.loads(content.text), f"{uri} is empty")
    else:
        expect(content.mime_type and content.text.strip(), f"{uri} has no text, or its text no type: {content}")


async def check_errors(report, client, era):
    async def refused(name, code, request):
        with report.check(f"{era}: {name} is refused with {code}"):
            try:
                answer = await request
            except MCPError as error:
                expect(error.code == code, f"refused with {error.code}: {error.message}")
            else:
                raise Failed(f"answered with {brief(answer)}")

    async def failed(name, tool, arguments, *words):
        with report.check(f"{era}: {name} is an answer with `isError`"):
            answer = await client.call_tool(tool, arguments)
            text = "\n".join(block.text for block in answer.content)
            expect(answer.is_error, f"no error but {brief(text)}")
            expect(answer.structured_content is None, "an error has structured content")
            for word in words:
                expect(word in text, f"no `{word}` in: {text}")

    await refused("an unknown tool", INVALID_PARAMS, client.call_tool("get_jobb", {}))
    await refused("a foreign cursor of resources", INVALID_PARAMS, client.list_resources(cursor="foreign"))
    await refused("a foreign cursor of tools", INVALID_PARAMS, client.list_tools(cursor="foreign"))
    missing = RESOURCE_NOT_FOUND[era]
    await refused("a URI of no template", missing, client.read_resource("databricks://nothing/1"))
    await refused("a resource that is gone", missing, client.read_resource("databricks://jobs/987654321"))
    await refused("an unknown prompt", INVALID_PARAMS, client.get_prompt("profile_tables"))
    await refused("a prompt without its argument", INVALID_PARAMS, client.get_prompt("profile_table"))
    await failed("an unknown argument", "get_job", {"jobid": "1"}, "`jobid`", "`job_id`", "valid:")
    await failed("an argument of another type", "list_jobs", {"limit": "many"}, "`limit`")
    await failed("an argument out of range", "list_jobs", {"limit": 0}, "`limit`", "1")
    await failed("a foreign page token", "list_jobs", {"page_token": "foreign"}, "`page_token`")
    await failed("a job that does not exist", "get_job", {"job_id": "987654321"}, "hint: ", "`list_jobs`")
    await failed("SQL that is wrong", "execute_sql", {"statement": "SELEC 1"}, "SELEC")
    await failed("a table that does not exist", "execute_sql", {"statement": "SELECT * FROM nowhere.to.be"}, "hint: ")


async def main(binary):
    report = Report()
    for era in ERAS:
        await check_era(report, binary, era)
    pipe.check(report, binary)
    await installed.check(report, binary)
    return report.close()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: client.py BINARY")
    sys.exit(anyio.run(main, sys.argv[1]))
