"""A property that is built on first use: once, however many threads ask for it at the same moment."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.once import once

THREADS = 16


class Shop:
    """What it builds waits until somebody else has had the time to ask for it too."""

    def __init__(self) -> None:
        self.built = 0
        self.asked = threading.Barrier(THREADS)

    @once
    def oven(self) -> list[str]:
        self.built += 1
        threading.Event().wait(0.05)
        return ["oven"]

    @once
    def bread(self) -> list[str]:
        return [*self.oven, "bread"]

    @once
    def door(self) -> str:
        self.built += 1
        if self.built == 1:
            raise OSError("stuck")
        return "door"


def test_many_threads_get_the_one_that_was_built() -> None:
    shop = Shop()

    def ask(_: int) -> list[str]:
        shop.asked.wait(10)
        return shop.oven

    with ThreadPoolExecutor(THREADS) as threads:
        found = list(threads.map(ask, range(THREADS)))
    assert shop.built == 1
    assert len({id(each) for each in found}) == 1


def test_what_is_built_may_ask_for_another() -> None:
    assert Shop().bread == ["oven", "bread"]


def test_a_builder_that_raises_keeps_nothing() -> None:
    shop = Shop()
    with pytest.raises(OSError, match="stuck"):
        _ = shop.door
    assert shop.door == "door"
    assert (shop.door, shop.built) == ("door", 2)


def test_each_object_has_its_own() -> None:
    assert Shop().oven is not Shop().oven
