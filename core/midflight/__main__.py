"""Runs the installed command line: `python -m midflight`."""

from __future__ import annotations

import sys
from importlib.metadata import distributions


def main() -> None:
    """Call the console script `midflight` of the distribution of that name.

    No other is looked at: what one declares, or has spoilt, changes nothing here.
    """
    for script in (
        point
        for each in distributions(name="midflight")
        for point in each.entry_points.select(group="console_scripts", name="midflight")
    ):
        sys.exit(script.load()())
    sys.exit("no command line is installed; reinstall midflight")


if __name__ == "__main__":
    main()
