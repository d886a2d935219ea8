"""Work that lasts: subscriptions in both eras, and tasks of the era without a handshake, as clients follow them."""

import warnings
from typing import Any, Literal

import anyio
from mcp.client.extension import ClientExtension, ResultClaim
from mcp.shared.exceptions import MCPDeprecationWarning
from mcp.types import CallToolResult, Request, Result

from report import expect

# What an old revision has is asked for on purpose.
warnings.simplefilter("ignore", MCPDeprecationWarning)
PATIENCE_SECONDS = 30
# Longer than a call waits itself before it becomes a task.
LONG_STATEMENT = "SELECT sandbox_sleep(7) AS slept"
NOTEBOOK = "/Shared/lasting"
MOST_POLL_SECONDS = 2


class Task(Result):
    """A task, as a call is answered with it and as it stands."""

    result_type: Literal["task"] = "task"
    task_id: str
    status: str
    poll_interval_ms: int


class Stand(Result):
    """How a task stands."""

    status: str
    status_message: str | None = None
    result: dict[str, Any] | None = None


class GetTask(Request[dict[str, Any], Literal["tasks/get"]]):
    method: Literal["tasks/get"] = "tasks/get"
    name_param = "taskId"


class CancelTask(Request[dict[str, Any], Literal["tasks/cancel"]]):
    method: Literal["tasks/cancel"] = "tasks/cancel"
    name_param = "taskId"


class Tasks(ClientExtension):
    """Follows tasks to their results, or cancels them once they work."""

    identifier = "io.modelcontextprotocol/tasks"

    def __init__(self, cancels=False):
        self.cancels, self.seen = cancels, []

    def claims(self):
        return [ResultClaim(result_type="task", model=Task, resolve=self.resolve)]

    async def resolve(self, task, context):
        params = {"taskId": task.task_id}
        with anyio.fail_after(PATIENCE_SECONDS):
            while True:
                stand = await context.session.send_request(GetTask(params=params), Stand)
                self.seen.append(stand.status)
                if stand.status == "completed":
                    return CallToolResult.model_validate(stand.result)
                if self.cancels:
                    await context.session.send_request(CancelTask(params=params), Result)
                await anyio.sleep(min(task.poll_interval_ms / 1_000, MOST_POLL_SECONDS))


async def check(report, era, connect):
    """`connect` gives a client of a server in this era, with what is given to it besides."""

    async def one(name, run):
        with report.check(f"{era}: {name}"):
            await run(era, connect)

    # Each waits for seconds, so they do so at the same time.
    async with anyio.create_task_group() as group:
        group.start_soon(one, "a subscription hears that a run has ended", check_subscription)
        if era != "legacy":
            group.start_soon(one, "a long call becomes a task, whose result is the call's", check_task)
            group.start_soon(one, "a cancelled task is cancelled in the workspace", check_cancelling)


async def check_task(era, connect):
    tasks = Tasks()
    async with connect(extensions=[tasks]) as client:
        answer = await client.call_tool("execute_sql", {"statement": LONG_STATEMENT})
        expect(not answer.is_error and len(answer.structured_content["rows"]) == 1, f"answered with {answer}")
        expect(tasks.seen and tasks.seen[-1] == "completed", f"the task was seen as {tasks.seen}")
        short = await client.call_tool("execute_sql", {"statement": "SELECT 1 AS one"})
        expect(short.structured_content["rows"] == [[1]], f"a short call is answered with {short}")


async def check_cancelling(era, connect):
    tasks = Tasks(cancels=True)
    async with connect(extensions=[tasks]) as client:
        answer = await client.call_tool("execute_sql", {"statement": LONG_STATEMENT.replace("7", "25")})
        expect(answer.is_error and "CANCELED" in answer.content[0].text, f"answered with {answer}")


async def check_subscription(era, connect):
    changed, uri = anyio.Event(), None

    async def hear(message):
        told = getattr(message, "root", message)
        if getattr(told, "method", None) == "notifications/resources/updated" and str(told.params.uri) == uri:
            changed.set()

    async with connect(message_handler=hear) as client:
        notebook = {"path": NOTEBOOK, "content": "import time\ntime.sleep(3)\n", "language": "PYTHON", "overwrite": True}
        await client.call_tool("import_notebook", notebook)
        run = (await client.call_tool("run_notebook", {"path": NOTEBOOK, "wait": False})).structured_content["run_id"]
        uri = f"databricks://runs/{run}"
        with anyio.fail_after(PATIENCE_SECONDS):
            if era == "legacy":
                await client.subscribe_resource(uri)
                while not await has_ended(client, run):
                    await changed.wait()
                await client.unsubscribe_resource(uri)
                return
            async with client.listen(resource_subscriptions=[uri, "databricks://jobs/1"]) as subscription:
                expect(subscription.honored.resource_subscriptions == [uri], f"accepted: {subscription.honored}")
                async for event in subscription:
                    expect(str(event.uri) == uri, f"heard {event}")
                    if await has_ended(client, run):
                        return


async def has_ended(client, run):
    shown = await client.call_tool("get_run", {"run_id": run})
    return shown.structured_content["state"]["life_cycle_state"] == "TERMINATED"
