"""Run every benchmark, each in a process of its own; keep tables and figures."""

from __future__ import annotations

import argparse
import datetime
import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
PARTS = (
    "edit_to_module",
    "layers",
    "database",
    "stores",
    "admin",
    "start",
    "restart",
    "reads",
    "hooks",
)


def run(part: str, folder: pathlib.Path, *, quick: bool) -> str:
    """Run one benchmark and return what it printed."""
    command = [sys.executable, str(HERE / f"{part}.py")]
    command += ["--json", str(folder / f"{part}.json"), *["--quick"] * quick]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        lines = []
        for line in child.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    if child.returncode:
        lines.append(f"\n{part} ended with {child.returncode}\n")
    return "".join(lines)


def about(folder: pathlib.Path) -> str:
    """Return a line on the machine and one on the versions."""
    for path in sorted(folder.glob("*.json")):
        where = json.loads(path.read_text("utf-8"))[0]["machine"]
        versions = ", ".join(f"{k} {v}" for k, v in where["versions"].items())
        return (
            f"{where['at']} · Python {where['python']} · {where['system']} · "
            f"{where['cores']} cores, {where['processor']}, load {where['load']}\n"
            f"{versions}\n"
        )
    return ""


def main() -> int:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("parts", nargs="*", default=PARTS, help=", ".join(PARTS))
    options = parser.parse_args()
    stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    folder = HERE / "results" / stamp
    folder.mkdir(parents=True)
    texts = [run(part, folder, quick=options.quick) for part in options.parts]
    whole = about(folder) + "".join(texts)
    (folder / "tables.md").write_text(whole, "utf-8")
    print(about(folder))
    print(f"kept in {folder}")
    return int(any("ended with" in text for text in texts))


if __name__ == "__main__":
    sys.exit(main())
