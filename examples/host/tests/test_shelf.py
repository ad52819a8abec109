"""A shelf keeps the contract of modules, and what was sold stays sold."""

from __future__ import annotations

import pytest
from corner_shop.shelf import Shelf

from midflight import Runtime
from midflight.testing import FakeSource, ModuleContract


class TestShelf(ModuleContract):
    @pytest.fixture
    def module(self):
        return Shelf

    @pytest.fixture
    def config(self):
        return {"prices": {"apple": 0.5}}

    @pytest.fixture
    def other_config(self):
        return {"prices": {"apple": 0.4, "pear": 0.8}, "stock": 3}

    @pytest.fixture
    def refused_config(self):
        return {"prices": {"apple": -1.0}}


def shop(**config):
    """Return a configuration with one shelf."""
    return {"modules": [{"name": "fruit", "type": "shelf", "config": config}]}


def test_what_was_sold_stays_sold():
    """A change of prices fills no shelf."""
    source = FakeSource(shop(prices={"apple": 0.5}, stock=3))
    with Runtime(source) as runtime:
        fruit = runtime.module("fruit")
        fruit.buy("apple")
        source.set(shop(prices={"apple": 0.9}, stock=3))

        assert runtime.reload().name == "applied"
        assert runtime.module("fruit").left("apple") == 2


def test_an_empty_shelf_sells_nothing():
    """Nobody buys more than is there, nor what is not there at all."""
    source = FakeSource(shop(prices={"apple": 0.5}, stock=1))
    with Runtime(source) as runtime:
        fruit = runtime.module("fruit")

        assert [fruit.buy("apple"), fruit.buy("apple")] == [True, False]
        assert not fruit.buy("gold")
