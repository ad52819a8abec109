"""Say what moved between two runs, of two commits on one machine.

`python benchmarks/compare.py benchmarks/results/OLD benchmarks/results/NEW`

What stands beside Midflight in a table, floors and peers, tells how much the machine
itself moved; that is taken off. What takes less than a millisecond at a time tells
nothing about it. A row has moved if each of its figures did, and the same way.
"""

from __future__ import annotations

import argparse
import pathlib
import re
import statistics

import common
from results import Results, figures, identity

ENOUGH = 3  # rows of others that a table needs to tell about the machine by itself
LEAST = 1.0  # ms that such a row takes; other units are those of long batches


def changes(old: Results, new: Results) -> list[dict]:
    """Return each row that both runs have, with new : old for each of its figures."""
    before, after, found = by_row(old), by_row(new), []
    for key, (row, now) in after.items():
        then = before[key][1] if key in before else {}
        times = {
            name: now[name] / then[name]
            for name in now
            if then.get(name, 0) > 0 and now[name] > 0
        }
        if times:
            part, title, who, _ = key
            pair = {"old": then, "new": now, "times": times}
            pair |= {"ours": common.is_ours(row)}
            found.append({"part": part, "title": title, "row": who} | pair)
    return found


def by_row(run: Results) -> dict[tuple, tuple[dict, dict[str, float]]]:
    """Return the figures that are compared together, each with their row."""
    return {
        (part, title, identity(row), tuple(each)): (row, each)
        for part, title, rows in run
        for row in rows
        for each in figures(row)
    }


def steady(each: dict) -> bool:
    """Tell whether a row takes long enough to tell about the machine."""
    in_ms = re.search(r"\bms\b", each["title"]) and "p50" in each["old"]
    return not in_ms or min(each["old"]["p50"], each["new"]["p50"]) >= LEAST


def drifts(found: list[dict]) -> dict[str, float]:
    """Return by how much the machine moved, by table, and under "" for the whole."""
    times: dict[str, list[float]] = {}
    for each in found:
        if not each["ours"] and steady(each):
            middle = statistics.geometric_mean(each["times"].values())
            alone = "p50" not in each["times"]  # it is no time
            for name in (each["title"],) if alone else ("", each["title"]):
                times.setdefault(name, []).append(middle)
    whole = statistics.median(times.get("", [1.0]))
    own = {name: statistics.median(all_) for name, all_ in times.items()}
    return {name: own[name] for name in own if len(times[name]) >= ENOUGH} | {"": whole}


def verdict(times: dict[str, float], drift: float, least: float) -> str:
    """Return `more` or `less` if every figure says so, or an empty string."""
    own = [value / drift for value in times.values()]
    if all(value >= least for value in own):
        return "more"
    return "less" if all(value <= 1 / least for value in own) else ""


def moved(old: Results, new: Results, least: float) -> list[dict]:
    """Return a row for each of ours that moved, the greatest first."""
    found = changes(old, new)
    drift, rows = drifts(found), []
    for each in found:
        machine = drift.get(each["title"], drift[""])
        said = verdict(each["times"], machine, least)
        if each["ours"] and said:
            last = list(each["times"])[-1]
            rows.append(
                {
                    "part": each["part"],
                    "what": " · ".join(map(str, each["row"])),
                    "figure": last,
                    "old": each["old"][last],
                    "new": each["new"][last],
                    "new : old": each["times"][last],
                    "the machine": machine,
                    "ours": each["times"][last] / machine,
                    "": said,
                }
            )
    return sorted(rows, key=lambda row: -abs(row["ours"] - 1))


def main() -> None:
    """Compare two runs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", type=pathlib.Path, help="folder or file of a run")
    parser.add_argument("new", type=pathlib.Path, help="the same of a later one")
    parser.add_argument("--least", type=float, default=1.15, help="what counts (1.15)")
    options = parser.parse_args()
    old, new = Results(options.old), Results(options.new)
    for name, run in (("old", old), ("new", new)):
        print(f"{name}: {common.about(run.machine())}")
    rows = moved(old, new, options.least)
    print(common.table(rows) if rows else "nothing of ours moved")
    print(f"\n{len(changes(old, new))} rows compared")


if __name__ == "__main__":
    main()
