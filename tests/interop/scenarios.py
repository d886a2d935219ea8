"""What a user of a fresh sandbox does: every default tool called with success, area by area.

Each area is a function of `call`, which calls a tool, checks the answer and returns its structured content, and of
`known`, where areas leave for later ones what they found or made. Ids are never written down here: they come from
earlier answers. A new default tool needs a call in one of these functions; the checks fail until it has one.
"""

from report import Failed, expect

FOLDER = "/Shared/interop"
NOTEBOOK = f"{FOLDER}/hello"
SOURCE = 'print("hello from the interop checks")\n'


class Known(dict):
    """What areas found or made, by name."""

    def __missing__(self, name):
        raise Failed(f"no {name} is known: the calls that find or make one failed")


async def workspace(call, known):
    root = await call.items("list_workspace_items", path="/")
    expect(root, "the root folder is empty")
    await call("import_notebook", path=NOTEBOOK, content=SOURCE, language="PYTHON", overwrite=True)
    known["notebook"], known["folder"] = NOTEBOOK, FOLDER
    paths = [item["path"] for item in await call.items("list_workspace_items", path=FOLDER)]
    expect(paths == [NOTEBOOK], f"the folder has {paths}")
    exported = await call("export_notebook", path=NOTEBOOK)
    expect(SOURCE.strip() in exported["content"], f"the source came back as {exported}")


async def catalog(call, known):
    await find_table_and_volume(call, known)
    table = await call("get_table_schema", full_name=known["table"])
    expect(table["full_name"] == known["table"] and table["columns"], f"no columns in {table}")
    await call.items("get_effective_grants", securable_type="TABLE", full_name=known["table"])
    found = await call.items("search_tables", query=known["table"].split(".")[-1])
    expect(known["table"] in [table["full_name"] for table in found], f"the table is not found among {found}")
    lineage = await call("get_table_lineage", table_name=known["table"])
    expect(isinstance(lineage["upstream"], list), f"no lineage in {lineage}")
    await call.items("list_volume_files", directory_path="/Volumes/" + known["volume"].replace(".", "/"))


async def find_table_and_volume(call, known):
    for listed in await call.items("list_catalogs"):
        for schema in await call.items("list_schemas", catalog_name=listed["name"]):
            place = dict(zip(("catalog_name", "schema_name"), schema["full_name"].split(".", 1)))
            tables = await call.items("list_tables", **place)
            volumes = await call.items("list_volumes", **place)
            if tables and volumes and place["schema_name"] != "information_schema":
                known.update(catalog=listed["name"], schema=schema["full_name"])
                known.update(table=tables[0]["full_name"], volume=volumes[0]["full_name"])
                return
    raise Failed("no schema has both a table and a volume")


async def sql(call, known):
    warehouses = await call.items("list_warehouses")
    expect(warehouses, "there is no warehouse")
    running = [warehouse for warehouse in warehouses if warehouse["state"] == "RUNNING"]
    warehouse = known["warehouse"] = (running or warehouses)[0]["id"]
    started = await call("start_warehouse", warehouse_id=warehouse)
    expect(started["state"] == "RUNNING", f"the warehouse came up as {started}")

    one = await call("execute_sql", statement="SELECT 1 AS one", warehouse_id=warehouse)
    expect(one["rows"] == [[1]] and one["columns"][0]["name"] == "one", f"SELECT 1 gave {one}")
    parameters = [{"name": "word", "value": "it's"}]
    word = await call("execute_sql", statement="SELECT :word AS word", parameters=parameters)
    expect(word["rows"] == [["it's"]], f"a parameter came back as {word['rows']}")
    again = await call("get_sql_result", statement_id=one["statement_id"])
    known["statement"] = one["statement_id"]
    expect(again["rows"] == one["rows"], f"the result changed to {again}")
    if table := known.get("table"):
        quoted = ".".join(f"`{part}`" for part in table.split("."))
        counted = await call("execute_sql", statement=f"SELECT count(*) AS n FROM {quoted}")
        expect(counted["rows"][0][0] >= 0, f"a count came back as {counted['rows']}")

    sent = await call("execute_sql", statement="SELECT 2", warehouse_id=warehouse, timeout_seconds=0)
    await call("cancel_sql", statement_id=sent["statement_id"])
    queries = [query["query_id"] for query in await call.items("list_query_history")]
    expect(one["statement_id"] in queries, f"the statement {one['statement_id']} is not in the history: {queries}")

    stopped = await call("stop_warehouse", warehouse_id=warehouse)
    expect(stopped["state"] == "STOPPED", f"the warehouse went down as {stopped}")
    starting = await call("start_warehouse", warehouse_id=warehouse, wait=False)
    expect(starting["still_running"], f"nothing was started: {starting}")
    started = await call("start_warehouse", warehouse_id=warehouse)
    expect(started["state"] == "RUNNING", f"the warehouse came up as {started}")


async def compute(call, known):
    clusters = await call.items("list_clusters")
    people = [cluster for cluster in clusters if cluster.get("cluster_source") in ("UI", "API")]
    expect(people, f"there is no cluster but those of jobs among {clusters}")
    running = [cluster for cluster in people if cluster["state"] == "RUNNING"]
    chosen = (running or people)[0]
    cluster = known["cluster"] = chosen["cluster_id"]

    async def is_now(state, tool, **arguments):
        answer = await call(tool, cluster_id=cluster, **arguments)
        expect(answer["state"] == state, f"{tool} left the cluster as {answer}")

    await is_now("RUNNING", "start_cluster")
    await is_now("TERMINATED", "stop_cluster")
    await is_now("PENDING", "start_cluster", wait=False)
    await is_now("RUNNING", "start_cluster")
    shown = await call("get_cluster", cluster_id=cluster)
    expect(shown["state"] == "RUNNING", f"the cluster is {shown}")
    events = await call.items("get_cluster_events", cluster_id=cluster)
    expect(events, "the cluster has no events")
    printed = await call("run_code", cluster_id=cluster, code='print("hello")')
    expect(printed["output"] == "hello", f"the code gave {printed}")


async def jobs(call, known):
    await call.items("list_jobs")
    task = {"task_key": "hello", "notebook_task": {"notebook_path": known["notebook"]}}
    made = await call("create_job", name="interop", tasks=[task], max_concurrent_runs=4)
    job = known["job"] = made["job_id"]
    await call("update_job", job_id=job, new_settings={"name": "interop, renamed"})
    settings = (await call("get_job", job_id=job))["settings"]
    expect(settings["name"] == "interop, renamed", f"the job is named {settings['name']}")
    expect(settings["tasks"][0]["task_key"] == "hello", f"an update lost the tasks: {settings}")
    named = [listed["job_id"] for listed in await call.items("list_jobs", name="interop, renamed")]
    expect(named == [job], f"the list by name has {named}, not {job}")

    run = known["run"] = (await call("run_job_now", job_id=job))["run_id"]
    await call("wait_for_run", run_id=run)
    ended = await call("get_run", run_id=run)
    expect(ended["state"]["result_state"] == "SUCCESS", f"the run ended as {ended}")
    output = await call("get_run_output", run_id=run)
    expect([task["task_key"] for task in output["tasks"]] == ["hello"], f"the outputs are {output}")
    await call("diagnose_run", run_id=run)
    repaired = await call("repair_run", run_id=run, rerun_tasks=["hello"], wait=True)
    expect(repaired["result_state"] == "SUCCESS", f"the repair ended as {repaired}")
    shown = await call("get_run", run_id=run, include_history=True)
    expect(shown.get("repair_history"), f"no repair in the history of {shown}")

    second = (await call("run_job_now", job_id=job))["run_id"]
    cancelled = await call("cancel_run", run_id=second)
    expect(cancelled["life_cycle_state"] == "TERMINATED", f"the cancelled run is {cancelled}")
    runs = [listed["run_id"] for listed in await call.items("list_job_runs", job_id=job)]
    expect(set(runs) == {run, second}, f"the job has the runs {runs}, not {run} and {second}")

    once = await call("run_notebook", notebook_path=known["notebook"])
    expect(once["result_state"] == "SUCCESS", f"the notebook ended as {once}")


async def server(call, known):
    answer = await call("get_input_schema", tool="create_job", path="tasks.notebook_task")
    expect("notebook_path" in repr(answer["schema"]), f"no `notebook_path` in {answer}")


async def cleanup(call, known):
    if job := known.get("job"):
        await call("delete_job", job_id=job)
        left = [listed["job_id"] for listed in await call.items("list_jobs", name="interop, renamed")]
        expect(not left, f"the deleted job is listed: {left}")


AREAS = (workspace, catalog, sql, compute, jobs, server)

# What reads each resource template: its variables from what the areas found.
RESOURCES = {
    "catalog": lambda known: {"name": known["catalog"]},
    "schema": lambda known: {"full_name": known["schema"]},
    "table": lambda known: {"full_name": known["table"]},
    "volume": lambda known: {"name": known["volume"]},
    "cluster": lambda known: {"cluster_id": known["cluster"]},
    "job": lambda known: {"job_id": known["job"]},
    "run": lambda known: {"run_id": known["run"]},
    "statement": lambda known: {"statement_id": known["statement"]},
    "warehouse": lambda known: {"id": known["warehouse"]},
    "folder": lambda known: {"path": known["folder"]},
    "notebook": lambda known: {"path": known["notebook"]},
}
