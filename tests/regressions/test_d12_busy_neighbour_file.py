"""D12: any event in the directory restarted the debounce, so a log file starved it."""

from __future__ import annotations

import threading
from pathlib import Path

from midflight_plugins.file import FileSource


def test_a_busy_log_file_beside_it_changes_nothing(tmp_path: Path) -> None:
    """A neighbour's events give no hint, and do not hold back the file's own."""
    path = tmp_path / "app.yaml"
    path.write_text("a: 1\n")
    hints: list[int] = []
    arrived = threading.Event()

    def notify() -> None:
        hints.append(1)
        arrived.set()

    with FileSource(path).watch(notify):
        for at in range(300):
            (tmp_path / "service.log").write_text(f"line {at}\n")
        path.write_text("a: 2\n")
        assert arrived.wait(5)
        for at in range(300):
            (tmp_path / "service.log").write_text(f"line {at}\n")
        arrived.clear()
        path.write_text("a: 3\n")
        assert arrived.wait(5)

    assert len(hints) == 2
