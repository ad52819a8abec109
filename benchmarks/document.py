"""What a document costs: reading, what differs, the digest, and the exchange.

Each beside what one would write first, on the same content, in turns.
"""

from __future__ import annotations

import copy
import gc
import hashlib
import json
import os
import pathlib
import tempfile
import time
import tomllib
from unittest import mock

import attrs
import common
from writer import write

from midflight import Diff, Document, Runtime
from midflight_plugins.file import FileSource

LONGEST = 10.0  # s that one way may take in all
BASES = {
    "load": "load: ruamel safe, pure",
    "diff": "diff: naive, json.dumps of both sides",
    "digest": "digest: naive, sha256 of json.dumps",
    "exchange": "exchange: naive, copy.deepcopy of the whole",
    "JSON": "JSON: json.loads of the whole",
    "TOML": "TOML: tomllib.loads of the whole",
    "write": "write one value: ruamel's round trip of the whole",
}


class Json(common.Text):
    """The same as JSON, a line for each module."""

    file, between, tail = "app.json", ",\n", "]}\n"
    head = '{"application": {"name": "shop"}, "modules": [\n'

    def written(self, at: int, rate: int) -> str:
        """Return the text of one module."""
        return json.dumps(entry(at, rate))


class Toml(common.Text):
    """The same as TOML."""

    file, head = "app.toml", 'application.name = "shop"\n'

    def written(self, at: int, rate: int) -> str:
        """Return the text of one module."""
        made = entry(at, rate)
        lines = [f"{name} = {json.dumps(it)}" for name, it in made["config"].items()]
        head = ["[[modules]]", f'name = "{made["name"]}"', f'type = "{made["type"]}"']
        return "\n".join([*head, "[modules.config]", *lines, ""])


def entry(at: int, rate: int) -> dict:
    """Return one module as plain dictionaries."""
    lines = common.ENTRY.format(at, f"      rate: {rate}\n").splitlines()[3:]
    values = dict(line.strip().split(": ") for line in lines)
    values |= {"rate": rate, "burst": at, "port": 8080, "ratio": 0.75, "enabled": True}
    return {"name": f"module-{at}", "type": "limiter", "config": values}


def timed(call) -> float:
    """Return the milliseconds of a call, the collector's work of before left out."""
    gc.collect()
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1e3


def uncollected(call):
    """Return the same with the collector off, as Midflight reads a large document."""

    def way() -> None:
        gc.disable()
        try:
            call()
        finally:
            gc.enable()

    return way


def plain(count: int) -> dict:
    """Return the document as plain dictionaries, what a parser would give."""
    entries = [entry(at, 10) for at in range(count)]
    return {"application": {"name": "shop"}, "modules": entries}


def edited(raw: dict, rate: int) -> dict:
    """Return the same with another rate in the middle; all else is shared."""
    entries = list(raw["modules"])
    at = len(entries) // 2
    entries[at] = entries[at] | {"config": entries[at]["config"] | {"rate": rate}}
    return raw | {"modules": entries}


class Documents:
    """One document in its forms, and edits of it.

    Args:
        count: how many modules.
    """

    def __init__(self, count: int) -> None:
        self.raw, self._rate = plain(count), 10
        self.document = Document.from_mapping(self.raw)
        self.document.digest  # noqa: B018  # each module keeps its own from here on

    def edited(self) -> Document:
        """Return a document that shares every module but the one in the middle."""
        self._rate += 1
        raw = self.raw["modules"]
        entry = edited({"modules": [raw[len(raw) // 2]]}, self._rate)
        part = Document.from_mapping(entry).modules
        modules = type(self.document.modules)({**self.document.modules, **part})
        return attrs.evolve(self.document, modules=modules)

    def fresh(self) -> Document:
        """Return a document that shares nothing."""
        self._rate += 1
        return Document.from_mapping(edited(self.raw, self._rate))

    def prepared(self, make, call):
        """Return a way that makes something first and times the call alone."""

        def way() -> float:
            made = make()
            return timed(lambda: call(made))

        return way


def reading(folder: pathlib.Path, count: int) -> dict:
    """Return the ways to read the whole, and to read it again after an edit."""
    from ruamel.yaml import YAML

    text, path = common.Text(count), folder / "app.yaml"
    whole = text.with_rate(0)
    write(path, whole, atomic=True)

    def first(parser: str) -> float:
        with mock.patch.dict(os.environ, MIDFLIGHT_YAML=parser):
            return timed(lambda: FileSource(path).load().document)

    def again(parser: str):
        edit = edits(folder, common.Text(count), f"edited-{parser}")

        def way() -> float:
            with mock.patch.dict(os.environ, MIDFLIGHT_YAML=parser):
                return edit()

        return way

    ways = {
        "load after an edit: midflight": again("pure"),
        "load, first: midflight": lambda: first("pure"),
        "load: ruamel safe, pure": lambda: timed(
            lambda: YAML(typ="safe", pure=True).load(whole)
        ),
    }
    if common.there("ruamel.yaml.clib", "load, extra fast and ruamel's C parser"):
        ways["load after an edit: midflight, extra fast"] = again("")
        ways["load, first: midflight, extra fast"] = lambda: first("")
        ways["load: ruamel safe, C parser"] = lambda: timed(
            lambda: YAML(typ="safe").load(whole)
        )
    if common.there("PyYAML", "load: pyyaml.safe_load"):
        import yaml

        ways["load: pyyaml.safe_load"] = lambda: timed(lambda: yaml.safe_load(whole))
        if loader := getattr(yaml, "CSafeLoader", None):  # built with libyaml

            def by_c():
                return yaml.load(whole, loader)

            ways["load: pyyaml.CSafeLoader"] = lambda: timed(by_c)
            ways["load: pyyaml.CSafeLoader, collector off"] = lambda: timed(
                uncollected(by_c)
            )
    return ways


def edits(folder: pathlib.Path, text: common.Text, name: str):
    """Return a way to read a file again, in which one value was edited."""
    path, held = folder / f"{name}-{text.file}", []

    def way() -> float:
        if not held:
            write(path, text.with_rate(text.rate), atomic=True)
            held.append(FileSource(path))
            held[0].load()
        write(path, text.with_rate(text.rate + 1), atomic=True)
        return timed(held[0].load)

    return way


def formats(folder: pathlib.Path, count: int) -> dict:
    """Return the same for JSON and TOML, beside a parse of the whole by itself."""
    as_json, as_toml = Json(count), Toml(count)
    whole = {"JSON": as_json.with_rate(10), "TOML": as_toml.with_rate(10)}
    return {
        "JSON: midflight, after an edit": edits(folder, as_json, "edited"),
        "TOML: midflight, after an edit": edits(folder, as_toml, "edited"),
        "JSON: json.loads of the whole": lambda: timed(
            lambda: json.loads(whole["JSON"])
        ),
        "TOML: tomllib.loads of the whole": lambda: timed(
            lambda: tomllib.loads(whole["TOML"])
        ),
    }


def writing(folder: pathlib.Path, count: int) -> dict:
    """Return the ways to write one value into a file, comments kept, to the disk."""
    from ruamel.yaml import YAML

    held = Documents(count)
    ours, theirs = folder / "ours.yaml", folder / "theirs.yaml"
    for path in (ours, theirs):
        write(path, common.Text(count).with_rate(10), atomic=True)
    source = FileSource(ours)

    def put():
        loaded = source.load()
        document = attrs.evolve(loaded.document, modules=held.edited().modules)
        return document, loaded.token

    def round_trip() -> None:
        yaml = YAML()
        raw = yaml.load(theirs)
        raw["modules"][count // 2]["config"]["rate"] += 1
        with theirs.open("w") as file:
            yaml.dump(raw, file)
            os.fsync(file.fileno())

    return {
        "write one value: midflight, comments kept": held.prepared(
            put, lambda made: source.put(made[0], made[1], None)
        ),
        "write one value: ruamel's round trip of the whole": lambda: timed(round_trip),
    }


def working(count: int) -> dict:
    """Return the ways to compare, to label and to exchange."""
    held = Documents(count)
    old, raw = held.document, held.raw
    other = json.loads(json.dumps(edited(raw, 11)))

    def dumped(each: dict) -> list[str]:
        return [json.dumps(entry, sort_keys=True) for entry in each["modules"]]

    def compared() -> list:
        pairs = zip(dumped(raw), dumped(other), strict=True)
        return [one for one, two in pairs if one != two]

    def labelled() -> str:
        text = json.dumps(other, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def exchange():
        snapshot = Runtime("memory:").snapshot
        part = next(iter(old.modules.items()))

        def swap() -> None:
            modules = dict(old.modules)
            modules[part[0]] = part[1]
            holder.current = attrs.evolve(snapshot, running=modules)

        holder = type("Holder", (), {})()
        return swap

    return {
        "diff: midflight, one edited, the rest shared": held.prepared(
            held.edited, lambda new: Diff.between(old, new)
        ),
        "diff: midflight, nothing shared": held.prepared(
            held.fresh, lambda new: Diff.between(old, new)
        ),
        "diff: naive, json.dumps of both sides": lambda: timed(compared),
        "diff: naive, == of two dicts, not typed": lambda: timed(lambda: raw == other),
        "digest: midflight, one edited, the rest shared": held.prepared(
            held.edited, lambda new: new.digest
        ),
        "digest: midflight, nothing shared": held.prepared(
            held.fresh, lambda new: new.digest
        ),
        "digest: naive, sha256 of json.dumps": lambda: timed(labelled),
        "exchange: midflight, modules copied, one replaced": held.prepared(
            exchange, lambda swap: swap()
        ),
        "exchange: naive, copy.deepcopy of the whole": lambda: timed(
            lambda: copy.deepcopy(raw)
        ),
    }


def measure(count: int, rounds: int) -> list[dict]:
    """Return a row for each way, with its ratio to what one would write first."""
    with tempfile.TemporaryDirectory() as folder:
        where = pathlib.Path(folder)
        ways = reading(where, count) | formats(where, count)
        ways |= writing(where, count) | working(count)
        found = common.in_turns(ways, rounds, LONGEST)
    rows = []
    for name, samples in sorted(found.items()):
        what, _, way = name.partition(": ")
        base = common.summary(found[BASES[what.split()[0].strip(",")]])
        row = {"modules": count, "what": what, "way": way} | common.summary(samples)
        rows.append(row | {"x naive": row["p50"] / base["p50"]})
    return rows


def main() -> None:
    """Measure every size."""
    sizes = {"nargs": "+", "type": int, "default": None}
    options = common.arguments("What a document costs.", sizes=sizes)
    rounds = 4 if options.quick else 15
    usual = [10, 1_000] if options.quick else [10, 1_000, 10_000]
    rows = [row for n in options.sizes or usual for row in measure(n, rounds)]
    common.report("Reading and comparing a document, ms", rows, options.json)


if __name__ == "__main__":
    main()
