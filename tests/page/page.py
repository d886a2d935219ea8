"""The page of `cargo xtask audit --html` in headless Chromium: `page.py XTASK`.

It is searched, filtered and read as a person would, with a mouse, a keyboard and a screen reader; axe-core judges the last.
A line per check, then the sum. Exit code 0: all passed; 1: not; 77: this machine lacks what it takes, and why.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

# Nothing is written into `tests/`, not even compiled modules.
sys.dont_write_bytecode = True

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "interop"))

import environment  # noqa: E402
from report import Report, expect, skipped  # noqa: E402

environment.HERE = HERE
environment.DIRECTORY = HERE.parent.parent / "target" / "page"
environment.VENV = environment.DIRECTORY / "venv"
environment.VENV_PYTHON = environment.VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
environment.LOG = environment.DIRECTORY / "install.log"

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PAGE = environment.DIRECTORY / "audit.html"


def browser():
    """The path of Chromium; on CI it is installed where it is missing."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found or os.environ.get("CI") != "true" or not shutil.which("apt-get"):
        if not found:
            raise environment.Missing("there is no Chromium (Debian and Ubuntu: install `chromium`)")
        return found
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    environment.run(["apt-get", "update"], "apt-get cannot update its lists", env=quiet)
    install = ["apt-get", "install", "--yes", "--no-install-recommends", "chromium", "fonts-dejavu-core"]
    environment.run(install, "apt-get cannot install Chromium", env=quiet)
    return browser()


if __name__ == "__main__":
    try:
        environment.enter_venv()
        BROWSER = browser()
    except environment.Missing as missing:
        sys.exit(skipped(missing))

from axe_playwright_python.sync_playwright import Axe  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402

HOSTILE = '</script><img src=x onerror="window.hacked = true"> `<b>` & ${alert(1)}'
SPEC = {
    "openapi": "3.0.3",
    "info": {"title": "jobs", "version": "1"},
    "paths": {
        "/jobs": {
            "get": {
                "operationId": "jobs.jobs.list",
                "parameters": [{"name": HOSTILE, "in": "query", "schema": {"type": "string", "enum": [HOSTILE]}}],
                "responses": {"2XX": {"description": "Success"}},
            }
        }
    },
}
TOOLSET = {
    "toolset": "jobs",
    "title": HOSTILE,
    "description": HOSTILE,
    "exclude": [{"reason": f"{HOSTILE} is what it says.", "operations": ["jobs.jobs.list"]}],
}


class Visit:
    """A page in the browser, and what went wrong on it."""

    def __init__(self, chromium, file, scheme="light", width=1360, height=1000):
        self.page = chromium.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
        self.page.set_default_timeout(10_000)
        self.troubles = []
        self.page.on("console", lambda message: self.troubles.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("request", lambda request: self.ask(request.url))
        self.page.goto(file.as_uri())
        self.data = json.loads(self.page.locator("#data").text_content())["report"]

    def ask(self, url):
        if not url.startswith(("file:", "data:")):
            self.troubles.append(f"asks for {url}")

    def shown(self):
        """The ids of the operations that are shown."""
        rows = self.page.locator("#operations tbody tr:not(.detail):not([hidden]) .open")
        return set(rows.all_text_contents())

    def where(self, **fields):
        operations = self.data["operations"]
        return {each["id"] for each in operations if all(each[name] == value for name, value in fields.items())}

    def focused(self, attribute):
        return self.page.evaluate("name => document.activeElement.getAttribute(name)", attribute)

    def close(self):
        self.page.close()
        expect(not self.troubles, "; ".join(self.troubles))


def written(xtask, *options):
    """The page, made from these options."""
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run([xtask, "audit", "--html", str(PAGE), *options], capture_output=True, text=True)
    expect(PAGE.is_file(), done.stdout + done.stderr)
    return PAGE


def search(chromium):
    visit = Visit(chromium, PAGE)
    everything = visit.where()
    expect(visit.shown() == everything, "not every operation is shown at first")
    visit.page.fill("#search", "JOBS.jobs  create")
    found = visit.shown()
    expect("jobs.jobs.create" in found and len(found) < len(everything) / 10, f"{len(found)} found")
    told = visit.page.locator("#count").text_content()
    expect(told.startswith(f"{len(found)} of "), told)
    visit.page.fill("#search", "no such operation")
    expect(visit.shown() == set() and visit.page.locator("#none").is_visible(), "nothing is told of no match")
    visit.page.click("#filters button[type=reset]")
    visit.page.locator("#none").wait_for(state="hidden")
    expect(visit.shown() == everything, "a reset does not show everything again")
    # A reason and a tool are found too.
    visit.page.fill("#search", "create_job")
    expect("jobs.jobs.create" in visit.shown(), "a tool's name does not find its operation")
    visit.close()


def filters(chromium):
    visit = Visit(chromium, PAGE)
    for name, value in (("area", "jobs"), ("exposure", "excluded"), ("risk", "destructive"), ("method", "PATCH")):
        visit.page.select_option(f"#{name}", value)
        expect(visit.shown() == visit.where(**{name: value}) != set(), f"the filter {name} shows others")
        visit.page.select_option(f"#{name}", "")
    visit.page.select_option("#area", "jobs")
    visit.page.select_option("#risk", "read")
    expect(visit.shown() == visit.where(area="jobs", risk="read"), "two filters do not go together")
    visit.close()


def details(chromium):
    visit = Visit(chromium, PAGE)
    page = visit.page
    page.fill("#search", "jobs.jobs.create")
    page.click("#operations tbody tr:not([hidden]) .open")
    page.locator(".detail summary", has_text=re.compile("^tasks:")).click()
    page.locator(".detail summary", has_text=re.compile("^notebook_task:")).click()
    # The browser tells of the opening a moment later.
    page.locator(".detail", has_text="notebook_path").first.wait_for()
    expect(page.locator(".detail", has_text="notebook_path").count() == 1, "the schema does not open")
    text = page.locator(".detail").text_content()
    for part in ("POST /api/2.2/jobs/create", "create_job", "destructive", "tokens"):
        expect(part in text, f"{part} is not in {text[:300]}")
    page.fill("#search", "jobs.jobs.get_permissions")
    expect(page.locator(".detail:visible").count() == 0, "details of a row that is not shown")
    page.click("#operations tbody tr:not([hidden]) .open")
    reason = next(each["reason"] for each in visit.data["operations"] if each["id"] == "jobs.jobs.get_permissions")
    shown = page.locator(".detail:visible").text_content()
    expect(reason.replace("`", "") in shown, shown)
    visit.close()


def keyboard(chromium):
    visit = Visit(chromium, PAGE)
    page = visit.page
    page.keyboard.press("Tab")
    expect(visit.focused("class") == "skip", "the first stop is not the way to the content")
    page.keyboard.press("Tab")
    expect(visit.focused("id") == "theme", "the second stop is not the theme")
    page.keyboard.press("Tab")
    area = visit.focused("data-area")
    page.keyboard.press("Enter")
    expect(visit.shown() == visit.where(area=area) != set(), f"the block {area} does not filter")
    expect(visit.focused("aria-pressed") == "true", "the block is not told as pressed")
    page.keyboard.press("/")
    expect(visit.focused("id") == "search", "a slash does not lead to the search")
    page.keyboard.type("get")
    page.locator("#operations tbody tr:not([hidden]) .open").first.focus()
    page.keyboard.press("Enter")
    expect(visit.focused("aria-expanded") == "true", "Enter does not open the details")
    page.keyboard.press("Space")
    expect(visit.focused("aria-expanded") == "false", "the space bar does not close them")
    page.locator("#tab-operations").focus()
    for key, tab in (("ArrowRight", "tools"), ("End", "pairs"), ("ArrowRight", "operations"), ("ArrowLeft", "pairs")):
        page.keyboard.press(key)
        expect(visit.focused("id") == f"tab-{tab}", f"{key} leads to {visit.focused('id')}")
        expect(page.locator(f"#view-{tab}").is_visible(), f"the view {tab} is not shown")
        expect(page.locator("[role=tabpanel]:visible").count() == 1, "several views are shown")
    visit.close()


def themes(chromium):
    background = "getComputedStyle(document.body).backgroundColor"
    seen = {}
    for scheme in ("light", "dark"):
        visit = Visit(chromium, PAGE, scheme)
        seen[scheme] = visit.page.evaluate(background)
        for theme in ("light", "dark", "auto"):
            visit.page.click("#theme")
            expect(visit.page.evaluate("document.documentElement.dataset.theme") == theme, f"not {theme}")
            seen[scheme, theme] = visit.page.evaluate(background)
        visit.close()
    expect(seen["light"] != seen["dark"], "the page does not heed the system's theme")
    for theme in ("light", "dark"):
        expect(seen["light", theme] == seen["dark", theme] == seen[theme], f"the theme {theme} is not one")


def narrow(chromium):
    visit = Visit(chromium, PAGE, width=360, height=740)
    width = "document.documentElement.scrollWidth"
    visit.page.fill("#search", "jobs.jobs.create")
    visit.page.click("#operations tbody tr:not([hidden]) .open")
    expect(visit.page.evaluate(width) <= 360, f"the page is {visit.page.evaluate(width)} pixels wide")
    wide = visit.page.locator("#operations .detail").bounding_box()["width"]
    expect(wide <= 360, f"the details are {wide} pixels wide")
    visit.close()


def accessible(chromium, scheme, width):
    visit = Visit(chromium, PAGE, scheme, width)
    for view in ("operations", "tools", "groups", "prompts", "pairs"):
        visit.page.click(f"#tab-{view}")
        if view == "operations":
            # One of each exposure; what is hidden is not judged.
            visit.page.fill("#search", "jobs.jobs")
            for row in range(3):
                visit.page.locator("#operations tbody tr:not([hidden]) .open").nth(row).click()
        elif view == "tools":
            visit.page.fill("#tool-search", "job")
            visit.page.locator("#tools tbody tr:not([hidden]) .open").first.click()
        # axe-core walks what is not shown, and drawings that nobody reads, for a minute.
        unread = "tbody tr[hidden], #map svg"
        visit.page.evaluate("which => document.querySelectorAll(which).forEach(node => node.remove())", unread)
        # The rest of the page is the same in each view.
        context = None if view == "operations" else f"#view-{view}"
        violations = Axe().run(visit.page, context=context).response["violations"]
        told = [f"{each['id']} at {each['nodes'][0]['html'][:160]}" for each in violations]
        expect(not told, f"{view}: " + "; ".join(told))
    visit.close()


def hostile(chromium, xtask):
    with tempfile.TemporaryDirectory() as name:
        for folder, file, content in (("specs", "jobs.json", SPEC), ("allowlist", "jobs.yaml", TOOLSET)):
            path = Path(name) / folder / file
            path.parent.mkdir()
            # JSON is YAML too.
            path.write_text(json.dumps(content))
        written(xtask, "--specs", f"{name}/specs", "--allowlist", f"{name}/allowlist")
    visit = Visit(chromium, PAGE)
    visit.page.click("#operations .open")
    expect(HOSTILE.replace("`", "") in visit.page.locator(".detail").text_content(), "the name is not shown as it is")
    expect(visit.page.evaluate("window.hacked") is None, "a name ran as a script")
    expect(visit.page.locator("img").count() == 0, "a name became an element")
    visit.close()


def main(xtask):
    report = Report()
    with sync_playwright() as playwright:
        # Without a user of its own, as on CI, Chromium has no sandbox.
        chromium = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        with report.check("the page is written"):
            written(xtask)
        for check in (search, filters, details, keyboard, themes, narrow):
            with report.check(check.__name__):
                check(chromium)
        for scheme, width in (("light", 1360), ("dark", 1360), ("light", 390)):
            with report.check(f"accessible in {scheme}, {width} pixels wide"):
                accessible(chromium, scheme, width)
        with report.check("names of the specs are only text"):
            hostile(chromium, xtask)
        chromium.close()
    return report.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
