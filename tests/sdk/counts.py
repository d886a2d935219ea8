"""Counts what is in the source of the official Python SDK, and compares it with `specs/source.json`: `counts.py BINARY`.

The importer is written in Rust and matches syntax trees with patterns. This reader shares nothing with it but the source
that both read: it uses Python's own parser and looks at as little as it can.
"""

import ast
import importlib.metadata
import importlib.util
import json
import sys
from collections import Counter
from pathlib import Path

from workspace import HERE, environment

from report import Report, expect, skipped  # noqa: E402

SOURCE = HERE.parent.parent / "specs" / "source.json"
# Left out by the importer, with its reason in `xtask/src/specs/service.rs`.
LEFT_OUT = {"ServingEndpointsDataPlaneAPI"}


def main():
    report = Report()
    source = json.loads(SOURCE.read_text())
    totals, packages = source["totals"], source["packages"]
    with report.check("the specs are those of this SDK"):
        same("the release", importlib.metadata.version("databricks-sdk"), source["version"])
    modules = list(service_modules())
    with report.check("packages"):
        same("packages", sorted(package for package, tree in modules if list(calls(tree))), sorted(packages))
    for package, tree in modules:
        if package in packages:
            with report.check(f"operations of {package}"):
                compare(tree, packages[package])
    with report.check("classes"):
        classes = [node for _, tree in modules for node in tree.body if isinstance(node, ast.ClassDef)]
        same("data classes and enums", sum(map(is_data, classes)), totals["schemas"] + totals["unreachable_schemas"])
    return report.close()


def same(what, there, here):
    expect(there == here, f"{what}: {there} in the SDK, {here} in `specs/source.json`")


def service_modules():
    """The service modules of the installed SDK, parsed."""
    (directory,) = importlib.util.find_spec("databricks.sdk").submodule_search_locations
    for path in sorted(Path(directory, "service").glob("*.py")):
        if not path.name.startswith("_"):
            yield path.stem, ast.parse(path.read_text())


def calls(tree):
    """Every method that makes a request, with the request."""
    for service in tree.body:
        if isinstance(service, ast.ClassDef) and service.name not in LEFT_OUT:
            for method in service.body:
                for node in ast.walk(method):
                    if isinstance(node, ast.Call) and ast.unparse(node.func) == "self._api.do":
                        yield method, node


def compare(tree, counts):
    methods, workspace = Counter(), 0
    for method, call in calls(tree):
        methods[call.args[0].value] += 1
        # The header that leads a request to a workspace.
        workspace += "X-Databricks-Workspace-Id" in ast.unparse(method)
    same("operations", methods.total(), counts["operations"])
    same("HTTP methods", dict(methods), counts["methods"])
    same("operations of a workspace", workspace, counts["workspace_level"])
    same("operations of an account", methods.total() - workspace, counts["account_level"])


def is_data(node):
    names = [ast.unparse(part) for part in (*node.bases, *node.decorator_list)]
    return "Enum" in names or "dataclass" in names


if __name__ == "__main__":
    try:
        environment.enter_venv()
    except environment.Missing as error:
        sys.exit(skipped(error))
    sys.exit(main())
