"""Every task of the project: `nox -l` lists them, plain `nox` checks a change."""

from __future__ import annotations

import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2025.5"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["lint", "types", "tests", "contrib", "docs"]

ROOT = Path(__file__).parent
PYTHONS = ["3.11", "3.12", "3.13"]
READING = ["file", "model", "database", "composite"]  # folders of tests
PROJECT = nox.project.load_toml("pyproject.toml")


def install(session: nox.Session, *groups: str) -> None:
    """Install Midflight with every extra, and what the groups ask for."""
    wanted = nox.project.dependency_groups(PROJECT, *groups)
    session.install("--editable", ".[all]", *wanted)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, who imports whom, and the declared dependencies."""
    install(session, "lint")
    session.run("ruff", "check", *session.posargs)
    session.run("ruff", "format", "--check")
    session.run("lint-imports")
    session.run("deptry", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check types."""
    install(session, "types", "test")
    session.run("mypy", "--strict", *session.posargs)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests."""
    install(session, "test")
    session.run("python", "-Im", "pytest", *session.posargs)


@nox.session
@nox.parametrize("parser", ["", "pure"], ids=["fast", "pure"])
@nox.parametrize("full", ["", "1"], ids=["shortcut", "whole"])
def paths(session: nox.Session, full: str, parser: str) -> None:
    """Run the tests that read files, with each fast path on and off."""
    install(session, "test")
    session.env.update(MIDFLIGHT_FULL_PARSE=full, MIDFLIGHT_YAML=parser)
    folders = [f"tests/{each}" for each in READING]
    session.run("python", "-Im", "pytest", *(session.posargs or folders))


@nox.session
def coverage(session: nox.Session) -> None:
    """Run the tests and show the lines and branches they miss."""
    install(session, "test")
    session.run("coverage", "erase")
    session.env["PYTHONSAFEPATH"] = "1"  # as `python -I` does
    session.run("coverage", "run", "-m", "pytest", *session.posargs)
    session.run("coverage", "combine")
    session.run("coverage", "report")


@nox.session
def contrib(session: nox.Session) -> None:
    """Run the tests of every distribution in `contrib_sources`."""
    session.install("--editable", ".")
    for project in sorted(ROOT.glob("contrib_sources/*/pyproject.toml")):
        session.install("--editable", f"{project.parent}[test]")
        session.run("python", "-Im", "pytest", str(project.parent), *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the pages; a warning is an error."""
    install(session, "docs")
    target = ROOT / "docs" / "_build" / "html"
    shutil.rmtree(target, ignore_errors=True)
    session.run("sphinx-build", "-W", "--keep-going", "docs", str(target))
    session.run("towncrier", "build", "--draft")


@nox.session
def demo(session: nox.Session) -> None:
    """Run the greeter, edit its file, break it and put it right."""
    install(session)
    session.run("python", "examples/greeter/demo.py", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure; the figures of one run compare with each other only."""
    peers = nox.project.dependency_groups(PROJECT, "peers")
    everything = nox.project.dependency_groups(PROJECT, "bench")
    install_these = [each for each in everything if each not in peers]
    session.install("--editable", ".[all]", *install_these)
    session.install("--requirement", "contrib_sources/requirements.txt")
    for peer in peers:  # one that this Python cannot have is named and left out
        session.install(peer, success_codes=[0, 1, 2])
    session.run("python", "benchmarks/run.py", *session.posargs)
