"""The token of the first administrator: when it is made, where, and by whom not."""

from __future__ import annotations

import pytest

from midflight import Runtime, hookimpl
from midflight.errors import Code, InvalidConfigurationError, MidflightError
from midflight_plugins.admin import AdminModule, asgi
from midflight_plugins.admin._tokens import NAME, Tokens
from midflight_plugins.memory import MemorySource

STATUS = "/api/v1/status"
ADMIN = {"type": "admin", "config": {"address": "127.0.0.1:0"}}


class Unwilling:
    """A module that refuses, once what it depends on is ready."""

    def __init__(self, name):
        self.name = name

    @hookimpl
    def prepare(self):
        raise ValueError("not now")

    @hookimpl
    def start(self):
        """Begin to work."""


def starting(folder, **others) -> Runtime:
    """Return a runtime that has an admin and was not started."""
    source = MemorySource({"modules": {"admin": ADMIN, **others}})
    kinds = {"admin": AdminModule, "unwilling": Unwilling}
    return Runtime(source, modules=kinds, state_dir=folder / "state")


def made(folder) -> list[str]:
    """Return the names of what is about tokens in the state directory."""
    return sorted(each.name for each in (folder / "state").glob("admin*"))


def test_the_first_start_makes_it(tmp_path):
    """A second start finds it, and makes no other."""
    with starting(tmp_path):
        first = (tmp_path / "state" / "admin.token").read_text()
    with starting(tmp_path):
        again = (tmp_path / "state" / "admin.token").read_text()
    [token] = Tokens(tmp_path / "state" / NAME).list()

    assert first == again
    assert (token.name, token.scopes) == ("first", ("admin",))


def test_a_start_that_is_refused_makes_none(tmp_path):
    """Nothing is written before every module was found good."""
    runtime = starting(tmp_path, web={"type": "unwilling", "dependsOn": ["admin"]})

    with pytest.raises(MidflightError, match="not now"):
        runtime.start()
    assert made(tmp_path) == []


@pytest.mark.parametrize("file", ["my tokens.json", "new/folder/tokens.json"])
def test_a_named_file_that_is_missing_is_refused(service, tmp_path, file):
    """Who may write the settings makes no file by it, and no administrator."""
    path, before = tmp_path / file, service.first
    outcome = service.configure(token_file=str(path))
    [fault] = outcome.faults

    assert outcome.reason == "prepare_refused"
    assert (fault.code, fault.found) == (Code.E_AUTH, str(path))
    shown = f"'{path}'" if " " in file else path
    assert f"`midflight token create NAME --tokens {shown}`" in fault.hint
    assert not path.exists()
    assert not (tmp_path / "new").exists()
    assert service.first == before
    assert service.get(STATUS).status_code == 200


def test_a_mounted_application_makes_no_named_file(tmp_path):
    """`asgi(tokens=…)` refuses one that is missing as the module does."""
    with (
        Runtime(MemorySource({}), state_dir=tmp_path / "state") as runtime,
        pytest.raises(InvalidConfigurationError, match="the tokens cannot be used"),
    ):
        asgi(runtime, tokens=tmp_path / "gone.json")

    assert not (tmp_path / "gone.json").exists()
    assert made(tmp_path) == []


def test_a_change_makes_no_new_one(service):
    """Tokens that were deleted while it serves are no invitation."""
    (service.folder / NAME).unlink()
    before = service.first
    outcome = service.configure(hosts=["new.example"])

    assert outcome.reason == "prepare_refused"
    assert not (service.folder / NAME).exists()
    assert service.first == before


def test_one_that_nobody_could_read_is_taken_back(tmp_path):
    """If its text cannot be written, the next start tries again."""
    (tmp_path / "state" / "admin.token").mkdir(parents=True)

    with pytest.raises(InvalidConfigurationError, match="the tokens cannot be used"):
        starting(tmp_path).start()
    assert not (tmp_path / "state" / NAME).exists()


@pytest.mark.parametrize("text", ["[", None])
def test_a_refusal_tells_no_path_of_the_host(service, text):
    """A file that nobody named is shown by its own name."""
    (service.folder / NAME).unlink()
    if text is not None:
        (service.folder / NAME).write_text(text)
    outcome = service.configure(hosts=["new.example"])
    [fault] = outcome.faults

    assert str(service.folder) not in str(fault) + fault.hint
    assert fault.found == NAME


def test_a_file_is_shown_as_it_was_named(service, tmp_path, monkeypatch):
    """By the probe, and by a refusal."""
    monkeypatch.chdir(tmp_path)
    Tokens(tmp_path / "mine.json").create("ci", ("read",))
    service.configure(token_file="mine.json")
    token = Tokens(tmp_path / "mine.json").create("other", ("read",))
    probed = service.get("/api/v1/modules/admin?probe=true", token)
    (tmp_path / "mine.json").chmod(0o666)
    [fault] = service.configure(token_file="mine.json", hosts=["x.example"]).faults

    assert probed.json()["health"]["values"]["token_file"] == "mine.json"
    assert str(tmp_path) not in probed.text + str(fault) + fault.hint
    assert "run: chmod 600 mine.json" in str(fault)
