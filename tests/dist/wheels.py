"""The packages of Python: the wheel, installed by pip and uv, and the source package."""

import os
import subprocess
import sys
import tempfile
from email.parser import Parser
from pathlib import Path

import environment
from packages import ABOUT, NAME, ROOT, SECONDS, VERSION, run as done, speak, unpacked, variables
from report import expect

HOURS = 3_600
SHARED = (
    f"share/man/man1/{NAME}.1",
    f"share/bash-completion/completions/{NAME}",
    f"share/zsh/site-functions/_{NAME}",
    f"share/fish/vendor_completions.d/{NAME}.fish",
    f"share/{NAME}/completions/_{NAME}.ps1",
)
TOOL = environment.VENV / "bin"


def run(report, packages):
    with report.check("auditwheel gives the wheel the tag that it has"):
        tag(packages)
    with tempfile.TemporaryDirectory() as directory:
        with report.check("pip installs the wheel into a new environment, and both its commands serve MCP"):
            install(packages, Path(directory))
        with report.check("uvx runs the wheel by the name of the package"):
            uvx(packages, Path(directory))
        with report.check("the source package holds what cargo needs"):
            source(packages, Path(directory))
        if packages.source:
            with report.check("pip builds and installs the source package"):
                build(packages, Path(directory))


def tag(packages):
    wheel = packages.wheel()
    said = done([TOOL / "auditwheel", "show", wheel])
    tags = wheel.stem.rsplit("-", 1)[1]
    expect(f'"{tags}"' in " ".join(said.split()), said)


def new_environment(directory):
    """The programs of a new environment, without a pip of its own: that of the checks installs into it."""
    done([sys.executable, "-m", "venv", "--without-pip", directory])
    return directory / "bin"


def pip(programs, home, *arguments, **options):
    command = [sys.executable, "-m", "pip", "--python", programs / "python", "--disable-pip-version-check", *arguments]
    return done(command, env=variables(home), **options)


def install(packages, directory):
    programs = new_environment(directory / "venv")
    pip(programs, directory, "install", "--no-index", "--no-deps", packages.wheel())
    speak([programs / NAME], directory)
    speak([programs / ABOUT["pypi"]], directory)
    said = done([programs / "python", "-m", packages.module, "--version"], env=variables(directory))
    expect(said == f"{NAME} {VERSION}\n", said)
    for path in SHARED:
        expect((directory / "venv" / path).is_file(), f"{path} is missing")
    checked = pip(programs, directory, "show", "--files", ABOUT["pypi"])
    fields = Parser().parsestr(checked)
    expect(fields["Name"] == ABOUT["pypi"] and "sboms/" in checked and "licenses/NOTICE" in checked, checked)
    pip(programs, directory, "uninstall", "--yes", ABOUT["pypi"])
    left = [path for path in (directory / "venv").rglob(f"*{NAME}*") if path.is_file()]
    expect(not left, f"uninstalled, there remain {left}")


def uvx(packages, directory):
    settings = variables(directory, UV_CACHE_DIR=directory / "uv", UV_PYTHON_DOWNLOADS="never")
    command = [TOOL / "uvx", "--no-index", "--find-links", packages.directory, "--python", sys.executable]
    said = done([*command, ABOUT["pypi"], "--version"], env=settings)
    expect(said == f"{NAME} {VERSION}\n", said)


def source(packages, directory):
    folder = unpacked(packages.sdist(), directory) / packages.sdist().name.removesuffix(".tar.gz")
    for name in ("pyproject.toml", "PKG-INFO", "LICENSE", "NOTICE", "THIRD-PARTY.txt", "Cargo.lock"):
        expect((folder / name).is_file(), f"{name} is missing")
    listed = done(["git", "ls-files", "src", "crates/*/src", "specs", "allowlist"], cwd=ROOT).splitlines()
    missing = [name for name in listed if not (folder / name).is_file()]
    expect(len(listed) > 100 and not missing, f"{missing[:5]} are missing")
    cargo = ["cargo", "metadata", "--locked", "--format-version", "1", "--no-deps"]
    subprocess.run(cargo, cwd=folder, check=True, stdout=subprocess.DEVNULL, timeout=SECONDS)


def build(packages, directory):
    programs = new_environment(directory / "built")
    # The variables of this process too: cargo and its folders.
    command = [sys.executable, "-m", "pip", "--python", programs / "python", "install", packages.sdist()]
    done(command, env=os.environ, timeout=HOURS)
    speak([programs / NAME], directory)
    speak([programs / ABOUT["pypi"]], directory)
    for path in SHARED:
        expect((directory / "built" / path).is_file(), f"{path} is missing")
