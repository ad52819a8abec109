from __future__ import annotations

import json
import threading
import traceback
import urllib.parse
from typing import Any, ClassVar

import attrs
import pytest

from midflight import Document, Fault, Runtime, Secret, hookimpl
from midflight.errors import Code, InvalidConfigurationError, TransientError, masked
from midflight.testing import FakeSource, wait_until

SECRET = "correct-horse"
CONFIG = {"modules": [{"name": "m", "type": "raises", "config": {"password": SECRET}}]}


@attrs.frozen
class Db:
    token: str


class Raises:
    """A module that tells what it must not, in an error of ours."""

    hook = "start"
    kind: Any = TransientError

    def __init__(self, name):
        self.word = ""

    def tell(self, hook):
        if hook == self.hook:
            text = f"cannot log in with {self.word}"
            if self.kind is InvalidConfigurationError:
                raise InvalidConfigurationError(Fault(Code.E_VALUE, text))
            error = self.kind(text)
            error.add_note(text)
            raise error

    @hookimpl
    def prepare(self, config):
        self.word = config["password"]
        self.tell("prepare")

    @hookimpl
    def start(self):
        self.tell("start")

    @hookimpl
    def stop(self):
        self.tell("stop")


@pytest.mark.parametrize("hook", ["prepare", "start", "stop"])
@pytest.mark.parametrize("kind", [TransientError, InvalidConfigurationError, OSError])
def test_an_error_of_ours_hides_secrets_as_any_other(hook, kind, caplog):
    """In the log, in what `start` raises, with its causes and its notes."""
    cls = type("Cls", (Raises,), {"hook": hook, "kind": kind})
    runtime = Runtime(FakeSource(CONFIG), modules={"raises": cls})
    shown = ""
    try:
        runtime.start()
    except Exception as exc:  # noqa: BLE001  # whatever it is, it is shown
        shown = "".join(traceback.format_exception(exc))
    runtime.stop()

    assert "log in" in shown + caplog.text
    assert SECRET not in shown + caplog.text


def test_a_transient_error_with_a_secret_stays_transient():
    """It is tried again, as without one."""
    source = FakeSource({"modules": []})
    with Runtime(source, modules={"raises": Raises}) as runtime:
        source.set(CONFIG)
        assert runtime.reload().transient


def test_a_section_that_a_module_reads_is_hidden(caplog):
    """Live settings give its secrets in clear, and the module's error hides them."""

    class Reads(Raises):
        @hookimpl
        def start(self, runtime):
            raise ValueError(runtime.settings("db", Db).current.token)

    source = FakeSource({**CONFIG, "db": {"token": "battery-staple"}})
    with pytest.raises(Exception, match="raised ValueError") as caught:
        Runtime(source, modules={"raises": Reads}).start()

    assert "battery" not in str(caught.value) + caplog.text


def test_what_runs_shows_no_secret():
    """Tools that write variables down meet it by `repr`."""
    cls = type("Cls", (Raises,), {"hook": ""})
    with Runtime(FakeSource(CONFIG), modules={"raises": cls}) as runtime:
        shown = repr(dict(runtime.snapshot.running))

    assert "password" in shown
    assert SECRET not in shown


FORMS = [
    json.dumps, urllib.parse.quote, urllib.parse.quote_plus,
    lambda s: repr(s.encode()), lambda s: repr('"' + s),
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_other_spellings_are_hidden(form):
    """As JSON, in a URL, as bytes, beside a quotation mark."""
    word = "pä'ss w/rd%"
    text = masked(f"bad: {form(word)}", [word])

    assert "********" in text
    assert "ss" not in text


class Slow:
    inside = 0

    def __init__(self):
        self.goes_on = threading.Event()

    def __enter__(self):
        self.goes_on.wait(10)
        self.inside += 1

    def __exit__(self, *_):
        self.inside -= 1


class Half:
    def __enter__(self):
        pass


class Lives:
    def __init__(self, what):
        self.what = what

    @hookimpl
    def lifespan(self):
        return self.what


@pytest.mark.parametrize("what", [5, Half()])
def test_a_lifespan_that_is_no_context_manager_stops_nothing(what, caplog):
    """It is logged, as an exception is."""
    with Runtime(FakeSource({"modules": []}), plugins=[Lives(what)]) as runtime:
        assert runtime.status()["state"] == "healthy"
    assert "`lifespan` raised" in caplog.text


def test_a_lifespan_that_begins_too_late_is_ended(caplog):
    """Nobody waits for it any more, so it must not stay open."""
    slow = Slow()
    options: dict[str, Any] = {"plugins": [Lives(slow)], "deadline": 0.05}
    with Runtime(FakeSource({"modules": []}), **options):
        slow.goes_on.set()
    wait_until(lambda: "came back late" in caplog.text)
    wait_until(lambda: slow.inside == 0)


def test_a_plan_from_another_document_hides_its_secrets():
    """A `structure` that raises shows none of what is planned, whatever is in force."""

    class Strict:
        Config: ClassVar = {"type": "object"}

        def __init__(self, name):
            self.name = name

        @hookimpl
        def start(self):
            pass

    class Quotes:
        @hookimpl(tryfirst=True)
        def structure(self, config):
            if config:
                msg = f"cannot read {config['password']}"
                raise ValueError(msg)
            return config

    def document(config):
        entry = {"type": "strict", "config": config}
        return Document.from_mapping({"modules": {"m": entry}})

    source = FakeSource(document({}).as_mapping())
    with (
        Runtime(source, modules={"strict": Strict}, plugins=[Quotes()]) as runtime,
        pytest.raises(InvalidConfigurationError, match="cannot read") as raised,
    ):
        runtime.plan(document({"password": Secret(SECRET)}), base=document({}))

    assert SECRET not in str(raised.value)
