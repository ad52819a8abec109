"""What would take long to work out is refused by its size."""

from __future__ import annotations

import json

import pytest

from .conftest import CONFIG


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        (
            "PATCH",
            CONFIG,
            {f"key-{each}": each for each in range(1_001)},
            (422, "E_SIZE"),
        ),
        (
            "PUT",
            f"overrides?path=modules.api.config{'.a' * 3_000}",
            {"value": 1},
            (422, "E_DEPTH"),
        ),
        ("GET", f"explain?path=modules{'.x' * 1_000}", None, (400, "E_SIZE")),
    ],
    ids=["values of a patch", "keys of a path", "characters of a path"],
)
def test_what_is_too_large_is_refused(ask, state, method, path, body, expected):
    """Nobody keeps the service busy with one request, and nothing is stored."""
    before = state()
    data = b"" if body is None else json.dumps(body).encode()
    answer = ask(method, path, data)

    assert (answer.status, answer.content["code"]) == expected
    assert state() == before
