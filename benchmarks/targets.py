"""The targets that were set, beside what a run has measured.

Those in ms and ns belong to a machine: they are met as written, or at the pace of this
one as `common.pace` has it in the same run, or missed. Ratios and memory have no pace.
"""

from __future__ import annotations

import attrs
import common
from changes import ALLOWED
from results import Results

NONE = "-"


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
    """

    what: str
    most: float
    part: str
    like: dict
    figure: str = "p50"
    paced: bool = True
    per: dict | None = None

    def measured(self, run: Results) -> float | None:
        """Return the figure of a run, none if it has no such row."""
        found = self._worst(run, self.like)
        if self.per is None or found is None:
            return found
        base = self._worst(run, self.per)
        return found / base if base else None

    def _worst(self, run: Results, like: dict) -> float | None:
        found = [
            row[self.figure]
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


def put(count: int, more: str = "") -> dict:
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


JOURNAL = ", with a journal"
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
    Target("change by HTTP, synced, 10 entries, ms", 2, HTTP, put(10)),
    Target("change by HTTP, synced, 1,000 entries, ms", 3, HTTP, put(1_000)),
    Target("change by HTTP, synced, 10,000 entries, ms", 6, HTTP, put(10_000)),
    Target("the same, with a journal, 10 entries, ms", 2, HTTP, put(10, JOURNAL)),
    Target("the same, with a journal, 1,000, ms", 3, HTTP, put(1_000, JOURNAL)),
    Target("the same, with a journal, 10,000, ms", 6, HTTP, put(10_000, JOURNAL)),
    Target("commit to SQLite, the worst size, ms", 3, DATABASE, commit("SQLite")),
    Target(
        "commit to PostgreSQL, the worst size, ms", 3, DATABASE, commit("PostgreSQL")
    ),
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


def pace(run: Results) -> float | None:
    """Return how many times slower the machine of a run is, as that run measured."""
    found = [
        row["p50"] / ALLOWED
        for row in run.rows(CHANGES)
        if row["way"].startswith("allowed")
    ]
    return found[0] if found else None


def verdict(most: float, allowed: float, measured: float | None) -> str:
    """Say whether a target was met."""
    if measured is None:
        return "not measured"
    if measured <= most:
        return "as written"
    return "at this pace" if measured <= allowed else "missed"


def rows(run: Results) -> list[dict]:
    """Return a row for each target, none at all if a part of them was not run."""
    slower = pace(run)
    if slower is None or not all(map(run.rows, PARTS)):
        return []
    found = [_row("how many times slower this machine is", slower)]
    for target in TARGETS:
        allowed = target.most * (slower if target.paced else 1.0)
        measured = target.measured(run)
        said = verdict(target.most, allowed, measured)
        found.append(_row(target.what, measured, target.most, allowed, said))
    return found


def _row(*values: object) -> dict:
    names = ("target", "measured", "at most", "at this pace", "met")
    given = [NONE if value is None else common.shown(value) for value in values]
    return dict(zip(names, given + [NONE] * (len(names) - len(given)), strict=True))
