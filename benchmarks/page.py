"""Write the figures of a run into the docs: tables between markers, and the plot.

`python benchmarks/page.py RESULTS [--also RESULTS_OF_ANOTHER_PYTHON ...]`

Each table of the page stands between `<!-- table: NAME -->` and `<!-- end -->`, with a
line that says what it was measured on. A table whose benchmark was not run stays as it
is. That of several Pythons has only runs of one commit.
"""

from __future__ import annotations

import argparse
import pathlib
import re

import common
import losses
import plot
import targets
from changes import ALLOWED, COUNT
from results import Results, read

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "explanation" / "performance.md"
PLOT = ROOT / "docs" / "_static" / "edit-to-module.svg"
BLOCK = re.compile(r"(<!-- table: (\S+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
NONE = "-"


def cell(value: object) -> str:
    """Return a figure as the page shows it."""
    return NONE if value is None else common.shown(value)


def wide(rows: list[dict], name: str, size: str, figure: str = "p50") -> list[dict]:
    """Return one row for each name, with a column for each size."""
    sizes = list(dict.fromkeys(row[size] for row in rows))
    found: dict[str, dict] = {}
    for row in rows:
        found.setdefault(row[name], {})[row[size]] = row.get(figure)
    return [
        {name: what} | {f"{each:,}": cell(line.get(each)) for each in sizes}
        for what, line in found.items()
    ]


def only(rows: list[dict], *names: str) -> list[dict]:
    """Return rows with these columns alone."""
    return [{name: cell(row.get(name)) for name in names} for row in rows]


def short(name: str) -> str:
    """Return the name of a way where there is little room for it."""
    for long in (", the module reconfigured", ", no file"):
        name = name.replace(long, "")
    return name.replace("of the changed item", "of the item")


def by_rename(rows: list[dict]) -> list[dict]:
    """Return the rows of edits by a rename, or by an API where there is no file."""
    return [row for row in rows if row["writer"] in {"rename", "its API"} and row["n"]]


def lasting(rows: list[dict], name: str, size: str, *figures: str) -> list[dict]:
    """Return p50 of each name for each size, and more figures of its last size."""
    last = {row[name]: row for row in rows}
    return [
        row | {f"{each}, last": cell(last[row[name]].get(each)) for each in figures}
        for row in wide(rows, name, size)
    ]


def edit(run: Results) -> list[dict]:
    """Return p50 of each way for each size, p99 of the largest, and each n."""
    rows = by_rename(run.rows("edit_to_module"))
    table = lasting(rows, "way", "modules", "p99")
    for row in table:
        own = [each for each in rows if each["way"] == row["way"]]
        row |= {"n": ", ".join(str(each["n"]) for each in own)}
    return table


def ours(run: Results) -> list[dict]:
    """Return our own rows with every writer and their ratios."""
    rows = [
        row | {"way": short(row["way"])}
        for row in run.rows("edit_to_module")
        if common.is_ours(row)
    ]
    names = ("way", "writer", *FIGURES, "x floor", "x floor + item", "lost")
    return only(rows, "modules", *names)


def document(run: Results) -> list[dict]:
    """Return p50 of each way for each size, p99 and ratio of the largest."""
    rows = run.rows("document")
    joined = [row | {"way": f"{row['what']}: {row['way']}"} for row in rows]
    return lasting(joined, "way", "modules", "p99", "x naive")


def changes(run: Results) -> list[dict]:
    """Return p50 of each way for each number of changed modules, and what was set."""
    rows, slower = run.rows("changes"), targets.paces(run)
    if rows and slower:
        way = f"allowed: {ALLOWED} ms, at the pace of this machine"
        rows = [*rows, {"way": way, "changed": COUNT, "p50": ALLOWED * slower[0]}]
    return lasting(rows, "way", "changed", "p99", "us for each changed")


def admin(run: Results) -> list[dict]:
    """Return p50 of each way for each size, p99 and ratio of the largest."""
    return lasting(run.rows("admin"), "way", "entries", "p99", "x caddy")


def passes(run: Results) -> list[dict]:
    """Return p50 of a pass with one changed module, and of a look, for each size."""
    for part, title, rows in run:
        if part == "hooks" and title.startswith("One changed") and "what" in rows[0]:
            return lasting(rows, "what", "modules", "p99")
    return []


def stores(run: Results) -> list[dict]:
    """Return the ways of each store, what is allowed counted at the pace of the run."""
    rows, slower = run.rows("stores"), targets.paces(run)
    if slower:
        more = targets.STORES * (slower[0] - 1)
        rows = [row | {"at its pace": row["allowed"] + more} for row in rows]
    return only(rows, "store", "way", *FIGURES, "allowed", "at its pace")


def restart(run: Results) -> list[dict]:
    """Return the ways of a restart, with the parser that each run had."""
    rows = []
    for part in ("restart", "restart-pure"):
        parser = "pure"
        if part == "restart" and common.C_PARSER in run.machine(part)["versions"]:
            parser = "C"
        rows += [{"parser": parser} | row for row in run.rows(part)]
    return only(
        rows, "parser", "modules", "what", "way", "n", "p50", "% of a full parse"
    )


def versions(run: Results) -> list[dict]:
    """Return what was measured, by name and version."""
    where = run.machine("edit_to_module")
    found = {"Python": where["python"], "system": where["system"]} | where["versions"]
    return [{"what": name, "version": said} for name, said in found.items()]


def whole(part: str, *names: str, title: str = ""):
    """Return what takes some columns of a part's table as they are.

    Args:
        part: the benchmark.
        names: the columns.
        title: how the table's title begins, if it is not the first of the part.
    """

    def taken(run: Results) -> list[dict]:
        found = [
            rows for name, said, rows in run if name == part and said.startswith(title)
        ]
        return only(found[0], *names) if found else []

    return taken


FIGURES = ("n", "min", "p50", "p99")
TABLES = {
    "edit": ("edit_to_module", edit),
    "ours": ("edit_to_module", ours),
    "document": ("document", document),
    "memory": ("memory", whole("memory", "modules", "what", "MB", "x plain")),
    "garbage": (
        "memory",
        whole("memory", "modules", "reloads", "left behind, kB", title="What 1,000"),
    ),
    "changes": ("changes", changes),
    "idle": (
        "idle",
        whole(
            "idle",
            "modules",
            "way",
            "s",
            "CPU, ms a minute",
            "wakes a minute",
            "RSS, MB",
        ),
    ),
    "layers": ("layers", whole("layers", "modules", "case", *FIGURES, "x one file")),
    "reads": ("reads", whole("reads", "read", "p50", "p99", "x frozen slots")),
    "hooks": ("hooks", whole("hooks", "one call, us", *FIGURES)),
    "passes": ("hooks", passes),
    "start": (
        "start",
        whole("start", "program", *FIGURES, "min above bare python", "peak RSS, MB"),
    ),
    "restart": ("restart", restart),
    "database": (
        "database",
        whole("database", "database", "modules", "way", *FIGURES, "x floor"),
    ),
    "calls": (
        "database",
        whole("database", "database", "call", *FIGURES, "x plain", title="Calls"),
    ),
    "processes": (
        "database",
        whole("database", "processes", "until", *FIGURES, title="Many processes"),
    ),
    "followers": (
        "database",
        whole(
            "database",
            "followers",
            "measured",
            "s",
            "statements",
            "of 1,000, per s",
            title="Followers",
        ),
    ),
    "stores": ("stores", stores),
    "admin": ("admin", admin),
    "livez": ("admin", whole("admin", "idle connections", *FIGURES, title="/livez")),
    "targets": ("changes", targets.rows),
    "losses": ("edit_to_module", losses.rows),
    "versions": ("edit_to_module", versions),
}


def measured(where: dict) -> str:
    """Return the line below a table."""
    quick = ", a quick run" * where.get("quick", False)
    return (
        f"*{where['at'][:10]}{quick}, commit {where['commit']}, "
        f"Python {where['python']}, {where['cores']} cores of {where['processor']}, "
        f"load {where['load']}*"
    )


def written(rows: list[dict], where: dict) -> str:
    """Return what stands between two markers."""
    return f"\n{common.table(rows)}\n\n{measured(where)}\n\n"


# -- several Pythons -----------------------------------------------------------------

TELLING = ("edit_to_module", "changes", "reads", "start")  # what tells them apart


def pythons(run: Results, also: list[Results]) -> list[dict]:
    """Return a row for each figure that tells Pythons apart, a column for each.

    A run of another commit would contradict the other tables: it is left out.
    """
    columns = []
    for each in [run, *also]:
        where = each.machine()
        if clean(each) != clean(run):
            print(f"left out, it is of another commit: {common.about(where)}")
            continue
        name = where["python"] + ("" if where.get("gil", True) else ", free-threaded")
        columns.append((name, figures(each)))
    names = list(dict.fromkeys(name for _, found in columns for name in found))
    return [
        {"figure": what} | {name: cell(found.get(what)) for name, found in columns}
        for what in names
    ]


def clean(run: Results) -> str:
    """Return the commit of a run, whether or not files differed from it."""
    return run.machine()["commit"].rstrip("+")


def figures(run: Results) -> dict[str, float]:
    """Return the figures of ours that tell Pythons apart."""
    found = {
        f"{row['way']}, {row['modules']:,} modules, ms": row["p50"]
        for row in by_rename(run.rows("edit_to_module"))
        if common.is_ours(row)
    }
    for row in run.rows("changes"):
        if common.is_ours(row):
            found[f"{row['way']} of {row['changed']:,} modules, ms"] = row["p50"]
    for row in run.rows("reads"):
        if common.is_ours(row) or row["read"].startswith("frozen"):
            found[f"{row['read']}, ns"] = row["p50"]
    for row in run.rows("start"):
        if row["n"]:
            found[f"{row['program']}, ms"] = row["min"]
    return found


# -- the page ------------------------------------------------------------------------


def picture(run: Results) -> str | None:
    """Return the plot of the first table, if it was measured."""
    series: dict[str, dict[int, float]] = {}
    for row in by_rename(run.rows("edit_to_module")):
        name = row["way"].replace("floor: inotify, callback only", "floor: inotify")
        name = short(name)
        series.setdefault(name, {})[row["modules"]] = row["p50"]
    if not series:
        return None
    title = "From the edit of one value to whoever uses it, ms (p50)"
    return plot.drawn(title, "modules in the file", series)


def filled(text: str, run: Results, also: list[Results]) -> str:
    """Return the page with the tables that this run has measured."""

    def block(found) -> str:
        head, name, old, end = found.groups()
        if name == "pythons":
            # Alone, too: no figures of another commit are to stay beside new ones.
            every = all(map(run.rows, TELLING))
            rows = pythons(run, also) if also or every else []
            part = ""
        else:
            part, make = TABLES[name]
            rows = make(run)
        return head + (written(rows, run.machine(part)) if rows else old) + end

    return BLOCK.sub(block, text)


def write(run: Results, also: list[Results]) -> None:
    """Rewrite the page's tables and the plot."""
    old = PAGE.read_text("utf-8")
    PAGE.write_text(filled(old, run, also), "utf-8")
    if svg := picture(run):
        PLOT.write_text(svg, "utf-8")
    print(f"tables written into {PAGE.relative_to(ROOT)}")


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", nargs="+", type=pathlib.Path)
    parser.add_argument("--also", nargs="*", type=pathlib.Path, default=[])
    options = parser.parse_args()
    run = read(parser, *options.results)
    write(run, [read(parser, path) for path in options.also])


if __name__ == "__main__":
    main()
