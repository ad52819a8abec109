"""The words `no:WORD` that block nothing: whoever wrote one believes it does."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import click


def idle(plugins: Sequence[str]) -> list[str]:
    """Return a sentence for each `no:WORD` that keeps nothing away: a typo, perhaps."""
    from midflight import PluginRegistry
    from midflight.errors import did_you_mean

    told = []
    for word in dict.fromkeys(each for each in plugins if each.startswith("no:")):
        entries = PluginRegistry().without([word]).entries()
        if all(entry.state != "blocked" for entry in entries):
            why = "nothing that is installed is called so"
            words = ((e.name, e.distribution, f"{e.role}:{e.name}") for e in entries)
            near = did_you_mean(word[3:], {*chain.from_iterable(words)})
            told.append(f"`{word}` blocks nothing: {why}; {near}")
    return told


def warned(
    ctx: click.Context, _option: click.Parameter, words: tuple[str, ...]
) -> tuple[str, ...]:
    """Warn of each that is idle, as a callback of `-p`; a service logs it instead."""
    if not ctx.resilient_parsing and ctx.info_name != "run":
        from midflight_plugins.cli._text import printable

        head = click.style("warning", fg="yellow", bold=True)
        for each in idle(words):
            click.echo(f"{head}: {printable(each)}", err=True)
    return words
