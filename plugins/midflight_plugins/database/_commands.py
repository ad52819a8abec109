"""`midflight db`: care for the tables of a database source."""

from __future__ import annotations

import datetime
import difflib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from midflight.errors import plain

if TYPE_CHECKING:
    from midflight_plugins.database._chain import Report
    from midflight_plugins.database._store import Store
    from midflight_plugins.database._url import Settings

_LONG = 300.0  # s for a query that reads a whole history

_form = click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How the result is written.",
)


@click.group()
def db() -> None:
    """Care for the tables of a database source."""


@db.command()
@click.argument("uri")
@_form
def upgrade(uri: str, form: str) -> None:
    """Create the tables of a database, or bring them up to date.

    The role in URI must be allowed to create and alter tables. What is there already
    stays, the rows of another system too. A second run is harmless.
    """
    from midflight_plugins.database._schema import REVISIONS
    from midflight_plugins.database._schema import upgrade as body

    settings, _ = _settings(uri)
    before, after = body(settings)
    changed = before is not after
    if form == "json":
        _say({"changed": changed, "before": before.name, "revision": REVISIONS[-1]})
    else:
        done = "were brought up to" if changed else "are at"
        click.echo(f"the tables {done} revision {REVISIONS[-1]}")


@db.command("list")
@click.argument("uri")
@_form
def list_(uri: str, form: str) -> None:
    """List the documents of a database, whatever the key in URI."""
    store, _ = _opened(uri)
    try:
        found = store.keys()
    finally:
        store.close()
    data: list[dict[str, Any]] = [
        {
            "key": row.key,
            "version": row.version,
            "at": _when(row.at),
            "author": row.author,
            "digest": row.digest,
        }
        for row in found
    ]
    if form == "json":
        _say(data)
    elif not data:
        click.echo("no document yet")
    else:
        heads = ("KEY", "VERSION", "WHEN", "AUTHOR", "DIGEST")
        lines = [
            (
                each["key"],
                str(each["version"]),
                each["at"] or "",
                each["author"],
                each["digest"][:12],
            )
            for each in data
        ]
        click.echo(_table([heads, *lines]))


@db.command()
@click.argument("uri")
@click.option(
    "--anchor",
    metavar="CHAIN",
    help="A value that an earlier run printed, and that was kept elsewhere.",
)
@_form
@click.pass_context
def verify(ctx: click.Context, uri: str, anchor: str | None, form: str) -> None:
    """Find every row of a document's history that was altered since it was written.

    Prints the newest value of the chain: keep it elsewhere, and give it as --anchor to
    find also a history that somebody has written anew. Exits 1 if anything is wrong.
    """
    store, key = _opened(uri, _LONG)
    try:
        report = store.verify(key, anchor)
    finally:
        store.close()
    if form == "json":
        _say(_data(report))
    else:
        click.echo("\n".join(_lines(report, key)))
    ctx.exit(0 if report.is_sound else 1)


@db.command()
@click.argument("uri")
@click.argument("write_id")
@_form
@click.pass_context
def resolve(ctx: click.Context, uri: str, write_id: str, form: str) -> None:
    """Tell what became of a put whose outcome was unknown.

    WRITE_ID stands in the error. Exits 1 if nothing was stored under it.
    """
    store, _ = _opened(uri)
    try:
        found = store.resolve(write_id)
    finally:
        store.close()
    key, version = found or (None, None)
    if form == "json":
        _say({"write_id": write_id, "key": key, "version": version})
    elif key is None:
        click.echo(f"nothing was stored by write {plain(write_id, 64)}")
    else:
        click.echo(f"it is version {version} of `{plain(key)}`")
    ctx.exit(0 if found else 1)


def _settings(uri: str) -> tuple[Settings, str]:
    from midflight_plugins.database._url import parsed

    if not uri.startswith("database:"):
        raise click.UsageError(_no_database(uri))
    try:
        return parsed(uri.removeprefix("database:"))
    except ValueError as exc:
        raise click.UsageError(str(exc)) from None


def _no_database(uri: str) -> str:
    """Say what is wrong with a URI of something else, in words without secrets."""
    from midflight_plugins.database._url import Url

    text, mark, key = uri.partition("#")
    shown = f"{Url(text)}{mark}{key}" if "@" not in key else str(Url(uri))
    said = f"`{plain(shown)}` is no `database:` URI"
    scheme, colon, rest = shown.partition(":")
    if colon and not rest.startswith("//"):
        near = difflib.get_close_matches(scheme, ["database"], n=1)
        meant = f"database:{rest}" if near else ""
    else:
        is_file = Path(text).suffix in {".db", ".sqlite", ".sqlite3"}
        meant = f"database:{shown}" if colon or is_file else ""
    if meant:
        return f"{said}; did you mean `{plain(meant)}`?"
    return f"{said}, as in `database:sqlite:///app.db#default`"


def _opened(uri: str, patience: float = 0.0) -> tuple[Store, str]:
    from midflight_plugins.database._store import open_store

    settings, key = _settings(uri)
    timeout = max(settings.timeout, patience)
    return open_store(attrs.evolve(settings, timeout=timeout)), key


def _data(report: Report) -> dict[str, Any]:
    return {
        "sound": report.is_sound,
        "rows": report.rows,
        "findings": [
            {"version": each.version, "reason": each.reason, "message": each.text}
            for each in report.findings
        ],
        "unsealed": list(report.unsealed),
        "chain": report.chain,
        "anchored": report.anchored,
    }


def _lines(report: Report, key: str) -> list[str]:
    lines = [
        f"version {each.version}: {each.reason}: {each.text}"
        for each in report.findings
    ]
    if report.anchored is False:
        lines.append("the anchor is not part of the chain: history was written anew")
    if report.unsealed:
        versions = ", ".join(map(str, report.unsealed))
        lines.append(f"written by others, not yet sealed: {versions}")
    state = "sound" if report.is_sound else "NOT sound"
    lines.append(f"history of `{plain(key)}`: {state}, rows: {report.rows}")
    if report.chain:
        lines.append(f"chain: {report.chain}")
    return lines


def _when(at: float | None) -> str | None:
    if at is None:
        return None
    moment = datetime.datetime.fromtimestamp(at, datetime.UTC)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _say(value: object) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def _table(rows: Sequence[Sequence[str]]) -> str:
    cells = [[plain(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )
