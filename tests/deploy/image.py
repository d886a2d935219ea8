"""The image: the Containerfile is linted, and the server runs in the root directory that it gives it."""

import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from environment import VENV
from report import expect
from server import DEPLOY, ROOT, call, clean, free_port, get, key, keys_file, running

CONTAINERFILE = DEPLOY / "Containerfile"
NOBODY = 65532


def run(report, binary):
    with report.check("the Containerfile has no finding of hadolint"):
        done = subprocess.run([VENV / "bin/hadolint", CONTAINERFILE], capture_output=True, text=True)
        expect(done.returncode == 0, done.stdout + done.stderr)
    with report.check("the image has its version, a name for the MCP registry, and no root"):
        text = CONTAINERFILE.read_text()
        version = next(line for line in (ROOT / "Cargo.toml").read_text().splitlines() if line.startswith("version"))
        number = version.split('"')[1]
        expect(f"ARG VERSION={number}\n" in text, "ARG VERSION is not the version of Cargo.toml")
        expect(f"USER {NOBODY}:{NOBODY}" in text, "USER is not by number")
        expect('LABEL io.modelcontextprotocol.server.name="' in text, "the label of the registry is missing")
    with report.check("its health check asks a server that runs, by the variables of the image"):
        health(binary)
    with tempfile.TemporaryDirectory() as directory:
        # Otherwise most of the image would be what a debugger wants to know.
        small = stripped(binary, Path(directory) / "binary")
        layout = Path(directory) / "image"
        with report.check("`cargo xtask image` writes an image of the specification, the same each time"):
            written(small, layout)
        if is_root():
            with report.check("the server runs in the layers of that image, as its configuration says"):
                run_in_layers(binary, layout, Path(directory) / "root")
    if not is_root():
        print("note: the root directory of the image is not tried, as that takes root")
        return
    with report.check("the server runs in the root directory of the image, read-only and without privileges"):
        run_in_root(binary)


def is_root():
    return os.geteuid() == 0 and shutil.which("unshare") is not None


def run_in_root(binary):
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory) / "root"
        done = subprocess.run(["sh", DEPLOY / "root.sh", binary, root], capture_output=True, text=True)
        expect(done.returncode == 0, done.stderr)
        serve_in(root, binary, ["/usr/bin/databricks-mcp-server", "http"], f"{NOBODY}:{NOBODY}")


def serve_in(root, binary, command, user, **variables):
    """Serves and calls in a root directory, and asks from inside how the server is."""
    root.parent.chmod(0o755)
    secret, entry = key(binary, "alice")
    keys_file(root / "etc/databricks-mcp-server", entry).chmod(0o644)
    port = free_port()
    # What an engine does: the root directory is bound and made read-only, in mounts that only this process sees.
    enter = f'exec chroot --userspec={user} "$0" "$@"'
    script = f'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && {enter}'
    variables = variables | clean(
        DATABRICKS_MCP_LISTEN=f"0.0.0.0:{port}",
        DATABRICKS_MCP_AUTH="bearer",
        DATABRICKS_MCP_KEYS="/etc/databricks-mcp-server/keys.yaml",
        DATABRICKS_MCP_ALLOWED_HOSTS="localhost",
    )
    with running(["unshare", "--mount", "sh", "-c", script, root, *command, "--sandbox"], port, variables):
        status, body = get(port, "/readyz", {"Host": "localhost"})
        expect(status == 200, f"{status}: {body}")
        answer = call(port, {"Host": "localhost", "Authorization": f"Bearer {secret}"})
        expect(answer["returned"] == 1, str(answer))
        asked = ["sh", "-c", enter, root, command[0], "health", "--ready"]
        done = subprocess.run(asked, env=variables, capture_output=True, text=True)
        expect((done.returncode, done.stdout) == (0, "ready\n"), done.stdout + done.stderr)


def health(binary):
    """The command of HEALTHCHECK, with the variables of the Containerfile, against a server and against none."""
    text = CONTAINERFILE.read_text()
    check = re.search(r"^HEALTHCHECK .*CMD (\[.*\])$", text, re.MULTILINE)
    entry = re.search(r"^ENTRYPOINT (\[.*\])$", text, re.MULTILINE)
    expect(check is not None and entry is not None, "there is no HEALTHCHECK or no ENTRYPOINT")
    program, *arguments = json.loads(check[1])
    expect(json.loads(entry[1]) == [program], "the health check runs another program than the image")
    address = re.search(r"^ENV DATABRICKS_MCP_LISTEN=([0-9.]+):8000$", text, re.MULTILINE)
    expect(address is not None, "the image has no DATABRICKS_MCP_LISTEN")
    with tempfile.TemporaryDirectory() as directory:
        secret, alice = key(binary, "alice")
        port = free_port()
        variables = clean(
            DATABRICKS_MCP_LISTEN=f"{address[1]}:{port}",
            DATABRICKS_MCP_AUTH="bearer",
            DATABRICKS_MCP_KEYS=keys_file(directory, alice),
            DATABRICKS_MCP_PUBLIC_URL="https://mcp.acme.test/mcp",
        )

        def ask():
            return subprocess.run([binary, *arguments], env=variables, capture_output=True, text=True)

        with running([binary, "http", "--sandbox"], port, variables):
            done = ask()
            expect(done.returncode == 0, done.stderr)
        done = ask()
        expect(done.returncode == 1, "it finds a server that has ended")


def stripped(binary, copy):
    strip = shutil.which("strip")
    if not strip:
        return binary
    subprocess.run([strip, "-o", copy, binary], check=True)
    return copy


def written(binary, layout):
    first = image(binary, layout, 0o022)
    expect(image(binary, layout, 0o077) == first, "another mask of files gives another image")
    index = json.loads((layout / "index.json").read_text())
    expect(json.loads((layout / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}, "no layout")
    [entry] = index["manifests"]
    expect(entry["digest"] == first and index["schemaVersion"] == 2, str(index))
    manifest, config = described(layout)
    [layer] = manifest["layers"]
    expect(layer["mediaType"] == "application/vnd.oci.image.layer.v1.tar+gzip", str(layer))
    unpacked = hashlib.sha256(gzip.decompress(blob(layout, layer))).hexdigest()
    expect(config["rootfs"] == {"type": "layers", "diff_ids": [f"sha256:{unpacked}"]}, str(config["rootfs"]))
    expect(config["config"]["User"] == f"{NOBODY}:{NOBODY}", str(config))
    expect(config["config"]["ExposedPorts"] == {"8000/tcp": {}}, str(config))
    expect("io.modelcontextprotocol.server.name" in config["config"]["Labels"], str(config))
    expect("HEALTHCHECK" in CONTAINERFILE.read_text() and "Healthcheck" not in config["config"], str(config))


def image(binary, output, mask):
    command = ["cargo", "xtask", "image", "--binary", binary, "--output", output]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, umask=mask)
    expect(done.returncode == 0, done.stderr)
    return done.stdout.split()[-1]


def blob(layout, entry):
    """What an entry points to, if it is what it says."""
    content = (layout / "blobs/sha256" / entry["digest"].removeprefix("sha256:")).read_bytes()
    expect(len(content) == entry["size"], f"{entry} has {len(content)} bytes")
    expect(hashlib.sha256(content).hexdigest() == entry["digest"].removeprefix("sha256:"), f"{entry} is another")
    return content


def described(layout):
    [entry] = json.loads((layout / "index.json").read_text())["manifests"]
    manifest = json.loads(blob(layout, entry))
    return manifest, json.loads(blob(layout, manifest["config"]))


def run_in_layers(binary, layout, root):
    manifest, config = described(layout)
    for layer in manifest["layers"]:
        with tempfile.TemporaryFile() as file:
            file.write(blob(layout, layer))
            file.seek(0)
            with tarfile.open(fileobj=file, mode="r:gz") as archive:
                archive.extractall(root, filter="tar")
    config = config["config"]
    variables = dict(variable.split("=", 1) for variable in config["Env"])
    serve_in(root, binary, [*config["Entrypoint"], *config["Cmd"]], config["User"], **variables)
