"""Values for the parameters of an operation, made from their types: some plain, some that clients get wrong."""

import re
import zlib
from dataclasses import dataclass, replace

PLAIN = ["alpha", "beta-2", "gamma_3"]
# Ours refuses them in a path: a proxy may take them for the directory above.
CLIMBING = ["../up", "%2e%2e%2F"]
ODD = [
    "a b/c",
    "Zürich ☕ 東京",
    "50% of #1?",
    "a+b&c=d",
    *CLIMBING,
    'quote " back \\ tick `',
    "semi;colon,comma@at:colon",
    "x~y-z_w.v!*'()[]{}|^<>$",
    "tab\tand\nline",
    "  spaces around ",
    "\u200bzero\u00a0width",
    "null",
    "😀",
]


@dataclass(frozen=True)
class Mix:
    """A way to choose values."""

    name: str
    # Whether what is not required is given as well.
    everything: bool
    strings: tuple
    integer: int
    wide: int
    numbers: tuple
    boolean: bool
    timestamp: str
    duration: str
    mask: str
    # Whether lists and maps have no items.
    empty: bool = False


MIXES = (
    Mix("least", False, tuple(PLAIN), 7, 7, (0.5,), True, "2026-03-02T09:00:00Z", "3600s", "name"),
    Mix("all", True, tuple(PLAIN), 25, 1_772_442_000_000, (0.25, 12.0), True, "2026-03-02T09:00:00.250Z", "90s", "name,spec"),
    Mix(
        "odd",
        True,
        tuple(ODD),
        2_147_483_647,
        9_007_199_254_740_993,
        (1e-7, 123456789.125, -0.5),
        True,
        "1969-12-31T23:59:59.999999999Z",
        "1.000000001s",
        "name,spec.size,a_b.c_d",
    ),
    Mix(
        "negative",
        True,
        tuple(reversed(ODD)),
        -2_147_483_648,
        -9_223_372_036_854_775_808,
        (-1e300,),
        False,
        "9999-12-31T23:59:59Z",
        "-3.500s",
        "*",
    ),
    Mix("zero", True, ("",), 0, 0, (0.0,), False, "1970-01-01T00:00:00Z", "0s", "name", empty=True),
)


@dataclass
class Call:
    """One logical call, by place and wire name."""

    operation: object
    mix: Mix
    path: dict
    query: dict
    body: dict
    text: str = None

    def at(self, place):
        return {"path": self.path, "query": self.query, "body": self.body}[place]


def call(specs, operation, mix):
    """The call of an operation with the values of a mix."""
    made = Call(operation, mix, {}, {}, {}, "content of a file\r\n" if operation.upload else None)
    maker = Maker(specs, mix, operation)
    for parameter in operation.parameters:
        if parameter.from_config or not (parameter.required or mix.everything or parameter.place == "path"):
            continue
        if parameter.place == "path":
            value = maker.path(parameter)
        else:
            value = maker.value(operation.package, parameter.schema, parameter.name, 1)
        made.at(parameter.place)[parameter.name] = value
    twins(operation, made)
    if operation.whole_body and not operation.at("body"):
        # A map is the whole body.
        made.body = maker.value(operation.package, operation.body_schema, operation.whole_body, 1)
    return made


def climbing(made):
    """The call with each text of its path in turn replaced by one that leads out of it."""
    for name, value in made.path.items():
        if isinstance(value, str):
            for text in CLIMBING:
                yield replace(made, path={**made.path, name: text})


def twins(operation, made):
    """A body property that the SDK takes from the same argument as a path parameter has the same value."""
    places = {parameter.python: parameter for parameter in operation.at("path")}
    for parameter in [] if operation.whole_body else operation.at("body"):
        if parameter.python in places:
            made.body[parameter.name] = made.path[places[parameter.python].name]


class Maker:
    """Makes values; the same place of the same operation always gets the same one."""

    def __init__(self, specs, mix, operation):
        self.specs, self.mix, self.operation = specs, mix, operation

    def pick(self, choices, name):
        return choices[zlib.crc32(f"{self.operation.id} {name}".encode()) % len(choices)]

    def path(self, parameter):
        # An empty path parameter is refused before anything is sent.
        strings = PLAIN if self.mix.empty else [text for text in self.mix.strings if text not in CLIMBING]
        package, schema = self.specs.resolve(self.operation.package, parameter.schema)
        if schema.get("type") == "integer":
            return self.mix.wide if not self.mix.empty else 0
        if schema.get("enum"):
            return self.pick(schema["enum"], parameter.name)
        if not parameter.many_segments:
            return self.pick(strings, parameter.name)
        # A slash within a segment would be another segment.
        segments = [text.replace("/", "|") for text in strings]
        if parameter.name.endswith("_path"):
            return "/Volumes/main/default/" + self.pick(segments, parameter.name) + "/file.csv"
        pattern = parameter.resource_name or "parents/{parent}/children/{child}"
        return re.sub(r"\{(\w+)\}", lambda match: self.pick(segments, match[1]), pattern)

    def value(self, package, schema, name, depth):
        package, schema = self.specs.resolve(package, schema)
        mix, kind = self.mix, schema.get("type")
        if schema.get("enum"):
            return self.pick(schema["enum"], name)
        if kind == "string":
            special = {"date-time": mix.timestamp, "duration": mix.duration, "field-mask": mix.mask}
            return special.get(schema.get("format")) or self.pick(mix.strings, name)
        if kind == "integer":
            return mix.integer if schema.get("format") == "int32" else mix.wide
        if kind == "number":
            return self.pick(mix.numbers, name)
        if kind == "boolean":
            return mix.boolean
        if kind == "array":
            if mix.empty:
                return []
            return [self.value(package, schema["items"], f"{name}.{index}", depth + 1) for index in range(2)]
        if kind == "object" and "additionalProperties" in schema and not schema.get("properties"):
            inner = schema["additionalProperties"]
            if mix.empty:
                return {}
            inner = inner if isinstance(inner, dict) else {}
            keys = ("first", self.pick(mix.strings, name) or "second")
            return {key: self.value(package, inner, f"{name}.{key}", depth + 1) for key in keys}
        if kind == "object":
            return self.object(package, schema, name, depth)
        # Any JSON at all.
        return {"any": [1, 2.5, None, False, {"deep": self.pick(mix.strings, name)}]}

    def object(self, package, schema, name, depth):
        required = schema.get("required", [])
        made = {}
        for key, inner in schema.get("properties", {}).items():
            # Types that contain themselves come to an end, and so do the largest.
            wanted = self.mix.everything and depth <= 4
            if (key in required and depth <= 8) or wanted:
                made[key] = self.value(package, inner, f"{name}.{key}", depth + 1)
        return made
