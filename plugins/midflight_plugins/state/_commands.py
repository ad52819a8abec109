"""`midflight journal`: what was decided, and whether the record of it is whole."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from midflight.errors import plain
from midflight_plugins.api import Client, client_options, given_client

_F = Callable[..., Any]
_PAGE = 1_000  # records that a service is asked for at once
_SOURCE = f"{__name__}.source"
_HEADS = ("NUMBER", "WHEN", "CAUSE", "OUTCOME", "REASON", "DIGEST", "WHAT", "WHO")


def _options(command: _F) -> _F:
    """Add the options that each command of the group has."""
    form = click.option(
        "--format",
        "form",
        type=click.Choice(["text", "json"]),
        help="How the result is written.  [default: text]",
    )
    where = click.option(
        "--state-dir", metavar="DIR", help="The state directory of the service."
    )
    source = click.option(
        "--source",
        multiple=True,
        expose_value=False,
        callback=_note,
        metavar="URI",
        help="What the `run` of the service was given, instead of --state-dir; FILE "
        "means file:FILE. Repeatable.",
    )
    return form(where(source(command)))


def _note(ctx: click.Context, _option: click.Parameter, words: tuple[str, ...]) -> None:
    """Keep what `--source` says, for the group and for its commands."""
    if words:
        ctx.meta[_SOURCE] = words


@click.group(invoke_without_command=True)
@click.option("--limit", default=20, show_default=True, help="How many are listed.")
@client_options
@_options
@click.pass_context
def journal(
    ctx: click.Context,
    /,
    limit: int,
    form: str | None,
    state_dir: str | None,
    **url: Any,
) -> None:
    """List what was decided about configurations, newest first.

    Works while the service runs, and when it is down. The service is named by what its
    `run` was given: --source or --state-dir. Without either it is that which
    `midflight run` would start here: see `midflight settings`. Where
    nothing says which, it is the only one below $XDG_STATE_HOME/midflight. With --url
    a running service is asked; `verify` and `forgive` want the directory itself.
    """
    named = ctx.get_parameter_source("url") is ParameterSource.COMMANDLINE
    ctx.obj = {"form": form, "state_dir": state_dir, "named": named}
    ctx.obj["client"] = _client(ctx, state_dir, url)
    if ctx.invoked_subcommand is not None:
        return
    found = _last(ctx, max(0, limit))
    if form == "json":
        _say(found)
    elif not found:
        click.echo("nothing was decided yet")
    else:
        click.echo(_table([_HEADS, *map(_line, found)]))


@journal.command()
@click.argument("number", type=int)
@_options
@click.pass_context
def show(
    ctx: click.Context, number: int, form: str | None, state_dir: str | None
) -> None:
    """Show one record in full. Exits 1 if it is not kept."""
    found = _one(ctx, state_dir, number)
    if found is None:
        click.echo(f"record {number} is not kept", err=True)
        ctx.exit(1)
    elif (form or ctx.obj["form"]) == "json":
        _say(found)
    else:
        click.echo("\n".join(_shown(found)))


@journal.command()
@click.option(
    "--anchor",
    metavar="HASH",
    help="A hash that an earlier run printed, and that was kept elsewhere.",
)
@_options
@click.pass_context
def verify(
    ctx: click.Context, anchor: str | None, form: str | None, state_dir: str | None
) -> None:
    """Find the first record that was altered or removed since it was written.

    Prints the hash of the newest record: keep it elsewhere, and give it as --anchor to
    find also a journal that somebody has written anew. Exits 1 if anything is wrong.
    """
    from midflight_plugins.state._reading import verify as body

    folder = _folder(ctx, state_dir)
    report = body(folder, anchor)
    if (form or ctx.obj["form"]) == "json":
        data: dict[str, Any] = {"sound": report.is_sound, "records": report.records}
        data |= {"broken": report.broken or None, "anchored": report.anchored}
        _say({**data, "last": report.last.number, "hash": report.last.hash})
    else:
        for text in (
            report.broken,
            "the anchor is not in the chain" if report.anchored is False else "",
        ):
            if text:
                click.echo(plain(text))
        state = "sound" if report.is_sound else "NOT sound"
        where = plain(str(folder))
        click.echo(f"journal of {where}: {state}, records: {report.records}")
        click.echo(f"hash of record {report.last.number}: {report.last.hash}")
    ctx.exit(0 if report.is_sound else 1)


@journal.command()
@click.argument("digest")
@_options
@click.pass_context
def forgive(
    ctx: click.Context, digest: str, form: str | None, state_dir: str | None
) -> None:
    """Let a configuration be tried again that has crashed the process.

    DIGEST may be shortened. A running service tries it at its next look or reload; one
    that is down, at its start. Exits 1 if that digest has crashed nothing.
    """
    from midflight_plugins.state._crashes import Crashes
    from midflight_plugins.state._disk import Disk

    crashes = Crashes(_folder(ctx, state_dir), Disk())
    found = crashes.matching(digest) if digest else []
    if len(found) == 1:
        crashes.forgive(found[0])
    known = {each: crash.count for each, crash in crashes.known.items()}
    done = found[0] if len(found) == 1 else None
    if (form or ctx.obj["form"]) == "json":
        _say({"forgiven": done, "crashes": known})
    elif done:
        click.echo(f"{done} may be tried again")
    else:
        what = "several digests begin so" if found else "no crash of that digest"
        lines = [f"{each}: {count}" for each, count in known.items()] or ["nothing"]
        click.echo("\n".join([f"{what}; crashes are known of:", *lines]))
    ctx.exit(0 if done else 1)


# -- from where -----------------------------------------------------------------------


def _client(
    ctx: click.Context, state_dir: str | None, url: dict[str, Any]
) -> Client | None:
    """Return what asks the service of `--url`, unless the files are meant."""
    from midflight_plugins.state._where import settled

    own = settled(ctx.find_root().obj) if url["url"] else None
    is_local = state_dir is not None or _SOURCE in ctx.meta
    return given_client(url, own, is_local=is_local)


def _last(ctx: click.Context, limit: int) -> list[dict[str, Any]]:
    client: Client | None = ctx.obj["client"]
    if client is None:
        from midflight_plugins.state._reading import last_records

        return last_records(_folder(ctx, None), limit)
    found: list[dict[str, Any]] = []
    before = None
    while len(found) < limit:
        query = {"limit": min(limit - len(found), _PAGE), "before": before}
        answer = client.ask("GET", "history", query=query).content
        found += answer["records"]
        before = answer["next"]
        if before is None:
            break
    return found


def _one(
    ctx: click.Context, state_dir: str | None, number: int
) -> dict[str, Any] | None:
    is_local = state_dir or _SOURCE in ctx.meta
    client: Client | None = None if is_local else ctx.obj["client"]
    if client is None:
        from midflight_plugins.state._reading import one_record

        return one_record(_folder(ctx, state_dir), number)
    query = {"limit": 1, "before": number + 1}
    records = client.ask("GET", "history", query=query).content["records"]
    return next((each for each in records if each["number"] == number), None)


# -- where ---------------------------------------------------------------------------


def _folder(ctx: click.Context, given: str | None) -> Path:
    sources = ctx.meta.get(_SOURCE, ())
    is_asked = ctx.obj["named"] and ctx.obj["client"] is not None
    if is_asked and given is None and not sources:
        msg = "--url asks a service; this looks into its state directory: name that"
        raise click.UsageError(msg)
    from midflight_plugins.state._where import candidates, described, named, settled

    given = given or ctx.obj["state_dir"] or settled(ctx.find_root().obj, sources)
    found = named(given)
    if found is None:
        known = candidates()
        if len(known) != 1:
            these = f"which of these is it?{described(known)}"
            which = these if known else "none was found"
            msg = f"name the service with --source, or --state-dir: {which}"
            raise click.UsageError(msg)
        found = known[0]
    if not found.is_dir():
        msg = f"there is no directory {plain(str(found))}"
        raise click.UsageError(msg)
    return found


# -- how -----------------------------------------------------------------------------


def _line(record: dict[str, Any]) -> tuple[str, ...]:
    return (
        str(record["number"]),
        _when(record.get("at")),
        str(record.get("cause", "")),
        str(record.get("outcome", "")),
        str(record.get("reason", "")),
        str(record.get("digest", ""))[:12],
        _what(record),
        str(record.get("actor", "")),
    )


def _what(record: dict[str, Any]) -> str:
    """Say in a few words what it was about."""
    if faults := record.get("faults"):
        more = f" and {len(faults) - 1} more" if len(faults) > 1 else ""
        return f"{faults[0]['code']}{more}"
    counts = (record.get("changes") or {}).get("counts", {})
    signs = {"added": "+", "removed": "-", "modified": "~", "sections": "§"}
    return " ".join(f"{sign}{counts[k]}" for k, sign in signs.items() if counts.get(k))


def _shown(record: dict[str, Any]) -> list[str]:
    plainly = ("outcome", "reason", "cause", "actor", "source", "version", "generation")
    lines = [
        f"record {record['number']} of {_when(record.get('at'))}",
        *(f"{key}: {record.get(key, '')}" for key in (*plainly, "base", "digest")),
        f"seconds: {record.get('seconds', 0)}",
    ]
    for kind, names in (record.get("changes") or {}).items():
        if isinstance(names, list) and names:
            lines.append(f"{kind}: {', '.join(map(str, names))}")
    lines += [f"step: {_step(step)}" for step in record.get("steps", ())]
    lines += [f"fault: {fault['text']}" for fault in record.get("faults", ())]
    lines += [f"warning: {text}" for text in record.get("warnings", ())]
    lines += [f"degraded: {name}" for name in record.get("degraded", ())]
    lines += [f"hash: {record['hash']}"] if "hash" in record else []
    return [plain(line, 2_000) for line in lines]


def _step(step: dict[str, Any]) -> str:
    """Say what was done to one module; a service without a journal knows no more."""
    about = f"{step['action']} {step['module']}"
    if "result" not in step:
        return about
    return f"{about}: {step['result']}, {step['seconds']} s ({step['reason']})"


def _when(at: object) -> str:
    if not isinstance(at, int | float):
        return ""
    moment = datetime.datetime.fromtimestamp(at, datetime.UTC)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _say(value: object) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def _table(rows: Sequence[Sequence[str]]) -> str:
    cells = [[plain(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )
