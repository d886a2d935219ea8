"""A person whom a client asks to confirm calls, and what the server makes of their answers."""

from mcp.types import ElicitResult

from report import expect

JOB = {"name": "asked about", "tasks": []}


class Person:
    """Gives one answer to every question."""

    def __init__(self, says="accept"):
        self.says, self.asked = says, []

    async def __call__(self, context, params):
        self.asked.append(params.message)
        return ElicitResult(action=self.says, content={"confirm": True} if self.says == "accept" else None)


async def check(report, connect):
    """`connect` gives a client of a server that lasts, with this person or, for `None`, with none."""
    answers = {"decline": "declined", "cancel": "closed without an answer"}
    async with connect(Person()) as client:
        job = (await client.call_tool("create_job", JOB)).structured_content["job_id"]
    for says, words in answers.items():
        with report.check(f"a person who says `{says}` stops a call"):
            person = Person(says)
            async with connect(person) as client:
                answer = await client.call_tool("delete_job", {"job_id": job})
                expect(answer.is_error and words in answer.content[0].text, f"answered with {answer}")
                expect(len(person.asked) == 1, f"asked were {person.asked}")
                found = await client.call_tool("get_job", {"job_id": job})
                expect(not found.is_error, f"the job is gone: {found}")
    with report.check("without a person, the call is refused and says what to do"):
        async with connect(None) as client:
            answer = await client.call_tool("delete_job", {"job_id": job})
            expect(answer.is_error and "`elicitation`" in answer.content[0].text, f"answered with {answer}")
            answer = await client.call_tool("execute_sql", {"statement": "SELECT 1"})
            expect(not answer.is_error, f"answered with {answer}")
    with report.check("a person is asked about a statement that drops a table, and sees it"):
        person = Person("decline")
        async with connect(person) as client:
            statement = "DROP TABLE main.default.greetings"
            answer = await client.call_tool("execute_sql", {"statement": statement})
            expect(answer.is_error and statement in person.asked[0], f"asked was {person.asked}, answered {answer}")
    with report.check("a person confirms a call that names the job"):
        person = Person()
        async with connect(person) as client:
            answer = await client.call_tool("delete_job", {"job_id": job})
            expect(not answer.is_error, f"answered with {answer}")
            expect(len(person.asked) == 1 and f"`{JOB['name']}`" in person.asked[0], f"asked were {person.asked}")
