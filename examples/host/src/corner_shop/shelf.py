"""The module type `shelf`: goods with a price, and how many are left."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import attrs
from attrs.validators import deep_mapping, ge, gt, instance_of

from midflight import hookimpl


@attrs.frozen
class Goods:
    """What an operator may set of a shelf.

    Args:
        prices: of each thing on it.
        stock: how many of each are there when the shop opens.
    """

    prices: Mapping[str, float] = attrs.field(
        validator=deep_mapping(instance_of(str), gt(0))
    )
    stock: int = attrs.field(default=10, validator=ge(0))


class Shelf:
    """Sells what is on it; what was sold stays sold when prices change."""

    Config = Goods

    def __init__(self, name: str) -> None:
        self.name = name
        self._lock = threading.Lock()
        self._sold: dict[str, int] = {}

    @hookimpl
    def start(self, config: Goods) -> None:
        """Open."""
        self.goods = config

    @hookimpl
    def reconfigure(self, config: Goods) -> None:
        """Take other goods and prices, while customers look."""
        self.goods = config

    @hookimpl
    def probe(self) -> Mapping[str, object]:
        """Show what is in force."""
        return {"prices": dict(self.goods.prices), "stock": self.goods.stock}

    def left(self, thing: str) -> int:
        """Return how many of a thing are left."""
        goods = self.goods
        return goods.stock - self._sold.get(thing, 0) if thing in goods.prices else 0

    def buy(self, thing: str) -> bool:
        """Take one away, if there is one left."""
        with self._lock:
            if self.left(thing) < 1:
                return False
            self._sold[thing] = self._sold.get(thing, 0) + 1
            return True
