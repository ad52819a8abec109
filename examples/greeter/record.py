"""Draw what `demo.py` shows as the picture in README: `python record.py`.

Needs rich: `pip install rich`.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from demo import play
from rich.console import Console
from rich.text import Text

PICTURE = Path(__file__).parents[2] / "docs/_static/edit.svg"
WIDTH = 116
STYLES = {
    r"^\$ .*": "bold white",
    r"^\d\d:\d\d:\d\d": "bright_black",
    r"ERROR|rejected, invalid": "bold red",
    r"generation \d+ applied|healthy again": "green",
    r"app\.yaml:\d+:\d+|E_[A-Z]+": "yellow",
}


def line(text: str) -> Text:
    """Colour one line of the recording."""
    styled = Text(text)
    for pattern, style in STYLES.items():
        for found in re.finditer(pattern, text):
            styled.stylize(style, *found.span())
    return styled


def record() -> str:
    """Play the demo and return the picture."""
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=WIDTH, file=nowhere, force_terminal=True)
        play(lambda text: console.print(line(text), soft_wrap=False))
    picture = console.export_svg(title="midflight", unique_id="midflight")
    return re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)  # no fetching


if __name__ == "__main__":
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.write_text(record())
    print(PICTURE)
