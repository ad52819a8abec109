"""A stream tells what happens from the moment that its status is sent."""

from __future__ import annotations

import asyncio

from starlette.requests import Request

from midflight import Runtime
from midflight_plugins.admin._stream import Streams
from midflight_plugins.memory import MemorySource

SCOPE = {"type": "http", "method": "GET", "path": "/", "headers": []}


def test_what_happens_while_the_status_is_sent_is_told():
    """Whoever has read the status may rely on hearing of every change from then on."""
    source, sent = MemorySource({"a": 1}), b""

    async def receive():
        await asyncio.sleep(60)

    async def send(message):
        nonlocal sent
        if message["type"] == "http.response.start":
            source.set({"a": 2})
            assert (await asyncio.to_thread(runtime.reload)).ok
        sent += message.get("body", b"")
        if b"event: applied" in sent or b": ping" in sent:
            streams.close()

    with Runtime(source) as runtime:
        streams = Streams(runtime)
        answer = streams.response(Request(dict(SCOPE)), lambda: True)
        asyncio.run(answer(dict(SCOPE), receive, send))

    assert b"event: applied" in sent
