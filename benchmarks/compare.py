"""Say what moved between two runs, of two commits on one machine.

`python benchmarks/compare.py benchmarks/results/OLD benchmarks/results/NEW`

What stands beside Midflight in a table, floors and peers, tells how much the machine
itself moved; that is taken off times, not off sizes. What takes less than a millisecond
at a time tells nothing about it. A minimum and its median have moved if both did, and
the same way; for other times of a row, a p99, kB and counts it takes more. Rows of ours
that are gone, were not measured, lost more changes or import more are named, too.

It ends with status 1 if anything of ours got worse by any of this, and with 0 if not.
"""

from __future__ import annotations

import argparse
import pathlib
import re
import statistics
import sys

import common
from results import FIRST_FIGURE, FOUND, PROFILE, Results, figures, identity, read

ENOUGH = 3  # rows of others that a table needs to tell about the machine by itself
LEAST = 1.0  # ms that such a row takes; other units are those of long batches
BESIDE, TAIL = 2.0, 5.0  # what counts of other times of a row; of a p99, kB or a count
SIZE = re.compile(r"\b(MB|kB|wakes|per s)\b")  # the same on a slower machine
WORSE = ("gone", "not measured", "lost", "imports", "more")
PLACE = ("python", "gil", "system", "processor", "cores", "quick")


def by_row(run: Results) -> dict[tuple, dict]:
    """Return the rows that are compared, by part, title and what they are about."""
    return {
        (part, title, identity(row)): row
        for part, title, rows in run
        for row in rows
        if not PROFILE & {*row}
    }


def changes(old: Results, new: Results) -> list[dict]:
    """Return each row that both runs have, with new : old for each of its figures."""
    before, found = by_row(old), []
    for key, row in by_row(new).items():
        then = before.get(key, {})
        if not then.get(FIRST_FIGURE, 1):
            continue
        for now in figures(row):
            was = {name: known(then.get(name)) for name in now}
            times = {
                name: now[name] / was[name] for name in now if was[name] > 0 < now[name]
            }
            if times:
                pair = {"key": key, "old": was, "new": row, "times": times}
                found.append(pair | {"ours": common.is_ours(row)})
    return found


def known(value: object) -> float:
    """Return a figure, of `< 30` the most that it can have been, or 0."""
    if isinstance(value, str) and value.startswith("< "):
        return float(value.removeprefix("< "))
    return value if isinstance(value, float) else 0.0


def steady(each: dict) -> bool:
    """Tell whether a figure is a time, long enough to tell about the machine."""
    if "p50" not in each["new"]:
        return not SIZE.search(next(iter(each["times"])))
    if "p50" not in each["times"]:
        return False
    in_ms = re.search(r"\bms\b", each["key"][1])
    return not in_ms or min(each["old"]["p50"], each["new"]["p50"]) >= LEAST


def drifts(found: list[dict]) -> dict[str, float]:
    """Return by how much the machine moved, by table, and under "" for the whole."""
    times: dict[str, list[float]] = {}
    for each in found:
        if not each["ours"] and steady(each):
            middle = statistics.geometric_mean(each["times"].values())
            alone = "p50" not in each["times"]  # it is of no single call
            title = each["key"][1]
            for name in (title,) if alone else ("", title):
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


def bound(each: dict, least: float) -> float:
    """Return from what ratio on a figure has moved; chance moves a lone one further."""
    *_, last = names = [*each["times"]]
    if len(names) > 1 or last.endswith("MB"):
        return least
    return max(least, TAIL if last == "p99" or SIZE.search(last) else BESIDE)


def moved(old: Results, new: Results, least: float) -> list[dict]:
    """Return a row for each figure of ours that moved, the greatest first."""
    found = changes(old, new)
    drift, rows = drifts(found), []
    for each in found:
        *_, last = each["times"]
        machine = drift.get(each["key"][1], drift[""])
        if SIZE.search(last):
            machine = 1.0
        said = verdict(each["times"], machine, bound(each, least))
        if each["ours"] and said:
            figures = {"figure": last, "old": each["old"][last]}
            figures |= {"new": each["new"][last], "new : old": each["times"][last]}
            own = {"the machine": machine, "ours": each["times"][last] / machine}
            rows.append(named(each["key"], said) | figures | own)
    return sorted(rows, key=lambda row: -abs(row["ours"] - 1))


def named(key: tuple, said: str) -> dict:
    """Return the columns that each row of the answer has."""
    part, title, who = key
    return {"": said, "part": part, "what": " · ".join(map(str, who)) or title}


def failed(old: Results, new: Results) -> list[dict]:
    """Return a row for each of ours that is gone, new, not measured, or lost more.

    A benchmark that only one of both ran is not looked at.
    """
    before, after, rows = by_row(old), by_row(new), []
    for key in [*before, *(key for key in after if key not in before)]:
        part, *_ = key
        then, now = before.get(key), after.get(key)
        if common.is_ours(now or then) and part in old.parts and part in new.parts:
            rows += [named(key, said) | more for said, more in told(then, now)]
    return rows


def told(then: dict | None, now: dict | None):
    """Yield what is to be said of a row besides its figures."""
    if now is None:
        yield "gone", {}
    elif then is None:
        yield "new", {}
    else:
        if then.get(FIRST_FIGURE, 1) and not now.get(FIRST_FIGURE, 1):
            yield "not measured", {}
        old, new = then.get("lost", 0), now.get("lost", 0)
        if new > old:
            yield "lost", {"figure": "lost", "old": old, "new": new}
        for name in FOUND & {*then} & {*now}:
            if {*now[name].split()} - {*then[name].split(), "none"}:
                both = {"old": then[name], "new": now[name]}
                yield "imports", {"figure": name} | both


def differences(old: Results, new: Results) -> list[str]:
    """Return in what the runs differ, so that their commits alone explain nothing."""
    found = []
    for part in old.parts:
        if part in new.parts:
            then, now = old.machine(part), new.machine(part)
            pairs = [
                (name, then[name], now[name])
                for name in PLACE
                if name in then and name in now
            ]
            pairs += [
                (name, then["versions"].get(name), now["versions"].get(name))
                for name in {**then["versions"], **now["versions"]}
                if name != "midflight"
            ]
            found += [f"{name}: {a}, then {b}" for name, a, b in pairs if a != b]
    return [*dict.fromkeys(found)]


def main() -> int:
    """Compare two runs."""
    about, *_, status = __doc__.strip().split("\n\n")
    parser = argparse.ArgumentParser(description=about, epilog=status)
    parser.add_argument("old", type=pathlib.Path, help="folder or file of a run")
    parser.add_argument("new", type=pathlib.Path, help="the same of a later one")
    parser.add_argument("--least", type=float, default=1.15, help="what counts (1.15)")
    options = parser.parse_args()
    old, new = read(parser, options.old), read(parser, options.new)
    alone = {*old.parts} ^ {*new.parts}
    if alone == {*old.parts} | {*new.parts}:
        parser.error("no benchmark is in both runs")
    for name, run in (("old", old), ("new", new)):
        print(f"{name}: {common.about(run.machine())}")
    for each in differences(old, new):
        print(f"warning: the runs differ in more than their commits: {each}")
    if alone:
        print(f"warning: in one of the runs alone: {', '.join(sorted(alone))}")
    rows = failed(old, new) + moved(old, new, options.least)
    print(common.table(rows) if rows else "nothing of ours moved")
    print(f"\n{len(changes(old, new))} figures compared")
    return int(any(row[""] in WORSE for row in rows))


if __name__ == "__main__":
    sys.exit(main())
