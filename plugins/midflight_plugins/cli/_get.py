"""`midflight get`."""

from __future__ import annotations

import click

from midflight_plugins.cli._options import Sources
from midflight_plugins.cli._text import json_text, plain
from midflight_plugins.cli._versions import document_of


def get(given: Sources, form: str, output: str | None) -> None:
    """Write a configuration as it is stored.

    Raises:
        InvalidConfigurationError: if it is wrong.
        SourceUnavailableError: if it cannot be read.
        click.UsageError: if `output` cannot be written.
    """
    loaded = given.runtime().read()[1]
    document = document_of(loaded)
    content = plain(document.as_mapping())
    if form == "json":
        head = {"version": loaded.version, "digest": document.digest}
        text = json_text({**head, "document": content}) + "\n"
    else:
        text = json_text(content) + "\n" if loaded.text is None else loaded.text
    data = text.encode()
    if output in (None, "-"):
        click.echo(data, nl=False)
        return
    try:
        with click.open_file(str(output), "wb", atomic=True) as file:
            file.write(data)
    except OSError as exc:
        msg = f"cannot write {output}: {exc.strerror or exc}"
        raise click.UsageError(msg) from exc
    version = "" if loaded.version is None else f"version {loaded.version}, "
    click.echo(f"{output}: {version}{len(data)} bytes", err=True)
