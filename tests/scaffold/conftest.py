"""An environment of a stranger, with a new project of each kind installed in it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path

import attrs
import pytest

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
    """

    folder: Path
    python: Path

    def environ(self):
        """Return the variables of their commands: none of ours."""
        ours = ("PYTEST", "PYTHON", "MIDFLIGHT", "COV")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
        return {**kept, "XDG_STATE_HOME": str(self.folder / "state")}

    def run(self, *words, within=".", status=0):
        """Run one command of the environment in a folder; return what it prints."""
        done = subprocess.run(
            [self.python, "-m", *map(str, words)],
            cwd=self.folder / within,
            env=self.environ(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == status, done.stdout
        return done.stdout

    def serve(self, *words):
        """Start a service; return it, and what reads all that it has said."""
        said = self.folder / "said"
        with said.open("w") as file:
            process = subprocess.Popen(
                [self.python, "-u", "-m", "midflight", "run", *words],
                cwd=self.folder,
                env=self.environ(),
                stdout=file,
                stderr=file,
            )
        return process, said.read_text


@pytest.fixture(scope="session")
def stranger(tmp_path_factory):
    """Return who has made a project of each kind, and installed all of them.

    The environment is new, but sees what is installed in that of the tests: nothing is
    fetched from anywhere.
    """
    folder = tmp_path_factory.mktemp("stranger")
    subprocess.run([sys.executable, "-Im", "venv", folder / "env"], check=True)
    [site] = folder.glob("env/lib/python3*/site-packages")
    seen = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    lines = [f"import site; site.addsitedir({path!r})\n" for path in sorted(seen)]
    (site / "seen.pth").write_text("".join(lines))
    stranger = Stranger(folder, folder / "env/bin/python")
    for project in PROJECTS:
        stranger.run("midflight", "new", project.kind, project.name)
    offline = ("--no-index", "--no-deps", "--no-build-isolation")
    places = (f"./{project.name}" for project in PROJECTS)
    stranger.run("pip", "install", *offline, *places)
    return stranger


@pytest.fixture(params=PROJECTS, ids=lambda project: project.kind)
def project(request):
    """Return each of the projects in turn."""
    return request.param


@pytest.fixture
def service(stranger):
    """Return a function that starts a service, and waits for what it says."""
    started = []

    def start(*words):
        process, said = stranger.serve(*words)
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
