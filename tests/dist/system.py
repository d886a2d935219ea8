"""Packages for systems: the Debian package, the archive for `cargo binstall`, completions, manual pages, the image."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from packages import BINSTALL, MANIFEST, NAME, VERSION, run as done, speak, unpacked, variables
from report import expect

HERE = Path(__file__).resolve().parent
MINUTES = 600
COMPLETE = """
source "$1"
COMP_WORDS=({name} au) COMP_CWORD=1
{function} {name} au {name}
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def run(report, packages):
    with tempfile.TemporaryDirectory() as directory:
        directory = Path(directory)
        with report.check("the archive is where `cargo binstall` looks for it, and its program serves MCP"):
            binstall(packages, directory / "archive")
        if shutil.which("dpkg"):
            with report.check("dpkg installs the Debian package, and its program serves MCP"):
                debian(packages, directory / "debian")
            with report.check("bash completes commands, and the manual pages have no faults"):
                shells(directory / "debian/usr/share")
        if packages.is_release and os.geteuid() == 0:
            if shutil.which("debootstrap"):
                with report.check("a new Debian system installs the package with apt"):
                    chroot(packages, directory / "chroot")
            with report.check("the server runs in the image"):
                image(packages, directory / "image")


def binstall(packages, directory):
    name = packages.tarball().name
    target = name.removeprefix(f"{NAME}-{VERSION}-").removesuffix(".tar.gz")
    values = {
        "repo": MANIFEST["package"]["repository"],
        "name": NAME,
        "version": VERSION,
        "target": target,
        "bin": NAME,
        "binary-ext": "",
    }

    def fill(template):
        for key, value in values.items():
            template = template.replace(f"{{ {key} }}", value)
        expect("{" not in template, template)
        return template

    expect(BINSTALL["pkg-fmt"] == "tgz" and fill(BINSTALL["pkg-url"]).endswith(f"/v{VERSION}/{name}"), name)
    program = unpacked(packages.tarball(), directory) / fill(BINSTALL["bin-dir"])
    speak([program], directory)


def debian(packages, root):
    """The database of this system's packages says whether what the package depends on is there."""
    database = root / "var/lib/dpkg"
    database.mkdir(parents=True)
    for name in ("updates", "info"):
        (database / name).mkdir()
    shutil.copy("/var/lib/dpkg/status", database)
    dpkg = ["dpkg", f"--root={root}", "--force-not-root", "--force-script-chrootless", "--log=/dev/null"]
    done([*dpkg, "--install", packages.debian()])
    speak([root / "usr/bin" / NAME], root)
    listed = done([*dpkg, "--listfiles", NAME]).split()
    expect(f"/usr/share/doc/{NAME}/copyright" in listed, str(listed[:10]))
    expect(not done([*dpkg, "--verify", NAME]), "files are not as they were packed")


def shells(share):
    script = share / f"bash-completion/completions/{NAME}"
    function = next(line for line in script.read_text().splitlines() if line.endswith("() {")).removesuffix("() {")
    code = COMPLETE.format(name=NAME, function=function)
    found = done(["bash", "-c", code, "bash", script]).split()
    expect(found == ["audit", "auth"], str(found))
    for shell, file in (("zsh", f"zsh/vendor-completions/_{NAME}"), ("fish", f"fish/vendor_completions.d/{NAME}.fish")):
        if shutil.which(shell):
            done([shell, "-n", share / file])
    pages = sorted((share / "man/man1").glob("*.gz"))
    expect(len(pages) > 20, str(pages))
    if shutil.which("groff"):
        for page in pages:
            text = subprocess.run(["gzip", "-dc", page], capture_output=True, check=True).stdout
            drawn = subprocess.run(["groff", "-k", "-man", "-Tutf8", "-ww"], input=text, capture_output=True)
            expect(drawn.returncode == 0 and not drawn.stderr, f"{page.name}: {drawn.stderr.decode()}")


def chroot(packages, root):
    done(["debootstrap", "--variant=minbase", "bookworm", root], timeout=MINUTES)
    shutil.copy(packages.debian(), root / "tmp/package.deb")
    apt = ["apt-get", "install", "--yes", "--no-install-recommends", "/tmp/package.deb"]
    done(["chroot", root, *apt], env=variables("/root", DEBIAN_FRONTEND="noninteractive"), timeout=MINUTES)
    speak(["chroot", root, NAME], "/root")


def image(packages, directory):
    sys.path.insert(0, str(HERE.parent / "deploy"))
    from image import run_in_layers  # noqa: PLC0415

    layout = unpacked(packages.one(f"{NAME}-{VERSION}-*.oci.tar"), directory / "layout")
    program = unpacked(packages.tarball(), directory / "program")
    program = next(program.glob(f"*/{NAME}"))
    run_in_layers(program, layout, directory / "root")
