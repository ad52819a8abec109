"""A running service follows its object through what happens to the API."""

from __future__ import annotations

import concurrent.futures
import json
from typing import Any

import pytest

from midflight import Runtime
from midflight.errors import SourceUnavailableError
from midflight.testing import TcpProxy, wait_until
from midflight_kubernetes import KubernetesSource

CONVERGES = 3.0  # s


def counts(stored):
    """Return how many lists and streams the API was asked for."""
    return stored.server.ask("fake/counts")


def test_a_change_is_pushed(configmap, running):
    """With sweeps ten minutes apart, the stream alone brings every change."""
    for _ in range(5):
        configmap.change()

        wait_until(lambda: configmap.shows(running), "the change", CONVERGES)


def test_a_version_too_old_leads_to_a_new_list(configmap, running):
    """After 410 the object is listed anew, and what happened meanwhile is found."""
    wait_until(lambda: counts(configmap)["watches"], "a stream")
    for _ in range(3):
        now = counts(configmap)
        configmap.server.ask("fake/cut_and_compact", "POST")
        configmap.change()

        wait_until(lambda: configmap.shows(running), "the change", CONVERGES)
        wait_until(lambda: counts(configmap)["lists"] > now["lists"], "a list")  # noqa: B023  # called within the pass
        wait_until(lambda: counts(configmap)["watches"] > now["watches"] + 1, "both")  # noqa: B023  # as above


def test_a_stream_that_ends_goes_on_where_it_was(configmap, running, caplog):
    """The end of a stream, as every few minutes, needs no list and is no failure."""
    wait_until(lambda: counts(configmap)["watches"], "a stream")
    before = counts(configmap)
    for _ in range(3):
        configmap.server.ask("fake/cut", "POST")
        configmap.change()
        wait_until(lambda: configmap.shows(running), "the change", CONVERGES)

    assert counts(configmap)["lists"] == before["lists"]
    assert counts(configmap)["watches"] > before["watches"]
    assert "not followed" not in caplog.text


def test_bookmarks_keep_the_place_in_a_quiet_stream(configmap, running):
    """Changes of other objects, then a compaction: nothing has to be listed anew."""
    wait_until(lambda: counts(configmap)["watches"], "a stream")
    before = counts(configmap)["lists"]
    digest = running.snapshot.digest
    other = configmap.path.replace("shop-", "other-")
    for _ in range(3):
        configmap.server.ask(other, "PUT", {"data": {}})
    bookmarks = counts(configmap)["bookmarks"]
    wait_until(lambda: counts(configmap)["bookmarks"] > bookmarks + 2, "bookmarks")
    configmap.server.ask("fake/compact", "POST")
    configmap.server.ask("fake/cut", "POST")
    configmap.change()
    wait_until(lambda: running.snapshot.digest != digest, "the change", CONVERGES)

    assert counts(configmap)["lists"] == before


def test_a_stream_may_be_silent_for_longer_than_a_request(configmap):
    """The timeout is one of requests: a quiet stream is not begun again and again."""
    uri = configmap.uri.replace("?", "?timeout=0.3&")
    with Runtime(uri, watch=True, sweep=600) as runtime:
        wait_until(lambda: counts(configmap)["watches"], "a stream")
        before = counts(configmap)["watches"]
        configmap.server.ask("fake/hush", "POST")
        wait_until(lambda: counts(configmap)["hushed"] > 1, "a silence")
        configmap.change()
        wait_until(lambda: configmap.shows(runtime), "the change", CONVERGES)

        assert counts(configmap)["watches"] == before


def test_what_tells_of_a_change_carries_no_data(secret, caplog):
    """A Secret travels when it is read, and neither by list nor by watch."""
    with Runtime(secret.uri, watch=True, sweep=600) as runtime:
        wait_until(lambda: counts(secret)["watches"], "a stream")
        before = counts(secret)["carried"]
        for _ in range(3):
            secret.change()
            wait_until(lambda: secret.shows(runtime), "the change", CONVERGES)

    assert counts(secret)["carried"] == before + 3
    assert "not followed" not in caplog.text


def test_any_text_may_stand_beside_it(configmap, running, caplog):
    """Neither long characters nor those that end lines elsewhere disturb a stream."""
    wait_until(lambda: counts(configmap)["watches"], "a stream")
    for _ in range(3):
        text = json.dumps({"modules": {}, "shop": {"every": configmap.number + 1.5}})
        configmap.number += 1
        odd = {"annotations": {"why": "übergrößt \x85 \u2028 " + "☃" * 99}}
        configmap.put({"metadata": odd, "data": {"app.yaml": text}})
        wait_until(lambda: configmap.shows(running), "the change", CONVERGES)

    assert "not followed" not in caplog.text


def test_who_may_read_only_is_served_by_sweeps(unwatched, caplog):
    """Without the right to watch changes are found later, and the log says once why."""
    with Runtime(unwatched.uri, watch=True, sweep=0.3) as runtime:
        wait_until(lambda: "cannot be watched" in caplog.text, "a warning")
        for _ in range(3):
            unwatched.change()
            wait_until(lambda: unwatched.shows(runtime), "the change", CONVERGES)

    assert caplog.text.count("cannot be watched") == 1


def test_an_object_made_anew_is_followed(configmap, running):
    """A deletion and what comes after it are pushed; what runs goes on meanwhile."""
    wait_until(lambda: counts(configmap)["watches"], "a stream")
    for _ in range(3):
        configmap.delete()
        wait_until(lambda: running.status()["sources"][0]["error"], "an error")
        assert configmap.shows(running)
        configmap.change()

        wait_until(lambda: configmap.shows(running), "the change", CONVERGES)


def test_a_layer_of_a_composite_is_followed(configmap, tmp_path):
    """Below another layer its changes come by push as well."""
    top = tmp_path / "top.yaml"
    top.write_text("other: {on: true}\n")
    with Runtime([configmap.uri, f"file:{top}"], watch=True, sweep=600) as runtime:
        wait_until(lambda: counts(configmap)["watches"], "a stream")
        configmap.change()

        wait_until(lambda: configmap.shows(runtime), "the change", CONVERGES)


def test_a_cut_connection_is_made_again(configmap, api):
    """A network that comes back brings the hints back."""
    with TcpProxy(api.port) as proxy:
        text = api.kubeconfig.read_text().replace(str(api.port), str(proxy.port))
        file = api.folder / "through"
        file.write_text(text)
        url = f"configmap/shop/{configmap.object}"
        source = KubernetesSource(url, kubeconfig=str(file), timeout=1)
        with Runtime(source, watch=True, sweep=0.5, backoff=0.5) as runtime:
            proxy.refuse()
            proxy.cut()
            configmap.change()
            proxy.listen()

            wait_until(lambda: configmap.shows(runtime), "the change", CONVERGES)


def test_an_object_made_anew_is_another(configmap):
    """A deleted object that comes back with the same text has another token."""
    before = configmap.source.hash()
    configmap.delete()
    with pytest.raises(SourceUnavailableError, match="not found"):
        configmap.source.hash()
    configmap.change()

    assert configmap.source.hash() != before


# -- what an event tells -------------------------------------------------------------


def told(source, stored, act):
    """Change what a source reads; return what `act` gives within the hint of that."""
    hints: list[int] = []
    found: list[Any] = []

    def notify():
        hints.append(1)
        if len(hints) > 1 and not found:  # the first is of the list alone
            found.append(act())

    with source.watch(notify):
        wait_until(lambda: counts(stored)["watches"], "a stream")
        stored.change()
        wait_until(lambda: found, "what is loaded within a hint")
    return found[0]


def test_what_an_event_tells_is_loaded_without_a_read(configmap, api):
    """Within a hint the event has the ConfigMap: no network is needed."""
    with TcpProxy(api.port) as proxy:
        text = api.kubeconfig.read_text().replace(str(api.port), str(proxy.port))
        file = api.folder / "frozen"
        file.write_text(text)
        url = f"configmap/shop/{configmap.object}"
        source = KubernetesSource(url, kubeconfig=str(file), timeout=0.5)
        runtime = Runtime(source)

        def load():
            proxy.freeze()
            return source.load(runtime)

        loaded = told(source, configmap, load)

    assert loaded.document.sections["shop"]["every"] == configmap.number + 0.5
    assert loaded.token == configmap.source.hash()


def test_an_event_that_comes_late_brings_nothing_back(configmap):
    """What another thread read meanwhile is newer: then the event does not count."""
    source, runtime = configmap.source, Runtime(configmap.source)

    def load():
        configmap.change()
        with concurrent.futures.ThreadPoolExecutor(1) as others:
            newest = others.submit(source.load, runtime).result()
        return source.load(runtime), newest

    loaded, newest = told(source, configmap, load)

    assert newest.document.sections["shop"]["every"] == configmap.number + 0.5
    assert loaded.version == newest.version


def test_the_event_of_a_deletion_is_no_configuration(configmap):
    """Its object is what was deleted: within that hint the object is not there."""
    source, runtime = configmap.source, Runtime(configmap.source)
    said = []

    def notify():
        try:
            source.load(runtime)
        except SourceUnavailableError as exc:
            said.append(str(exc))

    with source.watch(notify):
        wait_until(lambda: counts(configmap)["watches"], "a stream")
        configmap.delete()
        wait_until(lambda: said, "what is loaded within the hint")

    assert "not found" in said[0]
