"""How long this machine takes to read a byte of YAML, in pure Python.

A process of its own, so that what a benchmark has imported or holds plays no part.
"""

from __future__ import annotations

import gc
import statistics
import time

import common

COUNT = 200  # modules: what is read in less than a second, and takes as long a byte


def main() -> None:
    """Print the median of three reads, in seconds a byte."""
    from ruamel.yaml import YAML

    text, found = common.Text(COUNT).with_rate(10), []
    for _ in range(3):
        gc.collect()
        began = time.perf_counter()
        YAML(typ="safe", pure=True).load(text)
        found.append((time.perf_counter() - began) / len(text))
    print(statistics.median(found))


if __name__ == "__main__":
    main()
