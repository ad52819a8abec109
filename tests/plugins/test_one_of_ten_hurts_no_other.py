from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest

NINE = [f"good{at}" for at in range(9)]
# The code of a distribution's module, and why that cannot be imported.
BROKEN = {
    "raises": ("import no_such_library\n", "ModuleNotFoundError: No module named"),
    "exits": ("raise SystemExit(3)\n", "SystemExit: 3"),
    "misspelt": ("def f(:\n", "SyntaxError: "),
    "empty": ("", "AttributeError: module 'acme_bad' has no attribute 'Kind'"),
}
SLOW = "import time\ntime.sleep(30)\nclass Kind: pass\n"


@pytest.fixture
def nine(site):
    """Install nine distributions of one module type each."""
    for name in NINE:
        site.install(f"acme-{name}", {f"modules:{name}": "Kind"})
    site.write("nine.yaml", *NINE)
    site.write("ten.yaml", *NINE, "bad")
    return site


def serves_the_others(site):
    """Tell whether all nine can be used, beside whatever the tenth is."""
    return "ok: 9 modules" in site.run("check", "nine.yaml")


def spoil(nine, text="[midflight.modules]\nbad\n"):
    """Install one more distribution, whose entry points cannot be read."""
    nine.install("acme-bad", {"modules:bad": "Kind"}, version="2.5")
    file = nine.packages / "acme_bad-2.5.dist-info/entry_points.txt"
    file.write_text(text, encoding="latin-1")


@pytest.mark.parametrize("fault", BROKEN)
def test_one_broken_plugin_is_named(nine, fault):
    """Who uses it learns its distribution, version and fault; nine others work."""
    code, reason = BROKEN[fault]
    nine.install("acme-bad", {"modules:bad": "Kind"}, code, version="2.5")

    told = nine.run("check", "ten.yaml", code=1)

    assert f"module `bad` of acme-bad 2.5 cannot be used: {reason}" in told
    assert "1 fault" in told
    assert serves_the_others(nine)


def test_two_of_a_name_are_named(nine):
    """A name that two claim is nobody's; it is told without an import of either."""
    nine.install("acme-bad", {"modules:bad": "Kind"}, version="2.5")
    nine.install("other-bad", {"modules:bad": "Kind"}, version="0.3")

    rows = nine.rows()
    told = nine.run("check", "ten.yaml", code=1)

    for key, version in {"acme-bad:bad": "2.5", "other-bad:bad": "0.3"}.items():
        assert rows[key]["version"] == version
        assert rows[key]["state"] == "conflict"
        assert rows[key]["reason"] == "acme-bad and other-bad claim the name"
    assert "acme-bad and other-bad claim the name" in told
    assert not {"acme_bad", "other_bad"} & nine.imported
    assert serves_the_others(nine)


def test_one_slow_plugin_is_given_up(nine):
    """Its import has the time of a hook, and is named; listing waits for none."""
    nine.install("acme-bad", {"modules:bad": "Kind"}, SLOW, version="2.5")
    words = ("run", "ten.yaml", "--no-state", "--deadline", "1")

    begun = time.monotonic()
    told = nine.run(*words, code=4)

    assert time.monotonic() - begun < 15
    assert "did not return within 1 s" in told
    assert "the import of module `bad` of acme-bad 2.5 has not come back" in told
    assert nine.rows()["acme-bad:bad"]["state"] == "available"
    assert serves_the_others(nine)


def test_a_half_removed_distribution_is_named(nine):
    """One without metadata is listed as failed, with its reason."""
    nine.install("acme-bad", {"modules:bad": "Kind"})
    (nine.packages / "acme_bad-1.0.dist-info/METADATA").unlink()

    row = nine.rows()["(unknown):bad"]
    told = nine.run("check", "ten.yaml", code=1)

    assert row["state"] == "failed"
    assert "its metadata cannot be read" in row["reason"]
    assert "its metadata cannot be read" in told
    assert serves_the_others(nine)


@pytest.mark.parametrize("text", ["[midflight.modules]\nbad\n", "[a]\nb = \xff:c\n"])
def test_a_spoilt_declaration_is_named(nine, text):
    """One whose entry points cannot be read is left out, and listed with the reason."""
    spoil(nine, text)

    told = nine.run("check", "ten.yaml", code=1)
    rows = json.loads(nine.run("plugins", "--format", "json").partition("]\n")[0] + "]")

    said = "its entry_points.txt cannot be read: install it again"
    assert f"acme-bad 2.5 is left out: {said}" in told
    row = next(row for row in rows if row["distribution"] == "acme-bad")
    assert (row["version"], row["state"], row["reason"]) == ("2.5", "failed", said)
    assert serves_the_others(nine)


@pytest.mark.parametrize(
    "words",
    [
        ["new", "source", "zed"],
        ["modules"],
        ["schema"],
        ["check", "asks.json"],
        ["--version"],
    ],
    ids=lambda words: words[0],
)
def test_a_spoilt_declaration_stops_no_command(nine, words):
    """Whatever reads the entry points goes on with those that can be read."""
    spoil(nine)
    asks = {"modules": [], "requires": {"capabilities": ["module:logging"]}}
    (nine.here / "asks.json").write_text(json.dumps(asks))

    nine.run(*words)


@pytest.mark.parametrize(
    "words",
    [
        ["-m", "midflight", "--version"],
        ["-c", "from midflight import Runtime; Runtime({'type': 'memory'}).status()"],
    ],
    ids=lambda words: words[0],
)
def test_a_spoilt_declaration_stops_no_application(nine, words):
    """Who embeds a runtime, or runs the module, has no traceback of another's file."""
    spoil(nine)
    env = {**os.environ, "PYTHONPATH": str(nine.packages)}
    done = subprocess.run(
        [sys.executable, *words], env=env, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr


def test_a_trial_tells_which_are_broken(nine):
    """`plugins --check` imports each by itself, also what hangs or ends a process."""
    faults = {name: code for name, (code, _) in BROKEN.items() if name != "empty"}
    faults |= {"slow": SLOW, "ends": "import os\nos._exit(0)\n"}
    for name, code in faults.items():
        nine.install(f"acme-{name}", {f"modules:{name}": "Kind"}, code)
    noisy = 'import os\nprint("loud")\nos.write(1, b"loud")\nclass Kind: pass\n'
    nine.install("acme-noisy", {"modules:noisy": "Kind"}, noisy)

    rows = nine.rows("--check", "--deadline", "4", code=2)

    reasons = {r["name"]: r["reason"] for r in rows.values() if r["state"] == "failed"}
    assert reasons.keys() == faults.keys()
    assert all(
        reasons[name].startswith(BROKEN[name][1]) for name in ("raises", "exits")
    )
    assert reasons["slow"] == "its import takes more than 4 s"
    assert reasons["ends"] == "its import ended the process, status 0"
    loaded = {r["name"] for r in rows.values() if r["state"] == "loaded"}
    assert loaded == {*NINE, "noisy"}
    assert not {f"acme_{name}" for name in (*NINE, *faults)} & nine.imported


OBSERVERS = {
    "exits": ("raise SystemExit(3)", "of acme-bad 1.0 cannot be used: SystemExit: 3"),
    "hook": ("@hookimpl\ndef on_outcom(): pass", "there is no hook `on_outcom`"),
    "argument": ("@hookimpl\ndef on_outcome(x): pass", "`on_outcome` has no argument"),
    "no wrapper": ("@hookimpl\ndef load(): pass", "`bad` may only wrap `load`"),
    "no yield": (
        "@hookimpl(wrapper=True)\ndef load(): pass",
        "`bad` cannot wrap `load`: a wrapper has one `yield`",
    ),
}


@pytest.mark.parametrize("fault", OBSERVERS)
def test_a_broken_observer_stops_no_service(nine, fault):
    """An allowed cross-cutting plugin that cannot be used is logged and left out."""
    code, reason = OBSERVERS[fault]
    head = "from midflight import hookimpl\n\n\n"
    nine.install("acme-bad", {"plugins:bad": ""}, f"{head}{code}\n")

    told = nine.run("check", "nine.yaml", "-p", "bad")

    assert reason in told
    assert "ok: 9 modules" in told
