"""What a document and a service keep in memory, and what reloads leave behind.

Counted by `tracemalloc`, beside the plain dictionaries that `json.loads` makes of the
same content.
"""

from __future__ import annotations

import contextlib
import gc
import json
import pathlib
import tempfile
import tracemalloc

import common
from document import plain
from limiter import Limiter
from writer import write

from midflight import Applied, Runtime
from midflight_plugins.file import FileSource

PATIENCE = 600.0  # s for one step: tracing makes a full parse several times longer
WARM = 1_200  # reloads before those that count: the API remembers 1,024 events
PLAIN = "plain dictionaries, by json.loads"


def used() -> int:
    """Return the bytes in use that were taken since tracing began."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


@contextlib.contextmanager
def traced():
    """Trace what is allocated."""
    gc.collect()
    tracemalloc.start()
    try:
        yield
    finally:
        tracemalloc.stop()


def kept(count: int, path: pathlib.Path) -> dict[str, float]:
    """Return the MB that each way to hold `count` modules keeps."""
    whole, found = json.dumps(plain(count)), {}
    modules = {"limiter": Limiter}
    with traced():
        held = json.loads(whole)
        found[PLAIN] = used()
    with traced():
        source = FileSource(path)
        held = source.load()
        found["midflight, what the file source keeps"] = used()
    del held, source
    with traced(), Runtime(f"file:{path}", modules=modules, deadline=PATIENCE):
        found["midflight, a runtime whose modules are running"] = used()
    return {name: size / 2**20 for name, size in found.items()}


def garbage(count: int, path: pathlib.Path, reloads: int) -> dict:
    """Return a row on what many reloads leave, each of one edited module."""
    text = common.Text(count)
    modules = {"limiter": Limiter}
    with traced(), Runtime(f"file:{path}", modules=modules) as runtime:
        for at in range(WARM + reloads):
            write(path, text.with_rate(1_000_000 + at), atomic=True)
            assert isinstance(runtime.reload(), Applied)
            if at == WARM - 1:
                before, objects = used(), len(gc.get_objects())
        left = used() - before
        more = len(gc.get_objects()) - objects
    return {
        "modules": count,
        "reloads": str(reloads),
        "left behind, kB": left / 1024,
        "objects more": more,
    }


def main() -> None:
    """Measure every size."""
    sizes = {"nargs": "+", "type": int, "default": None}
    options = common.arguments("What is kept in memory.", sizes=sizes)
    usual = [10, 1_000] if options.quick else [10, 1_000, 10_000]
    rows, left = [], []
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "app.yaml")
        write(path, common.Text(1).with_rate(1), atomic=True)
        kept(1, path)  # what is imported and made once is not counted
        for count in options.sizes or usual:
            write(path, common.Text(count).with_rate(1), atomic=True)
            sizes = kept(count, path)
            rows += [
                {
                    "modules": count,
                    "what": name,
                    "MB": size,
                    "kB a module": size * 1024 / count,
                    "x plain": size / sizes[PLAIN],
                }
                for name, size in sizes.items()
            ]
        for count in [10] if options.quick else [10, 1_000]:
            write(path, common.Text(count).with_rate(1), atomic=True)
            left.append(garbage(count, path, 1_000))
    common.report("What is kept in memory", rows, options.json)
    common.report("What 1,000 reloads leave behind", left, options.json)


if __name__ == "__main__":
    main()
