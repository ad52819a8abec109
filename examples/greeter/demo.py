"""Run the greeter, edit its file, break it, put it right: `python demo.py`.

Everything happens in a copy in a temporary folder, on free ports of its own. The file
it starts with is its own too, whatever became of the one beside it.
"""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

HERE = Path(__file__).parent
SCRIPT = Path(sys.executable).with_name("midflight")
COMMAND = "midflight run app.yaml --watch --module greeter=greeter:Greeter"
PATIENCE = 20.0  # s, before the demo gives up on a line that does not come
TEXT = """\
# Edit this file while the service runs, and save it.
modules:
  - name: english
    type: greeter
    config:
      port: 8801
      greeting: hello
      rate: 10 # answers per second

  - name: french
    type: greeter
    config:
      port: 8802
      greeting: bonjour
"""


class Demo:
    """Shows commands and what they print, line by line, through `show`."""

    def __init__(self, folder: Path, show: Callable[[str], None]) -> None:
        self.folder, self.show = folder, show
        self._lines: queue.Queue[str] = queue.Queue()

    @contextlib.contextmanager
    def service(self) -> Iterator[None]:
        """Run the service; at the end, ask it to stop and wait until it has."""
        self.show(f"$ {COMMAND}")
        _, *arguments = COMMAND.split()
        process = subprocess.Popen(
            [SCRIPT, *arguments],
            cwd=self.folder,
            env={**os.environ, "MIDFLIGHT_STATE_DIR": "state"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        follower = threading.Thread(target=self._follow, args=[process.stdout])
        follower.start()
        try:
            yield
        finally:
            process.terminate()
            process.wait(PATIENCE)
            follower.join()

    def _follow(self, output: TextIO) -> None:
        with output:
            for line in output:
                self._lines.put(line.rstrip())
        self._lines.put("(the service has ended)")

    def until(self, text: str, more: int = 0) -> None:
        """Show what the service prints, up to a line with `text` and `more` lines."""
        while True:
            try:
                line = self._lines.get(timeout=PATIENCE)
            except queue.Empty:
                sys.exit(f"waited in vain for: {text}")
            self.show(line)
            if text in line:
                break
            if line.startswith("("):
                sys.exit(f"ended before: {text}")
        for _ in range(more):
            self.show(self._lines.get(timeout=PATIENCE))

    def ask(self, port: int, who: str) -> None:
        """Ask a greeter, and show the answer."""
        self.show(f"$ python ask.py {port} {who}")
        command = [sys.executable, "ask.py", str(port), who]
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, check=True
        )
        self.show(done.stdout.rstrip())

    def edit(self, old: str, new: str) -> None:
        """Replace a text in the file, as an editor would."""
        self.show(f"$ sed -i 's/{old}/{new}/' app.yaml")
        file = self.folder / "app.yaml"
        text = file.read_text()
        if old not in text:
            sys.exit(f"app.yaml has no: {old}")
        file.write_text(text.replace(old, new))


def free_ports() -> tuple[int, int]:
    """Return two ports that nobody listens on."""
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
    ):
        return one.getsockname()[1], two.getsockname()[1]


def play(show: Callable[[str], None]) -> None:
    """Play the whole story."""
    if not SCRIPT.exists():
        sys.exit(f"no `midflight` beside {sys.executable}: use the Python it is in")
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copytree(HERE, Path(folder, "greeter"))
        port, other = free_ports()
        text = TEXT.replace("8801", str(port)).replace("8802", str(other))
        (copy / "app.yaml").write_text(text)
        demo = Demo(copy, show)
        with demo.service():
            demo.until("ready")
            demo.ask(port, "Ada")
            demo.edit("hello", "good morning")
            demo.until("generation 2 applied")
            demo.ask(port, "Ada")
            demo.edit("rate: 10", "rate: lots")
            demo.until("rejected", more=1)
            demo.ask(port, "Ada")
            demo.edit("rate: lots", "rate: 10")
            demo.until("healthy again")


if __name__ == "__main__":
    play(print)
