"""Lists in pages: what the pages hold together is what one page holds."""

from caller import is_list
from report import brief, expect

MOST_PAGES = 1_000
# List tools whose page size the caller chooses: a small page, a large one, and what tells items apart.
SIZES = {
    "list_jobs": ({"limit": 1}, {"limit": 100}, "job_id"),
    "list_job_runs": ({"limit": 1}, {"limit": 24}, "run_id"),
    "list_query_history": ({"max_results": 1}, {"max_results": 999}, "query_id"),
}
RESOURCES_IN_A_PAGE = 100
ROWS = 1_000
DIGITS = ", ".join(f"({digit})" for digit in range(10))
MANY_ROWS = (
    "SELECT a.d * 100 + b.d * 10 + c.d AS n "
    f"FROM (VALUES {DIGITS}) AS a(d) CROSS JOIN (VALUES {DIGITS}) AS b(d) CROSS JOIN (VALUES {DIGITS}) AS c(d) "
    "ORDER BY n"
)


async def check_lists(report, call):
    for tool, (small, large, key) in SIZES.items():
        with report.check(f"{call.era}: {tool} page by page"):
            many, in_small = await follow(call, tool, small, key)
            few, in_large = await follow(call, tool, large, key)
            expect(many > few, f"{many} pages of {small}, {few} of {large}: too few items to tell")
            expect(in_small == in_large, f"small pages have {in_small}, large ones {in_large}")


async def check_cuts(report, call):
    """Pages that end where an answer grows too large."""
    with report.check(f"{call.era}: list_jobs cut and continued"):
        many, every = await follow(call, "list_jobs", {"limit": 100, "fields": ["*"]}, "job_id")
        _, ids = await follow(call, "list_jobs", {"limit": 100, "fields": ["job_id"]}, "job_id")
        expect(many > 1, "all jobs fit in one answer: too few to tell")
        expect(every == ids, f"the pages of whole jobs have {every}, those of ids {ids}")
    with report.check(f"{call.era}: rows of execute_sql continued by get_sql_result"):
        answer = await call.ask("execute_sql", {"statement": MANY_ROWS})
        rows, pages = answer["rows"], 1
        expect(answer["total_rows"] == ROWS and answer["truncated"], f"not {ROWS} rows cut: {brief(answer)}")
        while token := answer.get("next_page_token"):
            statement = {"statement_id": answer["statement_id"], "page_token": token}
            answer, pages = await call.ask("get_sql_result", statement), pages + 1
            expect(answer["rows"] and pages <= MOST_PAGES, f"no progress in {brief(answer)}")
            rows = rows + answer["rows"]
        expect(rows == [[number] for number in range(ROWS)], f"{pages} pages have {len(rows)} rows: {brief(rows)}")


async def check_resources(report, call, known):
    """The list of resources to its end. It goes over several lists of the API: enough jobs make it two pages long."""
    made = []
    with report.check(f"{call.era}: resources/list page by page"):
        task = {"task_key": "hello", "notebook_task": {"notebook_path": known["notebook"]}}
        while (pages := await resource_pages(call.client)) and len(pages) == 1:
            for _ in range(max(1, RESOURCES_IN_A_PAGE - len(pages[0]))):
                answer = await call.ask("create_job", {"name": "interop, one of many", "tasks": [task]})
                made.append(answer["job_id"])
            expect(len(made) <= 2 * RESOURCES_IN_A_PAGE, f"one page of {len(pages[0])} resources")
        uris = [uri for page in pages for uri in page]
        expect(len(uris) == len(set(uris)), "a resource is listed twice")
        _, jobs = await follow(call, "list_jobs", {"limit": 100}, "job_id")
        listed = [uri for uri in uris if uri.startswith("databricks://jobs/")]
        expected = [f"databricks://jobs/{job}" for job in jobs]
        expect(sorted(listed) == sorted(expected), f"jobs as resources: {listed}; as items: {expected}")
        for job in made:
            await call.ask("delete_job", {"job_id": job})


async def follow(call, tool, arguments, key):
    """How many pages a list has, and the keys of its items in order."""
    keys, pages, page = [], 0, {}
    while pages < MOST_PAGES:
        answer = await call.ask(tool, {**arguments, **page})
        pages += 1
        expect(is_list(answer), f"not as lists are: {brief(answer)}")
        keys += [item[key] for item in answer["items"]]
        if "next_page_token" not in answer:
            expect(len(keys) == len(set(keys)), f"an item is in two pages: {keys}")
            return pages, keys
        page = {"page_token": answer["next_page_token"]}
    expect(False, f"no end after {pages} pages")


async def resource_pages(client):
    pages, cursor = [], None
    while len(pages) < MOST_PAGES:
        answer = await client.list_resources(cursor=cursor)
        pages.append([str(resource.uri) for resource in answer.resources])
        cursor = answer.next_cursor
        if cursor is None:
            return pages
    expect(False, f"no end after {len(pages)} pages")
