"""How long a change of one value by HTTP takes: from the request to the answer.

Midflight's admin API beside Caddy's, on configurations of the same number of entries,
each in a process of its own, over one kept connection; ways take turns. Then `/livez`
of a Midflight that holds many idle connections.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import common
from servers import PATIENCE, Caddy, Process

HERE = pathlib.Path(__file__).parent
IDLE = 1_000  # connections
NEEDS = ("h11", "Jinja2", "msgspec", "prometheus-client", "starlette", "uvicorn")
WARM = 5  # changes of each turn before the first that counts
UNBOUND = """\
  - name: admin
    config:
      requests_per_second: 1000000
      connections: 2000
      token_file: tokens.json
"""
MIDFLIGHT = [sys.executable, "-m", "midflight"]


class Midflight(Process):
    """Midflight with a state directory: overrides in a file, and the journal."""

    more = ("--state-dir", "state")

    def command(self) -> list[str]:
        """Return what starts it."""
        text = common.Text(self.count).with_rate(0) + UNBOUND
        (self.folder / "app.yaml").write_text(text, "utf-8")
        command = [*MIDFLIGHT, "token", "create", "bench", "--scope", "admin"]
        made = subprocess.run(
            [*command, "--tokens", "tokens.json"],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        [token] = re.findall(r"mf_\S+", made.stdout)
        self.headers |= {"Authorization": f"Bearer {token}", "If-Match": "*"}
        self.path = f"/api/v1/modules/module-{self.row}/config"
        given = ["--admin", f"127.0.0.1:{self.port}", "--no-watch", *self.more]
        given += ["--module", "limiter=limiter:Limiter", "--deadline", str(PATIENCE)]
        return [*MIDFLIGHT, "run", "app.yaml", *given]

    def environment(self) -> dict:
        """Let it find the module type."""
        found = super().environment()
        where = [str(HERE), *filter(None, [found.get("PYTHONPATH")])]
        return found | {"PYTHONPATH": os.pathsep.join(where)}

    def _wait(self) -> None:
        super()._wait()
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with contextlib.closing(self.connected()) as connection:
                connection.request("GET", "/readyz", headers=self.headers)
                if connection.getresponse().status == http.HTTPStatus.OK:
                    return
            time.sleep(0.05)

    def body(self, value: int) -> dict:
        """Return the one value."""
        return {"rate": value}


class Synced(Midflight):
    """Midflight that keeps the overrides in a file, and no journal."""

    more = ("--no-state", "--set", "overrides.store=file:overrides.json")


class InMemory(Midflight):
    """Midflight that keeps nothing: overrides in memory, no journal."""

    more = ("--no-state", "--set", "overrides.store=memory:")


class Whole(InMemory):
    """The same; the module's whole configuration is put."""

    method = "PUT"

    def body(self, value: int) -> dict:
        """Return the configuration of the module with another rate."""
        at = self.row
        return {
            "rate": value,
            "burst": at,
            "host": f"node-{at}.example.org",
            "port": 8080,
            "ratio": 0.75,
            "enabled": True,
            "mode": "fast",
            "path": f"/var/lib/service/{at}",
        }


class SyncedWhole(Synced):
    """Midflight that keeps the overrides in a file; the whole configuration is put."""

    method, body = Whole.method, Whole.body


WAYS = {
    "midflight, synced to disk": Synced,
    "midflight, synced to disk, PUT of all 8 values": SyncedWhole,
    "midflight, synced to disk, with a journal": Midflight,
    "midflight, nothing kept": InMemory,
    "midflight, nothing kept, PUT of all 8 values": Whole,
    "caddy, kept but not synced": Caddy,
}


SYNCED = "floor: one small file synced and renamed, no server"


def synced(folder: pathlib.Path) -> float:
    """Return the milliseconds that a small file takes to outlive a loss of power."""
    began = time.perf_counter()
    new, file = folder / "new", folder / "file"
    with new.open("wb") as opened:
        opened.write(b"x" * 500)
        opened.flush()
        os.fsync(opened.fileno())
    new.replace(file)
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    return (time.perf_counter() - began) * 1e3


def measure(count: int, repeats: int, rounds: int) -> list[dict]:
    """Return a row for each way, with its ratio to Caddy, and one for the disk."""
    ways = {
        name: kind
        for name, kind in WAYS.items()
        if kind is not Caddy or shutil.which("caddy")
    }
    found: dict[str, list[float]] = {name: [] for name in (*ways, SYNCED)}
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        servers = {
            name: stack.enter_context(kind(pathlib.Path(folder) / kind.__name__, count))
            for name, kind in ways.items()
        }
        value = 0
        for _ in range(rounds):
            for name, server in servers.items():
                server.connect()
                for at in range(repeats // rounds + WARM):
                    value += 1
                    took = server.change(value)
                    if at >= WARM:
                        found[name].append(took)
            for _ in range(repeats // rounds):
                found[SYNCED].append(synced(pathlib.Path(folder)))
    rows = [
        {"entries": count, "way": name} | common.summary(each)
        for name, each in found.items()
    ]
    peers = [each for name, each in found.items() if ways.get(name) is Caddy]
    if peers:
        peer = common.summary(peers[0])["p50"]
        rows = [
            row | ({} if row["way"] == SYNCED else {"x caddy": row["p50"] / peer})
            for row in rows
        ]
    return rows


def livez(repeats: int) -> list[dict]:
    """Return how long `/livez` takes, alone and beside many idle connections."""
    rows = []
    with (
        tempfile.TemporaryDirectory() as folder,
        Midflight(pathlib.Path(folder) / "midflight", 10) as server,
    ):
        for idle in (0, IDLE):
            held = [server.connected() for _ in range(idle)]
            server.connect()
            samples = [asked(server) for _ in range(repeats)]
            rows.append({"idle connections": idle} | common.summary(samples))
            for each in held:
                each.close()
    return rows


def asked(server: Process) -> float:
    """Return the milliseconds of one `/livez`."""
    began = time.perf_counter()
    server.connection.request("GET", "/livez")
    answer = server.connection.getresponse()
    answer.read()
    if answer.status != http.HTTPStatus.OK:
        raise RuntimeError(str(answer.status))
    return (time.perf_counter() - began) * 1e3


def main() -> None:
    """Measure every size."""
    sizes = {"nargs": "+", "type": int, "default": None}
    options = common.arguments("One value changed by HTTP.", sizes=sizes)
    extra = "the admin API", "'midflight[admin]'"
    if not all(common.there(each, *extra) for each in NEEDS):
        return
    repeats, rounds = (45 if options.quick else 300), 3
    usual = [10, 1_000] if options.quick else [10, 1_000, 10_000]
    rows = [row for n in options.sizes or usual for row in measure(n, repeats, rounds)]
    common.report("PATCH of one value, until the answer, ms", rows, options.json)
    if not shutil.which("caddy"):
        print("caddy is not installed: nothing to compare with")
    common.report("/livez, ms", livez(repeats * 5), options.json)


if __name__ == "__main__":
    main()
