"""The shop as a WSGI application."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import attrs
from attrs.validators import ge, lt

from corner_shop.shelf import Shelf
from midflight import Runtime


@attrs.frozen
class Shop:
    """The section `shop` of the configuration.

    Args:
        greeting: the first line of the price list.
        discount: what every price is less, as a share.
    """

    greeting: str = "welcome"
    discount: float = attrs.field(default=0.0, validator=[ge(0), lt(1)])


class Application:
    """Serves `GET /` with the prices, and `POST /THING` for whoever buys one.

    Args:
        runtime: runs the shelves; its section `shop` is read at each request.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._shop = runtime.settings("shop", Shop)

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer one request."""
        if environ["REQUEST_METHOD"] == "POST":
            status, text = self._buy(environ["PATH_INFO"].strip("/"))
        else:
            status, text = "200 OK", "".join(self._list())
        start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [text.encode()]

    def _list(self) -> Iterator[str]:
        shop = self._shop.current  # once: all lines are of one generation
        yield f"{shop.greeting}\n"
        for shelf in self._shelves():
            for thing, price in sorted(shelf.goods.prices.items()):
                now = price * (1 - shop.discount)
                yield f"{thing} {now:.2f} ({shelf.left(thing)} left)\n"

    def _buy(self, thing: str) -> tuple[str, str]:
        for shelf in self._shelves():
            if shelf.buy(thing):
                return "200 OK", f"one {thing}, and thank you\n"
        return "404 Not Found", f"no {thing} left\n"

    def _shelves(self) -> Iterator[Shelf]:
        """Yield the shelves there are now: ask each time, since they come and go."""
        for name, module in self._runtime.snapshot.document.modules.items():
            if module.type == "shelf":
                yield self._runtime.module(name)
