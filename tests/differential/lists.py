"""Every list, read to its end by both clients from the same pages: the same items in the same order, asked for alike."""

import inspect

from values import MIXES, Call, call

from report import brief, expect


def lists(report, specs, recorder, ours, theirs):
    from deviations import UNCALLABLE

    paged = [operation for operation in specs.operations.values() if operation.pagination]
    paged = [operation for operation in paged if operation.id not in UNCALLABLE]
    styles = {}
    for operation in paged:
        pagination = operation.pagination
        style = f"{pagination['style']} in the {pagination['in']}" if "in" in pagination else pagination["style"]
        styles.setdefault(style, []).append(operation)
    for style, operations in sorted(styles.items()):
        with report.check(f"lists, {style}: {len(operations)} operations give the items that the SDK gives"):
            faults = []
            for operation in operations:
                try:
                    made = call(specs, operation, MIXES[0])
                    read(made, pages(specs, made), recorder, ours, theirs)
                except Exception as error:
                    faults.append(f"{operation.id}: {error}")
            expect(not faults, "\n".join(faults[:10]))
    objects(report, specs, recorder, ours, theirs)


def read(made, pages, recorder, ours, theirs):
    """Reads a list through both and compares items and requests."""
    from deviations import REPEATING
    from differential import differ

    recorder.take()
    recorder.script = lambda number: pages[min(number, len(pages) - 1)]
    try:
        answer = ours.call(made, every_page=True)
        mine = recorder.take()
        found = theirs.start(made)
        found = list(found) if inspect.isgenerator(found) else found
        sent = recorder.take()
    finally:
        recorder.script = None
    expect("items" in answer, brief(answer))
    expected = [plain(item) for item in found or []]
    if made.operation.id in REPEATING:
        once = [item for number, item in enumerate(expected) if item not in expected[:number]]
        expect(once != expected, "the SDK gives no item twice any more: the deviation is stale")
        expected = once
    expect(expected and answer["items"] == expected, f"ours {brief(answer['items'])}, the SDK's {brief(expected)}")
    expect(len(mine) == len(sent), f"ours asked {len(mine)} times, the SDK {len(sent)} times")
    for number, pair in enumerate(zip(mine, sent)):
        differences = differ(made, *pair, Shown())
        expect(not differences, f"request {number}: {'; '.join(differences)}")


class Shown(dict):
    """Which deviations show is counted elsewhere."""

    def __missing__(self, name):
        return set()


def plain(item):
    return item.as_dict() if hasattr(item, "as_dict") else getattr(item, "value", item)


def pages(specs, made):
    """Pages as the service may give them: some empty, and where lists shift, with items that came before."""
    operation, pagination = made.operation, made.operation.pagination

    def page(items, **further):
        if not pagination.get("items"):
            return items
        return {pagination["items"]: items, **further}

    def items(*numbers):
        return [item(specs, operation, number) for number in numbers]

    style, cursor = pagination["style"], pagination.get("response")
    if operation.id == "compute.clusters.events":
        # The old form of the cursor, which the SDK reads, comes along with the new one.
        following = {"next_page": {**made.body, "page_token": "t"}, cursor: "t"}
        return [page(items(1, 2), **following), page(items(3))]
    if style == "token":
        return [
            page(items(1, 2), **{cursor: "to/ken +=&?é"}),
            {cursor: "2"},
            page([], **{cursor: "3"}),
            page(items(3), **{cursor: "4"}),
            page(items(4), **{cursor: ""}),
        ]
    if style in ("scim", "page"):
        return [page(items(1, 2)), page(items(2, 3)), page(items(4)), page([])]
    return [page(items(1, 2, 3))]


def item(specs, operation, number):
    """An item that can be told from others."""
    package, schema = specs.resolve(operation.package, operation.item_schema)
    if schema.get("enum"):
        return schema["enum"][number % len(schema["enum"])]
    if schema.get("type") in ("string", "integer"):
        return f"item {number}" if schema["type"] == "string" else number
    properties = {name: specs.resolve(package, inner)[1] for name, inner in schema.get("properties", {}).items()}
    texts = [name for name, inner in properties.items() if is_text(inner)]
    if texts:
        return {"id" if "id" in texts else texts[0]: f"item {number}"}
    numbers = [name for name, inner in properties.items() if inner.get("type") == "integer"]
    return {numbers[0]: number} if numbers else {}


def is_text(schema):
    return schema.get("type") == "string" and not {"enum", "format"} & set(schema)


def objects(report, specs, recorder, ours, theirs):
    """Jobs and runs whose tasks come in pages, alone and in lists."""
    from databricks.sdk.mixins.jobs import JobsExt

    jobs = JobsExt(theirs.api)

    keys = {"tasks": "task_key", "job_clusters": "job_cluster_key"}

    def numbered(kind, *numbers):
        return [{keys.get(kind, "name"): f"{kind} {number}"} for number in numbers]

    def settings(*numbers):
        environments = [{"environment_key": f"environment {number}"} for number in numbers]
        kinds = {kind: numbered(kind, *numbers) for kind in ("tasks", "job_clusters", "parameters")}
        return {**kinds, "environments": environments}

    def run(*numbers, **further):
        return {
            "run_id": 5,
            **{kind: numbered(kind, *numbers) for kind in ("tasks", "job_clusters", "job_parameters")},
            "repair_history": [{"id": number} for number in numbers],
            **further,
        }

    more, last = {"next_page_token": "a/b"}, {"next_page_token": "c"}
    job_pages = [
        {"job_id": 5, "settings": settings(1, 2), **more},
        {"settings": settings(3), **last},
        {"settings": settings(4)},
    ]
    run_pages = [run(1, 2, **more), run(3, **last), run(4)]
    iterations = [run(1, iterations=[{"run_id": 7}], **more), run(1, iterations=[{"run_id": 8}])]
    listed_jobs = [
        {"jobs": [{"job_id": 4, "settings": settings(1)}, {"job_id": 5, "settings": settings(1), "has_more": True}]},
        *job_pages,
    ]
    listed_runs = [{"runs": [run(1, has_more=True)]}, *run_pages]
    cases = (
        ("a job", "jobs.jobs.get", {"job_id": 5}, job_pages, lambda: [jobs.get(5)]),
        ("a run", "jobs.jobs.get_run", {"run_id": 5}, run_pages, lambda: [jobs.get_run(5)]),
        ("a run of a for-each task", "jobs.jobs.get_run", {"run_id": 5}, iterations, lambda: [jobs.get_run(5)]),
        ("jobs", "jobs.jobs.list", {"expand_tasks": True}, listed_jobs, lambda: jobs.list(expand_tasks=True)),
        ("runs", "jobs.jobs.list_runs", {"expand_tasks": True}, listed_runs, lambda: jobs.list_runs(expand_tasks=True)),
    )
    for name, operation, query, script, start in cases:
        with report.check(f"{name}: put together from pages as the SDK does"):
            whole(specs.operations[operation], query, script, start, recorder, ours)


def whole(operation, query, script, start, recorder, ours):
    made = Call(operation, MIXES[0], {}, query, {})
    recorder.take()
    recorder.script = lambda number: script[min(number, len(script) - 1)]
    try:
        answer = ours.call(made, every_page=True)
        mine = recorder.take()
        expected = [item.as_dict() for item in start()]
        sent = recorder.take()
    finally:
        recorder.script = None
    expect(answer.get("items") == expected, f"ours {brief(answer, 1500)}, the SDK's {brief(expected, 1500)}")
    expect(mine == sent and len(mine) > 1, f"ours asked {brief(mine)}, the SDK {brief(sent)}")
