"""Let two processes follow one document in a database: `python demo.py [URI]`.

Without a URI it is an SQLite file in a temporary folder, where all of it happens.

On PostgreSQL and MariaDB the tables come first; the password stays out of the URI:

    export URL=postgresql://me:secret@localhost/config
    midflight db upgrade 'database:${URL}'
    python demo.py 'database:${URL}'
"""

from __future__ import annotations

import contextlib
import os
import queue
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

HERE = Path(__file__).parent
SCRIPT = Path(sys.executable).with_name("midflight")
PATIENCE = 30.0  # s, before the demo gives up on a line that does not come


class Follower:
    """A process that runs the document of a database.

    Args:
        name: stands before each line that it prints.
        folder: where it runs.
        uri: the source it follows.
    """

    def __init__(self, name: str, folder: Path, uri: str) -> None:
        self.name = name
        self._lines: queue.Queue[str] = queue.Queue()
        options = ["--watch", "--wait", "60", "--module", "limiter=limiter:Limiter"]
        self._process = subprocess.Popen(
            [SCRIPT, "run", uri, *options],
            cwd=folder,
            env={**os.environ, "MIDFLIGHT_STATE_DIR": f"state-{name}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as output:
            for line in output:
                self._lines.put(line.rstrip())

    def until(self, text: str) -> str:
        """Return the first line that holds a text; the lines before it are dropped."""
        while True:
            try:
                line = self._lines.get(timeout=PATIENCE)
            except queue.Empty:
                sys.exit(f"{self.name}: waited in vain for: {text}")
            if text in line:
                return f"{self.name}: {line}"

    def stop(self) -> None:
        """Ask the process to stop, and wait until it has."""
        self._process.terminate()
        self._process.wait(PATIENCE)
        self._reader.join()


@contextlib.contextmanager
def following(folder: Path, uri: str) -> Iterator[list[Follower]]:
    """Run two followers; at the end, stop them."""
    followers = [Follower(name, folder, uri) for name in ("one", "two")]
    try:
        yield followers
    finally:
        for each in followers:
            each.stop()


def play(show: Callable[[str], None], uri: str) -> None:
    """Play the whole story."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = shutil.copytree(HERE, Path(temporary, "database"))

        def midflight(*words: str) -> None:
            show(f"$ midflight {shlex.join(words)}")
            done = subprocess.run(
                [SCRIPT, *words],
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
            )
            show(done.stdout.rstrip())
            if done.returncode:
                sys.exit(f"{done.stderr.rstrip()}\nexit status {done.returncode}")

        def edit(old: str, new: str) -> None:
            file = folder / "limits.yaml"
            file.write_text(file.read_text().replace(old, new))
            show(f"$ sed -i 's/{old}/{new}/' limits.yaml")

        def told(text: str) -> None:
            for each in followers:
                show(each.until(text))

        with following(folder, uri) as followers:
            midflight("put", uri, "limits.yaml", "-m", "the first limits")
            told("allows 10 ")
            edit("rate: 10", "rate: 25")
            midflight("put", uri, "limits.yaml", "-m", "more for the sale")
            told("allows 25 ")
            midflight("rollback", uri, "1", "-m", "the sale is over")
            told("allows 10 ")
            midflight("history", uri)


if __name__ == "__main__":
    if not SCRIPT.exists():
        sys.exit(f"no `midflight` beside {sys.executable}: use the Python it is in")
    play(print, *(sys.argv[1:] or ["database:sqlite:///config.db"]))
