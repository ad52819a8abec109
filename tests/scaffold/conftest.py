"""An environment of a stranger, with a new project of each kind installed in it."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import attrs
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from midflight.testing import wait_until


@attrs.frozen
class Project:
    """A new project.

    Args:
        kind: what it brings.
        name: what it is called.
        run: what `midflight run` is given for it.
    """

    kind: str
    name: str
    run: list[str]


PROJECTS = [
    Project("source", "demo", ["--source", "demo:demo/example.json", "--watch"]),
    Project("module", "tick", ["tick/example.yaml", "--watch"]),
    Project("strategy", "calm", ["calm/example.yaml", "--strategy", "calm", "--watch"]),
]


@attrs.frozen
class Stranger:
    """Somebody who works in a folder, with an environment of their own.

    Args:
        folder: where they work; the projects are below it.
        python: the interpreter of the environment.
        brought: the distributions that were declared, beside the projects.
        told: what `midflight new` said of each project, by its name.
    """

    folder: Path
    python: Path
    brought: set[str] = attrs.field(factory=set)
    told: dict[str, str] = attrs.field(factory=dict)

    def environ(self):
        """Return the variables of their commands: none of ours."""
        ours = ("PYTEST", "PYTHON", "MIDFLIGHT", "COV")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
        return {**kept, "XDG_STATE_HOME": str(self.folder / "state")}

    def run(self, *words, within=".", status=0, **more):
        """Run one command of the environment in a folder; return what it prints."""
        done = subprocess.run(
            [self.python, "-m", *map(str, words)],
            cwd=self.folder / within,
            env={**self.environ(), **more},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == status, done.stdout
        return done.stdout

    def serve(self, *words, within="."):
        """Start a service in a folder; return it, and what reads all it has said."""
        said = self.folder / "said"
        with said.open("w") as file:
            process = subprocess.Popen(
                [self.python, "-u", "-m", "midflight", "run", *words],
                cwd=self.folder / within,
                env=self.environ(),
                stdout=file,
                stderr=file,
            )
        return process, said.read_text


@pytest.fixture(scope="session")
def stranger(tmp_path_factory):
    """Return who has made a project of each kind, and installed all of them.

    The environment is new. It has Midflight, and then what the projects declare, and
    nothing else; that is linked from the environment of the tests, in the place of an
    index, so nothing is fetched from anywhere.
    """
    folder = tmp_path_factory.mktemp("stranger")
    subprocess.run([sys.executable, "-Im", "venv", folder / "env"], check=True)
    [site] = folder.glob("env/lib/python3*/site-packages")
    stranger = Stranger(folder, folder / "env/bin/python")
    stranger.brought.update(link(site, "midflight"))
    builds = set()
    for project in PROJECTS:
        told = stranger.run("midflight", "new", project.kind, project.name)
        stranger.told[project.name] = told
    for project in PROJECTS:
        declared = tomllib.loads((folder / project.name / "pyproject.toml").read_text())
        extras = declared["project"]["optional-dependencies"]
        wanted = (*declared["project"]["dependencies"], *extras["test"])
        stranger.brought.update(link(site, *wanted))
        builds.update(declared["build-system"]["requires"])
    (folder / "builds").mkdir()
    link(folder / "builds", *builds)
    offline = ("--no-index", "--no-build-isolation")
    places = (f"./{project.name}[test]" for project in PROJECTS)
    stranger.run("pip", "install", *offline, *places, PYTHONPATH=str(folder / "builds"))
    return stranger


def link(site, *requirements):
    """Put into a folder what an index would for these; return its distributions."""
    found: dict[str, set[str]] = {}
    todo = [Requirement(each) for each in requirements]
    while todo:
        wanted = todo.pop()
        name, extras = canonicalize_name(wanted.name), {"", *wanted.extras}
        if extras <= found.get(name, set()):
            continue
        found.setdefault(name, set()).update(extras)
        distribution = importlib.metadata.distribution(name)
        for top in {path.parts[0] for path in distribution.files or ()}:
            if top not in {"..", "__pycache__"} and not (site / top).exists():
                (site / top).symlink_to(distribution.locate_file(top))
        for needed in map(Requirement, distribution.requires or ()):
            marker = needed.marker
            if not marker or any(marker.evaluate({"extra": each}) for each in extras):
                todo.append(needed)
    return set(found)


@pytest.fixture(params=PROJECTS, ids=lambda project: project.kind)
def project(request):
    """Return each of the projects in turn."""
    return request.param


@pytest.fixture
def service(stranger):
    """Return a function that starts a service, and waits for what it says."""
    started = []

    def start(*words, within="."):
        process, said = stranger.serve(*words, within=within)
        started.append(process)

        def says(text):
            with contextlib.suppress(AssertionError):
                wait_until(lambda: text in said() or process.poll() is not None, "", 20)

            assert text in said()

        return process, says

    yield start
    for process in started:
        process.send_signal(signal.SIGKILL)
        process.wait()
