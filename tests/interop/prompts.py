"""Prompts and completions, as a person with a client uses them: fill in what is offered, and get the messages."""

from mcp.types import PromptReference, ResourceTemplateReference
from report import brief, expect

MOST_VALUES = 100
# What is typed of each argument, in the order in which a person fills them in.
TYPED = {
    "catalog": "sam",
    "schema": "ret",
    "table": "samples.retail.ord",
    "job": "",
    "run": "",
    "pipeline": "",
    "notebook": "/Shared/",
}
# What completes to nothing: a person writes it.
WRITTEN = {
    "question": "How many orders are there?",
    "query": "SELECT 1",
    "change": "drop the column `amount`",
    "feature": "hive_metastore",
}


async def check(report, client, era):
    prompts = []
    with report.check(f"{era}: prompts/list"):
        answer = await client.list_prompts()
        prompts = answer.prompts
        names = [prompt.name for prompt in prompts]
        expect(len(names) >= 12 and names == sorted(set(names)), f"{names}")
        expect(answer.next_cursor is None, "the list has a second page")
        for prompt in prompts:
            expect(prompt.title and prompt.description, f"{prompt.name} lacks a title or a description")
            lacking = [argument.name for argument in prompt.arguments or () if not argument.description]
            expect(not lacking, f"{prompt.name} says nothing of {lacking}")
    for prompt in prompts:
        with report.check(f"{era}: prompts/get {prompt.name}"):
            await check_prompt(client, prompt)
    for template, variable, typed in (
        ("databricks://tables/{full_name}", "full_name", "samples.retail.ord"),
        ("databricks://jobs/{job_id}", "job_id", ""),
        ("databricks://notebooks/{+path}", "path", "Sha"),
    ):
        with report.check(f"{era}: completion/complete {template}"):
            reference = ResourceTemplateReference(type="ref/resource", uri=template)
            expect(await offered(client, reference, variable, typed), "nothing is offered")


async def offered(client, reference, name, typed, chosen=None):
    answer = await client.complete(reference, {"name": name, "value": typed}, chosen or None)
    values = answer.completion.values
    expect(len(values) <= MOST_VALUES, f"{len(values)} values")
    expect(answer.completion.has_more is not None, f"nothing says whether there are more: {brief(answer)}")
    return values


async def check_prompt(client, prompt):
    reference = PromptReference(type="ref/prompt", name=prompt.name)
    filled, needs = {}, False
    for argument in prompt.arguments or ():
        if argument.name in WRITTEN:
            filled[argument.name] = WRITTEN[argument.name]
            continue
        values = await offered(client, reference, argument.name, TYPED.get(argument.name, ""), filled)
        if values:
            filled[argument.name] = values[0]
        elif argument.required:
            # The sandbox may have none, such as no pipeline.
            needs, filled[argument.name] = True, "none"
    messages = (await client.get_prompt(prompt.name, filled)).messages
    first = messages[0].content
    expect(first.type == "text" and len(first.text) > 500, f"{brief(messages)}")
    kinds = [message.content.type for message in messages]
    embedded = [message.content.resource for message in messages if message.content.type == "resource"]
    expect(all(resource.text for resource in embedded), f"something embedded is empty: {brief(messages)}")
    if "resource" not in kinds and len(kinds) > 1 and not needs and "notebook" not in filled:
        expect(False, f"nothing is embedded: {messages[-1].content.text}")
