"""Real wheels, unpacked where a process of its own finds them."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

PATIENCE = 50  # s
# Installed below all that is there, as by `pip install --user`; tells what it imported.
BOOT = """\
import atexit, sys
site, report = sys.argv[1:3]
sys.path.append(site)
sys.argv[1:3] = []
atexit.register(lambda: open(report, "w").write("\\n".join(sys.modules)))
from midflight_plugins.cli import main
main()
"""
MODULE = """\
from midflight import hookimpl


class Kind:
    def __init__(self, name):
        self.name = name

    @hookimpl
    def start(self):
        pass
"""


class Site:
    """A folder of installed distributions, and commands run with them.

    Args:
        folder: where they are; the current directory of commands is beside it.
    """

    def __init__(self, folder: Path) -> None:
        self.packages = folder / "site"
        self.here = folder / "here"
        self.packages.mkdir()
        self.here.mkdir()

    def install(self, name, points, code=MODULE, version="1.0", requires=()):
        """Build a wheel of one module, and unpack it as an installer does.

        Args:
            name: of the distribution; its module has underscores.
            points: names in the module, by `group:name`; "" is the module itself.
            code: of the module.
            version: of the distribution.
            requires: what it says that it requires.
        """
        module = name.replace("-", "_")
        info = f"{module}-{version}.dist-info"
        lines = [f"Requires-Dist: {each}" for each in requires]
        head = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
        groups = []
        for key, attribute in points.items():
            group, _, point = key.partition(":")
            target = f"{module}:{attribute}" if attribute else module
            groups.append(f"[midflight.{group}]\n{point} = {target}")
        files = {
            f"{module}.py": code,
            f"{info}/METADATA": "\n".join([*head, *lines, ""]),
            f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n",
            f"{info}/entry_points.txt": "\n".join([*groups, ""]),
        }
        record = [
            f"{path},sha256={_hash(text)},{len(text)}" for path, text in files.items()
        ]
        files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""])
        wheel = self.here.parent / f"{module}-{version}-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            for path, text in files.items():
                archive.writestr(path, text)
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(self.packages)

    def write(self, name, *types):
        """Write a configuration with a module of each type, and return its name."""
        modules = [{"name": f"m-{each}", "type": each} for each in types]
        (self.here / name).write_text(json.dumps({"modules": modules}))
        return name

    def start(self, *words, env=None):
        """Start a command in a process of its own."""
        report = self.here.parent / "imported"
        report.unlink(missing_ok=True)
        return subprocess.Popen(
            [sys.executable, "-Ic", BOOT, self.packages, report, *words],
            cwd=self.here,
            env={**os.environ, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def serve(self, *words):
        """Run a service until it is ready, and stop it; return what it logged."""
        lines: list[str] = []
        with self.start("run", *words, "--no-state") as process:
            while "ready" not in "".join(lines[-1:]):
                lines.append(process.stderr.readline())
                assert lines[-1], lines
            process.send_signal(signal.SIGTERM)
            lines.append(process.communicate()[1])
        assert process.returncode == 0
        return "".join(lines)

    def run(self, *words, code=0, env=None):
        """Run a command; return all that it wrote."""
        with self.start(*words, env=env) as process:
            try:
                out, err = process.communicate(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        assert process.returncode == code, out + err
        assert "Traceback" not in err
        return out + err

    @property
    def imported(self):
        """The modules that the last command had imported when it ended."""
        return {*(self.here.parent / "imported").read_text().split("\n")}

    def rows(self, *words, **more):
        """Return what `midflight plugins` says of others' distributions, by name."""
        rows = json.loads(self.run("plugins", "--format", "json", *words, **more))
        return {
            f"{row['distribution']}:{row['name']}": row
            for row in rows
            if (self.packages / f"{row['target'].partition(':')[0]}.py").exists()
        }


def _hash(text):
    digest = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@pytest.fixture
def site(tmp_path):
    """Return a site without distributions."""
    return Site(tmp_path)
