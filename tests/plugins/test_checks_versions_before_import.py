from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

import midflight
from midflight import _entries

FUTURE = "midflight >=9.1, <10"


def shipped(requirement) -> Any:
    """Return a distribution that requires something."""
    return SimpleNamespace(name="acme", version="1.0", requires=[requirement])


def test_a_plugin_for_another_version_is_not_imported(site):
    """It is told what the plugin wants and what is there, and nothing else suffers."""
    site.install(
        "acme-new", {"modules:new": "Kind"}, "raise SystemExit\n", "3.0", [FUTURE]
    )
    site.install("acme-old", {"modules:old": "Kind"}, requires=["midflight>=0.1"])

    told = site.run("check", site.write("app.yaml", "new", "old"), code=1)
    rows = site.rows()

    why = f"it is written for midflight >=9.1, <10, and this is {midflight.__version__}"
    assert f"module `new` of acme-new 3.0 cannot be used: {why}" in " ".join(
        told.split()
    )
    assert "1 fault" in told
    assert "acme_new" not in site.imported
    assert rows["acme-new:new"]["state"] == "incompatible"
    assert rows["acme-new:new"]["reason"] == why
    assert rows["acme-old:old"]["state"] == "available"


WORDS = {
    "module": ("check", "new.yaml"),
    "source": ("check", "--source", "new:x"),
    "strategy": ("plan", "none.yaml", "none.yaml", "--strategy", "new"),
}


@pytest.mark.parametrize("role", WORDS)
def test_who_names_it_reads_the_code(site, role):
    """A module type, a source, a strategy: with what is wanted and what is there."""
    points = {"modules:new": "Kind", "sources:new": "Kind", "strategies:new": "Kind"}
    site.install("acme-new", points, "raise SystemExit\n", "3.0", [FUTURE])
    site.write("new.yaml", "new")
    site.write("none.yaml")
    code = 1 if role == "module" else 2

    text = site.run(*WORDS[role], code=code)
    data = site.run(*WORDS[role], "--format", "json", code=code)
    found, _ = json.JSONDecoder().raw_decode(data)

    wanted = f"for midflight >=9.1, <10, and this is {midflight.__version__}"
    said = f"{role} `new` of acme-new 3.0 cannot be used: it is written {wanted}"
    assert text.startswith(f"error[E_PLUGIN_API]: {said}\n")
    assert not found["ok"]
    (fault,) = found["faults"]
    assert (fault["code"], fault["message"]) == ("E_PLUGIN_API", said)


def test_the_log_names_the_code_of_one_that_is_left_out(site):
    """A cross-cutting plugin for another version stops no service, and is told of."""
    site.install("acme-new", {"plugins:new": ""}, "raise SystemExit\n", "3.0", [FUTURE])

    told = site.run("check", site.write("none.yaml"), "-p", "new")

    assert "E_PLUGIN_API: plugin `new` of acme-new 3.0 cannot be used" in told
    assert "ok: 0 modules" in told


def test_a_trial_leaves_out_what_does_not_fit(site):
    """`plugins --check` does not import it either."""
    site.install(
        "acme-new", {"modules:new": "Kind"}, "raise SystemExit\n", "3.0", [FUTURE]
    )

    assert site.rows("--check")["acme-new:new"]["state"] == "incompatible"


@pytest.mark.parametrize(
    ("line", "fits"),
    [
        ("midflight", True),
        ("midflight>=0.1", True),
        ("Midflight (>=0.3,<0.5)", True),
        ("midflight[admin]>=0.4.2", True),
        ("midflight>=0.4.3", False),
        ("midflight>0.4.2", False),
        ("midflight<=0.4", False),
        ("midflight<0.4.2", False),
        ("midflight<1", True),
        ("midflight~=0.3", True),
        ("midflight~=0.4.1", True),
        ("midflight~=0.3.1", False),
        ("midflight==0.4.*", True),
        ("midflight==0.4.2.0", True),
        ("midflight!=0.4.*", False),
        ("midflight!=0.4.1", True),
        ("midflight>=0.2,!=0.4.2,<9", False),
        ("midflight-redis>=9", True),
        ("midflight>=9; extra == 'never'", True),
        ("midflight @ https://example.org/x.whl", True),
    ],
)
def test_bounds_are_compared_as_installers_do(monkeypatch, line, fits):
    """The bounds of a requirement are those of pip; a marker is left to it."""
    monkeypatch.setattr(midflight, "__version__", "0.4.2")
    state, _ = _entries.identity(shipped(line))[2]

    assert state == ("available" if fits else "incompatible")


@pytest.mark.parametrize(("bound", "fits"), [("<1", False), (">=1", True)])
def test_a_pre_release_counts_as_its_release(monkeypatch, bound, fits):
    """Who tries the next version gets the plugins that are written for it."""
    monkeypatch.setattr(midflight, "__version__", "1.0.0rc1")

    assert (
        _entries.identity(shipped(f"midflight{bound}"))[2][0] == "available"
    ) is fits
