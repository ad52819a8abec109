"""Fifty secrets go through everything there is, and none of them comes out."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PATIENCE = 20.0


class Mine:
    """A folder with a configuration full of secrets, and a service that runs on it."""

    def __init__(self, folder, canaries):
        self.folder, self.canaries = folder, canaries
        self.state = folder / "state"
        self.lines = []
        self.told = []
        self.port, self.broken = 0, ""
        self.files = folder / "secrets"
        self.files.mkdir()
        for n in range(10, 20):
            (self.files / f"s{n}").write_text(f"{canaries[n]}\n")
        # A canary for each way in; 0-9 by name of a variable, 10-19 by file.
        self.env = {
            **os.environ,
            "PYTHONPATH": str(HERE),
            "MIDFLIGHT_SECRETS_PATH": str(self.files),
            "PYTHONWARNINGS": "ignore",
        }
        for n in range(10):
            self.env[f"V{n}_PASSWORD"] = canaries[n]
        (folder / "midflight.toml").write_text(
            '[[layers]]\nname = "base"\nsource = "file:base.yaml"\n\n'
            '[[layers]]\nname = "site"\nsource = "file:site.yaml"\noptional = true\n\n'
            '[overrides]\nstore = "file:overrides.yaml"\n\n'
            '[modules]\nleaky = "leaky:Leaky"\nplain = "leaky:Plain"\n'
        )
        self.write()

    def write(self):
        """Write both layers, with `port` and what is `broken`."""
        c, files = self.canaries, self.files
        login = {
            "token": f"${{file:{files}/s10}}",
            "hosts": [f"${{file:{files}/s11}}", "${V0_PASSWORD}"],
            "code": "${V1_PASSWORD}",
            "port": self.port,
        }
        free = {
            "url": f"https://ada:${{file:{files}/s12}}@host/${{V2_PASSWORD}}",
            "password": c[20],  # by the pattern of its key
            "nested": {"api_key": c[21], "tokens": [c[22], c[23]]},
            "default": "${NOT_SET_PASSWORD:-" + c[24] + "}",
        }
        for n in range(3, 10):
            free[f"var{n}"] = f"${{V{n}_PASSWORD}}"
        for n in range(13, 20):
            free[f"file{n}"] = f"${{file:{files}/s{n}}}"
        for n in range(25, 45):
            free[f"k{n}"] = {"client_secret": c[n]}
        if self.broken == "start":
            free["fail"] = True
        if self.broken == "type":
            login["hosts"] = f"${{file:{files}/s11}}"
            login["port"] = "${V1_PASSWORD}"
        if self.broken == "reference":
            free["gone"] = f"${{file:{files}/none}} {c[45]}"
        modules = {
            "db": {"type": "leaky", "config": login},
            "web": {"type": "plain", "config": free},
        }
        section = {"signing": {"private_key": c[46]}, "password": c[47]}
        base = {"modules": modules, "vault": section}
        self._put("base.yaml", base)
        site = {"modules": {"web": {"config": {"password": c[48]}}}}
        self._put("site.yaml", {**site, "vault": {"passwd": c[49]}})

    def _put(self, name, raw):
        text = json.dumps(raw)  # JSON is YAML
        if self.broken == "flow":
            text = f"vault: {{port: ${{P}}, password: {self.canaries[46]}}}\n"
        if self.broken == "block":
            text = f"vault:\n  api_key: |\n  {self.canaries[46]}\n   x: [\n"
        if self.broken == "quotes":
            text = f'{{"password": "{self.canaries[46]}" {self.canaries[47]}, "a": 1}}'
        path = self.folder / f"{name}.new"
        path.write_text(text)
        path.rename(self.folder / name)

    def midflight(self, *words):
        """Run a command; what it prints is kept, whatever it is."""
        done = subprocess.run(
            [sys.executable, "-m", "midflight", *words],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.told.append(f"$ {' '.join(words)}\n{done.stdout}{done.stderr}")
        return done

    @contextlib.contextmanager
    def running(self, *words):
        """Run the service at the level DEBUG for as long as the context lasts."""
        args = ["run", "--watch", "--log-level", "debug", *words]
        process = subprocess.Popen(
            [sys.executable, "-m", "midflight", *args, "--state-dir", str(self.state)],
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        reader = threading.Thread(target=self._read, args=(process,), daemon=True)
        reader.start()
        try:
            self.until("ready", process)
            self.told.append(Path(f"/proc/{process.pid}/cmdline").read_text())
            yield process
        finally:
            process.terminate()
            process.wait(30)
            reader.join(10)
            assert process.stdout
            process.stdout.close()

    def _read(self, process):
        for line in process.stdout:
            self.lines.append(line)

    def until(self, words, process, seen=0):
        """Wait for a line after the first `seen` ones; return how many there are."""
        due = time.monotonic() + PATIENCE
        while not re.search(words, "".join(self.lines[seen:])):
            assert process.poll() is None, self.safe()
            assert time.monotonic() < due, f"no {words!r} in:\n{self.safe()}"
            time.sleep(0.01)
        return len(self.lines)

    def safe(self):
        """Return what was logged, fit to be shown by a test that fails."""
        text = "".join(self.lines[-40:])
        for n, canary in enumerate(self.canaries):
            text = text.replace(canary, f"<canary {n}>")
        return text


@pytest.fixture
def mine(tmp_path_factory, canaries):
    """Return a folder full of canaries; not `tmp_path`, where none may be."""
    return Mine(tmp_path_factory.mktemp("mine"), canaries)


def where_they_sing(mine, texts):
    """Return each canary that stands in one of the texts, with where."""
    return [
        (n, where)
        for where, text in texts
        for n, canary in enumerate(mine.canaries)
        if canary in text or canary[:12] in text
    ]


def kept(folder):
    """Return every file below a folder, as text that loses no byte."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [(path.name, path.read_bytes().decode("latin-1")) for path in files]


@pytest.mark.timeout(240)
def test_a_service_full_of_secrets_shows_none(mine):
    """Logs, answers, errors, diffs, journal and state hold none of fifty secrets."""
    with mine.running() as service:
        seen = mine.until("generation 1 applied", service)
        for change in ({"port": 1}, {"port": 2}, {"port": 3}):
            mine.port = change["port"]
            mine.write()
            seen = mine.until(r"rejected|rolled_back|rolled back|failed", service, seen)
        for broken in ("type", "reference", "flow", "block", "quotes", "start"):
            mine.port, mine.broken = 0, broken
            mine.write()
            seen = mine.until(r"rejected|rolled_back|rolled back|failed", service, seen)
            mine.midflight("check")
            mine.midflight("check", "--format", "json")
            mine.midflight("status", "--state-dir", str(mine.state))
        mine.port, mine.broken = 7, ""
        mine.write()
        seen = mine.until(r"generation 2 applied", service, seen)
        (mine.files / "s10").write_text(mine.canaries[45])
        seen = mine.until(r"generation 3 applied", service, seen)
        state = ("--state-dir", str(mine.state))
        for form in ("text", "json"):
            mine.midflight("status", *state, "--format", form)
            mine.midflight("explain", "--all", "--running", *state, "--format", form)
            mine.midflight("explain", "--all", "--format", form)
            mine.midflight("settings", "--format", form)
            mine.midflight("journal", *state, "--format", form)
            mine.midflight("override", "list", "--format", form)
        mine.midflight("override", "set", "modules.db.config.port", "8", *state)
        mine.until(r"generation 4 applied", service, seen)
        for n in range(1, 12):
            mine.midflight("journal", "show", str(n), *state)
        assert "sound" in mine.midflight("journal", "verify", *state).stdout
    mine.midflight("diff", "base.yaml", "site.yaml")
    mine.midflight("plan", "base.yaml", "site.yaml")

    texts = [("the log", "".join(mine.lines)), *kept(mine.state)]
    texts += [(told.splitlines()[0], told) for told in mine.told]
    assert where_they_sing(mine, texts) == []
    assert any("********" in told for told in mine.told)


def test_the_mine_is_full(mine):
    """The search can fail: the configuration itself holds what it looks for."""
    texts = kept(mine.folder)
    found = {n for n, _ in where_they_sing(mine, texts)}

    assert found >= {*range(10, 45), 46, 47, 48, 49}
