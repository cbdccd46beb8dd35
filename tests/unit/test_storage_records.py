"""Records as table rows and back."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import pytest

from shared.storage.lists import NewestFirst, place_of
from shared.storage.records import Records, record_of, values_of
from shared.storage.tables import LONGEST_TEXT, Stale
from tests.doubles.storage import MemoryTable

MOMENT = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)


class Word(StrEnum):
    OPEN = "open"


@dataclass(frozen=True)
class Part:
    since: datetime
    lasts: timedelta
    names: tuple[str, ...] = ()
    word: Word = Word.OPEN


@dataclass(frozen=True)
class Thing:
    id: str
    word: Word = Word.OPEN
    lease_until: datetime | None = None
    turn: int = 0
    undo: bool = False
    caller: dict[str, Any] = field(default_factory=dict)
    error: dict[str, Any] | None = None
    part: Part | None = None
    parts: tuple[Part, ...] = ()
    etag: str = field(default="", compare=False)


PART = Part(MOMENT, timedelta(seconds=90), ("a", "b"))
FULL = Thing("t1", Word.OPEN, MOMENT, 7, True, {"a": [1, {"b": None}]}, {"code": "x"}, PART, (PART, PART))


@pytest.mark.parametrize("thing", [FULL, Thing("t2")], ids=["full", "empty"])
def test_a_record_comes_back_as_it_was_written(thing: Thing) -> None:
    assert record_of(Thing, values_of(thing)) == thing


def test_each_field_is_a_property_that_people_can_read() -> None:
    values = values_of(FULL)
    assert values["leaseUntil"] == "2026-11-22T12:00:00.123456+00:00"
    assert (values["word"], values["turn"], values["undo"]) == ("open", 7, True)
    assert values["caller"] == '{"a":[1,{"b":null}]}'
    assert "etag" not in values


def test_json_longer_than_a_property_is_spread_and_prose_is_cut() -> None:
    long = Thing("x" * 2 * LONGEST_TEXT, caller={"text": "y" * 2 * LONGEST_TEXT})
    values = values_of(long)
    assert all(len(value) <= LONGEST_TEXT for value in values.values() if isinstance(value, str))
    read = record_of(Thing, values)
    assert read.caller == long.caller
    assert read.id.endswith("…")


def test_a_row_of_another_version_of_the_app_is_read() -> None:
    """One that was written before a field was added has its default; what a later version added is passed over."""
    row = {**values_of(FULL), "later": "unknown"}
    del row["turn"], row["part"]
    row["parts"] = row["parts"].replace('"word":"open"', '"later":1')
    read = record_of(Thing, row)
    assert (read.turn, read.part, read.parts) == (0, None, (PART, PART))


def test_a_row_that_cannot_be_read_stands_in_nobodys_way(caplog: pytest.LogCaptureFixture) -> None:
    """A later version of the app wrote it, and was taken back."""
    table = MemoryTable("things")
    things = Records(table, Thing)
    for row in ("a", "b", "c"):
        things.put("p", row, Thing(row))
    table.replace("p", "b", {**values_of(Thing("b")), "word": "unheardOf"})
    assert [thing.id for thing in things.partition("p")] == ["a", "c"]
    assert "The row b can't be read." in caplog.text


def test_of_two_who_write_one_record_the_second_is_told() -> None:
    things = Records(MemoryTable("things"), Thing)
    first = things.put("p", "r", Thing("t1"))
    read = things.get("p", "r")
    assert read == first
    things.put("p", "r", Thing("t1", turn=1, etag=first.etag))
    with pytest.raises(Stale):
        things.put("p", "r", Thing("t1", turn=2, etag=first.etag))
    with pytest.raises(Stale):
        things.put("p", "r", Thing("t1", turn=3))


def test_a_write_that_meets_itself_is_ours() -> None:
    """The SDK repeats a call whose answer was lost."""
    things = Records(MemoryTable("things"), Thing)
    made = things.put("p", "r", FULL)
    assert things.put("p", "r", FULL).etag == made.etag
    changed = Thing("t1", turn=1, etag=made.etag)
    assert things.put("p", "r", changed).etag == things.put("p", "r", changed).etag


def test_lists_show_the_newest_first_and_go_on_behind_a_place() -> None:
    lists = NewestFirst(MemoryTable("things"))
    for number, name in enumerate(("a", "b", "a")):
        lists.add(f"id{number}", MOMENT + timedelta(minutes=number), name)
    assert [id for _, id in lists.page("", "", 10)] == ["id2", "id1", "id0"]
    assert [id for _, id in lists.page("a", "", 10)] == ["id2", "id0"]
    assert lists.page("", place_of("id2", MOMENT + timedelta(minutes=2)), 1)[0][1] == "id1"
