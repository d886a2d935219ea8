"""Lets the client drive a real MLflow server, which nobody here has written: `mlflow_server.py BINARY`.

MLflow's own server speaks the part of the API that Databricks has from it: experiments, runs, traces and the model
registry, with real paging, real errors and real refusals.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
for further in ("interop", "differential"):
    sys.path.insert(0, str(HERE.parent / further))

import environment  # noqa: E402
import traces  # noqa: E402
from clients import Ours, binary, caller  # noqa: E402
from report import Report, brief, expect, skipped  # noqa: E402

environment.HERE = HERE
environment.DIRECTORY = HERE.parent.parent / "target" / "mlflow"
environment.VENV = environment.DIRECTORY / "venv"
environment.VENV_PYTHON = environment.VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
environment.LOG = environment.DIRECTORY / "install.log"
# All pins are there, so pip has nothing to resolve.
os.environ.setdefault("PIP_NO_DEPS", "1")

# It imports half of the scientific Python before it listens.
SECONDS_TO_START = 240
# Beyond 2^53, where a float would lose the last digit, and below what MLflow's database takes.
START_TIME = 9_007_199_254_740_993


class Refused(Exception):
    """What the client has made of an error answer."""

    def __init__(self, error):
        super().__init__(f"{error.get('code')} ({error.get('status')}): {error.get('message')}")
        self.error = error


class Client:
    """The Rust client, with the operations' ids as its methods' names."""

    def __init__(self, program, url):
        self.ours = Ours(program, url)

    def __call__(self, operation, query=None, body=None, path=None, every_page=False):
        line = {"operation": f"ml.{operation}", "query": query or {}, "body": body or {}, "path": path or {}}
        answer = self.ours.send({**line, "list": every_page})
        if "error" in answer:
            raise Refused(answer["error"])
        return answer["items" if every_page else "answer"]

    def list(self, operation, **arguments):
        return self(operation, every_page=True, **arguments)

    def refused(self, operation, status, code, kind, **arguments):
        """The error of a call that has to be refused in this way."""
        try:
            answer = self(operation, **arguments)
        except Refused as refused:
            error = refused.error
            told = (error.get("status"), error.get("code"), kind in error.get("classes", []))
            expect(told == (status, code, True), f"{operation}: {brief(error)}")
            expect(error["message"], f"{operation}: no message")
            return error
        expect(False, f"{operation} was not refused: {brief(answer)}")


def main():
    python = environment.venv()
    report = Report()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        started = time.monotonic()
        with server(python, Path(directory)) as (url, stop):
            print(f"     MLflow was up after {time.monotonic() - started:.0f} s", flush=True)
            client = Client(caller(), url)
            for part in (experiments, pages_of_experiments, runs, metrics, pages_of_runs, registry, errors):
                part(report, client)
            traces.check(report, python, binary(), url, directory)
            with report.check("a server that is gone is told as unreachable"):
                stop()
                gone = {"query": {"experiment_id": "0"}}
                # The first call may find a connection that was open.
                client.refused("experiments.get_experiment", None, None, "retryable", **gone)
                client.refused("experiments.get_experiment", None, None, "unreachable", **gone)
            client.ours.close()
    return report.close()


@contextmanager
def server(python, directory):
    """A server with an empty database on a free port; gives its address and what stops it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [python, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{directory / 'mlflow.db'}"]
    command += ["--default-artifact-root", str(directory / "artifacts")]
    quiet = {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "GIT_PYTHON_REFRESH": "quiet",
    }
    log = environment.DIRECTORY / "server.log"
    with log.open("w") as output:
        child = subprocess.Popen(
            command, cwd=directory, env={**os.environ, **quiet}, stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT, start_new_session=True,
        )

    def stop():
        # Its workers are of its session.
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL) if hasattr(os, "killpg") else child.kill()
        child.wait()
        # They end a moment later than their parent, and take connections until then.
        while is_listening(port):
            time.sleep(0.05)

    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + SECONDS_TO_START
        while not is_up(url):
            if child.poll() is not None or time.monotonic() > deadline:
                tail = log.read_text(errors="replace").splitlines()[-15:]
                raise RuntimeError("\n".join([f"MLflow did not start; the end of {log}:", *tail]))
            time.sleep(0.25)
        yield url, stop
    finally:
        stop()


def is_listening(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def is_up(url):
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def experiments(report, client):
    with report.check("experiments: create, get, update, tag"):
        name = "Umsatz 50 % / Zürich ☕"
        made = client("experiments.create_experiment", body={"name": name, "tags": [{"key": "team", "value": "a/b"}]})
        by_id = {"experiment_id": made["experiment_id"]}
        found = client("experiments.get_experiment", query=by_id)["experiment"]
        expect((found["name"], found["lifecycle_stage"]) == (name, "active"), found)
        same = client("experiments.get_by_name", query={"experiment_name": name})["experiment"]
        expect(same == found, f"{same} and {found}")
        client("experiments.update_experiment", body={**by_id, "new_name": "sales #1?x=y&z"})
        client("experiments.set_experiment_tag", body={**by_id, "key": "reviewed", "value": "false"})
        found = client("experiments.get_by_name", query={"experiment_name": "sales #1?x=y&z"})["experiment"]
        tags = {tag["key"]: tag["value"] for tag in found["tags"]}
        expect(tags["team"] == "a/b" and tags["reviewed"] == "false", tags)

    with report.check("experiments: delete hides, restore brings back"):
        client("experiments.delete_experiment", body=by_id)
        found = client("experiments.get_experiment", query=by_id)["experiment"]
        expect(found["lifecycle_stage"] == "deleted", found)
        active = client.list("experiments.search_experiments", body={"max_results": 100, "view_type": "ACTIVE_ONLY"})
        expect(by_id["experiment_id"] not in {found["experiment_id"] for found in active}, active)
        client("experiments.restore_experiment", body=by_id)
        found = client("experiments.get_experiment", query=by_id)["experiment"]
        expect(found["lifecycle_stage"] == "active", found)


def pages_of_experiments(report, client):
    with report.check("experiments: 25 come from pages of 4, each once and in order"):
        names = [f"paged-{number:02}" for number in range(25)]
        for name in names:
            client("experiments.create_experiment", body={"name": name})
        asked = {"filter": "name LIKE 'paged-%'", "order_by": ["name ASC"]}
        paged = client.list("experiments.search_experiments", body={**asked, "max_results": 4})
        expect([found["name"] for found in paged] == names, [found["name"] for found in paged])
        whole = client("experiments.search_experiments", body={**asked, "max_results": 1000})["experiments"]
        expect(paged == whole, "small pages are not the same as one")


def runs(report, client):
    with report.check("runs: create, log, update, get"):
        experiment = {"experiment_id": "0"}
        made = client(
            "experiments.create_run",
            body={**experiment, "run_name": "first", "start_time": START_TIME, "tags": [{"key": "k", "value": "ü"}]},
        )["run"]
        run = {"run_id": made["info"]["run_id"]}
        expect(int(made["info"]["start_time"]) == START_TIME, f"{made['info']} lost a digit")
        client("experiments.log_param", body={**run, "key": "depth", "value": "0"})
        client("experiments.set_tag", body={**run, "key": "note", "value": "two\nlines"})
        client("experiments.log_metric", body={**run, "key": "loss", "value": 0.5, "timestamp": 1, "step": 0})
        client(
            "experiments.log_batch",
            body={
                **run,
                "metrics": [
                    {"key": "loss", "value": 0, "timestamp": 1_772_442_000_123, "step": 1},
                    {"key": "tiny", "value": 1e-300, "timestamp": 1_772_442_000_123, "step": -1},
                ],
                "params": [{"key": "path", "value": "a/b?c#d"}, {"key": "empty", "value": ""}],
                "tags": [{"key": "batch", "value": "true"}],
            },
        )
        client("experiments.update_run", body={**run, "status": "FINISHED", "end_time": 1_772_442_000_999})
        found = client("experiments.get_run", query=run)["run"]
        parameters = {parameter["key"]: parameter.get("value", "") for parameter in found["data"]["params"]}
        expect(parameters == {"depth": "0", "path": "a/b?c#d", "empty": ""}, parameters)
        values = {metric["key"]: (metric["value"], int(metric["timestamp"])) for metric in found["data"]["metrics"]}
        expect(values == {"loss": (0, 1_772_442_000_123), "tiny": (1e-300, 1_772_442_000_123)}, values)
        tags = {tag["key"]: tag["value"] for tag in found["data"]["tags"]}
        expect((tags["k"], tags["note"], tags["batch"]) == ("ü", "two\nlines", "true"), tags)
        expect(found["info"]["status"] == "FINISHED", found["info"])

    with report.check("runs: a tag is taken away, a run deleted and restored"):
        client("experiments.delete_tag", body={**run, "key": "note"})
        found = client("experiments.get_run", query=run)["run"]
        expect("note" not in {tag["key"] for tag in found["data"]["tags"]}, found["data"]["tags"])
        client("experiments.delete_run", body=run)
        expect(client("experiments.get_run", query=run)["run"]["info"]["lifecycle_stage"] == "deleted", "not deleted")
        client("experiments.restore_run", body=run)
        expect(client("experiments.get_run", query=run)["run"]["info"]["lifecycle_stage"] == "active", "not restored")


def metrics(report, client):
    with report.check("metrics: a history of 250 values comes from pages of 40, complete"):
        run = {"run_id": client("experiments.create_run", body={"experiment_id": "0"})["run"]["info"]["run_id"]}
        values = [
            {"key": "loss", "value": 1 / (step + 1), "timestamp": 1_772_442_000_000 + step, "step": step}
            for step in range(250)
        ]
        client("experiments.log_batch", body={**run, "metrics": values})
        asked = {**run, "metric_key": "loss", "max_results": 40}
        found = client.list("experiments.get_history", query=asked)
        told = [(int(metric.get("step", 0)), metric["value"]) for metric in found]
        expected = [(value["step"], value["value"]) for value in values]
        wrong = [pair for pair in zip(sorted(told), expected) if pair[0] != pair[1]]
        expect(len(told) == len(expected) and not wrong, f"{len(told)} values, of which are wrong: {wrong[:3]}")


def pages_of_runs(report, client):
    with report.check("runs: a search filters, sorts and goes over pages"):
        body = {"name": "many runs"}
        experiment = client("experiments.create_experiment", body=body)["experiment_id"]
        for number in range(10):
            body = {"experiment_id": experiment, "run_name": f"run-{number}", "start_time": number + 1}
            run = client("experiments.create_run", body=body)["run"]["info"]["run_id"]
            metric = {"run_id": run, "key": "score", "value": number / 10, "timestamp": 1}
            client("experiments.log_metric", body=metric)
        asked = {
            "experiment_ids": [experiment],
            "filter": "metrics.score > 0.15",
            "order_by": ["metrics.score DESC"],
            "max_results": 3,
        }
        found = client.list("experiments.search_runs", body=asked)
        names = [run["info"]["run_name"] for run in found]
        expect(names == [f"run-{number}" for number in range(9, 1, -1)], names)


def registry(report, client):
    with report.check("model registry: create, version, update, tag, search"):
        run = client("experiments.create_run", body={"experiment_id": "0"})["run"]["info"]["run_id"]
        model = {"name": "forecast"}
        body = {**model, "description": "a model", "tags": [{"key": "t", "value": "1"}]}
        client("model_registry.create_model", body=body)
        for number in (1, 2, 3):
            body = {**model, "source": f"s3://bucket/model-{number}", "run_id": run}
            made = client("model_registry.create_model_version", body=body)["model_version"]
            expect(str(made["version"]) == str(number), made)
        version = {**model, "version": "2"}
        client("model_registry.update_model_version", body={**version, "description": "the second ☕"})
        client("model_registry.set_model_version_tag", body={**version, "key": "stage", "value": "a b"})
        found = client("model_registry.get_model_version", query=version)["model_version"]
        expect(found["description"] == "the second ☕" and found["run_id"] == run, found)
        expect({"key": "stage", "value": "a b"} in found["tags"], found["tags"])
        uri = client("model_registry.get_model_version_download_uri", query=version)["artifact_uri"]
        expect(uri == "s3://bucket/model-2", uri)
        client("model_registry.update_model", body={**model, "description": "a better model"})
        client("model_registry.rename_model", body={**model, "new_name": "forecast v2"})
        (found,) = client.list("model_registry.search_models", query={"filter": "name = 'forecast v2'"})
        expect(found["description"] == "a better model", found)

    with report.check("model registry: models and versions come from small pages, complete"):
        names = [f"model-{number}" for number in range(7)]
        for name in names:
            client("model_registry.create_model", body={"name": name})
        asked = {"filter": "name LIKE 'model-%'", "order_by": ["name ASC"], "max_results": 2}
        found = [model["name"] for model in client.list("model_registry.search_models", query=asked)]
        expect(found == names, found)
        asked = {"filter": "name = 'forecast v2'", "max_results": 1}
        found = client.list("model_registry.search_model_versions", query=asked)
        expect(sorted(int(version["version"]) for version in found) == [1, 2, 3], found)


def errors(report, client):
    with report.check("errors have their class, code and message"):
        missing, twice = "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS"
        client.refused("experiments.get_experiment", 404, missing, "not_found", query={"experiment_id": "999999"})
        client.refused("experiments.get_run", 404, missing, "not_found", query={"run_id": "0" * 32})
        version = {"name": "no such model", "version": "1"}
        client.refused("model_registry.get_model_version", 404, missing, "not_found", query=version)
        client.refused("experiments.create_experiment", 400, twice, "conflict", body={"name": "paged-00"})
        client.refused("model_registry.create_model", 400, twice, "conflict", body={"name": "model-0"})
        wrong = "INVALID_PARAMETER_VALUE"
        client.refused("experiments.search_runs", 400, wrong, "bad_request", body={"filter": "no filter at all"})
        client.refused("experiments.search_experiments", 400, wrong, "bad_request", body={"max_results": 10_000_000})
        body = {"run_id": "0" * 32, "key": "k" * 10_000, "value": "v"}
        client.refused("experiments.log_param", 400, wrong, "bad_request", body=body)

    with report.check("a page of HTML in place of JSON is an error of its status"):
        # MLflow does not have what Databricks has added.
        query = {"name": "m", "version": "1"}
        listed = "model_registry.list_transition_requests"
        error = client.refused(listed, 404, "NOT_FOUND", "not_found", query=query)
        expect("<" not in error["message"] and "404 Not Found" in error["message"], error)
        error = client.refused("experiments.list_experiments", 404, "NOT_FOUND", "not_found")
        expect("retryable" not in error["classes"], error)

    with report.check("a call without what it needs is refused before it is sent"):
        error = client.refused("experiments.get_run", None, None, "bad_request")
        expect("`run_id` is missing" in error["message"], error)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except environment.Missing as missing:
        sys.exit(skipped(missing))
