from __future__ import annotations

import json

import pytest

TEXT = """\
platform:
  brokers:
    - host: one
      port: 9092
  tags: {}
  "a.b": dotted
  empty: null
modules:
  - name: web.front
    type: anything
    config:
      port: 8080
"""


@pytest.fixture(autouse=True)
def config(folder):
    """Write the configuration."""
    (folder / "app.yaml").write_text(TEXT)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ('modules."web.front".config.port', "= 8080  app.yaml:12:13"),
        ("platform.brokers[0].host", '= "one"  app.yaml:3:13'),
        ('platform."a.b"', '= "dotted"  app.yaml:6:10'),
        ("platform.tags", "= {}  app.yaml:5:9"),
        ("platform.empty", "= null  app.yaml:7:10"),
    ],
)
def test_shows_a_value_and_its_place(midflight, path, says):
    """A path, through lists and through quoted keys with dots, leads to a value."""
    assert midflight("explain", path, "app.yaml").stdout == f"{path} {says}\n"


def test_a_key_with_dots_is_found_without_quotes_and_shown_in_them(midflight):
    """What is shown is what `midflight override set` and a second `explain` read."""
    shown = midflight("explain", "modules.web.front.config.port", "app.yaml").stdout

    assert shown == 'modules."web.front".config.port = 8080  app.yaml:12:13\n'


def test_shows_all_values_below(midflight):
    """A path that holds other values shows each with its own place."""
    assert midflight("explain", "platform.brokers", "app.yaml").stdout == (
        'platform.brokers[0].host = "one"  app.yaml:3:13\n'
        "platform.brokers[0].port = 9092   app.yaml:4:13\n"
    )


def test_writes_json(midflight):
    """JSON has the value, its place, and the place of each value in it."""
    words = ("explain", "platform.brokers[0]", "app.yaml", "--format", "json")
    data = json.loads(midflight(*words).stdout)

    assert data["value"] == {"host": "one", "port": 9092}
    assert (data["file"], data["line"]) == ("app.yaml", 3)
    assert data["values"][1] == {
        "path": "platform.brokers[0].port",
        "value": 9092,
        "file": "app.yaml",
        "line": 4,
        "column": 13,
        "layer": None,
        "version": None,
        "shadows": [],
    }


@pytest.mark.parametrize(
    ("path", "says"),
    [
        (
            "modules.web.front.config.prot",
            "`modules.web.front.config` has no `prot`; did you mean `port`?",
        ),
        (
            'modules."web.front".config.prot',
            '`modules."web.front".config` has no `prot`; did you mean `port`?',
        ),
        (
            'modules."web.fromt".config',
            '`modules` has no `"web.fromt"`; did you mean `web.front`?',
        ),
        ("platfrom.tags", "there is no `platfrom`; did you mean `platform`?"),
        (
            "modules.web.front.config.port.x",
            "`modules.web.front.config.port` has no `x`",
        ),
        ("platform.brokers[3].host", "`platform.brokers` has no `[3]`; it has 1 item"),
    ],
)
def test_says_how_far_an_unknown_path_leads(midflight, path, says):
    """A path that leads nowhere is a usage error, with the nearest that leads on."""
    assert f"{says}\n" in midflight("explain", path, "app.yaml", code=2).stderr


def test_a_file_in_the_place_of_the_path_is_told(midflight):
    """Who gives only a FILE reads that it was taken for PATH, and what is missing."""
    said = midflight("explain", "app.yaml", code=2).stderr

    assert "app.yaml is taken for PATH, which comes before FILE; give a FILE" in said
    assert "taken for" not in midflight("explain", "modules", code=2).stderr


def test_shows_the_place_in_an_imported_file(midflight, folder):
    """What an import brought is shown where it stands."""
    (folder / "more.yaml").write_text("extra: 1\n")
    (folder / "app.yaml").write_text("imports: [more.yaml]\n" + TEXT)

    assert "more.yaml:1:8" in midflight("explain", "extra", "app.yaml").stdout
