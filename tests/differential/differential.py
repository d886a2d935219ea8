"""Compares the client with the official SDK on the wire, call by call: `differential.py BINARY`.

Every operation of the specs is called through both, with several mixes of values, against one recorder. Method, path,
query, body and headers have to be the same, but for the deviations that are listed with their reasons.
"""

import copy
import logging
import sys
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "sdk"))

from workspace import SPECS, environment  # noqa: E402

from report import Report, brief, expect, skipped  # noqa: E402

FIELDS = ("method", "path", "query", "headers", "body")
# The importer counted this many; a smaller number means that operations got lost on the way.
OPERATIONS = SPECS["totals"]["operations"]
MOST_TOLD = 10


def main():
    from clients import Ours, Theirs, caller
    from lists import lists
    from operations import Specs
    from recorder import Recorder

    # It warns that the recorder tells nothing about itself.
    logging.getLogger("databricks.sdk").setLevel(logging.ERROR)
    report, specs, recorder = Report(), Specs(), Recorder()
    ours, theirs = Ours(caller(), recorder.url), Theirs(recorder.url)
    requests(report, specs, recorder, ours, theirs)
    lists(report, specs, recorder, ours, theirs)
    ours.close()
    return report.close()


def requests(report, specs, recorder, ours, theirs):
    """Every operation with every mix of values, by package."""
    from deviations import DEVIATIONS, UNCALLABLE

    compared, shown, uncalled = Counter(), {deviation.name: set() for deviation in DEVIATIONS}, set()
    for package in specs.documents:
        operations = [operation for operation in specs.operations.values() if operation.package == package]
        with report.check(f"{package}: {len(operations)} operations are called as the SDK calls them"):
            faults = []
            for operation in operations:
                try:
                    compared[operation.id] += compare(specs, operation, recorder, ours, theirs, shown, uncalled)
                except Exception as error:
                    faults.append(f"{operation.id}: {error}")
            more = [f"and {len(faults) - MOST_TOLD} more"] if len(faults) > MOST_TOLD else []
            expect(not faults, "\n".join(faults[:MOST_TOLD] + more))
    with report.check("all operations of all packages were compared"):
        missing = set(specs.operations) - set(+compared) - set(UNCALLABLE)
        are_all = not missing and len(specs.operations) == OPERATIONS
        expect(are_all, f"{len(+compared)} of {OPERATIONS} compared, without {missing}")
    with report.check("no deviation is stale"):
        expect(uncalled == set(UNCALLABLE), f"callable after all: {sorted(set(UNCALLABLE) - uncalled)}")
        for deviation in DEVIATIONS:
            stale = set(deviation.operations) - shown[deviation.name]
            expect(shown[deviation.name] and not stale, f"`{deviation.name}` does not show {sorted(stale)}")
    print(f"     {compared.total()} calls of {len(+compared)} operations", flush=True)
    for name, operations in shown.items():
        print(f"     {len(operations)} operations: {name}", flush=True)


def compare(specs, operation, recorder, ours, theirs, shown, uncalled):
    """Calls one operation with all mixes through both; the number of calls that are the same."""
    from clients import Uncallable
    from deviations import UNCALLABLE
    from values import MIXES, call, climbing

    recorder.take()
    for made in climbing(call(specs, operation, MIXES[0])):
        answer = ours.call(made)
        is_refused = "bad_request" in answer.get("error", {}).get("classes", [])
        expect(is_refused and not recorder.take(), f"not refused: {made.path}, {brief(answer)}")
    same = 0
    for mix in MIXES:
        made = call(specs, operation, mix)
        recorder.take()
        answer = ours.call(made)
        mine = recorder.take()
        expect(len(mine) == 1, f"with `{mix.name}`, ours made {len(mine)} requests: {brief(answer)}")
        reason = "nothing was raised"
        try:
            theirs.call(made)
        except Uncallable as error:
            reason = str(error)
        except Exception as error:
            # The answer `{}` is not what every operation can read.
            reason = f"{type(error).__name__}: {error}"
        sent = recorder.take()
        if operation.id in UNCALLABLE and not sent:
            uncalled.add(operation.id)
            continue
        expect(len(sent) == 1, f"with `{mix.name}`, the SDK made {len(sent)} requests: {brief(reason)}")
        differences = differ(made, mine[0], sent[0], shown)
        expect(not differences, f"with `{mix.name}`, {'; '.join(differences)}")
        same += 1
    return same


def differ(call, mine, sent, shown):
    """What differs between two requests beyond the deviations."""
    from deviations import DEVIATIONS, keys

    # A random key on one side only is a difference.
    keys(call.operation, mine), keys(call.operation, sent)
    for deviation in DEVIATIONS:
        if deviation.operations and call.operation.id not in deviation.operations:
            continue
        mended = copy.deepcopy(sent)
        deviation.mend(call, mended, mine)
        if mended != sent:
            shown[deviation.name].add(call.operation.id)
            sent = mended
    return [
        f"{field}: ours {brief(getattr(mine, field), 300)}, the SDK's {brief(getattr(sent, field), 300)}"
        for field in FIELDS
        if getattr(mine, field) != getattr(sent, field)
    ]


if __name__ == "__main__":
    try:
        environment.enter_venv()
        sys.exit(main())
    except environment.Missing as missing:
        sys.exit(skipped(missing))
