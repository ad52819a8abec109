"""What a call of a participant costs, and what one changed module costs the core.

The source hands over documents that share every part but one, so nothing is parsed:
what is measured is hash, load, digest, diff, plan, commit and the exchange.
"""

from __future__ import annotations

import cProfile
import gc
import pstats
import time
import timeit

import common
import limiter
from shared import Shared, on_a_thread

from midflight import Runtime, hookimpl

PAUSE = 0.012  # s, longer than the quiet time after which a hint counts as a lone one
SHOWN = 12


class Limiter(limiter.Limiter):
    at = 0.0

    @hookimpl
    def reconfigure(self, config):
        self.at = time.perf_counter()

    @hookimpl
    def probe(self):
        return None


class Wrapper:
    """Wraps every `probe`, as a plugin for metrics would."""

    @hookimpl(wrapper=True)
    def probe(self):
        return (yield)


def passes(count: int, number: int) -> tuple[list[dict], list[dict]]:
    """Return rows on passes with one changed module of `count`, and their profile."""
    source = Shared(count)
    gc.collect()
    to_module, whole, first, idle = [], [], [], []
    profile = cProfile.Profile()
    with Runtime(source, watch=True, modules={"limiter": Limiter}) as runtime:
        module = runtime.module(source.module)

        def edit():
            source.edit()
            time.sleep(PAUSE)

        def measure():
            for _ in range(number):
                edit()
                began = time.perf_counter()
                source.notify()
                ended = time.perf_counter()
                assert module.at > began
                to_module.append((module.at - began) * 1e3)
                whole.append((ended - began) * 1e3)
                for looks in (first, idle):
                    time.sleep(PAUSE)
                    began = time.perf_counter()
                    source.notify()
                    looks.append((time.perf_counter() - began) * 1e3)

        def watched():
            for _ in range(number):
                edit()
                profile.enable()
                source.notify()
                profile.disable()

        on_a_thread(measure)
        on_a_thread(watched)
    measured = {
        "from the hint to the module": to_module,
        "from the hint to the end": whole,
        "nothing changed, the first look after a change": first,
        "nothing changed, each further look": idle,
    }
    rows = [
        {"modules": count, "what": what} | common.summary(samples)
        for what, samples in measured.items()
    ]
    return rows, hottest(count, profile, number)


def hottest(count: int, profile: cProfile.Profile, number: int) -> list[dict]:
    """Return the functions that took most of the time themselves."""
    found = pstats.Stats(profile).stats
    total = sum(own for _, _, own, _, _ in found.values())
    ordered = sorted(found.items(), key=lambda item: -item[1][2])[:SHOWN]
    return [
        {
            "modules": count,
            "function": f"{file.rpartition('/')[2]}:{line} {name}",
            "calls a pass": round(calls / number),
            "own, us": own / number * 1e6,
            "with callees, us": callees / number * 1e6,
            "share, %": 100 * own / total,
        }
        for (file, line, name), (_, calls, own, callees, _) in ordered
    ]


def calls(number: int) -> list[dict]:
    """Return rows on one call of one participant, in microseconds."""
    rows = []
    ways = {
        "the method itself": (Limiter("alone").probe, []),
        "a participant": (None, []),
        "a participant, one wrapper": (None, [Wrapper()]),
        "a participant, three wrappers": (None, [Wrapper(), Wrapper(), Wrapper()]),
    }
    for what, (call, plugins) in ways.items():
        with Runtime(
            Shared(1), modules={"limiter": Limiter}, plugins=plugins
        ) as runtime:
            participant = runtime.snapshot.running["module-0"].participant

            def invoke(participant=participant, runtime=runtime):
                participant.invoke("probe", runtime=runtime)

            timer = timeit.Timer(call or invoke)
            samples = [each / number * 1e6 for each in timer.repeat(7, number)]
        rows.append({"one call, us": what} | common.summary(samples))
    return rows


def main() -> None:
    """Measure calls, then passes."""
    sizes = {"nargs": "+", "type": int, "default": [10, 100, 1000, 10000]}
    options = common.arguments("What hooks and the core cost.", sizes=sizes)
    rows, hot = [], []
    for count in options.sizes:
        number = 20 if options.quick or count > 1000 else 100
        own, profile = passes(count, number)
        rows += own
        hot += profile
    number = 2_000 if options.quick else 20_000
    common.report("Calls of a participant", calls(number), options.json)
    common.report("One changed module, nothing parsed, ms", rows, options.json)
    common.report("Where that goes (under a profiler)", hot, options.json)


if __name__ == "__main__":
    main()
