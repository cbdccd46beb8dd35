"""Requests that come twice: the first time, again, while it runs, after a crash, with another body, when forgotten."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from shared.errors import Ended, InvalidRequest, Unavailable
from shared.idempotency import Keys, body_hash, key_of, request_id
from tests.doubles.storage import MemoryTable

KEY = "load-2026-11"


class World:
    """Keys over a table in memory, and what was begun."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, tzinfo=UTC)
        self.keys = Keys(MemoryTable("idempotency"), lambda: self.now)
        self.begun: list[str] = []
        self.leads_to = ""

    def ask(self, key: str = KEY, hashed: str = "a", client: str = "c") -> str:
        return self.keys.once(client, "runs", key, hashed, self.begin)

    def begin(self, id: str) -> str:
        self.begun.append(id)
        return self.leads_to or id


def test_the_first_time_it_is_carried_out_under_an_id_that_follows_from_the_key() -> None:
    world = World()
    assert world.ask() == request_id("c", "runs", KEY)
    assert uuid.UUID(world.begun[0]).version == 5


def test_a_repeat_answers_the_same_and_begins_nothing() -> None:
    world = World()
    world.leads_to = "joined"
    first = world.ask()
    world.leads_to = "another"
    assert world.ask() == first == "joined"
    assert len(world.begun) == 1
    assert world.keys.answered("c", "runs", KEY, "a") == "joined"


def test_another_client_or_operation_has_keys_of_its_own() -> None:
    world = World()
    assert len({world.ask(), world.ask(client="d"), request_id("c", "other", KEY)}) == 3


def test_without_a_key_each_request_is_a_new_one() -> None:
    world = World()
    assert world.ask(key="") != world.ask(key="")
    assert uuid.UUID(world.begun[0]).version == 4
    assert world.keys.answered("c", "runs", "", "a") == ""


def test_another_body_under_the_same_key_is_refused_and_begins_nothing() -> None:
    world = World()
    world.ask()
    with pytest.raises(Ended, match="another request"):
        world.ask(hashed="b")
    assert len(world.begun) == 1
    assert world.keys.answered("c", "runs", KEY, "b") == ""


def test_a_request_whose_answer_was_lost_is_carried_out_again_under_the_same_id() -> None:
    world = World()

    def die(id: str) -> str:
        world.begun.append(id)
        raise Unavailable("away")

    with pytest.raises(Unavailable):
        world.keys.once("c", "runs", KEY, "a", die)
    assert world.keys.answered("c", "runs", KEY, "a") == ""
    assert world.ask() == world.begun[0] == world.begun[1]


def test_of_two_at_once_the_first_one_written_down_counts_for_both() -> None:
    world = World()

    def begin(id: str) -> str:
        world.leads_to = "first"
        world.ask()
        return "second"

    assert world.keys.once("c", "runs", KEY, "a", begin) == "first"
    assert world.ask() == "first"


def test_a_key_is_forgotten_after_thirty_days_and_then_begins_something_new() -> None:
    world = World()
    first = world.ask()
    world.now += timedelta(days=29)
    assert world.ask() == first
    world.now += timedelta(days=2)
    assert world.keys.answered("c", "runs", KEY, "a") == ""
    second = world.ask(hashed="b")
    assert second != first
    assert world.ask(hashed="b") == second


def test_the_key_stands_in_the_header_or_in_the_body() -> None:
    assert (key_of(None, None), key_of(KEY, None), key_of(None, KEY), key_of(KEY, KEY)) == ("", KEY, KEY, KEY)
    with pytest.raises(InvalidRequest, match="different"):
        key_of(KEY, "another-key")


@pytest.mark.parametrize("key", ["short", "x" * 65, "with space", "slash/slash", "", "ümlaut-key"])
def test_a_key_of_another_form_is_refused(key: str) -> None:
    with pytest.raises(InvalidRequest):
        key_of(key, None)


def test_bodies_that_ask_for_the_same_are_equal() -> None:
    assert body_hash({"a": 1, "b": [2]}) == body_hash({"b": [2], "a": 1})
    assert body_hash({"a": 1}) != body_hash({"a": 2})
