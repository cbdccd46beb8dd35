"""Messages of refreshing: files that landed, looks, and what is none of these."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.errors import Misconfigured, Unavailable
from shared.refresh.rules import Match, RefreshObject
from tests.unit.refresh_service import SALES, Json, World


def event(path: str = "sales/2026/11/a.parquet", **changes: Any) -> Json:
    data = {"api": "PutBlob", "eTag": "0x1", "url": f"https://a.blob.core.windows.net/landing/{path}"}
    return {
        "id": "e1",
        "eventType": "Microsoft.Storage.BlobCreated",
        "eventTime": "2026-11-22T11:59:00Z",
        "data": data,
        **changes,
    }


def message(*events: Json) -> bytes:
    return json.dumps(list(events)).encode()


def test_what_lands_is_handed_to_the_engine_with_what_it_concerns(world: World) -> None:
    world.triggers.land(message(event()))
    ((landed, matches),) = world.engine.landed
    assert landed.path == "landing/sales/2026/11/a.parquet"
    assert matches == [Match(SALES.dataset_id, (RefreshObject("Sales", "Sales-2026-11"),), False)]


def test_what_no_rule_names_and_other_events_are_no_work(world: World) -> None:
    world.triggers.land(message(event("elsewhere"), event(eventType="Microsoft.Storage.BlobDeleted")))
    assert (world.engine.landed, world.rejected) == ([], {})


def test_what_can_never_be_read_is_kept_with_the_reason(world: World) -> None:
    world.triggers.land(b"hello")
    ((name, copy),) = world.rejected.items()
    assert name.startswith("data-landed/")
    assert copy == {
        "reason": "The message is not JSON.",
        "rejectedAt": "2026-11-22T12:00:00Z",
        "message": "hello",
    }


def test_one_bad_event_does_not_take_the_good_ones_with_it(world: World) -> None:
    world.triggers.land(message(event(), event(data={})))
    assert len(world.engine.landed) == 1
    assert [copy["reason"] for copy in world.rejected.values()] == ["[1] api is missing, or no text."]


def test_files_wait_while_no_document_is_in_force(world: World) -> None:
    world.document = None
    with pytest.raises(Misconfigured, match="wait"):
        world.triggers.land(message(event()))
    world.triggers.land(message(event(eventType="other")))
    assert world.rejected == {}


def test_a_message_that_was_given_up_is_tried_once_more_and_else_kept(world: World) -> None:
    world.triggers.landed_poisoned(message(event()))
    assert len(world.engine.landed) == 1
    world.engine.breaks = RuntimeError("a defect")
    world.triggers.landed_poisoned(message(event()))
    assert "put it on the queue again" in next(iter(world.rejected.values()))["reason"]
    world.engine.breaks = Unavailable("away")
    with pytest.raises(Unavailable):
        world.triggers.landed_poisoned(message(event()))


def test_looks_are_handed_to_the_engine_and_other_messages_kept(world: World) -> None:
    world.triggers.look(b'{"datasetId": "d", "number": 3}')
    assert world.engine.looks == [("d", 3)]
    for odd in (b"{}", b"[]", b"7", b"x", b'{"datasetId": 1, "number": 3}', b'{"datasetId": "d", "number": true}'):
        world.triggers.look(odd)
        world.triggers.look_poisoned(odd)
    assert len(world.rejected) == 6
    assert world.engine.looks == [("d", 3)]


def test_a_look_that_was_given_up_is_told_to_the_engine(world: World) -> None:
    world.triggers.look_poisoned(b'{"datasetId": "d", "number": 3}')
    assert world.engine.poisons == ["d"]
    world.engine.breaks = RuntimeError("a defect")
    world.triggers.look_poisoned(b'{"datasetId": "d", "number": 3}')
    assert len(world.rejected) == 1
    world.triggers.sweep()
