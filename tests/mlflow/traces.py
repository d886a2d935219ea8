"""Traces: those of MLflow's own client, read by our tools, and those of the sandbox, read by that client.

The first shows that the tools understand what MLflow writes, the second that the sandbox has the paths and the forms of
Databricks, as the client knows them.
"""

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pipe
from report import brief, expect

HERE = Path(__file__).resolve().parent
SUPPORT = "/Users/sandbox.user@example.test/support-agent"
SECONDS = 180


def check(report, python, binary, url, directory):
    with report.check("traces: the client of MLflow logs some"):
        logged = client(python, directory, "log", {"MLFLOW_TRACKING_URI": url})
    with Tools(binary, url) as tools:
        with report.check("traces: a search finds them by name, filter, order and page"):
            searches(tools, logged)
        with report.check("traces: one is told with tokens, tags and assessments"):
            facts(tools, logged)
        with report.check("traces: the tree of spans is that of the client"):
            trees(tools, logged)
        with report.check("traces: a long one comes over pages, complete"):
            long(tools, logged)
        with report.check("traces: one that is not there is refused"):
            told = tools.refused("get_trace", trace_id="tr-" + "0" * 32)
            expect("search_traces" in told, told)
    with report.check("traces: the client of Databricks reads those of the sandbox"), sandbox(binary) as settings:
        read = client(python, directory, "read", {"MLFLOW_TRACKING_URI": "databricks", **settings}, SUPPORT)
        in_sandbox(read)


def client(python, directory, action, settings, *arguments):
    """What the client's script gives back."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DATABRICKS_", "MLFLOW_"))}
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "GIT_PYTHON_REFRESH": "quiet"}
    command = [python, "-B", str(HERE / "traces_client.py"), action, *arguments]
    done = subprocess.run(
        command, cwd=directory, env={**kept, **quiet, **settings}, capture_output=True, text=True, timeout=SECONDS
    )
    expect(done.returncode == 0, f"the client failed: {done.stderr[-2_000:]}")
    return json.loads(done.stdout.splitlines()[-1])


class Tools:
    """The tools of the server on a workspace."""

    def __init__(self, binary, url):
        options = ("--host", url, "--toolsets", "mlflow", "--log-level", "off")
        self.server = pipe.Server(binary, "modern", *options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.__exit__()

    def result(self, tool, arguments):
        answer = self.server.request("tools/call", {"name": tool, "arguments": arguments})
        expect("result" in answer, f"{tool}: {brief(answer)}")
        return answer["result"]

    def __call__(self, tool, **arguments):
        result = self.result(tool, arguments)
        expect(not result.get("isError"), f"{tool}: {brief(result)}")
        return result["structuredContent"]

    def refused(self, tool, **arguments):
        result = self.result(tool, arguments)
        expect(result.get("isError"), f"{tool} was not refused: {brief(result)}")
        return result["content"][0]["text"]

    def every(self, tool, items, **arguments):
        """The items of all pages, and how many pages there were."""
        found, pages = [], 0
        while True:
            answer = self(tool, **arguments)
            found += answer[items]
            pages += 1
            if "next_page_token" not in answer:
                return found, pages
            arguments["page_token"] = answer["next_page_token"]


def searches(tools, logged):
    found, _ = tools.every("search_traces", "items", experiment_ids=[logged["experiment"]], limit=100)
    expected = [trace["id"] for trace in reversed(logged["traces"])]
    expect([trace["trace_id"] for trace in found] == expected, f"{brief(found)} and not {expected}")
    named, pages = tools.every("search_traces", "items", experiment_ids=[logged["name"]], limit=2)
    expect(named == found and pages > 1, f"{pages} pages: {brief(named)}")
    failed = tools("search_traces", experiment_ids=[logged["name"]], filter="trace.status = 'ERROR'")["items"]
    ids = [trace["id"] for trace in logged["traces"] if trace["state"] == "ERROR"]
    expect([trace["trace_id"] for trace in failed] == ids, brief(failed))
    filter = "tags.team = 'shop' AND trace.timestamp_ms > 0"
    asked = {"experiment_ids": [logged["name"]], "filter": filter, "order_by": ["timestamp_ms ASC"]}
    oldest = tools("search_traces", **asked)["items"]
    expect(oldest[0]["trace_id"] == logged["traces"][0]["id"], brief(oldest))
    told = tools.refused("search_traces", experiment_ids=[logged["name"]], filter="no filter at all")
    expect("INVALID_PARAMETER_VALUE" in told, told)
    told = tools.refused("search_traces", experiment_ids=["there is none"])
    expect("list_experiments" in told, told)


def facts(tools, logged):
    agent = logged["traces"][0]
    (row,) = tools("search_traces", experiment_ids=[logged["name"]], filter="tags.team = 'shop'")["items"]
    expect(row["tokens"] == {"input": 11, "output": 7, "total": 18}, row)
    expect((row["session"], row["user"], row["tags"]["team"]) == ("s-1", "rosa", "shop"), row)
    expect("Zürich" in row["request"] and "Dienstag" in row["response"], row)
    expect(row["assessments"] == {"helpful": True, "expected": {"day": "Tuesday"}}, row)
    expect(row["request_time"].endswith("Z") and isinstance(row["duration_ms"], int), row)
    whole = tools("get_trace", trace_id=agent["id"])
    helpful, expected = sorted(whole["assessments"], key=lambda told: told["name"], reverse=True)
    expect((helpful["kind"], helpful["by"], helpful["rationale"]) == ("feedback", "HUMAN rosa", "right ☕"), helpful)
    expect(expected["kind"] == "expectation", expected)
    expect(whole["metadata"].get("release") == "7", whole)


def trees(tools, logged):
    for trace in logged["traces"]:
        if len(trace["spans"]) > 20:
            continue
        told = tools("get_trace", trace_id=trace["id"])
        expect(told["state"] == trace["state"], told)
        fields = ("span_id", "depth", "name", "type", "status", "inputs", "outputs")
        spans = [{name: span.get(name) for name in fields} for span in told["spans"]]
        expect(spans == trace["spans"], f"{brief(spans)} and not {brief(trace['spans'])}")
    failed = next(trace for trace in logged["traces"] if trace["state"] == "ERROR")
    tool = next(span for span in failed["spans"] if span["type"] == "TOOL")
    told = tools("get_trace", trace_id=failed["id"], span_id=tool["span_id"])["spans"][0]
    expect(told["error"] == "KeyError: 'no order 7'" and "Traceback" in told["stack_trace"], told)


def long(tools, logged):
    trace = max(logged["traces"], key=lambda trace: len(trace["spans"]))
    spans, pages = tools.every("get_trace", "spans", trace_id=trace["id"])
    told = [(span["depth"], span["name"]) for span in spans]
    expect(told == [(span["depth"], span["name"]) for span in trace["spans"]], f"{len(told)} spans on {pages} pages")
    expect(pages > 1, "one page only")


@contextmanager
def sandbox(binary):
    """The settings of a sandbox."""
    command = [binary, "sandbox", "--port", "0", "--sandbox-clock", "fast"]
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        yield dict(child.stdout.readline().strip().split("=", 1) for _ in range(2))
    finally:
        child.kill()
        child.wait()


def in_sandbox(read):
    expect([trace["state"] for trace in read["traces"]] == ["IN_PROGRESS", "ERROR", "OK"], brief(read["traces"]))
    names = [span["name"] for span in read["whole"]["spans"]]
    expect(names == ["support_agent", "plan", "search_articles", "answer"], names)
    expect(read["whole"]["tokens"]["total_tokens"] == 469, read["whole"]["tokens"])
    expected = {"helpful": True, "expected_facts": ["30 days"], "groundedness": "yes"}
    expect(read["whole"]["assessments"] == expected, read["whole"])
    ids = [trace["id"] for trace in read["tables"]]
    expect(ids == ["trace:/main.ml/5e1ec7ed0000000000000000000000b4"], ids)
    expect([span["name"] for span in read["of_table"]["spans"]] == names, brief(read["of_table"]))
    same = [[{**span, "span_id": None} for span in read[one]["spans"]] for one in ("whole", "of_table")]
    expect(same[0] == same[1], f"{brief(same[0])} and not {brief(same[1])}")
