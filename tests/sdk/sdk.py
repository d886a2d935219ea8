"""Drives the sandbox with the official Python SDK: `sdk.py BINARY`."""

import base64
import io
import json
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from datetime import timedelta

import areas
from workspace import SOON, environment, refused, sandbox

from report import Report, expect, skipped  # noqa: E402

WAREHOUSE = "a1b2c3d4e5f60718"
STOPPED = "b2c3d4e5f6071829"
RUNNING = "0301-081500-etlmain1"
TERMINATED = "0227-143000-adhoc001"
JOBS = {"nightly-orders": 620_114_300_000_101, "data-quality-check": 620_114_300_000_102}


def main():
    from databricks.sdk import WorkspaceClient

    report = Report()
    with sandbox() as (host, token):
        workspace = WorkspaceClient(host=host, token=token, auth_type="pat")
        for part in (catalog, statements, compute, jobs, files, secrets, access, code, pipelines, models, genie):
            part(report, workspace)
        for part in areas.PARTS:
            part(report, workspace)
        errors(report, workspace, host)
        faults(report, host, token)
    return report.close()


def catalog(report, workspace):
    from databricks.sdk.errors import NotFound

    with report.check("Unity Catalog: create, get, update, list, delete"):
        workspace.catalogs.create(name="sdk", comment="by the SDK")
        workspace.schemas.create(name="one", catalog_name="sdk")
        expect(workspace.catalogs.get("sdk").comment == "by the SDK", "another comment")
        workspace.catalogs.update("sdk", comment="changed")
        expect(workspace.catalogs.get("sdk").comment == "changed", "the comment was not changed")
        expect("one" in {schema.name for schema in workspace.schemas.list("sdk")}, "the schema is not listed")
        workspace.catalogs.delete("sdk", force=True)
        refused(NotFound, lambda: workspace.catalogs.get("sdk"))

    with report.check("Unity Catalog: small pages are the same as one"):
        whole = [table.full_name for table in workspace.tables.list("samples", "retail")]
        paged = [table.full_name for table in workspace.tables.list("samples", "retail", max_results=1)]
        expect(len(whole) > 2 and whole == paged, f"{whole} and {paged}")
        columns = workspace.tables.get("samples.retail.orders").columns
        expect("order_id" in {column.name for column in columns}, columns)
        expect(workspace.tables.exists("samples.retail.orders").table_exists, "the table is said not to exist")

    with report.check("grants: update, get, effective"):
        from databricks.sdk.service.catalog import PermissionsChange, Privilege

        change = PermissionsChange(principal="analysts", add=[Privilege.SELECT])
        workspace.grants.update("table", "samples.retail.orders", changes=[change])
        given = workspace.grants.get("table", "samples.retail.orders").privilege_assignments
        expect(any(entry.principal == "analysts" for entry in given), given)
        workspace.grants.get_effective("table", "samples.retail.orders")


def statements(report, workspace):
    from databricks.sdk.errors import OperationFailed
    from databricks.sdk.service.sql import (
        Disposition,
        EndpointTagPair,
        EndpointTags,
        Format,
        StatementParameterListItem as Parameter,
        StatementState,
    )

    run = workspace.statement_execution.execute_statement

    with report.check("statements: parameters and errors"):
        done = run("SELECT :n + 1 AS n", WAREHOUSE, parameters=[Parameter("n", type="INT", value="41")])
        expect(done.result.data_array == [["42"]], done)
        failed = run("SELECT * FROM main.default.nowhere", WAREHOUSE)
        expect(failed.status.state == StatementState.FAILED, failed.status)
        expect("TABLE_OR_VIEW_NOT_FOUND" in failed.status.error.message, failed.status)

    with report.check("statements: chunks"):
        first = run("SELECT trip_id FROM samples.taxi.trips ORDER BY 1", WAREHOUSE)
        rows, chunk = list(first.result.data_array), first.result
        while chunk.next_chunk_index:
            index = chunk.next_chunk_index
            chunk = workspace.statement_execution.get_statement_result_chunk_n(first.statement_id, index)
            rows += chunk.data_array
        expect(len(rows) == first.manifest.total_row_count == 2500, f"{len(rows)} rows")

    with report.check("statements: who does not wait sees PENDING, then polls"):
        started = run("SELECT 1", WAREHOUSE, wait_timeout="0s")
        expect(started.status.state == StatementState.PENDING, started.status)
        state = started.status.state
        while state in (StatementState.PENDING, StatementState.RUNNING):
            state = workspace.statement_execution.get_statement(started.statement_id).status.state
        expect(state == StatementState.SUCCEEDED, state)

    with report.check("statements: external links refuse a token"):
        done = run(
            "SELECT trip_id FROM samples.taxi.trips",
            WAREHOUSE,
            disposition=Disposition.EXTERNAL_LINKS,
            format=Format.CSV,
            row_limit=5,
        )
        link = done.result.external_links[0].external_link
        lines = urllib.request.urlopen(link).read().decode().splitlines()
        expect(lines[0] == "trip_id" and len(lines) == 6, lines)
        request = urllib.request.Request(link, headers={"Authorization": "Bearer x"})
        try:
            urllib.request.urlopen(request)
        except urllib.error.HTTPError as error:
            expect(error.code == 400, error)
        else:
            expect(False, "a token was taken")

    with report.check("statements: cancel, and the query history"):
        started = run("SELECT sandbox_sleep(60)", WAREHOUSE, wait_timeout="0s")
        workspace.statement_execution.cancel_execution(started.statement_id)
        state = workspace.statement_execution.get_statement(started.statement_id).status.state
        expect(state == StatementState.CANCELED, state)
        expect(len(workspace.query_history.list(max_results=5).res) == 5, "another number of queries")

    with report.check("warehouses: start_and_wait, stop_and_wait, create, edit, delete"):
        expect(workspace.warehouses.start_and_wait(STOPPED, timeout=SOON).state.value == "RUNNING", "not running")
        expect(workspace.warehouses.stop_and_wait(STOPPED, timeout=SOON).state.value == "STOPPED", "not stopped")
        made = workspace.warehouses.create_and_wait(
            name="sdk", cluster_size="2X-Small", max_num_clusters=1, timeout=SOON
        )
        workspace.warehouses.edit(made.id, name="sdk-2")
        expect(workspace.warehouses.get(made.id).name == "sdk-2", "another name")
        workspace.warehouses.delete(made.id)
        expect(made.id not in {entry.id for entry in workspace.warehouses.list()}, "still listed")

    with report.check("warehouses: one that cannot start says why"):
        tags = EndpointTags(custom_tags=[EndpointTagPair(key="sandbox.fail", value="no addresses are left")])
        doomed = workspace.warehouses.create(name="doomed", cluster_size="2X-Small", max_num_clusters=1, tags=tags)
        refused(OperationFailed, lambda: doomed.result(timeout=SOON))
        health = workspace.warehouses.get(doomed.id).health
        expect((health.status.value, health.details) == ("FAILED", "no addresses are left"), health)
        expect(health.failure_reason.type.value == "CLOUD_FAILURE", health.failure_reason)
        workspace.warehouses.delete(doomed.id)


def compute(report, workspace):
    with report.check("clusters: create, start().result(), events, delete"):
        made = workspace.clusters.create(
            spark_version="16.4.x-scala2.12", cluster_name="sdk", node_type_id="i3.xlarge", num_workers=1
        ).result(timeout=SOON)
        expect(made.state.value == "RUNNING", made.state)
        started = workspace.clusters.start(TERMINATED).result(timeout=SOON)
        expect(started.state.value == "RUNNING", started.state)
        workspace.clusters.ensure_cluster_is_running(TERMINATED)
        kinds = [event.type.value for event in workspace.clusters.events(TERMINATED, limit=1)]
        expect("STARTING" in kinds, kinds)
        workspace.clusters.delete_and_wait(made.cluster_id, timeout=SOON)
        workspace.clusters.permanent_delete(made.cluster_id)
        names = [cluster.cluster_name for cluster in workspace.clusters.list(page_size=1)]
        expect("shared-etl" in names and "sdk" not in names, names)
        workspace.clusters.select_node_type(local_disk=False)
        workspace.clusters.select_spark_version(long_term_support=True)


    with report.check("clusters: resize, update with a mask, a new owner, refusals"):
        from databricks.sdk.errors import BadRequest
        from databricks.sdk.service.compute import UpdateClusterResource

        settings = {"spark_version": "16.4.x-scala2.12", "node_type_id": "i3.xlarge"}
        made = workspace.clusters.create(cluster_name="sdk-2", num_workers=1, **settings).result(timeout=SOON)
        grown = workspace.clusters.resize(made.cluster_id, num_workers=3).result(timeout=SOON)
        expect((grown.num_workers, len(grown.executors)) == (3, 3), grown)
        change = UpdateClusterResource(custom_tags={"team": "sdk"})
        changed = workspace.clusters.update(made.cluster_id, "custom_tags", cluster=change).result(timeout=SOON)
        expect(changed.custom_tags == {"team": "sdk"} and changed.num_workers == 3, changed)
        refused(BadRequest, lambda: workspace.clusters.change_owner(made.cluster_id, "ada.analyst@example.test"))
        workspace.clusters.delete_and_wait(made.cluster_id, timeout=SOON)
        workspace.clusters.change_owner(made.cluster_id, "ada.analyst@example.test")
        expect(workspace.clusters.get(made.cluster_id).creator_user_name.startswith("ada"), "another owner")
        workspace.clusters.permanent_delete(made.cluster_id)
        create = workspace.clusters.create
        refused(BadRequest, lambda: create(cluster_name="x", num_workers=9, policy_id="E0001234ABCD5678", **settings))
        refused(BadRequest, lambda: create(cluster_name="x", spark_version="16.4.x-scala2.12"))


def jobs(report, workspace):
    from databricks.sdk.errors import BadRequest
    from databricks.sdk.service.jobs import NotebookTask, SubmitTask, Task, TaskDependency

    with report.check("jobs: create, get, update, list in small pages, delete"):
        task = Task(task_key="one", notebook_task=NotebookTask("/Shared/etl/load_orders"), existing_cluster_id=RUNNING)
        made = workspace.jobs.create(name="sdk", tasks=[task])
        from databricks.sdk.service.jobs import JobSettings

        workspace.jobs.update(made.job_id, new_settings=JobSettings(name="sdk-2"))
        expect(workspace.jobs.get(made.job_id).settings.name == "sdk-2", "another name")
        paged = [job.job_id for job in workspace.jobs.list(limit=2)]
        expect(made.job_id in paged and len(paged) == len(set(paged)) > 5, paged)
        workspace.jobs.delete(made.job_id)
        expect(made.job_id not in {job.job_id for job in workspace.jobs.list()}, "still listed")

    with report.check("jobs: a list has all tasks of a large job"):
        many = [
            Task(task_key=f"t{at:03}", notebook_task=NotebookTask("/Shared/etl/load_orders")) for at in range(250)
        ]
        made = workspace.jobs.create(name="sdk-many", tasks=many)
        listed = next(iter(workspace.jobs.list(name="sdk-many", expand_tasks=True)))
        keys = [task.task_key for task in listed.settings.tasks]
        expect(keys == [task.task_key for task in many], f"{len(keys)} tasks")
        workspace.jobs.delete(made.job_id)
        circle = [
            Task(task_key=key, depends_on=[TaskDependency(other)], notebook_task=NotebookTask("/x"))
            for key, other in (("a", "b"), ("b", "a"))
        ]
        refused(BadRequest, lambda: workspace.jobs.create(name="sdk", tasks=circle))

    with report.check("jobs: run_now_and_wait, and the output of its task"):
        run = workspace.jobs.run_now_and_wait(JOBS["nightly-orders"], timeout=SOON)
        expect(run.state.result_state.value == "SUCCESS", run.state)
        output = workspace.jobs.get_run_output(run.tasks[0].run_id)
        expect(output.notebook_output is not None, output)
        refused(BadRequest, lambda: workspace.jobs.get_run_output(run.run_id))

    with report.check("jobs: a run that fails, and is repaired"):
        run = workspace.jobs.run_now_and_wait(JOBS["data-quality-check"], timeout=SOON)
        expect(run.state.result_state.value == "FAILED", run.state)
        expect(workspace.jobs.get_run_output(run.tasks[0].run_id).error, "no error")
        workspace.jobs.repair_run(run.run_id, rerun_all_failed_tasks=True).result(timeout=SOON)
        history = workspace.jobs.get_run(run.run_id, include_history=True).repair_history
        expect(len(history) == 2, history)

    with report.check("jobs: submit, list_runs, cancel"):
        task = SubmitTask(task_key="one", notebook_task=NotebookTask("/Shared/etl/slow_export"))
        wait = workspace.jobs.submit(run_name="sdk", tasks=[task])
        workspace.jobs.cancel_run_and_wait(wait.run_id, timeout=SOON)
        expect(workspace.jobs.get_run(wait.run_id).state.result_state.value == "CANCELED", "not canceled")
        runs = [run.run_id for run in workspace.jobs.list_runs(job_id=JOBS["nightly-orders"], limit=3)]
        expect(len(runs) == len(set(runs)) >= 8, runs)


def formats(workspace):
    import json
    import urllib.parse
    import zipfile

    from databricks.sdk.errors import BadRequest
    from databricks.sdk.service.workspace import ExportFormat, ImportFormat, Language

    tree = workspace.workspace
    source = b"# Databricks notebook source\n# MAGIC %md\n# MAGIC # Text\n\n# COMMAND ----------\n\nx <- \"\xc3\xa9 %\""

    def upload(path, content, format, **options):
        tree.upload(path, io.BytesIO(content), format=format, **options)

    def download(path, format):
        return tree.download(path, format=format).read()

    tree.mkdirs("/Shared/sdk/r")
    upload("/Shared/sdk/r/one", source, ImportFormat.SOURCE, language=Language.R)
    exported = {}
    for name in ["JUPYTER", "HTML", "DBC", "R_MARKDOWN"]:
        exported[name] = download("/Shared/sdk/r/one", ExportFormat(name))
        upload(f"/Shared/sdk/{name}", exported[name], ImportFormat(name))
        expect(tree.get_status(f"/Shared/sdk/{name}").language == Language.R, name)
        back = download(f"/Shared/sdk/{name}", ExportFormat.SOURCE)
        expect(back == source, (name, back))
    # As others read them who know the formats.
    cells = json.loads(exported["JUPYTER"])["cells"]
    expect([cell["cell_type"] for cell in cells] == ["markdown", "code"], cells)
    model = exported["HTML"].decode().split("__DATABRICKS_NOTEBOOK_MODEL = '")[1].split("'")[0]
    model = json.loads(urllib.parse.unquote(base64.b64decode(model).decode()))
    expect([command["command"] for command in model["commands"]] == ["%md\n# Text", 'x <- "\u00e9 %"'], model)
    expect(exported["R_MARKDOWN"] == b'# Text\n\n```{r}\nx <- "\xc3\xa9 %"\n```\n', exported["R_MARKDOWN"])

    upload("/Shared/sdk/r/data.txt", b"data", ImportFormat.AUTO)
    for name, inside in [("DBC", ["manifest.mf", "r/", "r/one.r"]), ("SOURCE", ["r/", "r/one.r"])]:
        archive = download("/Shared/sdk/r", ExportFormat(name))
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            expect(opened.testzip() is None and opened.namelist() == inside, opened.namelist())
        upload(f"/Shared/sdk/{name}-tree", archive, ImportFormat(name))
        found = [entry.path for entry in tree.list(f"/Shared/sdk/{name}-tree", recursive=True)]
        expect(found == [f"/Shared/sdk/{name}-tree/one"], found)
        expect(download(found[0], ExportFormat.SOURCE) == source, name)
    archive = download("/Shared/sdk/r", ExportFormat.AUTO)
    upload("/Shared/sdk/auto.zip", archive, ImportFormat.AUTO)
    expect(download("/Shared/sdk/auto/data.txt", ExportFormat.AUTO) == b"data", "another content")
    encoded = base64.b64encode(archive).decode()
    over = lambda: tree.import_("/Shared/sdk/auto", content=encoded, format=ImportFormat.DBC, overwrite=True)
    expect("overwrite is not supported" in str(refused(BadRequest, over)), "another reason")
    refused(BadRequest, lambda: download("/Shared/sdk/r", ExportFormat.HTML))
    tree.delete("/Shared/sdk", recursive=True)


def files(report, workspace):
    from databricks.sdk.errors import NotFound
    from databricks.sdk.service.workspace import ImportFormat, Language

    with report.check("workspace: mkdirs, upload, download, list, delete"):
        workspace.workspace.mkdirs("/Shared/sdk")
        workspace.workspace.upload(
            "/Shared/sdk/one", io.BytesIO(b"print(1)\n"), format=ImportFormat.SOURCE, language=Language.PYTHON
        )
        text = workspace.workspace.download("/Shared/sdk/one").read()
        expect(b"print(1)" in text, text)
        workspace.workspace.upload("/Shared/sdk/data.txt", io.BytesIO(b"data"), format=ImportFormat.AUTO)
        kinds = {entry.path: entry.object_type.value for entry in workspace.workspace.list("/Shared/sdk")}
        expect(kinds == {"/Shared/sdk/one": "NOTEBOOK", "/Shared/sdk/data.txt": "FILE"}, kinds)
        found = [entry.path for entry in workspace.workspace.list("/Shared", recursive=True)]
        expect("/Shared/sdk/one" in found, found)
        exported = workspace.workspace.export("/Shared/sdk/one").content
        expect(b"print(1)" in base64.b64decode(exported), exported)
        workspace.workspace.delete("/Shared/sdk", recursive=True)
        refused(NotFound, lambda: workspace.workspace.get_status("/Shared/sdk"))

    with report.check("workspace: upload and download in every format, folders as archives"):
        formats(workspace)

    with report.check("files: upload, download, list_directory_contents, delete"):
        root = "/Volumes/main/default/landing/sdk"
        workspace.files.create_directory(root)
        for index in range(3):
            workspace.files.upload(f"{root}/{index}.txt", io.BytesIO(b"text %d" % index))
        expect(workspace.files.download(f"{root}/1.txt").contents.read() == b"text 1", "another content")
        expect(workspace.files.get_metadata(f"{root}/1.txt").content_length == 6, "another length")
        paged = [entry.name for entry in workspace.files.list_directory_contents(root, page_size=1)]
        expect(paged == ["0.txt", "1.txt", "2.txt"], paged)
        for name in paged:
            workspace.files.delete(f"{root}/{name}")
        workspace.files.delete_directory(root)
        refused(NotFound, lambda: workspace.files.list_directory_contents(root))

    with report.check("DBFS: write, read, list"):
        with workspace.dbfs.open("/tmp/sdk.txt", write=True, overwrite=True) as file:
            file.write(b"x" * 1_500_000)
        workspace.dbfs.move_("/tmp/sdk.txt", "/tmp/moved.txt")
        expect(not workspace.dbfs.exists("/tmp/sdk.txt"), "still there")
        workspace.dbfs.move_("/tmp/moved.txt", "/tmp/sdk.txt")
        with workspace.dbfs.open("/tmp/sdk.txt", read=True) as file:
            read = b""
            while part := file.read(1_000_000):
                read += part
        expect(len(read) == 1_500_000, len(read))


def secrets(report, workspace):
    from databricks.sdk.errors import NotFound, PermissionDenied, ResourceAlreadyExists
    from databricks.sdk.service.workspace import AclPermission

    with report.check("secrets: scopes, keys, access control lists"):
        workspace.secrets.create_scope("sdk")
        workspace.secrets.put_secret("sdk", "key", string_value="value")
        expect([entry.key for entry in workspace.secrets.list_secrets("sdk")] == ["key"], "other keys")
        workspace.secrets.put_acl("sdk", "users", AclPermission.READ)
        expect(workspace.secrets.get_acl("sdk", "users").permission == AclPermission.READ, "another level")
        expect(len(list(workspace.secrets.list_acls("sdk"))) == 2, "another number of entries")
        refused(ResourceAlreadyExists, lambda: workspace.secrets.create_scope("sdk"))
        refused(PermissionDenied, lambda: workspace.secrets.get_secret("sdk", "key"))
        workspace.secrets.delete_secret("sdk", "key")
        refused(NotFound, lambda: workspace.secrets.get_secret("sdk", "key"))
        workspace.secrets.delete_scope("sdk")
        refused(NotFound, lambda: workspace.secrets.list_secrets("sdk"))


def access(report, workspace):
    from databricks.sdk.service.iam import AccessControlRequest, PermissionLevel

    with report.check("permissions: levels, get, set, update"):
        job = str(JOBS["nightly-orders"])
        levels = workspace.permissions.get_permission_levels("jobs", job).permission_levels
        expect("CAN_MANAGE_RUN" in {level.permission_level.value for level in levels}, levels)
        entry = AccessControlRequest(group_name="users", permission_level=PermissionLevel.CAN_VIEW)
        workspace.permissions.update("jobs", job, access_control_list=[entry])
        found = workspace.permissions.get("jobs", job).access_control_list
        expect({entry.group_name for entry in found} >= {"users", "admins"}, found)
        workspace.permissions.set("jobs", job, access_control_list=[])
        found = workspace.permissions.get("jobs", job).access_control_list
        expect("users" not in {entry.group_name for entry in found}, found)

    with report.check("the current user"):
        expect("@" in workspace.current_user.me().user_name, "no name")


def code(report, workspace):
    from databricks.sdk.service.compute import Language

    with report.check("commands: a context, Python, SQL, an error"):
        context = workspace.command_execution.create_and_wait(
            cluster_id=RUNNING, language=Language.PYTHON, timeout=SOON
        )

        def run(command, language=Language.PYTHON):
            return workspace.command_execution.execute_and_wait(
                cluster_id=RUNNING, context_id=context.id, language=language, command=command, timeout=SOON
            ).results

        expect(run("print('hello')").data == "hello", "another text")
        table = run("SELECT 1 AS n", Language.SQL)
        expect(table.result_type.value == "table" and table.data == [["1"]], table)
        failed = run("raise ValueError('no')")
        expect(failed.result_type.value == "error" and "ValueError: no" in failed.cause, failed)
        workspace.command_execution.destroy(RUNNING, context.id)


def pipelines(report, workspace):
    with report.check("pipelines: create, update, events, delete"):
        made = workspace.pipelines.create(name="sdk", catalog="main", schema="sales", serverless=True)
        started = workspace.pipelines.start_update(made.pipeline_id)
        workspace.pipelines.wait_get_pipeline_idle(made.pipeline_id, timeout=SOON)
        update = workspace.pipelines.get_update(made.pipeline_id, started.update_id).update
        expect(update.state.value == "COMPLETED", update.state)
        events = [event.id for event in workspace.pipelines.list_pipeline_events(made.pipeline_id, max_results=2)]
        expect(len(events) == len(set(events)) > 4, events)
        again = workspace.pipelines.start_update(made.pipeline_id)
        workspace.pipelines.stop_and_wait(made.pipeline_id, timeout=SOON)
        update = workspace.pipelines.get_update(made.pipeline_id, again.update_id).update
        expect(update.state.value == "CANCELED", update.state)
        workspace.pipelines.delete(made.pipeline_id)

    with report.check("pipelines: why an update failed"):
        name = "returns-pipeline"
        failing = next(iter(workspace.pipelines.list_pipelines(filter=f"name LIKE '{name}'")))
        events = workspace.pipelines.list_pipeline_events(failing.pipeline_id, filter="level='ERROR'")
        texts = [exception.message for event in events for exception in (event.error and event.error.exceptions) or []]
        expect(any("DELTA_SCHEMA_CHANGED" in text for text in texts), texts)


def models(report, workspace):
    from databricks.sdk.service.serving import ChatMessage, ChatMessageRole

    with report.check("serving: list, get, query"):
        expect("sandbox-chat" in {endpoint.name for endpoint in workspace.serving_endpoints.list()}, "not listed")
        expect(workspace.serving_endpoints.get("sandbox-chat").state.ready.value == "READY", "not ready")
        said = ChatMessage(role=ChatMessageRole.USER, content="hello there")
        answer = workspace.serving_endpoints.query("sandbox-chat", messages=[said])
        expect(answer.choices[0].message.content == "hello there", answer)
        answer = workspace.serving_endpoints.query("churn-model", dataframe_records=[{"age": 3}])
        expect(answer.predictions == [{"age": 3}], answer)

    with report.check("vector search: an index answers"):
        index = "main.default.support_articles_index"
        expect(workspace.vector_search_indexes.get_index(index).status.ready, "not ready")
        found = workspace.vector_search_indexes.query_index(
            index, columns=["title"], query_text="how do I get a refund", num_results=2
        )
        expect(found.result.data_array[0][0] == "Refunds", found.result.data_array)


def genie(report, workspace):
    with report.check("Genie: a question, its SQL and its rows"):
        space = workspace.genie.list_spaces().spaces[0].space_id
        message = workspace.genie.start_conversation_and_wait(space, "Who are the top customers?", timeout=SOON)
        attachment = message.attachments[0]
        expect("top_customers" in attachment.query.query, attachment)
        result = workspace.genie.get_message_attachment_query_result(
            space, message.conversation_id, message.id, attachment.attachment_id
        )
        expect(len(result.statement_response.result.data_array) == 5, result)


def errors(report, workspace, host):
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.credentials_provider import CredentialsStrategy
    from databricks.sdk.errors import (
        BadRequest,
        NotFound,
        PermissionDenied,
        ResourceDoesNotExist,
        Unauthenticated,
    )

    class Nobody(CredentialsStrategy):
        """Sends no token at all."""

        def auth_type(self):
            return "nobody"

        def __call__(self, _):
            return dict

    with report.check("errors: not found"):
        refused(NotFound, lambda: workspace.warehouses.get("nope"))
        error = refused(ResourceDoesNotExist, lambda: workspace.workspace.get_status("/nope"))
        expect(error.error_code == "RESOURCE_DOES_NOT_EXIST", error.error_code)

    with report.check("errors: a bad request"):
        refused(BadRequest, lambda: workspace.api_client.do("POST", "/api/2.2/jobs/create", body={"nmae": "x"}))
        refused(NotFound, lambda: workspace.api_client.do("GET", "/api/2.0/nope"))

    with report.check("errors: a wrong token, and none"):
        wrong = WorkspaceClient(host=host, token="dapi-wrong", auth_type="pat")
        refused(PermissionDenied, lambda: wrong.current_user.me())
        nobody = WorkspaceClient(host=host, credentials_strategy=Nobody())
        refused(Unauthenticated, lambda: nobody.current_user.me())


def faults(report, host, token):
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.core import Config
    from databricks.sdk.errors import (
        DatabricksError,
        InternalError,
        NotFound,
        PermissionDenied,
        TemporarilyUnavailable,
        TooManyRequests,
        Unauthenticated,
    )

    # The SDK repeats for five minutes by default; what lasts shall show soon.
    config = Config(host=host, token=token, auth_type="pat", retry_timeout_seconds=1)
    workspace = WorkspaceClient(config=config)

    def control(method, body=None):
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {token}"}
        request = urllib.request.Request(f"{host}/__sandbox/faults", data=data, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["faults"]

    @contextmanager
    def fault(**rule):
        control("POST", {"route": "jobs.jobs.list", **rule})
        try:
            yield
            expect(control("GET")[0]["hits"] > 0, "the fault was not met")
        finally:
            control("DELETE")

    def names():
        return [job.settings.name for job in workspace.jobs.list()]

    expected = names()

    with report.check("faults: what lasts is raised as the class it is"):
        for kind, rule in [
            (InternalError, {"fault": "internal_error"}),
            (PermissionDenied, {"fault": "expired_token"}),
            (Unauthenticated, {"fault": "expired_token", "status": 401}),
            (DatabricksError, {"fault": "html_error"}),
        ]:
            with fault(**rule):
                refused(kind, names)

    with report.check("faults: the SDK gives up on limits after its time, and says why"):
        for kind, rule in [
            (TooManyRequests, {"fault": "too_many_requests"}),
            (TooManyRequests, {"fault": "too_many_requests", "retry_after": 1}),
            (TemporarilyUnavailable, {"fault": "unavailable", "retry_after": 1}),
        ]:
            with fault(**rule):
                error = refused(TimeoutError, names)
                expect(isinstance(error.__cause__, kind), f"{error.__cause__!r}")

    with report.check("faults: what passes is not seen"):
        patient = WorkspaceClient(host=host, token=token, auth_type="pat")
        for rule in [
            {"fault": "too_many_requests", "retry_after": 1, "times": 1},
            {"fault": "connection_reset", "times": 1},
            {"fault": "slow_headers", "delay_ms": 200},
            {"fault": "extra_fields"},
            {"fault": "unknown_enums"},
            {"fault": "empty_page", "times": 1},
        ]:
            with fault(**rule):
                found = [job.settings.name for job in patient.jobs.list()]
                expect(found == expected, f"{rule}: {found}")

    with report.check("faults: what was just made is not found at first"):
        with fault(route="/api/2.1/unity-catalog/schemas**", fault="eventual_consistency", reads=1):
            workspace.schemas.create(name="late", catalog_name="main")
            refused(NotFound, lambda: workspace.schemas.get("main.late"))
            expect(workspace.schemas.get("main.late").name == "late", "another schema")


if __name__ == "__main__":
    try:
        environment.enter_venv()
    except environment.Missing as error:
        sys.exit(skipped(error))
    sys.exit(main())
