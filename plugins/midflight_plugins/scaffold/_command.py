"""`midflight new`: a project to begin with."""

from __future__ import annotations

import importlib.util
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from midflight.errors import plain


@click.group()
def new() -> None:
    """Write a project with a plugin of your own, ready to be installed.

    It has the plugin, tests that ask it every clause of our contract, a README and a
    workflow for CI. Change what it does, and publish it.
    """


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what each command of the group takes."""
    where = click.option(
        "--dir",
        "folder",
        metavar="DIR",
        type=click.Path(file_okay=False, path_type=Path),
        help="Where the project is written.  [default: ./NAME]",
    )
    return click.argument("name")(where(command))


@new.command()
@_options
def source(name: str, folder: Path | None) -> None:
    """Begin a source, for `--source NAME:...`.

    It reads a JSON file. The distribution is called midflight-NAME.
    """
    folder = folder or Path(name)
    _make("source", name, folder, "--source", f"{name}:{folder / 'example.json'}")


@new.command()
@_options
def module(name: str, folder: Path | None) -> None:
    """Begin a module type, for `type: NAME`.

    It says a line every so often. The distribution is called midflight-NAME.
    """
    folder = folder or Path(name)
    _make("module", name, folder, str(folder / "example.yaml"))


@new.command()
@_options
def strategy(name: str, folder: Path | None) -> None:
    """Begin a strategy, for `--strategy NAME`.

    It holds what removes modules. The distribution is called midflight-NAME.
    """
    folder = folder or Path(name)
    example = str(folder / "example.yaml")
    _make("strategy", name, folder, example, "--strategy", name)


def _make(kind: str, name: str, folder: Path, *run: str) -> None:
    """Write the project, and say how it is installed, tested and run."""
    from midflight_plugins.scaffold._project import named, write

    try:
        project = named(kind, name)
    except ValueError as exc:
        raise click.BadParameter(plain(str(exc), 400), param_hint="NAME") from exc
    try:
        count = write(project, folder)
    except FileExistsError as exc:
        msg = (
            f"{plain(str(exc))} is there already; nothing was written: "
            "name another folder with --dir, or remove that one"
        )
        raise click.UsageError(msg) from exc
    except OSError as exc:
        where = plain(str(folder))
        msg = f"the project cannot be written to {where}: {plain(str(exc))}"
        raise click.UsageError(msg) from exc
    here = folder if folder.is_absolute() else f"./{folder}"
    click.echo(f"{project.distribution}: {count} files in {plain(str(folder))}; next:")
    for line in (
        ["pip", "install", "--editable", f"{here}[test]"],
        ["pytest", str(folder)],
        ["midflight", "run", *run, "--watch"],
    ):
        click.echo(f"  {shlex.join(line)}")
    if importlib.util.find_spec("pytest") is None:
        click.echo("pytest is not here yet: `[test]` brings it, a plain install not")
