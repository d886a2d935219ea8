"""The two clients, each behind the same call."""

import enum
import importlib
import inspect
import io
import json
import os
import subprocess
import sys
import typing
from pathlib import Path

from operations import SPECS, flat

TOKEN = "dapi-0123456789abcdef"
ACCOUNT = "00000000-aaaa-4bbb-8ccc-000000000001"
WORKSPACE = "7474658265676932"


class Uncallable(Exception):
    """The SDK raised before it sent anything."""


def caller():
    """The program that calls any operation, beside the binary that the command line names."""
    program = binary().parent / "examples" / ("call.exe" if os.name == "nt" else "call")
    if not program.exists():
        sys.exit(f"there is no `{program}`: run `cargo build --package databricks --example call`")
    return program


def binary():
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} BINARY")
    return Path(sys.argv[1]).resolve()


class Ours:
    """The Rust client, through the example that reads calls as lines."""

    def __init__(self, program, url):
        settings = {
            "DATABRICKS_HOST": url,
            "DATABRICKS_TOKEN": TOKEN,
            "DATABRICKS_ACCOUNT_ID": ACCOUNT,
            "DATABRICKS_WORKSPACE_ID": WORKSPACE,
            "DATABRICKS_AUTH_TYPE": "pat",
            "DATABRICKS_CONFIG_FILE": os.devnull,
        }
        system = {name: value for name, value in os.environ.items() if not name.startswith("DATABRICKS_")}
        self.child = subprocess.Popen(
            [program, str(SPECS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=system | settings,
            encoding="utf-8",
        )

    def call(self, call, every_page=False):
        """The answer, or with `every_page` the items."""
        line = {"operation": call.operation.id, "path": call.path, "query": call.query, "body": call.body}
        if call.text is not None:
            line["text"] = call.text
        return self.send({**line, "list": every_page})

    def send(self, line):
        """The answer to a line of input."""
        self.child.stdin.write(json.dumps(line) + "\n")
        self.child.stdin.flush()
        answer = self.child.stdout.readline()
        if not answer:
            raise RuntimeError(f"the client ended with {self.child.wait()}")
        return json.loads(answer)

    def close(self):
        self.child.stdin.close()
        self.child.wait()


class Theirs:
    """The official SDK."""

    def __init__(self, url):
        for name in [name for name in os.environ if name.startswith("DATABRICKS_")]:
            del os.environ[name]
        os.environ["DATABRICKS_CONFIG_FILE"] = os.devnull
        from databricks.sdk.core import ApiClient, Config

        config = Config(host=url, token=TOKEN, auth_type="pat", account_id=ACCOUNT, workspace_id=WORKSPACE)
        self.api = ApiClient(config)
        self.services = {}

    def method(self, operation):
        """The bound method of the SDK for an operation, and the types of its arguments."""
        package, service, name = operation.id.split(".")
        module = importlib.import_module(f"databricks.sdk.service.{package}")
        if package not in self.services:
            classes = inspect.getmembers(module, inspect.isclass)
            self.services[package] = {
                flat(found.removesuffix("API")): kind
                for found, kind in classes
                if found.endswith("API") and kind.__module__ == module.__name__
            }
        method = named(self.services[package][flat(service)](self.api), name)
        return method, typing.get_type_hints(getattr(method, "__func__", method), vars(module))

    def call(self, call):
        """Calls and returns what the SDK gives; of an iterator the first step is made."""
        answer = self.start(call)
        if inspect.isgenerator(answer):
            next(answer, None)
        return answer

    def start(self, call):
        operation = call.operation
        try:
            method, hints = self.method(operation)
            arguments = self.arguments(call, hints)
            inspect.signature(method).bind(**arguments)
        except Exception as error:
            raise Uncallable(f"{type(error).__name__}: {error}") from error
        return method(**arguments)

    def arguments(self, call, hints):
        operation, arguments = call.operation, {}
        places = ("path", "query") if operation.whole_body else ("path", "query", "body")
        for parameter in operation.parameters:
            given = call.at(parameter.place)
            if parameter.place in places and parameter.name in given:
                python = argument(hints, parameter.python)
                arguments[python] = convert(hints[python], given[parameter.name])
        if operation.whole_body:
            arguments[operation.whole_body] = convert(hints[operation.whole_body], call.body)
        if operation.upload:
            arguments[operation.upload] = io.BytesIO(call.text.encode())
        return arguments


def convert(hint, value):
    """A value of JSON as the SDK's type."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Union:
        return convert(next(kind for kind in inner if kind is not type(None)), value)
    if origin is list:
        return [convert(inner[0], item) for item in value]
    if origin is dict:
        return {key: convert(inner[1], item) for key, item in value.items()}
    if not inspect.isclass(hint):
        return value
    if issubclass(hint, enum.Enum):
        return hint(value)
    if hasattr(hint, "FromJsonString"):
        made = hint()
        made.FromJsonString(value)
        return made
    if hasattr(hint, "from_dict"):
        return hint.from_dict(value)
    return value


def argument(hints, name):
    """The SDK's name of an argument. The specs have no room for it where a type of its own stands."""
    return name if name in hints else next((found for found in hints if flat(found) == flat(name)), name)


def named(service, name):
    """A method, which has an underscore where its name is a word of Python."""
    return getattr(service, name, None) or getattr(service, f"{name}_")
