"""The bundle for desktop clients: checked and unpacked by the tool of its makers, and started as its manifest says."""

import json
import tempfile
from pathlib import Path

import environment
from packages import run as done, speak
from report import expect

# How the makers' own library fills in what a person chose.
FILL = """
import {{ getMcpConfigForManifest }} from {library};
const manifest = {manifest};
const config = await getMcpConfigForManifest({{
  manifest, extensionPath: {folder}, systemDirs: {{}}, userConfig: {choices}, pathSeparator: "/",
}});
console.log(JSON.stringify(config));
"""


def run(report, packages):
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory) / "bundle"
        with report.check("the makers' tool unpacks the bundle and finds its manifest valid"):
            done([environment.node(), environment.INSPECTOR_MAIN, "unpack", packages.bundle(), folder])
            done([environment.node(), environment.INSPECTOR_MAIN, "validate", folder / "manifest.json"])
        with report.check("the bundle serves MCP with what a person chose, read-only unless they say otherwise"):
            start(folder)


def start(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    careful = filled(folder, manifest, {"sandbox": True})
    names = speak([careful["command"], *careful["args"]], folder, (), **careful["env"])
    expect("create_job" not in names and "list_jobs" in names, str(names))
    careless = filled(folder, manifest, {"sandbox": True, "read_only": False, "toolsets": "jobs,sql"})
    names = speak([careless["command"], *careless["args"]], folder, (), **careless["env"])
    expect("create_job" in names, str(names))


def filled(folder, manifest, choices):
    library = environment.INSPECTOR_MAIN.parent.parent / "index.js"
    parts = {"library": str(library), "manifest": manifest, "folder": str(folder), "choices": choices}
    code = FILL.format(**{name: json.dumps(part) for name, part in parts.items()})
    config = json.loads(done([environment.node(), "--input-type=module", "--eval", code]))
    expect(not any("${" in value for value in config["env"].values()), str(config))
    return config
