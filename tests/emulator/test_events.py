"""The emulated Event Grid: what lands in the landing zone is told on the queue `data-landed`."""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.storage.blob import ContainerClient
from azure.storage.queue import QueueClient

from emulator.storage.events import EVENT_SWITCHES, EventSettings, Landed, found, messages
from shared.refresh.events import landed
from tests.cloud import Cloud

Json = dict[str, Any]
WHEN = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def blob(name: str = "a.csv", etag: str = "1", seconds: int = 0) -> Landed:
    return Landed(name, etag, 3, "text/csv", WHEN + timedelta(seconds=seconds))


def told(*fresh: Landed, ahead: timedelta = timedelta(0), **switches: Any) -> list[str]:
    return list(messages(list(fresh), {**EVENT_SWITCHES, **switches}, ahead, 1))


def test_new_and_changed_blobs_have_landed_in_the_order_of_time() -> None:
    listed = {one.name: one for one in (blob("b", seconds=1), blob("a", "2", 2), blob("c"), blob("same"))}
    fresh = found({"a": "1", "same": "1", "gone": "1"}, listed)
    assert [one.name for one in fresh] == ["c", "b", "a"]


@pytest.mark.documented("Azure Blob Storage as an Event Grid source")
@pytest.mark.parametrize("schema", ["eventGrid", "cloudEvents"])
def test_an_event_has_the_documented_form(schema: str) -> None:
    (text,) = told(blob("x y/ü+%.csv"), eventSchema=schema, eventBase64=False)
    event = json.loads(text)
    grid = {"topic", "subject", "eventType", "eventTime", "id", "data", "dataVersion", "metadataVersion"}
    cloud = {"specversion", "source", "subject", "type", "time", "id", "data"}
    assert set(event) == (grid if schema == "eventGrid" else cloud)
    assert event["subject"] == "/blobServices/default/containers/landing/blobs/x y/ü+%.csv"
    assert event["data"]["url"] == "https://contosopowerbi.blob.core.windows.net/landing/x%20y/%C3%BC%2B%25.csv"
    assert (event["data"]["api"], event["data"]["eTag"], event["data"]["contentLength"]) == ("PutBlob", "1", 3)
    assert (event.get("eventTime") or event["time"]) == "2026-11-22T12:00:00.0000000Z"


@pytest.mark.parametrize("schema", ["eventGrid", "cloudEvents"])
@pytest.mark.parametrize("encoded", [True, False])
def test_the_app_reads_every_form(schema: str, encoded: bool) -> None:
    (text,) = told(blob("x y/ü+%.csv"), eventSchema=schema, eventBase64=encoded)
    (read,) = landed(text.encode())
    assert (read.path, read.etag, read.event_time) == ("landing/x y/ü+%.csv", "1", WHEN)


@pytest.mark.observed("base64: MicrosoftDocs/azure-docs#102923")
def test_events_are_encoded_unless_a_test_wants_them_plain() -> None:
    assert json.loads(base64.b64decode(told(blob())[0]))["data"]["eTag"] == "1"


def test_a_duplicate_is_the_same_event_and_reordered_ones_come_backwards() -> None:
    same = told(blob(), eventDuplicates=2)
    assert len(same) == 3
    assert len(set(same)) == 1
    backwards = told(blob("a"), blob("b"), eventReorder=True, eventBase64=False)
    assert [json.loads(text)["subject"][-1] for text in backwards] == ["b", "a"]
    sequence = [json.loads(text)["data"]["sequencer"] for text in backwards]
    assert sequence == sorted(sequence, reverse=True)


def test_events_keep_their_order_with_refreshes_when_power_bis_clock_is_moved() -> None:
    (text,) = told(blob(), ahead=timedelta(hours=2))
    assert landed(text.encode())[0].event_time == WHEN + timedelta(hours=2)


@pytest.mark.parametrize(
    "patch",
    [
        {"eventSchema": "avro"},
        {"eventBase64": "yes"},
        {"eventDuplicates": -1},
        {"eventDuplicates": True},
        {"eventDelay": "soon"},
    ],
)
def test_a_switch_refuses_what_it_does_not_know_and_stays(patch: Json) -> None:
    settings = EventSettings()
    with pytest.raises(ValueError, match=r".+"):
        settings.merged(patch)
    assert settings.state() == dict(EVENT_SWITCHES)
    settings.adopt(settings.merged({"eventDuplicates": 3}))
    assert settings.merged({"eventDuplicates": None}) == dict(EVENT_SWITCHES)
    settings.reset()
    assert settings.state() == dict(EVENT_SWITCHES)


class Landing:
    """The landing zone and the queue; what other tests left there is passed over."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.folder = str(uuid.uuid4())
        self.container = ContainerClient.from_connection_string(cloud.connection_string, "landing")
        self.queue = QueueClient.from_connection_string(cloud.connection_string, "data-landed")

    def put(self, name: str, content: bytes = b"x") -> str:
        sent = self.container.upload_blob(f"{self.folder}/{name}", content, overwrite=True)
        return str(sent.get_blob_properties().etag).strip('"')

    def events(self, number: int, patience: float = 15) -> list[str]:
        """The next messages about this test's files, as they came."""
        came: list[str] = []
        until = time.monotonic() + patience
        while len(came) < number and time.monotonic() < until:
            for message in self.queue.receive_messages(max_messages=32):
                self.queue.delete_message(message)
                if any(self.folder in read.path for read in landed(message.content.encode())):
                    came.append(message.content)
            time.sleep(0.05)
        assert len(came) == number
        return came


@pytest.fixture
def landing(cloud: Cloud) -> Iterator[Landing]:
    zone = Landing(cloud)
    with zone.container, zone.queue:
        yield zone


def test_a_blob_that_lands_is_told_and_again_when_it_is_overwritten(landing: Landing) -> None:
    first = landing.put("x y.csv")
    (event,) = landing.events(1)
    (read,) = landed(event.encode())
    assert (read.path, read.etag) == (f"landing/{landing.folder}/x y.csv", first)
    second = landing.put("x y.csv", b"more")
    (event,) = landing.events(1)
    assert landed(event.encode())[0].etag == second != first


def test_a_blob_that_is_deleted_and_put_again_lands_again(landing: Landing) -> None:
    landing.put("a.csv")
    landing.events(1)
    landing.container.delete_blob(f"{landing.folder}/a.csv")
    landing.put("b.csv")
    landing.events(1)
    landing.put("a.csv")
    landing.events(1)


def test_the_switches_of_the_control_api_are_followed(landing: Landing) -> None:
    landing.cloud.change(switches={"eventSchema": "cloudEvents", "eventBase64": False, "eventDuplicates": 1})
    assert landing.cloud.state()["switches"]["eventSchema"] == "cloudEvents"
    landing.put("a.csv")
    one, other = landing.events(2)
    assert one == other
    assert json.loads(one)["specversion"] == "1.0"
    landing.cloud.reset()
    landing.put("b.csv")
    (event,) = landing.events(1)
    assert "eventType" in json.loads(base64.b64decode(event))


def test_a_delayed_event_is_overtaken(landing: Landing) -> None:
    landing.queue.clear_messages()
    landing.cloud.change(switches={"eventDelay": "PT3S"})
    landing.put("late.csv")
    began = time.monotonic()
    deadline = began + 10
    while not _on_its_way(landing):
        assert time.monotonic() < deadline
    landing.cloud.change(switches={"eventDelay": None})
    landing.put("early.csv")
    paths = [landed(event.encode())[0].path for event in landing.events(2)]
    assert [path.rpartition("/")[2] for path in paths] == ["early.csv", "late.csv"]
    assert time.monotonic() - began > 2


def test_an_unknown_switch_changes_nothing(landing: Landing) -> None:
    with pytest.raises(AssertionError, match="400"):
        landing.cloud.change(switches={"eventDuplicates": 1, "eventColour": "red"})
    assert landing.cloud.state()["switches"]["eventDuplicates"] == 0


def _on_its_way(landing: Landing) -> bool:
    """Invisible messages count as well."""
    return (landing.queue.get_queue_properties().approximate_message_count or 0) > 0
