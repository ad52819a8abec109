from __future__ import annotations

import json

import pytest

from midflight import PluginRegistry, Runtime, hookimpl
from midflight.errors import PluginError

COMMAND = "import click\n\n\n@click.command()\ndef tool():\n    click.echo('works')\n"
OBSERVER = """\
import sys
from midflight import hookimpl


@hookimpl(wrapper=True)
def load(participant):
    print("seen", participant, file=sys.stderr)
    return (yield)
"""
ALLOWING = [
    ["--set", "allow=acme-lamp"],
    ["--set", "allow=lamp"],
    ["--set", "allow=module:lamp"],
    ["--set", "allow=true"],
    ["--set", "allow=Acme_Lamp"],
    [],
]
REFUSING = [
    ["--no-plugins"],
    ["--set", "allow=false"],
    ["--set", "allow=[]"],
    ["--set", "allow=acme-other,source:lamp"],
    ["--no-plugins", "--set", "allow=acme-lamp"],
    ["--set", "allow=acme-lamp", "-p", "no:lamp"],
    ["-p", "no:acme-lamp"],
    ["-p", "no:Acme.Lamp"],
    ["-p", "no:module:lamp"],
]


@pytest.fixture
def lamp(site):
    """Install a module type of another distribution, and use it."""
    site.install("acme-lamp", {"modules:lamp": "Kind"})
    site.write("app.yaml", "lamp")
    return site


class Empty:
    """A source."""

    @hookimpl
    def load(self):
        return {}


# -- the allow-list ------------------------------------------------------------------


@pytest.mark.parametrize("words", ALLOWING, ids=" ".join)
def test_what_is_allowed_is_used(lamp, words):
    """A word is a distribution, a plugin, or a plugin of one role."""
    assert "ok: 1 module" in lamp.run("check", "app.yaml", *words)


@pytest.mark.parametrize("words", REFUSING, ids=" ".join)
def test_what_is_not_allowed_is_not_imported(lamp, words):
    """It is refused by name, with the reason; a block and safe mode always win."""
    told = lamp.run("check", "app.yaml", *words, code=1)

    assert "module `lamp` of acme-lamp 1.0 cannot be used: " in told
    assert "acme_lamp" not in lamp.imported


@pytest.mark.parametrize(
    ("file", "env", "state"),
    [
        ('allow = ["acme-other"]\n', {}, "not allowed"),
        ("allow = false\n", {}, "not allowed"),
        ("allow = false\n", {"MIDFLIGHT_ALLOW": "acme-lamp"}, "available"),
        ("", {"MIDFLIGHT_ALLOW": "no"}, "not allowed"),
        ('plugins = ["no:lamp"]\n', {}, "blocked"),
        ("", {"MIDFLIGHT_PLUGINS": "no:lamp"}, "blocked"),
    ],
)
def test_settings_and_environment_say_it_too(lamp, file, env, state):
    """Each way to say a setting says these."""
    (lamp.here / "midflight.toml").write_text(file)

    assert lamp.rows(env=env)["acme-lamp:lamp"]["state"] == state


def test_a_wrong_allow_list_is_refused(lamp):
    """What is no list lets nothing in by mistake."""
    (lamp.here / "midflight.toml").write_text("allow = 3\n")

    told = lamp.run("check", "app.yaml", code=2)

    assert "expected: a list of names, true or false" in told


def test_safe_mode_goes_before_a_command_too(site):
    """A command of another distribution is not imported either."""
    site.install("acme-tool", {"commands:tool": "tool"}, COMMAND)

    assert "works" in site.run("tool")
    told = site.run("--no-plugins", "tool", code=2)
    assert "command `tool` of acme-tool 1.0 cannot be used" in told
    assert "acme_tool" not in site.imported


def test_observers_have_to_be_on_the_list_as_well(site):
    """One that is named and not allowed is logged, and takes no part."""
    site.install("acme-eye", {"plugins:eye": ""}, OBSERVER)
    words = ("check", site.write("app.yaml"), "-p", "eye")

    assert "seen source `file:app.yaml`" in site.run(*words)
    told = site.run(*words, "--no-plugins")
    assert "plugin `eye` of acme-eye 1.0 cannot be used" in told
    assert "seen" not in told
    assert "acme_eye" not in site.imported


def test_safe_mode_starts_a_service_of_ours(site):
    """What we ship needs nobody's leave."""
    site.install("acme-lamp", {"modules:lamp": "Kind"}, "raise SystemExit\n")

    told = site.serve(site.write("app.yaml", "logging"), "--no-plugins")

    assert "allowed of other distributions: nothing" in told
    assert "acme_lamp" not in site.imported


# -- blocks --------------------------------------------------------------------------


def test_our_own_can_be_blocked(site):
    """`-p no:NAME` keeps one of ours away, and nobody takes its place."""
    site.install("acme-full", {"strategies:full": "Kind"})
    site.write("app.yaml")

    words = ("plan", "app.yaml", "app.yaml", "--strategy", "full")
    site.run(*words)
    told = site.run(*words, "-p", "no:full", code=2)

    assert "strategy `full` of midflight" in told
    assert "blocked by `no:full`" in told
    assert site.rows("-p", "no:full")["acme-full:full"]["state"] == "blocked"
    assert site.rows("-p", "no:midflight")["acme-full:full"]["state"] == "reserved"


def test_a_block_settles_a_dispute(site):
    """Of two that claim a name, the other has it once one is blocked."""
    site.install("acme-lamp", {"modules:lamp": "Kind"})
    site.install("other-lamp", {"modules:lamp": "Kind"})
    site.write("app.yaml", "lamp")

    assert "claim the name" in site.run("check", "app.yaml", code=1)
    assert "ok: 1 module" in site.run("check", "app.yaml", "-p", "no:other-lamp")
    assert "acme_lamp" in site.imported


def test_a_block_that_blocks_nothing_is_told(site):
    """A service says so: it may be misspelt, and what was meant still takes part."""
    site.install("acme-lamp", {"modules:lamp": "Kind"})
    site.write("app.yaml")

    told = site.serve("app.yaml", "-p", "no:lmap", "-p", "no:lamp", "-p", "no:log")

    assert "`no:lmap` blocks nothing" in told
    assert "did you mean `lamp`?" in told
    assert told.count("blocks nothing") == 1


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("lmap", "lamp"),
        ("acme_lmap", "acme-lamp"),
        ("modul:lamp", "module:lamp"),
        ("lgo", "log"),
    ],
)
@pytest.mark.parametrize("command", [["check", "app.yaml"], ["plugins"]])
def test_a_command_warns_of_a_block_that_blocks_nothing(site, command, word, meant):
    """It goes on: what the word names may be installed where it is meant for."""
    site.install("acme-lamp", {"modules:lamp": "Kind"})
    site.write("app.yaml")

    told = site.run(*command, "-p", f"no:{word}", "-p", "no:log", "-p", "no:lamp")

    assert f"warning: `no:{word}` blocks nothing: " in told
    assert f"did you mean `{meant}`?\n" in told
    assert told.count("blocks nothing") == 1


def names(runtime):
    """Return the names of the plugins that take part."""
    return {name for name, _ in runtime._hooks._manager.list_name_plugin()}


def test_a_runtime_takes_blocks_among_its_plugins():
    """An application that embeds it says the same in the same words."""
    given = PluginRegistry()
    runtime = Runtime(Empty(), plugins=iter(["no:log", "attrs"]), registry=given)

    assert "log" in names(Runtime(Empty(), registry=given))
    assert "attrs" in names(runtime)
    assert "log" not in names(runtime)
    with pytest.raises(PluginError, match="blocked by `no:log`"):
        runtime.registry.load("plugin", "log")


def test_a_registry_takes_both_lists():
    """`allow` and `block` are arguments; ours need no leave."""
    registry = PluginRegistry(allow=(), block=["surgical"])
    states = {(e.role, e.name): e.state for e in registry.entries()}

    assert states["strategy", "surgical"] == "blocked"
    assert states["strategy", "full"] == "available"
    with pytest.raises(PluginError, match="blocked by `no:surgical`"):
        Runtime(Empty(), registry=registry)


def test_the_list_tells_who_is_kept_away(lamp):
    """For people there is a column with the reason."""
    text = lamp.run("plugins", "--no-plugins", "-p", "no:log")

    assert "nothing of other distributions is allowed (--no-plugins)" in text
    assert "blocked by `no:log`" in text
    assert "acme_lamp" not in lamp.imported
    assert json.loads(lamp.run("plugins", "--format", "json"))


@pytest.mark.parametrize(
    ("text", "words", "environ", "says"),
    [
        ("", ["--no-plugins"], {}, "nothing of other distributions … (--no-plugins)"),
        ("", ["--set", "allow=other"], {}, "`allow` names neither … (--set)"),
        ("", [], {"MIDFLIGHT_ALLOW": "no"}, "is allowed (MIDFLIGHT_ALLOW)"),
        ("allow = ['other']\n", [], {}, "acme-lamp (midflight.toml:1:9)"),
    ],
    ids=["option", "set", "variable", "file"],
)
def test_who_keeps_a_plugin_away_is_named(site, text, words, environ, says):
    """Not a setting that nobody wrote: the option, the variable or the line."""
    site.install("acme-lamp", {"sources:lamp": "Kind"})
    (site.here / "midflight.toml").write_text(text)

    told = site.run("check", "--source", "lamp:x", *words, code=2, env=environ)

    assert all(part in told for part in says.split(" … "))


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["modules"], 0),
        (["put", "database:sqlite:///x.db", "app.yaml", "-m", "first"], 0),
        (["put", "lamp:x", "app.yaml", "-m", "first"], 2),
        (["history", "lamp:x"], 2),
        (["get", "lamp:x"], 2),
        (["diff", "lamp:x", "app.yaml"], 2),
        (["plan", "none.yaml", "none.yaml", "--strategy", "lamp"], 2),
        (["explain", "modules", "lamp:x"], 2),
        (["override", "list", "--store", "lamp:x"], 2),
        (["override", "set", "modules.a", "1", "--store", "lamp:x"], 2),
    ],
    ids=lambda words: words[0] if isinstance(words, list) else "",
)
def test_every_command_keeps_to_the_list(lamp, words, code):
    """Whatever asks for a plugin, none is imported that is not allowed."""
    groups = ("modules", "sources", "strategies")
    lamp.write("none.yaml")
    lamp.install("acme-lamp", {f"{group}:lamp": "Kind" for group in groups})

    lamp.run("--no-plugins", *words, code=code)

    assert "acme_lamp" not in lamp.imported
