"""What every view is given: who asks, the operations, the templates, the headers."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import attrs

from midflight.errors import Code
from midflight_plugins.admin.page._forms import read_form
from midflight_plugins.admin.page._sessions import Session, Sessions
from midflight_plugins.admin.page._texts import environment
from midflight_plugins.api import ROUTES, Answer, Caller, Problem, Route
from midflight_plugins.api import Request as Question

if TYPE_CHECKING:
    from jinja2 import Environment
    from starlette.requests import Request
    from starlette.responses import Response

    from midflight_plugins.admin._context import Context

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self'; script-src 'self'; "
    "style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
_NOTHING: Mapping[str, str] = {}
View = Callable[["Visit"], "Response"]


@attrs.frozen(eq=False)
class Desk:
    """What all visits share.

    Args:
        context: what the server gave.
        sessions: who is logged in.
        templates: what the pages are made of.
    """

    context: Context
    sessions: Sessions = attrs.field(factory=Sessions)
    templates: Environment = attrs.field(factory=environment)

    def find(self, request: Request, *, acts: bool) -> tuple[Session, Caller] | None:
        """Return whose request this is, if he is logged in and his token still holds.

        Args:
            request: from a browser.
            acts: whether its user did something, and not just an open page by itself.
        """
        key = request.cookies.get(cookie_name(request), "")
        session = self.sessions.find(key, acts=acts)
        if session is None:
            return None
        caller = self.context.identify(session.token.reveal())
        if caller is None:
            self.sessions.end(key)
            return None
        return session, caller

    def guarded(
        self, scope: str, view: View
    ) -> Callable[[Request], Awaitable[Response]]:
        """Return an endpoint that lets a view answer those who may ask it."""
        from starlette.concurrency import run_in_threadpool

        async def endpoint(request: Request) -> Response:
            try:
                form = await read_form(request) if request.method == "POST" else {}
            except Problem as exc:
                return self.failed(request, exc)
            return await run_in_threadpool(self._answer, request, form, scope, view)

        return endpoint

    def _answer(
        self, request: Request, form: Mapping[str, str], scope: str, view: View
    ) -> Response:
        acts = request.method == "POST" or "hx-request" not in request.headers
        found = self.find(request, acts=acts)
        if found is None:
            return _to_login(request)
        session, caller = found
        visit = Visit(self, request, session, caller, form)
        try:
            self._check(visit, session, caller, scope)
            return view(visit)
        except Problem as exc:
            return self.failed(request, exc, visit)

    def _check(
        self, visit: Visit, session: Session, caller: Caller, scope: str
    ) -> None:
        """Refuse a form of another page, and whoever may not.

        Raises:
            Problem: 403; it is in the journal.
        """
        is_form = visit.request.method == "POST"
        what = f"{visit.request.method} {visit.request.url.path[:100]}"
        if is_form and not session.sent(visit.form.get("csrf", "")):
            text = f"{what}: a form without the token of its session"
            self.context.record(Code.E_ORIGIN, text, actor=caller.name)
            detail = "a form without the token of its session; load the page again"
            raise Problem(403, Code.E_ORIGIN, detail)
        if not may_some(caller, scope):
            text = f"{what} is not allowed"
            self.context.record(Code.E_SCOPE, text, actor=caller.name)
            raise Problem(403, Code.E_SCOPE, f"this needs the scope `{scope}`")

    def failed(
        self, request: Request, problem: Problem, visit: Visit | None = None
    ) -> Response:
        """Return a page that says why another is not shown."""
        found = visit or Visit(self, request)
        answer = problem.answer()
        response = found.page("problem.html", answer.status, problem=answer.content)
        response.headers.update(answer.headers)
        return response


@attrs.frozen(eq=False)
class Visit:
    """One request to the page.

    Args:
        desk: what all visits share.
        request: as the server got it.
        session: of whom it is.
        caller: who that is, and what he may.
        form: what he sent.
    """

    desk: Desk
    request: Request
    session: Session | None = None
    caller: Caller | None = None
    form: Mapping[str, str] = _NOTHING

    @property
    def root(self) -> str:
        """Where the page is mounted: what each of its links begins with."""
        root: str = self.request.scope.get("root_path", "")
        return root.rstrip("/")

    def ask(
        self,
        operation: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] = _NOTHING,
        params: Mapping[str, str] = _NOTHING,
        **query: object,
    ) -> Answer:
        """Ask one operation as the one whose request this is."""
        assert self.caller is not None
        route = route_of(operation)
        data = b"" if body is None else json.dumps(body).encode()
        kind = {"content-type": "application/json"} if data else {}
        texts = {key: str(value) for key, value in query.items() if value is not None}
        question = Question(self.caller, params, texts, {**kind, **headers}, data)
        return self.desk.context.api.answer(route, question)

    def get(self, operation: str, **more: Any) -> Any:
        """Return what an operation answers.

        Raises:
            Problem: what it answers instead.
        """
        return self.checked(self.ask(operation, **more)).content

    def checked(self, answer: Answer) -> Answer:
        """Return an answer that is one.

        Raises:
            Problem: it says why there is none.
        """
        if is_refused(answer):
            content = answer.content
            code, detail = Code(content["code"]), content["detail"]
            faults = content.get("faults", ())
            raise Problem(answer.status, code, detail, faults=faults)
        return answer

    def page(self, template: str, status: int = 200, /, **values: object) -> Response:
        """Return a page."""
        from starlette.responses import HTMLResponse

        text = self.desk.templates.get_template(template).render(
            root=self.root,
            caller=self.caller,
            csrf=self.session.csrf if self.session else "",
            notice=self._notice(),
            **values,
        )
        return HTMLResponse(text, status, HEADERS)

    def _notice(self) -> str:
        """Return what a page says first; one that brings itself up to date does not."""
        refreshes = "hx-request" in self.request.headers
        return "" if refreshes or self.session is None else self.session.said()

    def go(self, path: str, notice: str = "") -> Response:
        """Return the way to another page, which says something first."""
        from starlette.responses import RedirectResponse

        if self.session is not None:
            self.session.notice = notice
        return RedirectResponse(self.root + path, 303, HEADERS)


def cookie_name(request: Request) -> str:
    """Return the name of the session's cookie.

    A browser sends what one port set to every port of the host: each has its own name.
    """
    return f"midflight-{request.url.port}" if request.url.port else "midflight"


def is_refused(answer: Answer) -> bool:
    """Tell whether an answer says why there is none."""
    return answer.status >= HTTPStatus.BAD_REQUEST


def route_of(operation: str) -> Route:
    """Return the route of the API that has a name."""
    [route] = [each for each in ROUTES if each.operation == operation]
    return route


def may_some(caller: Caller, scope: str) -> bool:
    """Tell whether a caller may do at least some of what a scope allows."""
    if scope != "write" or caller.may("admin"):
        return caller.may(scope)
    return any(each.startswith("write:") for each in caller.scopes)


def _to_login(request: Request) -> Response:
    """Send somebody who is not logged in to where he can do so, and back."""
    from urllib.parse import urlencode

    from starlette.responses import RedirectResponse, Response

    root = request.scope.get("root_path", "").rstrip("/")
    login = f"{root}/login"
    if request.headers.get("hx-request"):
        return Response(status_code=401, headers={**HEADERS, "HX-Redirect": login})
    path = request.url.path.removeprefix(root)
    if request.method in {"GET", "HEAD"} and path != "/":
        query = f"?{request.url.query}" if request.url.query else ""
        login += "?" + urlencode({"next": path + query})
    return RedirectResponse(login, 303, HEADERS)
