"""Calls tools and checks what holds for every answer."""

import json
import time

import anyio

from report import brief, expect

PATIENCE_SECONDS = 30


class Stopped(Exception):
    """A call failed, which is reported already; what builds on its answer cannot go on."""


class Caller:
    """Each call is one check; remembers which tools have answered with success."""

    def __init__(self, report, era, client):
        self.report, self.era, self.client = report, era, client
        self.succeeded = set()

    async def __call__(self, tool, /, **arguments):
        """The structured content of an answer."""
        return await self.checked(tool, arguments, lambda answer: True, seconds=0)

    async def until(self, is_so, tool, /, **arguments):
        """Calls a tool until its answer is as wanted: one check, however many calls."""
        return await self.checked(tool, arguments, is_so, seconds=PATIENCE_SECONDS)

    async def items(self, tool, /, **arguments):
        """The items of a list's first page."""
        answer = await self.checked(tool, arguments, is_list, seconds=0)
        return answer["items"]

    async def checked(self, tool, arguments, is_so, seconds):
        deadline = time.monotonic() + seconds
        answer = None
        with self.report.check(f"{self.era}: {tool} {brief(json.dumps(arguments, ensure_ascii=False), 100)}"):
            while not is_so(found := await self.ask(tool, arguments)):
                expect(time.monotonic() < deadline, f"not as wanted: {brief(found, 1_500)}")
                await anyio.sleep(0.1)
            answer = found
            self.succeeded.add(tool)
        if answer is None:
            raise Stopped(tool)
        return answer

    async def ask(self, tool, arguments):
        result = await self.client.call_tool(tool, arguments)
        text = [block.text for block in result.content if block.type == "text"]
        expect(not result.is_error, f"`isError` with {text}")
        expect(isinstance(result.structured_content, dict), f"no structured content but {result.structured_content}")
        expect(len(text) == len(result.content) == 1, f"not one text but {result.content}")
        same = json.loads(text[0]) == result.structured_content
        expect(same, f"the text {brief(text[0])} is not the structured content {brief(result.structured_content)}")
        return result.structured_content


def is_list(answer):
    """Whether the answer counts its items rightly, and says how to go on exactly where there is more."""
    is_counted = answer.get("returned") == len(answer.get("items", ()))
    return is_counted and (answer.get("truncated") is True or "next_page_token" not in answer)
