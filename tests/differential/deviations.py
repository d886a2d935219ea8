"""Where the two clients differ on purpose: what the SDK does, and why ours does not.

Each deviation takes what the SDK sent and mends it from the values of the call alone, never from what ours sent (but
for keys that are random on both sides). What then still differs is a fault of one of the two. A deviation that mends
nothing any more is stale, and fails the check as well.
"""

import re
import uuid
from dataclasses import dataclass
from typing import Callable
from urllib.parse import quote

from operations import flat


@dataclass
class Deviation:
    name: str
    reason: str
    # Takes the call, the SDK's request and ours; changes the SDK's request into what it should have been.
    mend: Callable
    # The operations it is about, where it is not about all; each has to show it.
    operations: tuple = ()


def path(call, theirs, _ours):
    right = right_path(call)
    if is_pasted(call) and theirs.path != right:
        theirs.path = right
        if any("?" in str(value) for value in call.path.values()):
            # The rest of the value went into the query.
            theirs.query = right_query(call)


def is_pasted(call):
    """Whether a path parameter has a character that is to be escaped."""
    return any(escaped(call, name, value) != str(value) for name, value in call.path.items())


def right_path(call):
    made = call.operation.path
    account = {parameter.name for parameter in call.operation.at("path") if parameter.from_config}
    for name in re.findall(r"\{(\w+)\}", made):
        if name not in account:
            made = made.replace(f"{{{name}}}", escaped(call, name, call.path[name]))
    from clients import ACCOUNT

    return re.sub(r"\{\w+\}", ACCOUNT, made)


def escaped(call, name, value):
    many = any(parameter.many_segments for parameter in call.operation.at("path") if parameter.name == name)
    return quote(str(value), safe="/" if many else "")


def right_query(call):
    """The query by the rules: lists repeat their name, objects are flattened, booleans are in lower case."""
    pairs = {}

    def push(name, value):
        if isinstance(value, dict):
            for key, inner in value.items():
                push(f"{name}.{key}", inner)
        elif isinstance(value, list):
            for item in value:
                push(name, item)
        else:
            text = str(value).lower() if isinstance(value, bool) else str(value)
            pairs.setdefault(name, []).append(text)

    for name, value in call.query.items():
        push(name, value)
    return pairs


def nested_booleans(call, theirs, _ours):
    flattened = {parameter.name for parameter in call.operation.at("query") if parameter.flatten}
    for name, values in theirs.query.items():
        if name.split(".")[0] in flattened:
            theirs.query[name] = [value.lower() if value in ("True", "False") else value for value in values]


def empties(call, theirs, _ours):
    if isinstance(theirs.body, dict):
        theirs.body = filled(theirs.body, call.body)


def filled(sent, given):
    """What was sent, with the empty lists and maps that were given."""
    if isinstance(sent, dict) and isinstance(given, dict):
        lost = {key: value for key, value in given.items() if key not in sent and value in ([], {})}
        return {key: filled(value, given.get(key)) for key, value in sent.items()} | lost
    if isinstance(sent, list) and isinstance(given, list) and len(sent) == len(given):
        return [filled(*pair) for pair in zip(sent, given)]
    return sent


def first_page(call, theirs, _ours):
    pagination = call.operation.pagination or {}
    if pagination.get("style") not in ("scim", "page"):
        return
    name = pagination["request"]
    if theirs.query.get(name) == [str(pagination["start"])]:
        if name in call.query:
            theirs.query[name] = [str(call.query[name])]
        else:
            del theirs.query[name]


def accept(_call, theirs, _ours):
    if theirs.headers.get("accept") == "*/*" and theirs.method != "HEAD":
        theirs.headers["accept"] = "application/json"


def no_body(_call, theirs, _ours):
    if theirs.body is None:
        theirs.headers.pop("content-type", None)


def run_once(call, theirs, ours):
    token = ours.body.get("idempotency_token")
    if not call.body.get("idempotency_token") and is_uuid(token):
        theirs.body["idempotency_token"] = token


def is_uuid(text):
    try:
        return str(uuid.UUID(text)) == text
    except (AttributeError, TypeError, ValueError):
        return False


DEVIATIONS = (
    Deviation(
        "path parameters are pasted",
        "The SDK puts path parameters into the URL as they are: `#` cuts the path off, `?` begins a query, `..` climbs "
        "out, `/` is another segment. Ours escapes all but unreserved characters, and in resource names each segment.",
        path,
    ),
    Deviation(
        "booleans in flattened queries are written as Python does",
        "The SDK writes `True` and `False` for booleans within query objects; the API reads `true` and `false`.",
        nested_booleans,
    ),
    Deviation(
        "empty lists and maps within objects are left out",
        "The SDK cannot clear a list within an object: what is empty is not sent. Ours sends what is given.",
        empties,
    ),
    Deviation(
        "counting lists always begin at the first page",
        "The SDK overwrites a `startIndex` or `page` that the caller gives, and sends the first one although it is the "
        "default. Ours sends what is given.",
        first_page,
    ),
    Deviation(
        "no media type is asked for where the answer is ignored",
        "The SDK accepts `*/*` of operations that answer nothing. Ours asks for JSON, so that errors come as JSON.",
        accept,
    ),
    Deviation(
        "the type of a body that is not there",
        "The SDK declares `application/json` and sends no body.",
        no_body,
        ("bundle.bundle.heartbeat",),
    ),
    Deviation(
        "runs are started without a key",
        "The SDK leaves `idempotency_token` to the caller, and repeats the call nevertheless when the connection "
        "breaks: two runs. Ours always sends a key, the same in every attempt.",
        run_once,
        ("jobs.jobs.run_now", "jobs.jobs.submit"),
    ),
)

# What the SDK cannot call, and why. Ours is compared with nothing there.
UNCALLABLE = {
    "marketplace.consumer_listings.search": "the query is put into itself: an argument is called `query` as well",
    "sql.dbsql_permissions.transfer_ownership": "the id in the path is declared as an object",
}

# Lists that shift while they are read: the SDK passes over what it has given already in the first version of SCIM
# only, and gives items of these twice. Ours gives none twice.
REPEATING = {
    "iam.account_groups_v2.list",
    "iam.account_service_principals_v2.list",
    "iam.account_users_v2.list",
    "iam.groups_v2.list",
    "iam.service_principals_v2.list",
    "iam.users_v2.list",
    "sql.dashboards.list",
    "sql.queries_legacy.list",
}


def keys(operation, request):
    """Takes the keys that are made at random out of a request; whether each is one."""
    found = []
    for parameter in operation.parameters:
        if parameter.is_key:
            values = request.query if parameter.place == "query" else request.body or {}
            value = values.get(parameter.name)
            value = value[0] if isinstance(value, list) and value else value
            if is_uuid(value):
                values[parameter.name] = "a UUID"
                found.append(flat(parameter.name))
    return found
