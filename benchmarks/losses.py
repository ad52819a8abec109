"""Where something else is quicker or smaller, by how much: a row for each in a run.

What is beside us often does less; the page says what. A row is left out where the run
shows no loss, or lacks one of its two figures, so that the table cannot say what the
others of the page do not.
"""

from __future__ import annotations

import attrs
import common
from results import Results


@attrs.frozen
class Loss:
    """Two figures of one run, of which ours may be the larger.

    Args:
        what: the work.
        part: the benchmark that measures it.
        ours: what the columns of our row hold.
        other: what those of the other hold.
        sizes: the values of the column `size`, one row of the table for each.
        size: that column's name.
        figure: the name of the column to compare.
    """

    what: str
    part: str
    ours: dict
    other: dict
    sizes: tuple = (None,)
    size: str = "modules"
    figure: str = "p50"

    def rows(self, run: Results) -> list[dict]:
        """Return a row for each size at which the other is ahead."""
        found = []
        for size in self.sizes:
            like = {} if size is None else {self.size: size}
            ours = self._figure(run, self.ours | like)
            other = self._figure(run, self.other | like)
            if ours and other and ours > other:
                found.append(self._row(size, ours, other))
        return found

    def _row(self, size: object, ours: float, other: float) -> dict:
        named = "" if size is None else f", {size:,} {self.size}"
        beside = [
            str(value)
            for key, value in self.other.items()
            if key not in self.ours or value != self.ours[key]
        ]
        return {
            "what": f"{self.what}{named}",
            "ours": common.shown(ours),
            "the other": common.shown(other),
            "x": common.shown(ours / other),
            "which is": ": ".join(beside),
        }

    def _figure(self, run: Results, like: dict) -> float | None:
        found = (
            row[self.figure]
            for name, _, rows in run
            for row in rows
            if name == self.part
            and row.get(self.figure)
            and all(row.get(key) == value for key, value in like.items())
        )
        return next(found, None)


def edits(
    what: str, way: str, other: str, sizes: tuple, writer: str = "rename"
) -> Loss:
    """Return the loss of an edit by a rename beside another way."""
    ours = {"way": way, "writer": "rename"}
    return Loss(what, "edit_to_module", ours, {"way": other, "writer": writer}, sizes)


def reading(what: str, ours: tuple, other: tuple, sizes: tuple) -> Loss:
    """Return the loss of a step of reading or comparing; each is `what` and `way`."""
    names = ("what", "way")
    return Loss(
        f"{what}, ms",
        "document",
        dict(zip(names, ours, strict=True)),
        dict(zip(names, other, strict=True)),
        sizes,
    )


def calls(database: str, call: str, ours: str, plain: str) -> Loss:
    """Return the loss of a call beside the SQL that it needs."""
    where = {"database": database}
    return Loss(
        f"{call}, {database}, ms",
        "database",
        where | {"call": f"{call}: {ours}"},
        where | {"call": f"{call}: {plain}"},
    )


ALL = (10, 1_000, 10_000)
EDIT, FAST = "midflight, the module reconfigured", "midflight with the extra fast"
ITEM = "floor + parse of the changed item"
SNAPSHOT = (
    'midflight: runtime.snapshot.document.modules["limits"].config["rate"]["burst"]'
)
CADDY = {"way": "caddy, kept but not synced"}
LOSSES = (
    edits("edit, ms", EDIT, ITEM, ALL),
    edits("edit with fast, ms", FAST, f"{ITEM} by the C parser", ALL),
    edits("edit, ms", EDIT, "oslo.config, mutate + read, INI", ALL),
    edits("edit, ms", EDIT, "caddy, PATCH by its admin API, no file", ALL, "its API"),
    edits("edit, ms", EDIT, "watchdog Observer, callback only", ALL),
    edits("edit, ms", EDIT, "watchfiles tuned, callback only", ALL),
    reading(
        "first load", ("load, first", "midflight"), ("load", "pyyaml.safe_load"), ALL
    ),
    reading(
        "first load with fast",
        ("load, first", "midflight, extra fast"),
        ("load", "pyyaml.CSafeLoader"),
        ALL,
    ),
    reading(
        "first load of YAML beside TOML",
        ("load, first", "midflight"),
        ("TOML", "tomllib.loads of the whole"),
        ALL,
    ),
    reading(
        "first load of YAML beside JSON",
        ("load, first", "midflight"),
        ("JSON", "json.loads of the whole"),
        ALL,
    ),
    reading(
        "edit of JSON",
        ("JSON", "midflight, after an edit"),
        ("JSON", "json.loads of the whole"),
        ALL,
    ),
    reading(
        "edit of TOML",
        ("TOML", "midflight, after an edit"),
        ("TOML", "tomllib.loads of the whole"),
        ALL,
    ),
    reading(
        "diff, one edited",
        ("diff", "midflight, one edited, the rest shared"),
        ("diff", "naive, == of two dicts, not typed"),
        ALL,
    ),
    reading(
        "diff, nothing shared",
        ("diff", "midflight, nothing shared"),
        ("diff", "naive, == of two dicts, not typed"),
        ALL,
    ),
    reading(
        "digest, nothing shared",
        ("digest", "midflight, nothing shared"),
        ("digest", "naive, sha256 of json.dumps"),
        ALL,
    ),
    *(
        Loss(
            f"{way}, ms",
            "changes",
            {"way": f"midflight: {way}"},
            {"way": "floor: a loop over the modules"},
            ALL,
            "changed",
        )
        for way in ("reconfigure", "prepare, reconfigure, probe")
    ),
    *(
        Loss(
            f"change by HTTP, {way}, ms",
            "admin",
            {"way": f"midflight, {way}"},
            CADDY,
            ALL,
            "entries",
        )
        for way in ("nothing kept", "synced to disk", "synced to disk, with a journal")
    ),
    Loss("value by its path, ns", "reads", {"read": SNAPSHOT}, {"read": "dict"}),
    *(
        Loss(
            f"commit, {database}, ms",
            "database",
            {"database": database, "way": "midflight, the module"},
            {"database": database, "way": "floor, callback only"},
            (10, 100),
        )
        for database in ("SQLite", "PostgreSQL")
    ),
    *(
        calls(database, call, ours, plain)
        for database in ("SQLite", "PostgreSQL")
        for call, ours, plain in (
            ("get", "store", "plain SQL"),
            ("hash", "store", "plain SQL"),
            ("put", "get + store", "plain SQL, a transaction"),
        )
    ),
    Loss(
        "kept in memory, MB",
        "memory",
        {"what": "midflight, a runtime whose modules are running"},
        {"what": "plain dictionaries, by json.loads"},
        ALL,
        figure="MB",
    ),
    Loss(
        "resident while idle, MB",
        "idle",
        {"way": "midflight"},
        {"way": "watchdog Observer"},
        ALL,
        figure="RSS, MB",
    ),
    Loss(
        "idle, ms of CPU a minute",
        "idle",
        {"way": "midflight"},
        {"way": "watchdog Observer"},
        ALL,
        figure="CPU, ms a minute",
    ),
    *(
        Loss(
            f"call by {way}, us",
            "hooks",
            {"one call, us": way},
            {"one call, us": "the method itself"},
        )
        for way in (
            "a participant",
            "a participant, one wrapper",
            "a participant, three wrappers",
        )
    ),
)


def rows(run: Results) -> list[dict]:
    """Return a row for each loss of a run."""
    return [row for loss in LOSSES for row in loss.rows(run)]
