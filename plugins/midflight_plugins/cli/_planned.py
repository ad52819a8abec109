"""`midflight plan --running` and `midflight apply`: changes of a service that runs."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from midflight_plugins.api import AnswerError
from midflight_plugins.cli._client import NAMED_BY, Service
from midflight_plugins.cli._exits import Exit
from midflight_plugins.cli._plan import steps_text
from midflight_plugins.cli._running import fault_text
from midflight_plugins.cli._text import json_text, plain, printable, table, value_text

_KEY = re.compile(r'("(?:[^"\\]|\\.)*"|[^."\[\]=]+)')
_EXAMPLE = "modules.web.config.port=8080"
_STATES = {
    "ok": "applied",
    "held": "held, until `midflight apply`",
    "stored": "stored, not yet applied",
}
_LONGEST = 60  # characters of a value that are shown
_TAKES = (
    "apply takes the TOKEN that `midflight plan --running` shows; "
    "without one it approves what is held"
)
_TOKEN = re.compile(r"[\w-]+")  # not so the name of a file, or a URI
_UNKNOWN = 404


def plan(
    service: Service,
    words: Sequence[str],
    configs: Sequence[str],
    unset: Sequence[str],
    form: str,
) -> int:
    """Write what a change would do to a service, and the token that applies it.

    Args:
        service: which one.
        words: `PATH=VALUE` each.
        configs: `NAME=FILE` each, with the whole configuration of a module.
        unset: names of modules that are to be as lower layers say.
        form: `text` or `json`.

    Raises:
        AnswerError: if the service refuses it.
        click.UsageError: if the words say no change.
    """
    found = service.ask("POST", "plan", _body(words, configs, unset))
    click.echo(json_text(found) if form == "json" else _text(found, service.words))
    return Exit.INVALID if found.get("verdict") == "refuse" else Exit.OK


def _text(found: Mapping[str, Any], words: str) -> str:
    parts = [steps_text(found, "plan")]
    rows = [*_changes(found.get("changes"))]
    if rows:
        parts.append(table(rows, "  "))
    if token := found.get("token"):
        sign = " --" if str(token).startswith("-") else ""
        do = f"midflight apply{words}{sign} {token}"
        parts.append(f"to do it: {printable(do)}")
    return "\n\n".join(parts)


def _changes(found: Any) -> Iterator[tuple[str, str]]:
    listed = found.get("changes") if isinstance(found, Mapping) else found
    for each in listed or ():
        sides = (_side(each, side) for side in ("old", "new"))
        yield str(each["path"]), " -> ".join(sides)


def _side(change: Mapping[str, Any], side: str) -> str:
    if side not in change:
        return "(absent)"
    text = value_text(change[side])
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def apply(service: Service, token: str | None, form: str) -> int:
    """Let a service apply a plan, and write what came of it.

    Args:
        service: which one.
        token: that of the plan; `None` for the one that is held.
        form: `text` or `json`.

    Raises:
        AnswerError: if the service does not do it.
        click.UsageError: if the word is no token.
    """
    typed = token
    if token is None:
        status = service.ask("GET", "status")
        if status.get("held") is None:
            click.echo("nothing is held", err=True)
            return Exit.FAILED
        found = service.ask("POST", "plan", {})
        if found.get("desired") != status.get("desired"):
            hint = "see `midflight plan --running`"
            click.echo(f"the source has moved on since it was held; {hint}", err=True)
            return Exit.FAILED
        token = found.get("token")
        if form == "text":
            click.echo(steps_text(found, "approved"))
    elif not _TOKEN.fullmatch(token):
        msg = f"{printable(token)} is no token: {_TAKES}; {NAMED_BY}"
        raise click.UsageError(msg)
    try:
        return done(service.ask("POST", "apply", {"token": token}), form)
    except AnswerError as exc:
        if typed is not None and exc.status == _UNKNOWN:
            exc.add_note(_TAKES)
        raise


def done(found: Mapping[str, Any], form: str) -> int:
    """Write what became of a change that a service has made."""
    if form == "json":
        click.echo(json_text(found))
        return Exit.OK
    state, number = str(found.get("status")), found.get("generation")
    text = _STATES.get(state, printable(state))
    click.echo(f"{text}; generation {number} is in force")
    for fault in found.get("faults") or ():
        click.echo(f"  {printable(fault_text(fault))} (was there before)")
    return Exit.OK


# -- what is asked -------------------------------------------------------------------


def _body(
    words: Iterable[str], configs: Iterable[str], unset: Iterable[str]
) -> dict[str, Any]:
    """Return what is sent: nothing for what a reload would do."""
    modules: dict[str, dict[str, Any]] = {}
    for word in configs:
        name, file = _named(word)
        _only(modules, name)["config"] = _read(file)
    for name in unset:
        _only(modules, name)["remove"] = True
    for word in words:
        name, keys, value = _assigned(word)
        if not keys:
            _only(modules, name)["config"] = value
            continue
        known = modules.setdefault(name, {"patch": {}})
        if "patch" not in known:
            msg = f"module `{name}` is changed as a whole and in part; say one"
            raise click.UsageError(msg)
        _set(known["patch"], keys, value, word)
    return {"modules": modules} if modules else {}


def _only(modules: dict[str, dict[str, Any]], name: str) -> dict[str, Any]:
    if name in modules:
        msg = f"module `{name}` is changed twice; say one"
        raise click.UsageError(msg)
    return modules.setdefault(name, {})


def _named(word: str) -> tuple[str, str]:
    name, sign, file = word.partition("=")
    if not (name and sign and file):
        msg = f"--config {word!r} is not NAME=FILE"
        raise click.UsageError(msg)
    return name, file


def _read(file: str) -> Any:
    """Read a configuration out of a YAML or JSON file; `-` is standard input."""
    from midflight import Runtime

    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as exc:
        msg = f"{file} cannot be read: {exc.strerror or exc}"
        raise click.UsageError(msg) from exc
    found = Runtime(f"file:{file}").parse(data, "yaml", file).document
    return plain(getattr(found, "sections", found))


def _assigned(word: str) -> tuple[str, tuple[str, ...], Any]:
    """Split `modules.web.config.port=8080`; a value is JSON if it can be, else text."""
    keys, at = [], 0
    while found := _KEY.match(word, at):
        keys.append(json.loads(found[0]) if found[0][0] == '"' else found[0])
        at = found.end()
        if word[at : at + 1] != ".":
            break
        at += 1
    if word[at : at + 1] != "=" or len(keys) < 3 or _around(keys) != _AROUND:  # noqa: PLR2004  # modules, NAME and config
        hint = "" if "=" in word else f"; {NAMED_BY}"
        msg = f"{printable(word)} is not PATH=VALUE, as in {_EXAMPLE}{hint}"
        raise click.UsageError(msg)
    return keys[1], tuple(keys[3:]), _value(word[at + 1 :])


_AROUND = ("modules", "config")


def _around(keys: Sequence[str]) -> tuple[str, str]:
    return keys[0], keys[2]


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _set(tree: dict[str, Any], keys: Sequence[str], value: Any, word: str) -> None:
    for key in keys[:-1]:
        tree = tree.setdefault(key, {})
        if not isinstance(tree, dict):
            msg = f"{printable(word)} leads through a value that is set as well"
            raise click.UsageError(msg)
    tree[keys[-1]] = value
