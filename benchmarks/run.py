"""Run every benchmark, each in a process of its own; keep tables and figures."""

from __future__ import annotations

import argparse
import datetime
import os
import pathlib
import subprocess
import sys
import time

import common
import page
from results import Results

HERE = pathlib.Path(__file__).resolve().parent
PARTS = (
    "edit_to_module",
    "document",
    "memory",
    "changes",
    "idle",
    "layers",
    "database",
    "stores",
    "admin",
    "start",
    "restart",
    "reads",
    "hooks",
)
SIZES = ("--sizes", "10", "1000", "10000")
QUICK = {"memory": SIZES, "admin": SIZES, "restart": ("--sizes", "1000", "10000")}
# What is measured once more with ruamel.yaml in pure Python, and kept by another name.
PROCESS = ("--sizes", "10000", "--programs", "process")
PURE = {"restart": ("restart-pure", PROCESS)}


def run(part: str, folder: pathlib.Path, *, quick: bool) -> str:
    """Run one benchmark and return what it printed."""
    options = ("--quick", *QUICK.get(part, ())) if quick else ()
    text = kept(part, folder / f"{part}.json", options, {})
    if part in PURE:
        name, more = PURE[part]
        options = ("--quick", *more) if quick else more
        to = folder / f"{name}.json"
        text += kept(part, to, options, {"MIDFLIGHT_YAML": "pure"})
    return text


def kept(part: str, to: pathlib.Path, options: tuple[str, ...], more: dict) -> str:
    """Run one script, keep its figures, and return what it printed."""
    command = [sys.executable, str(HERE / f"{part}.py"), "--json", str(to), *options]
    began, pipe = time.monotonic(), subprocess.PIPE
    with subprocess.Popen(
        command, stdout=pipe, text=True, env=os.environ | more
    ) as child:
        lines = []
        for line in child.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    ended = f"ended with {child.returncode} " if child.returncode else ""
    lines.append(f"\n{to.stem}: {ended}after {time.monotonic() - began:.0f} s\n")
    print(lines[-1], flush=True)
    return "".join(lines)


def about(folder: pathlib.Path) -> str:
    """Return a line on the machine and one on the versions."""
    if not any(folder.glob("*.json")):
        return ""
    return common.about(Results(folder).machine())


def main() -> int:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--page", action="store_true", help="rewrite the page's tables")
    parser.add_argument("parts", nargs="*", default=PARTS, help=", ".join(PARTS))
    options = parser.parse_args()
    if unknown := {*options.parts} - {*PARTS}:
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    folder = HERE / "results" / stamp
    folder.mkdir(parents=True)
    texts = [run(part, folder, quick=options.quick) for part in options.parts]
    whole = about(folder) + "".join(texts)
    (folder / "tables.md").write_text(whole, "utf-8")
    print(about(folder))
    print(f"kept in {folder}")
    if options.page and any(folder.glob("*.json")):
        page.write(Results(folder), [])
    return int(any(": ended with" in text for text in texts))


if __name__ == "__main__":
    sys.exit(main())
