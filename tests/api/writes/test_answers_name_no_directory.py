"""No answer tells where on this host something is, only what it is called."""

from __future__ import annotations

import json
import shutil

import pytest

from midflight import Health, Runtime, hookimpl
from midflight_plugins.api import Events, plan_data

from .conftest import MODULES, Client, Limiter

APP = "modules:\n- {name: web, type: limiter, config: {rate: 1}}\n"


class Lost(Limiter):
    """Tells where it looks."""

    where = ""

    @hookimpl
    def probe(self):
        return Health(detail=f"no file {self.where}/data.db")


@pytest.fixture
def runtime(tmp_path):
    """Return a runtime of two files that runs, with a journal."""
    (tmp_path / "app.yaml").write_text(APP)
    kind = type("Kind", (Lost,), {"where": str(tmp_path)})
    layers = [f"file:{tmp_path}/app.yaml", f"overrides:file:{tmp_path}/over.yaml"]
    modules = {**MODULES, "limiter": kind}
    with Runtime(layers, modules=modules, state_dir=tmp_path / "state") as runtime:
        yield runtime


def break_text(path):
    """Write what is no YAML."""
    (path / "app.yaml").write_text(APP[:-2])


def break_value(path):
    """Write what no module takes."""
    (path / "app.yaml").write_text(APP.replace("rate: 1", "rate: -1"))


def break_file(path):
    """Put a directory where the file was."""
    (path / "app.yaml").unlink()
    (path / "app.yaml").mkdir()


def break_import(path):
    """Import a file that is not there."""
    (path / "app.yaml").write_text(f"imports: [{path}/none.yaml]\n{APP}")


@pytest.mark.parametrize("harm", [break_text, break_value, break_file, break_import])
def test_what_is_wrong_is_told_without_its_directory(runtime, tmp_path, harm):
    """Whoever asks, and whatever he asks."""
    ask = Client(runtime)
    ask("PUT", "overrides?path=modules.web.config.rate", {"value": 2})
    harm(tmp_path)
    answers = [ask("POST", "reload"), ask("PATCH", "modules/web/config", {"rate": 3})]
    looks = ("status", "plan", "history", "overrides", "modules/web?probe=true")
    answers += [ask("GET", each) for each in (*looks, "explain?path=modules.web")]
    texts = [json.dumps(each.content) for each in answers]
    texts += [event.text for event in Events.of(runtime).since("0")]

    assert not [text for text in texts if str(tmp_path) in text]
    assert "app.yaml" in texts[2]
    shutil.rmtree(tmp_path / "app.yaml", ignore_errors=True)


def test_a_file_is_called_as_the_settings_call_it(tmp_path, monkeypatch):
    """If that says nothing of this host."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "app.yaml").write_text(APP)
    with Runtime("file:conf/app.yaml", modules=MODULES) as runtime:
        told = Client(runtime)("GET", "explain?path=modules.web").content
        status = Client(runtime)("GET", "status").content

        assert status["sources"][0]["name"] == "file:conf/app.yaml"
        assert told["values"][0]["file"] == "conf/app.yaml"
        assert plan_data(runtime.plan(runtime.snapshot.document))["steps"] == []
