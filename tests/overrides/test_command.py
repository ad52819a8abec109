from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from midflight import Runtime
from midflight_plugins.cli._app import app
from midflight_plugins.memory import MemorySource
from midflight_plugins.overrides import OverridesSource

RATE = "modules.api.config.rate"


@pytest.fixture
def store(tmp_path, monkeypatch):
    """Return a store in the working directory."""
    monkeypatch.chdir(tmp_path)
    return "file:overrides.yaml"


def run(*args, code=0):
    """Run `midflight override …` and return what it says."""
    result = CliRunner().invoke(app, ["override", *args])
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def state_dir(make, store, tmp_path):
    """Return the state directory of a service that runs on the store."""
    with make(OverridesSource(store), state_dir=tmp_path / "state") as runtime:
        runtime.service = runtime
        yield str(tmp_path / "state")


def test_sets_lists_and_unsets(store):
    """Without a service to ask, what is set is stored, and said to be no more."""
    said = run("set", RATE, "5", "--store", store, "-m", "rush")
    assert "stored, not yet applied" in said
    assert run("list", "--store", store) == f"{RATE} = 5  (overrides.yaml:4:13)\n"
    data = json.loads(run("list", "--store", store, "--format", "json"))
    assert data["overrides"][0]["path"] == RATE
    assert data["version"]
    run("unset", RATE, "--store", store)
    assert run("list", "--store", store) == "no overrides\n"


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (["5"], 5),
        (["true"], True),
        (["null"], None),
        (['["a"]'], ("a",)),
        (['{"a": 1}'], {"a": 1}),
        (["hello"], "hello"),
        (['"5"'], "5"),
        (["5", "--string"], "5"),
        (["--", "-5"], -5),
    ],
)
def test_a_value_is_json_if_it_can_be(store, words, value):
    """Anything else is text; `--string` makes text of all."""
    run("set", "--store", store, "limits.most", *words)

    (found,) = OverridesSource(store).list()[:1]
    assert (found.value if "a" not in found.path else {"a": 1}) == value


def test_a_running_service_applies_it_at_once(store, state_dir):
    """With its state directory, the command says which generation came of it."""
    said = run("set", RATE, "5", "--store", store, "--state-dir", state_dir)
    assert "applied as generation 2" in said
    data = json.loads(
        run("unset", RATE, "--store", store, "--state-dir", state_dir,
            "--format", "json")
    )  # fmt: skip

    assert (data["state"], data["generation"]) == ("applied", 3)


@pytest.mark.parametrize(("bad", "code"), [("-1", 1), ("100", 4)])
def test_what_the_service_refuses_is_taken_back(store, state_dir, bad, code):
    """The exit code and the faults say so, and the store is as before."""
    run("set", RATE, "5", "--store", store, "--state-dir", state_dir)
    said = run(
        "set", "--store", store, "--state-dir", state_dir, RATE, "--", bad, code=code
    )

    assert "it was taken back" in said
    assert [each.value for each in OverridesSource(store).list()] == [5]


def test_a_service_without_that_layer_is_told(store, tmp_path):
    """What it has in force is not said to be the override."""
    folder = str(tmp_path / "other")
    with Runtime(MemorySource({}), state_dir=folder):
        said = run("set", RATE, "5", "--store", store, "--state-dir", folder)

    assert "no layer of the process" in said


def test_a_service_that_does_not_answer_is_told_before_anything_is_stored(store):
    """Exit 3, and nothing is stored."""
    run("set", RATE, "5", "--store", store, "--state-dir", "nowhere", code=3)

    assert OverridesSource(store).list() == ()


def test_the_store_comes_from_the_settings(store, tmp_path, monkeypatch):
    """From midflight.toml, from pyproject.toml, or from MIDFLIGHT_OVERRIDES."""
    run("list", code=2)
    (tmp_path / "pyproject.toml").write_text(
        '[tool.midflight.overrides]\nstore = "file:a.yaml"\n'
    )
    run("set", "limits.most", "1")
    (tmp_path / "midflight.toml").write_text('[overrides]\nstore = "file:b.yaml"\n')
    run("set", "limits.most", "2")
    monkeypatch.setenv("MIDFLIGHT_OVERRIDES", "overrides:file:c.yaml")
    run("set", "limits.most", "3")

    for number, name in enumerate("abc", 1):
        (found,) = OverridesSource(f"file:{name}.yaml").list()
        assert found.value == number


@pytest.mark.parametrize("text", ["[overrides", "[overrides]\nstore = 5\n"])
def test_settings_that_are_wrong_are_told(store, tmp_path, text):
    """With the file's name."""
    (tmp_path / "midflight.toml").write_text(text)

    assert "midflight.toml" in run("list", code=1)


def test_a_store_in_memory_is_refused(store):
    """It would end with the command, which would say that something is stored."""
    assert "ends with its process" in run("list", "--store", "memory", code=2)


def test_an_old_version_is_refused(store):
    """`--expect` names what the author has seen; `none` is an empty store."""
    run("set", RATE, "5", "--store", store, "--expect", "none")
    run("set", RATE, "6", "--store", store, "--expect", "none", code=4)
    version = OverridesSource(store).version
    run("set", RATE, "6", "--store", store, "--expect", version)


def test_nothing_set_is_an_error(store):
    """`unset` of what is not set says so."""
    assert "nothing is set" in run("unset", RATE, "--store", store, code=1)


def test_a_secret_is_not_listed(store):
    """The key hides it; a reference that leads nowhere hides every value."""
    run("set", "modules.db.config.password", "hush-hush", "--store", store)
    assert "hush-hush" not in run("list", "--store", store)
    run("set", "limits.name", "${NO_SUCH_VARIABLE_9}", "--store", store)
    said = run("list", "--store", store)
    assert "hush-hush" not in said
    assert "values are hidden" in said
