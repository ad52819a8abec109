"""Runs the installed command line: `python -m midflight`."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points


def main() -> None:
    """Call the console script `midflight`, whichever distribution provides it."""
    for script in entry_points(group="console_scripts", name="midflight"):
        sys.exit(script.load()())
    sys.exit("no command line is installed; reinstall midflight")


if __name__ == "__main__":
    main()
