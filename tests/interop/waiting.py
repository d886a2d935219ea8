"""Calls that wait: what the client hears meanwhile, and what its cancelling does in the workspace."""

import anyio

from report import Failed, expect

PATIENCE_SECONDS = 30
SLOW = "import time\ntime.sleep(25)\n"
NOTEBOOK = "/Users/slow"


async def check(report, call, known):
    with report.check(f"{call.era}: progress tells each state, grows, and reaches its total"):
        await check_progress(call, known)
    slow = {"path": NOTEBOOK, "content": SLOW, "language": "PYTHON", "format": "SOURCE"}
    await call("import_notebook", **slow)
    with report.check(f"{call.era}: a cancelled notebook is cancelled in the workspace"):
        await cancelled(call.client, "run_notebook", {"notebook_path": NOTEBOOK, "run_name": "to cancel"}, "RUNNING")
        await call.until(is_cancelled, "list_job_runs", limit=1, fields=["run_name", "state"])
    with report.check(f"{call.era}: a cancelled wait for a job's run cancels the run"):
        await check_job(call)
    with report.check(f"{call.era}: cancelled SQL is cancelled in the workspace"):
        statement = "SELECT sandbox_sleep(25)"
        await cancelled(call.client, "execute_sql", {"statement": statement}, "RUNNING")
        await call.until(lambda answer: answer["items"][0]["status"] == "CANCELED", "list_query_history", max_results=1)
    with report.check(f"{call.era}: a cancelled command ends, and what waited for its context goes on"):
        await check_code(call, known)


async def check_slow(report, call):
    """In a workspace that takes as long as the real one, so that nothing is over before it is cancelled."""
    clusters = await call.items("list_clusters")
    cluster = {"cluster_id": next(item["cluster_id"] for item in clusters if item["state"] == "TERMINATED")}
    warehouses = await call.items("list_warehouses")
    warehouse = {"warehouse_id": next(item["id"] for item in warehouses if item["state"] == "STOPPED")}
    pipelines = await call.items("list_pipelines")
    pipeline = {"pipeline_id": next(item["pipeline_id"] for item in pipelines if item["state"] == "IDLE")}

    def state(answer):
        return answer["state"]

    def update(answer):
        return answer["latest_updates"][0]["state"]

    for tool, arguments, seen, look, found, states in (
        ("start_cluster", cluster, "PENDING", "get_cluster", state, ("TERMINATING", "TERMINATED")),
        ("start_warehouse", warehouse, "STARTING", "get_warehouse", state, ("STOPPING", "STOPPED")),
        ("run_pipeline", pipeline, "WAITING_FOR_RESOURCES", "get_pipeline", update, ("STOPPING", "CANCELED")),
        # A stop is no start: it goes on without whoever asked for it.
        ("stop_pipeline", pipeline, "STOPPING", "get_pipeline", update, ("STOPPING", "CANCELED")),
    ):
        with report.check(f"{call.era}: {tool} tells of {seen}, and leaves {states[0]} when it is cancelled"):
            await cancelled(call.client, tool, arguments, seen)
            await call.until(lambda answer: found(answer) in states, look, **arguments)


async def check_job(call):
    tasks = [{"task_key": "slow", "notebook_task": {"notebook_path": NOTEBOOK}}]
    job = (await call("create_job", name="to cancel", tasks=tasks))["job_id"]
    await cancelled(call.client, "run_job_now", {"job_id": job, "wait": True}, "RUNNING")
    await call.until(is_cancelled, "list_job_runs", job_id=job, fields=["run_name", "state"])
    await call("delete_job", job_id=job)


async def check_progress(call, known):
    heard = []

    async def listen(progress, total, message):
        heard.append((progress, total, message))

    run = {"job_id": known["job"], "wait": True}
    answer = await call.client.call_tool("run_job_now", run, progress_callback=listen)
    expect(not answer.is_error, f"`isError` with {answer.content}")
    # Notifications are handled beside answers.
    with anyio.move_on_after(PATIENCE_SECONDS):
        while not (heard and "TERMINATED" in heard[-1][2]):
            await anyio.sleep(0.02)
    values = [progress for progress, _, _ in heard]
    expect(len(heard) > 1 and values == sorted(set(values)), f"progress does not grow: {heard}")
    expect(all(total == 1 for _, total, _ in heard), f"the totals are not those of one task: {heard}")
    expect(heard[-1][0] == 1 and "TERMINATED" in heard[-1][2], f"the end is missing: {heard}")


async def cancelled(client, tool, arguments, state):
    """Calls a tool, and gives the call up when the progress names a state; the last progress heard."""
    heard = []
    with anyio.CancelScope() as scope:

        async def listen(progress, total, message):
            heard.append(message)
            if state in message:
                scope.cancel()

        with anyio.fail_after(PATIENCE_SECONDS):
            await client.call_tool(tool, arguments, progress_callback=listen)
    if not scope.cancelled_caught:
        raise Failed(f"`{tool}` ended by itself after {heard}")
    return heard[-1]


async def check_code(call, known):
    cluster = known["cluster"]
    kept = await call("run_code", cluster_id=cluster, code='word = "kept"', keep_context=True)
    place = {"cluster_id": cluster, "context_id": kept["context_id"]}
    last = await cancelled(call.client, "run_code", {**place, "code": SLOW}, "Running")
    expect(kept["context_id"] in last, f"the context was not named: {last}")
    # Commands of a context run one after the other: had the first not been cancelled, this one would take its time.
    is_kept = lambda answer: answer.get("output") == "kept"
    await call.until(is_kept, "run_code", **place, code="print(word)", timeout_seconds=2)


def is_cancelled(answer):
    run = answer["items"][0]
    return run["run_name"] == "to cancel" and run["state"].get("result_state") == "CANCELED"
