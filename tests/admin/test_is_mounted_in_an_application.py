from __future__ import annotations

import asyncio

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from midflight import Runtime
from midflight.errors import InvalidConfigurationError
from midflight_plugins.admin import asgi
from midflight_plugins.memory import MemorySource
from midflight_plugins.overrides import OverridesSource

BASE = {"modules": {"log": {"type": "logging", "config": {}}}}


async def home(_request):
    """Answer as the application around it."""
    return PlainTextResponse("home")


@pytest.fixture
def runtime(tmp_path):
    """A runtime without an admin module of its own."""
    layers = [MemorySource({"limits": {"rate": 1}}), OverridesSource()]
    with Runtime(layers, state_dir=tmp_path / "state") as runtime:
        yield runtime


@pytest.fixture
def ask(runtime):
    """A function that asks an application which has the admin at `/ops`."""
    inner = asgi(runtime, hosts=["shop.example"])
    app = Starlette(routes=[Route("/", home), Mount("/ops", inner)])
    token = (runtime.state_dir / "admin.token").read_text().strip()

    def ask(path: str, host="shop.example", method="GET", **headers: str):
        async def one():
            transport = httpx2.ASGITransport(app)
            base = f"http://{host}"
            async with httpx2.AsyncClient(transport=transport, base_url=base) as client:
                bearer = {"Authorization": f"Bearer {token}"}
                return await client.request(method, path, headers=bearer | headers)

        return asyncio.run(one())

    return ask


def test_it_answers_below_a_prefix(ask):
    """API and page, beside what the application itself answers."""
    assert ask("/").text == "home"
    assert ask("/ops/api/v1/status").json()["generation"] == 1
    assert ask("/ops/livez", Authorization="").status_code == 200
    assert ask("/ops/login").status_code == 200
    assert ask("/ops/nope").status_code == 404


def test_it_links_below_the_prefix(ask):
    """The page leads nobody out of it."""
    answer = ask("/ops/")

    assert answer.status_code in {200, 303}
    if answer.status_code == 303:
        assert answer.headers["location"].startswith("/ops/")


def test_it_trusts_nobody_around_it(ask):
    """The application's own login is none here: a token is needed, and a known name."""
    assert ask("/ops/api/v1/status", Authorization="").status_code == 401
    assert ask("/ops/api/v1/status", host="evil.example").status_code == 403
    assert ask("/ops/api/v1/status", Origin="http://evil.example").status_code == 403


def test_without_tokens_there_is_no_application():
    """It is not even made."""
    with (
        Runtime(MemorySource({})) as runtime,
        pytest.raises(InvalidConfigurationError, match="nobody is served"),
    ):
        asgi(runtime)


def test_a_file_of_tokens_is_enough(tmp_path):
    """The runtime needs no state directory if the tokens have a place."""
    from midflight_plugins.admin._tokens import Tokens

    file = tmp_path / "tokens.json"
    Tokens(file).create("ci", ("read",))
    with Runtime(MemorySource({})) as runtime:
        app = asgi(runtime, tokens=file)

    assert callable(app)
