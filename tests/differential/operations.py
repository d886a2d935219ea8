"""The operations of the specs, as far as a call of them is concerned."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

SPECS = Path(__file__).resolve().parent.parent.parent / "specs"


@dataclass
class Parameter:
    """A value of a call: its name on the wire and in the SDK, its place and its type."""

    name: str
    python: str
    place: str
    schema: dict
    required: bool
    many_segments: bool = False
    resource_name: str = ""
    flatten: bool = False
    is_key: bool = False
    from_config: bool = False


@dataclass
class Operation:
    id: str
    verb: str
    path: str
    parameters: list = field(default_factory=list)
    # The SDK's argument that is the whole body; the body's properties are then no arguments of their own.
    whole_body: str = ""
    body_schema: dict = None
    # The SDK's argument that is the content of an upload.
    upload: str = ""
    pagination: dict = None
    item_schema: dict = None

    @property
    def package(self):
        return self.id.split(".")[0]

    def at(self, place):
        return [parameter for parameter in self.parameters if parameter.place == place]


class Specs:
    """All operations by id."""

    def __init__(self):
        self.documents = {
            path.stem: json.loads(path.read_text()) for path in sorted(SPECS.glob("*.json")) if path.stem != "source"
        }
        self.operations = {}
        for package, document in self.documents.items():
            for path, item in document["paths"].items():
                for verb, source in item.items():
                    operation = self._operation(package, path.split("#")[0], verb.upper(), source)
                    self.operations[operation.id] = operation

    def resolve(self, package, schema):
        """The schema behind references, and the package whose names it uses."""
        while "$ref" in schema:
            document, name = schema["$ref"].split("#/components/schemas/")
            package = document.removesuffix(".json") or package
            schema = self.documents[package]["components"]["schemas"][name]
        return package, schema

    def _operation(self, package, path, verb, source):
        operation = Operation(source["operationId"], verb, path)
        for given in source.get("parameters", []):
            operation.parameters.append(
                Parameter(
                    given["name"],
                    given.get("x-databricks-python-name", given["name"]),
                    given["in"],
                    given["schema"],
                    given["required"],
                    given.get("x-databricks-multi-segment", False),
                    given.get("x-databricks-resource-name", ""),
                    given.get("x-databricks-flatten", False),
                    "x-databricks-auto" in given,
                    "x-databricks-config" in given,
                )
            )
        body = source.get("requestBody")
        if body:
            self._body(operation, body)
        operation.pagination = source.get("x-databricks-pagination")
        if operation.pagination:
            operation.item_schema = self._items(operation, source)
        return operation

    def _body(self, operation, body):
        ((media_type, content),) = body["content"].items()
        python = body.get("x-databricks-python-name", "")
        if media_type != "application/json":
            operation.upload = python
            return
        package, schema = self.resolve(operation.package, content["schema"])
        if python:
            operation.whole_body, operation.body_schema = python, content["schema"]
        required = schema.get("required", [])
        for name, inner in schema.get("properties", {}).items():
            qualified = inner if package == operation.package else self._qualified(package, inner)
            operation.parameters.append(
                Parameter(
                    name,
                    inner.get("x-databricks-python-name", name),
                    "body",
                    qualified,
                    name in required,
                    is_key="x-databricks-auto" in inner,
                )
            )

    def _qualified(self, package, schema):
        """A schema of another package, so that it can be resolved from anywhere."""
        text = json.dumps(schema).replace('"#/components', f'"{package}.json#/components')
        return json.loads(text)

    def _items(self, operation, source):
        content = source["responses"]["2XX"].get("content", {}).get("application/json", {})
        package, schema = self.resolve(operation.package, content.get("schema", {}))
        name = operation.pagination.get("items")
        if name:
            schema = schema["properties"][name]
        package, schema = self.resolve(package, schema)
        return self._qualified(package, schema["items"]) if "items" in schema else {}


def flat(name):
    """A name without the marks of its notation."""
    return re.sub("[^a-z0-9]", "", name.lower())
