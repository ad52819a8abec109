"""Answers and problems of the API as responses of Starlette."""

from __future__ import annotations

import json

from starlette.responses import Response

from midflight_plugins.api import Answer, Problem


def response(answer: Answer) -> Response:
    """Return an answer as it is sent."""
    content = answer.content
    if answer.status in {204, 304}:
        return Response(status_code=answer.status, headers=dict(answer.headers))
    if not isinstance(content, bytes):
        text = json.dumps(content, default=str, ensure_ascii=False)
        # half of a surrogate pair is no UTF-8; as JSON may write it, it is `\\ud800`
        content = text.encode(errors="backslashreplace")
    headers = {**answer.headers, "Content-Type": answer.kind}
    return Response(content, answer.status, headers)


def refusal(problem: Problem) -> Response:
    """Return a problem as it is sent."""
    return response(problem.answer())
