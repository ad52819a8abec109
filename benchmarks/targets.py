"""The targets that were set, beside what a run has measured.

Those in ms and ns belong to a machine: they are met as written, or at the pace of this
one as `common.pace` has it before each script of the run, or missed. Where the lowest
and the highest of these paces say different things, it is undecided. Ratios and memory
have no pace.
"""

from __future__ import annotations

import statistics

import attrs
import common
from changes import ALLOWED
from results import Results

NONE = "-"
STORES = 2.0  # ms that a source may take above 1.5 x its client's bare watch


@attrs.frozen
class Target:
    """What was set for one figure.

    Args:
        what: the figure, with its unit.
        most: what it may be.
        part: the benchmark that measures it.
        like: what the columns of its rows hold; of several rows the worst counts.
        figure: the name of its column.
        paced: whether it belongs to the machine that it was set on.
        per: what the columns of the row hold that it is divided by.
        over: the name of the column of the same row that it is divided by.
    """

    what: str
    most: float
    part: str
    like: dict
    figure: str = "p50"
    paced: bool = True
    per: dict | None = None
    over: str = ""

    def measured(self, run: Results) -> float | None:
        """Return the figure of a run, none if it has no such row."""
        found = self._worst(run, self.like)
        if self.per is None or found is None:
            return found
        base = self._worst(run, self.per)
        return found / base if base else None

    def _worst(self, run: Results, like: dict) -> float | None:
        found = [
            row[self.figure] / (row[self.over] if self.over else 1)
            for name, _, rows in run
            for row in rows
            if name == self.part
            and row.get(self.figure) is not None
            and all(row.get(key) == value for key, value in like.items())
        ]
        return max(found, default=None)


def ratio(*given, **more) -> Target:
    """Return a target that is the same on every machine."""
    return Target(*given, paced=False, **more)


def edit(count: int) -> dict:
    """Return what tells the row on an edit by a rename."""
    return {"writer": "rename", "modules": count} | EDITED


def changed(count: int, more: str = "") -> dict:
    """Return what tells the row on a durable change by HTTP."""
    return {"entries": count, "way": f"midflight, synced to disk{more}"}


def started(program: str) -> dict:
    """Return what tells the row on a fresh process."""
    return {"program": program}


def commit(database: str) -> dict:
    """Return what tells the rows on a commit."""
    return {"database": database, "way": "midflight, the module"}


def all_of(way: str) -> dict:
    """Return what tells the row on 10,000 changed modules."""
    return {"changed": 10_000, "way": f"midflight: {way}"}


JOURNAL, PUT = ", with a journal", ", PUT of all 8 values"
EDITED = {"way": "midflight, the module reconfigured"}
READ = {"read": "midflight: settings.current.rate.burst"}
STORM = {"read": f"{READ['read']}, one reload after the other"}
KEPT = {"modules": 10_000, "what": "midflight, a runtime whose modules are running"}
RUN = "midflight run --watch, to its first `start`"
PARTS = ("edit_to_module", "changes", "reads", "memory", "start", "database", "admin")
FILE, CHANGES, READS, MEMORY, START, DATABASE, HTTP = PARTS
TARGETS = (
    Target("edit of a file, 10 modules, ms", 2, FILE, edit(10)),
    Target("edit of a file, 1,000 modules, ms", 3, FILE, edit(1_000)),
    Target("edit of a file, 10,000 modules, ms", 5, FILE, edit(10_000)),
    ratio("the same, 10,000 modules : 10", 4, FILE, edit(10_000), per=edit(10)),
    ratio(
        "the same, p99 : p50, the worst size",
        3,
        FILE,
        {"writer": "rename"} | EDITED,
        "p99",
        over="p50",
    ),
    ratio(
        "the same, 10 modules : floor + item, the worst writer",
        2,
        FILE,
        EDITED | {"modules": 10},
        "x floor + item",
    ),
    ratio(
        "the same with the extra fast",
        2,
        FILE,
        {"way": "midflight with the extra fast", "modules": 10},
        "x floor + item",
    ),
    Target(
        "10,000 of 10,000, reconfigure, ms", ALLOWED, CHANGES, all_of("reconfigure")
    ),
    Target(
        "10,000 of 10,000, prepare, reconfigure, probe, ms",
        ALLOWED,
        CHANGES,
        all_of("prepare, reconfigure, probe"),
    ),
    Target("PATCH of one value, synced, 10 entries, ms", 2, HTTP, changed(10)),
    Target("PATCH of one value, synced, 1,000 entries, ms", 3, HTTP, changed(1_000)),
    Target("PATCH of one value, synced, 10,000 entries, ms", 6, HTTP, changed(10_000)),
    Target("the same, with a journal, 10 entries, ms", 2, HTTP, changed(10, JOURNAL)),
    Target("the same, with a journal, 1,000, ms", 3, HTTP, changed(1_000, JOURNAL)),
    Target("the same, with a journal, 10,000, ms", 6, HTTP, changed(10_000, JOURNAL)),
    Target("PUT of all 8 values, synced, 10 entries, ms", 2, HTTP, changed(10, PUT)),
    Target("the same, 1,000 entries, ms", 3, HTTP, changed(1_000, PUT)),
    Target("the same, 10,000 entries, ms", 6, HTTP, changed(10_000, PUT)),
    Target("commit to SQLite, the worst size, ms", 3, DATABASE, commit("SQLite")),
    Target(
        "commit to PostgreSQL, the worst size, ms", 3, DATABASE, commit("PostgreSQL")
    ),
    Target("the same, p99, ms", 25, DATABASE, commit("PostgreSQL"), "p99"),
    Target(
        "commit, the last of 32 processes, p99, ms",
        250,
        DATABASE,
        {"processes": 32, "until": "the last"},
        "p99",
    ),
    Target("read of a value, ns", 40, READS, READ),
    Target(
        "read of a value in a storm of reloads, p99, ns", 1_000, READS, STORM, "p99"
    ),
    ratio("memory of 10,000 modules, x plain", 2.5, MEMORY, KEPT, "x plain"),
    ratio(
        "left behind by 1,000 reloads, kB",
        1_024,
        MEMORY,
        {"reloads": "1000"},
        "left behind, kB",
    ),
    Target(
        "import midflight, above bare Python, ms",
        45,
        START,
        started("import midflight"),
        "min above bare python",
    ),
    Target("midflight --help, ms", 150, START, started("midflight --help")),
    Target("midflight run, to its first start, ms", 400, START, started(RUN)),
)


def paces(run: Results) -> tuple[float, float, float] | None:
    """Return how many times slower the machine of a run is: median, least and most."""
    parts = {name for name, _, _ in run}
    found = [run.machine(name).get("pace") for name in sorted(parts)]
    if None in found:  # the run is of a time when it was measured otherwise
        return None
    return statistics.median(found), min(found), max(found)


def verdict(most: float, least: float, allowed: float, measured: float | None) -> str:
    """Say whether a target was met.

    Args:
        most: the target as it is written.
        least: what the lowest pace allows.
        allowed: what the highest pace allows.
        measured: the figure of the run.
    """
    if measured is None:
        return "not measured"
    if measured <= most:
        return "as written"
    if measured <= least:
        return "at this pace"
    return "undecided" if measured <= allowed else "missed"


def rows(run: Results) -> list[dict]:
    """Return a row for each target, none at all if a part of them was not run."""
    slower = paces(run)
    if slower is None or not all(map(run.rows, PARTS)):
        return []
    found = [_row("how many times slower this machine is", spread(slower))]
    for target in TARGETS:
        times = slower if target.paced else (1.0, 1.0, 1.0)
        at_pace = tuple(target.most * each for each in times)
        measured = target.measured(run)
        said = verdict(target.most, *at_pace[1:], measured)
        shown = spread(at_pace) if target.paced else at_pace[0]
        found.append(_row(target.what, measured, target.most, shown, said))
    return found


def spread(each: tuple[float, float, float]) -> str:
    """Return a median with the least and the most."""
    middle, least, most = map(common.shown, each)
    return f"{middle} ({least} to {most})"


def _row(*values: object) -> dict:
    names = ("target", "measured", "at most", "at this pace", "met")
    given = [NONE if value is None else common.shown(value) for value in values]
    return dict(zip(names, given + [NONE] * (len(names) - len(given)), strict=True))
