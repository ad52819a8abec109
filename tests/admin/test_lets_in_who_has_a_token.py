from __future__ import annotations

import hmac
import json
import stat
import threading

import pytest

from midflight import Runtime
from midflight.errors import Code, InvalidConfigurationError, MidflightError
from midflight_plugins.admin import AdminModule
from midflight_plugins.admin._tokens import NAME, Tokens
from midflight_plugins.memory import MemorySource

STATUS = "/api/v1/status"


def test_the_first_start_makes_a_token_of_an_administrator(service, caplog):
    """It is in a file that only its owner reads, and works; its secret is not kept."""
    file = service.folder / "admin.token"
    kept = (service.folder / NAME).read_text()
    secret = service.first.split("_", 2)[2]  # it may hold another `_`

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE((service.folder / NAME).stat().st_mode) == 0o600
    assert secret not in kept
    said = [each.getMessage() for each in caplog.get_records("setup")]
    assert f"the token of an administrator is in {file}" in said
    assert not any(service.first in each for each in said)
    assert service.get(STATUS).json()["generation"] == 1


def test_a_later_start_keeps_the_tokens(service, make_service):
    """A restart makes no second administrator."""
    first = service.first
    service.runtime.stop()
    again = make_service()

    assert again.first == first
    assert again.get(STATUS).status_code == 200


GUESSES = {
    "nothing": [],
    "empty": ["Authorization: Bearer "],
    "not ours": ["Authorization: Bearer " + "x" * 43],
    "unknown id": ["Authorization: Bearer mf_00000000_" + "x" * 43],
    "wrong secret": ["Authorization: Bearer mf_{id}_" + "x" * 43],
    "basic": ["Authorization: Basic {token}"],
    "no scheme": ["Authorization: {token}"],
    "two": ["Authorization: Bearer {token}", "Authorization: Bearer {token}"],
    "cookie": ["Cookie: token={token}"],
    "long": ["Authorization: Bearer " + "x" * 20_000],
}


def test_whoever_has_none_gets_the_same_answer(service):
    """A guess of any kind tells nothing: 401 with one text and a challenge."""
    id_ = service.first.split("_")[1]
    answers = set()
    service.configure(failed_logins=100)
    for lines in GUESSES.values():
        filled = [line.format(id=id_, token=service.first) for line in lines]
        head = [f"GET {STATUS} HTTP/1.1", f"Host: 127.0.0.1:{service.port}", *filled]
        with service.connect() as sock:
            sock.sendall("\r\n".join([*head, "Connection: close", "", ""]).encode())
            data = b""
            while part := sock.recv(65_536):
                data += part
        kept = [each for each in data.split(b"\r\n") if not each.startswith(b"date")]
        answers.add(b"\n".join(kept).decode())

    assert len(answers) == 1
    [answer] = answers
    assert answer.startswith("HTTP/1.1 401")
    assert 'www-authenticate: Bearer realm="midflight"' in answer
    assert json.loads(answer.rpartition("\n\n")[2])["code"] == "E_AUTH"


def test_a_stranger_does_not_learn_which_paths_there_are(make_service):
    """404 and 405 are for those who are known; `/livez` alone answers all."""
    service = make_service(failed_logins=100)
    paths = "/nope", "/api/v2/x", STATUS, f"{STATUS}/", "/metrics", "/readyz", "/static"
    with service.client("none") as client:
        asked = [
            client.request(method, path)
            for path in paths
            for method in ("GET", "PUT", "DELETE", "OPTIONS", "TRACE")
        ]
        alive = client.get("/livez")

    assert {(each.status_code, each.text) for each in asked} == {(401, asked[0].text)}
    assert alive.status_code == 200


def test_who_is_known_learns_what_is_wrong_with_a_path(service):
    """404 and 405 are problems, the latter with what is allowed."""
    with service.client() as client:
        unknown, wrong = client.get("/nope"), client.put(STATUS)

    assert (unknown.status_code, wrong.status_code) == (404, 405)
    assert {each.strip() for each in wrong.headers["allow"].split(",")} == {
        "GET",
        "HEAD",
    }
    for answer in (unknown, wrong):
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_token_ends_when_it_is_revoked(service):
    """The next request of an open connection is refused."""
    token = service.token("read")
    with service.client(token) as client:
        before = client.get(STATUS).status_code
        service.tokens.revoke("tester")
        after = client.get(STATUS).status_code

    assert (before, after) == (200, 401)


def test_a_token_ends_when_it_expires(service):
    """One whose time is over is nobody's."""
    lasting = service.token("read", name="lasting", seconds=60)
    over = service.token("read", name="over", seconds=-1)

    assert service.get(STATUS, lasting).status_code == 200
    assert service.get(STATUS, over).status_code == 401


def test_wrong_tokens_are_limited_and_right_ones_are_not(make_service):
    """After so many failures a client has to wait; the owner of a token has not to."""
    service = make_service(failed_logins=3)
    codes = [service.get(STATUS, "wrong").status_code for _ in range(5)]
    refused = service.get(STATUS, "wrong")

    assert codes == [401, 401, 401, 429, 429]
    assert refused.json()["code"] == "E_RATE"
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert service.get(STATUS).status_code == 200


def test_a_client_that_asks_too_often_has_to_wait(make_service):
    """What is more than the limit is answered 429; `/livez` is not limited."""
    service = make_service(requests_per_second=2)
    with service.client() as client:
        codes = [client.get(STATUS).status_code for _ in range(10)]
        refused = client.get(STATUS)
        alive = [client.get("/livez").status_code for _ in range(10)]

    assert codes[:4] == [200] * 4
    assert refused.status_code == 429
    assert refused.json()["code"] == "E_RATE"
    assert refused.headers["retry-after"] == "1"
    assert alive == [200] * 10


def test_a_script_with_a_token_does_hundreds_of_things(service):
    """By default, one that works through every module is not made to wait."""
    with service.client(headers={"Authorization": "Bearer no"}) as stranger:
        strange = {stranger.get("/login").status_code for _ in range(500)}
    with service.client() as client:
        codes = {client.get("/readyz").status_code for _ in range(400)}

    assert strange == {200, 429}
    assert codes == {200}


def test_a_flood_hides_nothing_that_a_token_did(service, caplog):
    """Strangers have a budget of their own in the journal, and so has each token."""
    service.configure(failed_logins=1_000)
    one, other = (service.token("read", name=name) for name in ("one", "other"))
    for _ in range(30):
        service.get(STATUS, "wrong")
    for token, times in ((one, 30), (other, 1)):
        with service.client(token) as client:
            for _ in range(times):
                client.post("/api/v1/reload", json={})
    records = service.get("/api/v1/history?limit=1000").json()["records"]
    actors = [each["actor"] for each in records if each["reason"] == "request_refused"]

    assert 20 <= actors.count("") < 30
    assert 20 <= actors.count("token one") < 30
    assert actors.count("token other") == 1


def test_refusals_are_written_down_without_the_token(service, caplog):
    """The log says who was refused, from where; a flood is counted, not listed."""
    service.configure(failed_logins=1_000)
    for _ in range(60):
        service.get(STATUS, "mf_00000000_" + "s3cret_" * 6 + "s")
    told = [each for each in caplog.records if "refused a request" in each.getMessage()]

    assert 1 <= len(told) <= 25
    assert "E_AUTH: not logged in (from 127.0.0.1)" in told[0].getMessage()
    assert "s3cret" not in caplog.text


def test_refusals_are_in_the_journal(service):
    """Who was turned away, and who asked for more than his token allows."""
    service.get(STATUS, "wrong")
    with service.client(service.token("read", name="ci")) as client:
        client.post("/api/v1/reload", json={})
    service.raw(f"GET {STATUS} HTTP/1.1", "Origin: null")
    records = service.get("/api/v1/history").json()["records"][:3]

    assert [each["faults"][0]["code"] for each in records] == [
        "E_ORIGIN",
        "E_SCOPE",
        "E_AUTH",
    ]
    assert [each["actor"] for each in records] == ["", "token ci", ""]
    assert {each["reason"] for each in records} == {"request_refused"}
    assert "wrong" not in str(records[2]["faults"])


def test_no_tokens_and_nowhere_to_keep_them_is_refused():
    """Without a state directory or a file nobody is served."""
    entry = {"type": "admin", "config": {"address": "127.0.0.1:0"}}
    runtime = Runtime(
        MemorySource({"modules": {"admin": entry}}), modules={"admin": AdminModule}
    )

    with pytest.raises(InvalidConfigurationError) as caught:
        runtime.start()
    [fault] = caught.value.faults
    assert fault.code == Code.E_AUTH
    assert fault.path == ("modules", "admin", "config", "token_file")
    assert "state directory" in fault.hint


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("", 0o600),
        ("{", 0o600),
        ('{"tokens": 5}', 0o600),
        ('{"tokens": [{"id": "00000000"}]}', 0o600),
        ('{"tokens": []}', 0o666),
    ],
)
def test_a_file_that_is_no_file_of_tokens_is_refused(service, tmp_path, text, mode):
    """What cannot be read, or others can write, is no list of who may enter."""
    file = tmp_path / "tokens.json"
    file.write_text(text)
    file.chmod(mode)
    outcome = service.configure(token_file=str(file))

    assert outcome.reason == "prepare_refused"
    assert outcome.faults[0].code == Code.E_AUTH
    assert service.get(STATUS).status_code == 200


def test_tokens_that_are_gone_let_nobody_in(service):
    """A file that is deleted or broken while it serves closes the door."""
    with service.client() as client:
        (service.folder / NAME).write_text("[")
        broken = client.get(STATUS).status_code
        (service.folder / NAME).unlink()
        gone = client.get(STATUS).status_code

    assert (broken, gone) == (401, 401)


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "example.org:0"])
def test_other_hosts_are_let_in_with_tls_or_a_proxy_only(service, address):
    """An address that is not of this host alone needs one of them."""
    outcome = service.configure(address=address)

    assert outcome.reason == "prepare_refused"
    assert outcome.faults[0].path == ("modules", "admin", "config", "address")
    assert "behind_proxy" in outcome.faults[0].hint
    assert service.configure(address="0.0.0.0:0", behind_proxy=True).name == "applied"


def test_writers_of_tokens_lose_none(tmp_path):
    """Each change is made under a lock, so two at once are both kept."""
    path = tmp_path / "tokens.json"
    threads = [
        threading.Thread(target=Tokens(path).create, args=(f"t{n}", ("read",)))
        for n in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {each.name for each in Tokens(path).list()} == {f"t{n}" for n in range(16)}
    assert [each.name for each in tmp_path.iterdir() if "lock" not in each.name] == [
        "tokens.json"
    ]


@pytest.mark.parametrize("scope", ["", "write", "write:", "root", "read ", "write:a b"])
def test_a_scope_that_is_none_is_refused(tmp_path, scope):
    """A token that means nothing is not made."""
    with pytest.raises(ValueError, match="is no scope"):
        Tokens(tmp_path / "t.json").create("a", (scope,))


def test_two_tokens_have_different_names(tmp_path):
    """So that the journal says whose it was."""
    tokens = Tokens(tmp_path / "t.json")
    tokens.create("ci", ("read",))

    with pytest.raises(ValueError, match="already"):
        tokens.create("ci", ("read",))
    with pytest.raises(KeyError):
        tokens.revoke("nobody")


def test_a_token_has_256_random_bits_and_no_time_of_its_own(tmp_path, monkeypatch):
    """Its form is `mf_<id>_<secret>`; finding it takes the same path as not."""
    tokens = Tokens(tmp_path / "t.json")
    made = {tokens.create(f"t{n}", ("read",)) for n in range(50)}

    assert all(len(each) == len("mf_") + 8 + 1 + 43 for each in made)
    assert len({each[-43:] for each in made}) == 50
    assert all(tokens.identify(each) for each in made)
    compared, compare, one = [], hmac.compare_digest, next(iter(made))

    def counted(a, b):
        compared.append((len(a), len(b)))
        return compare(a, b)

    monkeypatch.setattr(hmac, "compare_digest", counted)
    for text in (one, one[:-43] + "a" * 43, "mf_00000000_" + "a" * 43, "none"):
        assert bool(tokens.identify(text)) is (text == one)
    assert compared == [(64, 64)] * 4


def test_a_file_that_others_write_is_not_listed(tmp_path):
    """The command refuses it as the server does."""
    path = tmp_path / "t.json"
    Tokens(path).create("ci", ("read",))
    path.chmod(0o666)

    with pytest.raises(MidflightError, match="chmod 600"):
        Tokens(path).list()
