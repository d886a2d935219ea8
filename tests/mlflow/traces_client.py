"""What the Python client of MLflow does with traces: `traces_client.py log|read …`; its last line is JSON."""

import json
import os
import sys
import time

import mlflow
from mlflow.entities import AssessmentSource, SpanType

NAME = "support agent"


def log():
    mlflow.set_experiment(NAME)
    ids = [answered(), failed(), deep()]
    ids += [short(number) for number in range(3)]
    mlflow.flush_trace_async_logging()
    person = AssessmentSource(source_type="HUMAN", source_id="rosa")
    mlflow.log_feedback(trace_id=ids[0], name="helpful", value=True, rationale="right ☕", source=person)
    mlflow.log_expectation(trace_id=ids[0], name="expected", value={"day": "Tuesday"}, source=person)
    experiment = mlflow.get_experiment_by_name(NAME).experiment_id
    return {"name": NAME, "experiment": experiment, "traces": [whole(mlflow.get_trace(id)) for id in ids]}


def answered():
    with mlflow.start_span(name="agent", span_type=SpanType.AGENT) as root:
        root.set_inputs({"question": "Wann kommt es nach Zürich?", "history": []})
        metadata = {"mlflow.trace.session": "s-1", "mlflow.trace.user": "rosa", "release": "7"}
        mlflow.update_current_trace(tags={"team": "shop"}, metadata=metadata)
        with mlflow.start_span(name="plan", span_type=SpanType.CHAT_MODEL) as plan:
            plan.set_inputs({"messages": [{"role": "user", "content": "Wann kommt es?"}], "temperature": 0.5})
            plan.set_attribute("mlflow.chat.tokenUsage", {"input_tokens": 11, "output_tokens": 7, "total_tokens": 18})
            plan.set_outputs({"choices": [{"tool": "track", "n": 12345678901234}]})
        with mlflow.start_span(name="track", span_type=SpanType.TOOL) as tool:
            tool.set_inputs("parcel 7")
            with mlflow.start_span(name="lookup") as lookup:
                lookup.set_outputs([1, 2.5, None, True])
            tool.set_outputs({"day": "Dienstag"})
        root.set_outputs("Am Dienstag.")
    return root.trace_id


def failed():
    seen = []
    try:
        with mlflow.start_span(name="agent", span_type=SpanType.AGENT) as root:
            seen.append(root.trace_id)
            root.set_inputs({"question": "Where is order 7?"})
            with mlflow.start_span(name="lookup_order", span_type=SpanType.TOOL) as tool:
                tool.set_inputs({"order_id": 7})
                raise KeyError("no order 7")
    except KeyError:
        pass
    return seen[0]


def deep():
    """A hundred and fifty steps with long values."""
    with mlflow.start_span(name="batch", span_type=SpanType.CHAIN) as root:
        for number in range(50):
            with mlflow.start_span(name=f"step {number}", span_type=SpanType.CHAIN) as step:
                step.set_inputs({"text": "x" * 3_000, "number": number})
                for part in ("read", "write"):
                    with mlflow.start_span(name=f"{part} {number}") as inner:
                        inner.set_outputs({"list": ["y" * 100] * 20})
    return root.trace_id


def short(number):
    # Traces of one millisecond have no order.
    time.sleep(0.01)
    with mlflow.start_span(name=f"short {number}") as root:
        root.set_inputs({"number": number})
    return root.trace_id


def read(name):
    experiment = mlflow.get_experiment_by_name(name).experiment_id
    listed = mlflow.search_traces(locations=[experiment], include_spans=False, return_type="list")
    answered = next(trace for trace in listed if trace.info.state == "OK")
    # Of traces in tables, the client wants to know the warehouse.
    os.environ["MLFLOW_TRACING_SQL_WAREHOUSE_ID"] = warehouse()
    tables = mlflow.search_traces(locations=["main.ml"], include_spans=False, return_type="list")
    return {
        "traces": [head(trace) for trace in listed],
        "whole": whole(mlflow.get_trace(answered.info.trace_id)),
        "tables": [head(trace) for trace in tables],
        "of_table": whole(mlflow.get_trace(tables[0].info.trace_id)),
    }


def warehouse():
    from databricks.sdk import WorkspaceClient

    running = [found.id for found in WorkspaceClient().warehouses.list() if found.state.value == "RUNNING"]
    return running[0]


def head(trace):
    return {"id": trace.info.trace_id, "state": str(trace.info.state.value)}


def whole(trace):
    spans = sorted(trace.data.spans, key=lambda span: span.start_time_ns)
    told = []

    def tell(parent, depth):
        for span in spans:
            if span.parent_id == parent:
                told.append(
                    {
                        "span_id": span.span_id,
                        "depth": depth,
                        "name": span.name,
                        "type": span.span_type,
                        "status": span.status.status_code.value,
                        "inputs": span.inputs,
                        "outputs": span.outputs,
                    }
                )
                tell(span.span_id, depth + 1)

    tell(None, 0)
    values = {assessment.name: assessment.value for assessment in trace.info.assessments}
    return {**head(trace), "spans": told, "assessments": values, "tokens": trace.info.token_usage}


if __name__ == "__main__":
    action, *arguments = sys.argv[1:]
    print(json.dumps({"log": log, "read": read}[action](*arguments)))
