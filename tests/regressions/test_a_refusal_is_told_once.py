"""One unparsable content made up to three equal refusals, one for each look."""

from __future__ import annotations

from pathlib import Path

from midflight import Outcome, Runtime, hookimpl
from midflight.testing import wait_until


class Seen:
    """Keeps every outcome."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.looks = 0

    @hookimpl
    def inputs(self) -> None:
        """Count: it is asked at every look."""
        self.looks += 1

    @hookimpl
    def on_outcome(self, outcome: Outcome) -> None:
        """Keep it."""
        self.outcomes.append(outcome)

    def refusals(self) -> list[str]:
        """Return the reasons of what was refused."""
        return [str(each.reason) for each in self.outcomes if not each.ok]


def test_looks_tell_an_unparsable_file_once(tmp_path: Path) -> None:
    """However often it is looked at, what is wrong is told once, until it differs."""
    file, seen = tmp_path / "app.yaml", Seen()
    file.write_text("a: 1\n")
    with Runtime(f"file:{file}", plugins=[seen], sweep=3600) as runtime:
        for text, told in (("a: [1\n", 1), ("a: [2, 3\nb: 1\n", 2)):
            new = tmp_path / "new.yaml"  # whole at once: a look may still be under way
            new.write_text(text)
            new.replace(file)
            for _ in range(4):  # of which the last shows that the others have ended
                looked = seen.looks
                runtime.hint()
                wait_until(lambda: seen.looks > looked)  # noqa: B023  # called at once
            assert len(seen.refusals()) == told
