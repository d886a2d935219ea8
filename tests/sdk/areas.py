"""The parts of the workspace around data and jobs, by the official Python SDK: learning, insight, people, places."""

import io
import urllib.error
import urllib.request

from workspace import SOON, refused

from report import expect  # noqa: E402

WAREHOUSE = "a1b2c3d4e5f60718"
EXPERIMENT = "700100200300401"


def tracking(report, workspace):
    from databricks.sdk.errors import BadRequest, NotFound
    from databricks.sdk.service.ml import Metric, Param, RunTag, UpdateRunStatus

    with report.check("MLflow: experiments: create, get, search, delete, restore"):
        made = workspace.experiments.create_experiment("/Shared/sdk").experiment_id
        expect(workspace.experiments.get_by_name("/Shared/sdk").experiment.experiment_id == made, "another one")
        workspace.experiments.set_experiment_tag(made, "team", "sdk")
        found = list(workspace.experiments.search_experiments(filter="tags.team = 'sdk'", max_results=1))
        expect([experiment.experiment_id for experiment in found] == [made], found)
        paged = [experiment.experiment_id for experiment in workspace.experiments.list_experiments(max_results=1)]
        expect({made, EXPERIMENT} <= set(paged) and len(paged) == len(set(paged)), paged)
        workspace.experiments.delete_experiment(made)
        workspace.experiments.restore_experiment(made)
        refused(NotFound, lambda: workspace.experiments.get_experiment("1"))

    with report.check("MLflow: runs: log, search in small pages, history"):
        run = workspace.experiments.create_run(experiment_id=made, run_name="sdk").run.info.run_id
        for step in range(3):
            workspace.experiments.log_metric("auc", 0.5 + step / 10, 1, run_id=run, step=step)
        workspace.experiments.log_batch(
            run_id=run,
            metrics=[Metric(key="loss", value=0.1, timestamp=1, step=0)],
            params=[Param(key="depth", value="4")],
            tags=[RunTag(key="kind", value="tree")],
        )
        refused(BadRequest, lambda: workspace.experiments.log_param("depth", "5", run_id=run))
        data = workspace.experiments.get_run(run).run.data
        expect({metric.key: metric.value for metric in data.metrics} == {"auc": 0.7, "loss": 0.1}, data.metrics)
        history = list(workspace.experiments.get_history("auc", run_id=run, max_results=1))
        expect([metric.step for metric in history] == [0, 1, 2], history)
        workspace.experiments.update_run(run_id=run, status=UpdateRunStatus.FINISHED)
        best = workspace.experiments.search_runs(
            experiment_ids=[EXPERIMENT], filter="metrics.auc > 0.7", order_by=["metrics.auc DESC"], max_results=1
        )
        names = [run.info.run_name for run in best]
        expect(names == ["more-features", "deep-trees", "shallow-trees"], names)
        files = list(workspace.experiments.list_artifacts(run_id="5e1ec7ed0000000000000000000000a2"))
        expect("model" in {file.path for file in files}, files)
        workspace.experiments.delete_run(run)

    with report.check("MLflow: the registry of the workspace"):
        workspace.model_registry.create_model("sdk")
        version = workspace.model_registry.create_model_version("sdk", "dbfs:/x").model_version.version
        workspace.model_registry.transition_stage("sdk", version, "Staging", archive_existing_versions=False)
        latest = list(workspace.model_registry.get_latest_versions("sdk", stages=["Staging"]))
        expect([version.version for version in latest] == ["1"], latest)
        paged = [model.name for model in workspace.model_registry.list_models(max_results=1)]
        expect({"churn", "sdk"} <= set(paged), paged)
        found = list(workspace.model_registry.search_model_versions(filter="name = 'churn'", max_results=1))
        expect(len(found) == 2, found)
        workspace.model_registry.delete_model("sdk")
        refused(NotFound, lambda: workspace.model_registry.get_model("sdk"))


    with report.check("MLflow: inputs of runs, logged models, requests to move a version"):
        from databricks.sdk.service.ml import Dataset, DatasetInput, LoggedModelStatus, LoggedModelTag

        run = workspace.experiments.create_run(experiment_id=EXPERIMENT, run_name="sdk").run.info.run_id
        dataset = Dataset(name="orders", digest="x", source_type="table", source="{}")
        workspace.experiments.log_inputs(run, datasets=[DatasetInput(dataset=dataset)])
        read = workspace.experiments.get_run(run).run.inputs.dataset_inputs
        expect([item.dataset.name for item in read] == ["orders"], read)
        workspace.experiments.delete_run(run)
        made = workspace.experiments.create_logged_model(EXPERIMENT, name="sdk", source_run_id=run).model.info
        workspace.experiments.finalize_logged_model(made.model_id, LoggedModelStatus.LOGGED_MODEL_READY)
        workspace.experiments.set_logged_model_tags(made.model_id, tags=[LoggedModelTag("team", "sdk")])
        found = workspace.experiments.search_logged_models(experiment_ids=[EXPERIMENT]).models
        expect([model.info.model_id for model in found] == [made.model_id], found)
        workspace.experiments.delete_logged_model(made.model_id)
        refused(NotFound, lambda: workspace.experiments.get_logged_model(made.model_id))
        workspace.model_registry.create_transition_request("churn", "1", "Staging")
        asked = list(workspace.model_registry.list_transition_requests("churn", "1"))
        expect([request.to_stage for request in asked] == ["Staging"], asked)
        workspace.model_registry.reject_transition_request("churn", "1", "Staging")
        expect(not list(workspace.model_registry.list_transition_requests("churn", "1")), "still asked")


def serving(report, workspace):
    from databricks.sdk.errors import NotFound, ResourceConflict
    from databricks.sdk.service.serving import EndpointCoreConfigInput, ServedEntityInput

    def config(version):
        entity = ServedEntityInput(
            entity_name="main.ml.churn_model", entity_version=version, workload_size="Small", scale_to_zero_enabled=True
        )
        return EndpointCoreConfigInput(name="sdk", served_entities=[entity])

    with report.check("serving: create_and_wait, query, update_config, delete"):
        made = workspace.serving_endpoints.create_and_wait("sdk", config=config("1"), timeout=SOON)
        expect(made.state.ready.value == "READY", made.state)
        answer = workspace.serving_endpoints.query("sdk", dataframe_records=[{"age": 3}])
        expect(answer.predictions == [{"age": 3}], answer)
        wait = workspace.serving_endpoints.update_config("sdk", served_entities=config("2").served_entities)
        again = lambda: workspace.serving_endpoints.update_config("sdk", served_entities=config("3").served_entities)
        refused(ResourceConflict, again)
        expect(wait.result(timeout=SOON).config.config_version == 2, "another version")
        answer = workspace.serving_endpoints.query("sandbox-completions", prompt="one two", max_tokens=1)
        expect(answer.choices[0].text == "one", answer)
        workspace.serving_endpoints.delete("sdk")
        refused(NotFound, lambda: workspace.serving_endpoints.get("sdk"))


def vectors(report, workspace):
    import json

    from databricks.sdk.errors import BadRequest, NotFound
    from databricks.sdk.service.vectorsearch import (
        DirectAccessVectorIndexSpec,
        EmbeddingVectorColumn,
        EndpointType,
        VectorIndexType,
    )

    name = "main.default.sdk_vectors"
    with report.check("vector search: endpoint, index, upsert, query, next page, scan, delete"):
        workspace.vector_search_endpoints.create_endpoint_and_wait("sdk", EndpointType.STANDARD, timeout=SOON)
        spec = DirectAccessVectorIndexSpec(
            embedding_vector_columns=[EmbeddingVectorColumn(name="v", embedding_dimension=2)],
            schema_json=json.dumps({"id": "string", "v": "array<float>"}),
        )
        workspace.vector_search_indexes.create_index(
            name, "sdk", "id", VectorIndexType.DIRECT_ACCESS, direct_access_index_spec=spec
        )
        while not workspace.vector_search_indexes.get_index(name).status.ready:
            pass
        rows = [{"id": f"r{number:02}", "v": [number, 10]} for number in range(40)]
        done = workspace.vector_search_indexes.upsert_data_vector_index(name, json.dumps(rows))
        expect(done.result.success_row_count == 40, done)
        found = workspace.vector_search_indexes.query_index(name, columns=["id"], query_vector=[1, 0], num_results=30)
        ids = [row[0] for row in found.result.data_array]
        found = workspace.vector_search_indexes.query_next_page(name, page_token=found.next_page_token)
        ids += [row[0] for row in found.result.data_array]
        expect(ids == [f"r{number:02}" for number in range(39, 9, -1)], ids)
        scanned = workspace.vector_search_indexes.scan_index(name, num_results=3)
        expect(len(scanned.data) == 3 and scanned.last_primary_key, scanned)
        asked = lambda: workspace.vector_search_indexes.query_index(name, columns=["id"], query_text="x")
        refused(BadRequest, asked)
        workspace.vector_search_indexes.delete_data_vector_index(name, ["r00"])
        listed = [index.name for index in workspace.vector_search_indexes.list_indexes("sdk")]
        expect(listed == [name], listed)
        workspace.vector_search_indexes.delete_index(name)
        workspace.vector_search_endpoints.delete_endpoint("sdk")
        refused(NotFound, lambda: workspace.vector_search_endpoints.get_endpoint("sdk"))


def insight(report, workspace):
    from databricks.sdk.errors import NotFound
    from databricks.sdk.service.dashboards import CronSchedule, Dashboard, Schedule
    from databricks.sdk.service.sql import (
        AlertV2,
        AlertV2Evaluation,
        AlertV2Operand,
        AlertV2OperandColumn,
        AlertV2OperandValue,
        ComparisonOperator,
        CreateQueryRequestQuery,
        CronSchedule as AlertSchedule,
        UpdateQueryRequestQuery,
    )

    with report.check("dashboards: create, update, publish, schedule, trash"):
        made = workspace.lakeview.create(Dashboard(display_name="sdk", warehouse_id=WAREHOUSE))
        changed = workspace.lakeview.update(made.dashboard_id, Dashboard(display_name="sdk-2", etag=made.etag))
        expect(changed.display_name == "sdk-2", changed)
        expect(workspace.lakeview.publish(made.dashboard_id).warehouse_id == WAREHOUSE, "another warehouse")
        cron = Schedule(cron_schedule=CronSchedule("0 0 8 * * ?", "UTC"))
        for _ in range(2):
            workspace.lakeview.create_schedule(made.dashboard_id, cron)
        paged = list(workspace.lakeview.list_schedules(made.dashboard_id, page_size=1))
        expect(len(paged) == 2, paged)
        workspace.lakeview.unpublish(made.dashboard_id)
        refused(NotFound, lambda: workspace.lakeview.get_published(made.dashboard_id))
        listed = {dashboard.dashboard_id for dashboard in workspace.lakeview.list(page_size=1)}
        expect(made.dashboard_id in listed and len(listed) == 2, listed)
        workspace.lakeview.trash(made.dashboard_id)

    with report.check("queries and alerts: create, update, list in small pages, delete"):
        query = CreateQueryRequestQuery(display_name="sdk", query_text="SELECT 1", warehouse_id=WAREHOUSE)
        made = workspace.queries.create(query=query)
        change = UpdateQueryRequestQuery(query_text="SELECT 2")
        expect(workspace.queries.update(made.id, "query_text", query=change).query_text == "SELECT 2", "not changed")
        paged = [query.id for query in workspace.queries.list(page_size=1)]
        expect(made.id in paged and len(paged) == 2, paged)
        workspace.queries.delete(made.id)
        alert = AlertV2(
            display_name="sdk",
            query_text="SELECT 1 AS n",
            warehouse_id=WAREHOUSE,
            evaluation=AlertV2Evaluation(
                comparison_operator=ComparisonOperator.GREATER_THAN,
                source=AlertV2OperandColumn(name="n"),
                threshold=AlertV2Operand(value=AlertV2OperandValue(double_value=0)),
            ),
            schedule=AlertSchedule(quartz_cron_schedule="0 0 8 * * ?", timezone_id="UTC"),
        )
        made = workspace.alerts_v2.create_alert(alert)
        expect(made.id in {alert.id for alert in workspace.alerts_v2.list_alerts(page_size=1)}, "not listed")
        workspace.alerts_v2.trash_alert(made.id, purge=True)
        refused(NotFound, lambda: workspace.alerts_v2.get_alert(made.id))

    with report.check("apps: create_and_wait, deploy_and_wait, stop_and_wait, delete"):
        from databricks.sdk.service.apps import App, AppDeployment

        workspace.apps.create_and_wait(App(name="sdk-app"), timeout=SOON)
        source = AppDeployment(source_code_path="/Workspace/Shared")
        done = workspace.apps.deploy_and_wait("sdk-app", source, timeout=SOON)
        expect(done.status.state.value == "SUCCEEDED", done)
        expect(workspace.apps.get("sdk-app").app_status.state.value == "RUNNING", "not running")
        workspace.apps.stop_and_wait("sdk-app", timeout=SOON)
        expect(len(list(workspace.apps.list(page_size=1))) == 2, "another number of apps")
        workspace.apps.delete("sdk-app")

    with report.check("Genie: spaces, a follow-up, conversations, a failure"):
        from databricks.sdk.errors import OperationFailed

        space = workspace.genie.list_spaces(page_size=1).spaces[0].space_id
        first = workspace.genie.start_conversation_and_wait(space, "Who are the top customers?", timeout=SOON)
        follow = workspace.genie.create_message_and_wait(space, first.conversation_id, "only the first 2", timeout=SOON)
        result = workspace.genie.get_message_attachment_query_result(
            space, first.conversation_id, follow.id, follow.attachments[0].attachment_id
        )
        expect(len(result.statement_response.result.data_array) == 2, result)
        failing = lambda: workspace.genie.create_message_and_wait(
            space, first.conversation_id, "fail with SQL_EXECUTION_EXCEPTION", timeout=SOON
        )
        refused(OperationFailed, failing)
        messages = workspace.genie.list_conversation_messages(space, first.conversation_id).messages
        expect(len(messages) == 3, messages)
        workspace.genie.delete_conversation(space, first.conversation_id)
        refused(NotFound, lambda: workspace.genie.list_conversation_messages(space, first.conversation_id))


def people(report, workspace):
    from databricks.sdk.errors import NotFound, ResourceConflict
    from databricks.sdk.service.iam import ComplexValue, Patch, PatchOp, PatchSchema

    schemas = [PatchSchema.URN_IETF_PARAMS_SCIM_API_MESSAGES_2_0_PATCH_OP]

    with report.check("SCIM: users, groups, service principals"):
        made = workspace.users_v2.create(user_name="sdk@example.test")
        error = refused(ResourceConflict, lambda: workspace.users_v2.create(user_name="sdk@example.test"))
        expect("already exists" in str(error), error)
        found = list(workspace.users_v2.list(filter='userName eq "sdk@example.test"'))
        expect([user.id for user in found] == [made.id], found)
        paged = [user.id for user in workspace.users_v2.list(count=1)]
        expect(len(paged) == len(set(paged)) == 4, paged)
        group = workspace.groups_v2.create(display_name="sdk", members=[ComplexValue(value=made.id)])
        change = [Patch(op=PatchOp.REMOVE, path=f'members[value eq "{made.id}"]')]
        workspace.groups_v2.patch(group.id, operations=change, schemas=schemas)
        expect(not workspace.groups_v2.get(group.id).members, "still a member")
        workspace.groups_v2.delete(group.id)
        robot = workspace.service_principals_v2.create(display_name="robot")
        workspace.service_principals_v2.delete(robot.id)
        workspace.users_v2.update(made.id, user_name="sdk@example.test", display_name="Changed")
        expect(workspace.users_v2.get(made.id).display_name == "Changed", "not changed")
        workspace.users_v2.delete(made.id)
        refused(NotFound, lambda: workspace.users_v2.get(made.id))

    with report.check("tokens: create, list, delete, on behalf of a service principal"):
        made = workspace.tokens.create(comment="sdk", lifetime_seconds=600)
        expect(made.token_value.startswith("dapi"), "no value")
        listed = {token.token_id for token in workspace.tokens.list()}
        expect(made.token_info.token_id in listed, listed)
        workspace.tokens.delete(made.token_info.token_id)
        refused(NotFound, lambda: workspace.tokens.delete(made.token_info.token_id))
        robot = next(iter(workspace.service_principals_v2.list()))
        given = workspace.token_management.create_obo_token(robot.application_id)
        workspace.token_management.delete(given.token_info.token_id)

    with report.check("settings: scripts, address lists, destinations, configuration"):
        from databricks.sdk.service.settings import Config, EmailConfig, ListType

        made = workspace.global_init_scripts.create("sdk", "ZWNobw==").script_id
        expect(workspace.global_init_scripts.get(made).name == "sdk", "another name")
        workspace.global_init_scripts.delete(made)
        made = workspace.ip_access_lists.create("sdk", ListType.BLOCK, ip_addresses=["10.0.0.0/8"]).ip_access_list
        expect([entry.label for entry in workspace.ip_access_lists.list()] == ["sdk"], "other lists")
        workspace.ip_access_lists.delete(made.list_id)
        config = Config(email=EmailConfig(addresses=["sdk@example.test"]))
        made = workspace.notification_destinations.create(display_name="sdk", config=config)
        expect(made.destination_type.value == "EMAIL", made)
        workspace.notification_destinations.delete(made.id)
        workspace.workspace_conf.set_status({"enableDcs": "true"})
        expect(workspace.workspace_conf.get_status("enableDcs") == {"enableDcs": "true"}, "not set")

    with report.check("repos and git credentials"):
        made = workspace.repos.create("https://git.example.test/acme/sdk.git", "gitHub")
        workspace.repos.update(made.id, branch="feature")
        expect(workspace.repos.get(made.id).branch == "feature", "another branch")
        expect(workspace.workspace.get_status(made.path).object_type.value == "REPO", "not in the tree")
        expect(made.id in {repo.id for repo in workspace.repos.list()}, "not listed")
        workspace.repos.delete(made.id)
        refused(NotFound, lambda: workspace.repos.get(made.id))
        made = workspace.git_credentials.create("gitLab", git_username="sdk", personal_access_token="x")
        workspace.git_credentials.update(made.credential_id, "gitLab", git_username="sdk-2")
        expect(workspace.git_credentials.get(made.credential_id).git_username == "sdk-2", "not changed")
        workspace.git_credentials.delete(made.credential_id)


def places(report, workspace):
    from databricks.sdk.errors import BadRequest, NotFound
    from databricks.sdk.service.catalog import (
        AwsIamRoleRequest,
        ColumnInfo,
        ColumnTypeName,
        DataSourceFormat,
        EntityTagAssignment,
        PrimaryKeyConstraint,
        TableConstraint,
        TableType,
    )

    with report.check("Unity Catalog: storage credentials, external locations, external tables"):
        role = AwsIamRoleRequest(role_arn="arn:aws:iam::000000000000:role/sdk")
        workspace.storage_credentials.create("sdk", aws_iam_role=role)
        workspace.external_locations.create("sdk", "s3://sdk/x", "sdk")
        refused(BadRequest, lambda: workspace.storage_credentials.delete("sdk"))
        paged = [location.name for location in workspace.external_locations.list(max_results=1)]
        expect(paged == ["landing-zone", "sdk"], paged)
        column = ColumnInfo(name="id", type_name=ColumnTypeName.LONG, type_text="bigint", position=0)
        workspace.tables.create(
            name="sdk_external",
            catalog_name="main",
            schema_name="default",
            table_type=TableType.EXTERNAL,
            data_source_format=DataSourceFormat.DELTA,
            storage_location="s3://sdk/x/t",
            columns=[column],
        )
        key = TableConstraint(primary_key_constraint=PrimaryKeyConstraint(name="pk", child_columns=["id"]))
        workspace.table_constraints.create("main.default.sdk_external", key)
        told = workspace.tables.get("main.default.sdk_external")
        expect(told.table_constraints[0].primary_key_constraint.name == "pk", told)
        workspace.tables.delete("main.default.sdk_external")
        workspace.external_locations.delete("sdk")
        workspace.storage_credentials.delete("sdk")

    with report.check("Unity Catalog: models, versions, aliases, tags"):
        model = "main.ml.churn_model"
        paged = [version.version for version in workspace.model_versions.list(model, max_results=1)]
        expect(paged == [1, 2, 3], paged)
        workspace.registered_models.set_alias(model, "sdk", 1)
        expect(workspace.model_versions.get_by_alias(model, "sdk").version == 1, "another version")
        workspace.registered_models.delete_alias(model, "sdk")
        refused(NotFound, lambda: workspace.model_versions.get_by_alias(model, "sdk"))
        tag = EntityTagAssignment(entity_type="tables", entity_name="samples.retail.orders", tag_key="sdk", tag_value="1")
        workspace.entity_tag_assignments.create(tag)
        listed = list(workspace.entity_tag_assignments.list("tables", "samples.retail.orders"))
        expect([tag.tag_key for tag in listed] == ["sdk"], listed)
        workspace.entity_tag_assignments.delete("tables", "samples.retail.orders", "sdk")

    with report.check("Unity Catalog: the metastore, its system schemas, information_schema"):
        summary = workspace.metastores.summary()
        expect([store.metastore_id for store in workspace.metastores.list()] == [summary.metastore_id], summary)
        expect(workspace.metastores.get(summary.metastore_id).name == summary.name, "another name")
        states = {schema.schema: schema.state for schema in workspace.system_schemas.list(summary.metastore_id)}
        expect(states.get("billing") == "ENABLE_COMPLETED", states)
        names = {table.name for table in workspace.tables.list("main", "information_schema")}
        expect({"tables", "columns"} <= names, names)
        workspace.schemas.create("sdk_before", "main")
        workspace.schemas.update("main.sdk_before", new_name="sdk_after", properties={"a": "b"})
        expect(workspace.schemas.get("main.sdk_after").properties == {"a": "b"}, "other properties")
        workspace.schemas.delete("main.sdk_after")

    with report.check("Unity Catalog: quality monitors"):
        from databricks.sdk.service.catalog import MonitorSnapshot

        table = "samples.retail.orders"
        refused(NotFound, lambda: workspace.quality_monitors.get(table))
        workspace.quality_monitors.create(table, "/Shared", "main.default", snapshot=MonitorSnapshot())
        started = workspace.quality_monitors.run_refresh(table)
        told = workspace.quality_monitors.get_refresh(table, started.refresh_id)
        expect(told.state.value in ("RUNNING", "SUCCESS"), told)
        workspace.quality_monitors.delete(table)

    with report.check("lineage: of a table and a column"):
        path = "/api/2.0/lineage-tracking"
        query = {"table_name": "main.sales.daily_revenue", "include_entity_lineage": "true"}
        told = workspace.api_client.do("GET", f"{path}/table-lineage", query=query)
        expect(told["upstreams"][0]["tableInfo"]["name"] == "orders" and told["upstreams"][0]["jobInfos"], told)
        query = {"table_name": "main.sales.daily_revenue", "column_name": "revenue"}
        told = workspace.api_client.do("GET", f"{path}/column-lineage", query=query)
        expect(told["upstream_cols"][0]["name"] == "total", told)

    with report.check("files: links without a token, uploads in parts"):
        from databricks.sdk import WorkspaceClient
        from databricks.sdk.core import Config

        path = "/Volumes/main/default/landing/sdk-parts.bin"
        content = bytes(range(256)) * 8192
        config = Config(host=workspace.config.host, token=workspace.config.token, auth_type="pat")
        # Two parts of a megabyte are as good as many of a hundred.
        config.files_ext_multipart_upload_min_stream_size = 1 << 20
        config.files_ext_multipart_upload_default_part_size = 1 << 20
        files = WorkspaceClient(config=config).files
        files.upload(path, io.BytesIO(content), overwrite=True)
        expect(files.download(path).contents.read() == content, "another content")
        query = {"path": path}
        url = workspace.api_client.do("POST", "/api/2.0/fs/create-download-url", query=query)["url"]
        expect(urllib.request.urlopen(url).read() == content, "another content")
        try:
            urllib.request.urlopen(urllib.request.Request(url, headers={"Authorization": "Bearer x"}))
        except urllib.error.HTTPError as error:
            expect(error.code == 400, error)
        else:
            expect(False, "a token was taken")
        workspace.files.delete(path)


PARTS = (tracking, serving, vectors, insight, people, places)
