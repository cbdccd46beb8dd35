"""How long messages have been waiting, on the real storage emulator: what is measured, and what does not disturb it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from azure.storage.queue import QueueClient

from shared.errors import Misconfigured, Throttled, Unavailable
from shared.queue_watch import QueueWatch, longest_wait
from shared.settings import StorageSettings
from shared.storage.connection import StorageAccount
from shared.storage.queues import HIDDEN, Front, Peeked, Queue, put_back
from tests.azurite import azurite
from tests.doubles.storage import MemoryQueue
from tests.infra.log_lines import Json, listening
from tests.waiting import eventually

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def account() -> Iterator[StorageAccount]:
    with azurite("watched") as running:
        settings = StorageSettings(running.connection_string("watched"), "", "", "")
        yield StorageAccount(settings, lambda: pytest.fail("no identity is needed"))


@pytest.fixture
def client(account: StorageAccount) -> QueueClient:
    """A queue of this test's own, as the service shows it."""
    return account.queues().create_queue(f"q{uuid.uuid4().hex[:20]}")


@pytest.fixture
def queue(account: StorageAccount, client: QueueClient) -> Queue:
    """The same, as the app knows it."""
    return Queue(account.queues, client.queue_name)


def look(queues: dict[str, Any]) -> dict[str, Json]:
    """The lines that one look writes, by queue."""
    with listening() as lines:
        QueueWatch(queues).look()
    return {line["target"]: line for line in lines.read if line["operation"] == "queue-watch"}


# ---- what is measured
def test_an_empty_queue_has_no_waiting_message(queue: Queue) -> None:
    line = look({"data-landed": queue})["data-landed"]
    assert (line["outcome"], line["count"], line["oldestSeconds"]) == ("ok", 0, 0)


def test_a_message_that_nobody_takes_waits_ever_longer(queue: Queue) -> None:
    queue.send({"n": 1})
    line = eventually(lambda: look({"data-landed": queue})["data-landed"], lambda line: line["oldestSeconds"] >= 1, 20)
    assert line["count"] == 1


def test_looking_takes_nothing_and_counts_as_no_delivery(client: QueueClient, queue: Queue) -> None:
    queue.send({"n": 1})
    for _ in range(3):
        queue.front()
    received = client.receive_message()
    assert received is not None
    assert received.dequeue_count == 1


def test_a_message_that_is_not_to_come_yet_does_not_wait(queue: Queue) -> None:
    queue.send({"n": 1}, HOUR)
    line = look({"workflow-steps": queue})["workflow-steps"]
    assert (line["count"], line["oldestSeconds"]) == (1, 0)


def test_a_message_that_somebody_works_on_does_not_wait(client: QueueClient, queue: Queue) -> None:
    queue.send({"n": 1})
    client.receive_message(visibility_timeout=60)
    assert look({"data-landed": queue})["data-landed"]["oldestSeconds"] == 0


def test_a_message_tells_of_its_delay_once_it_is_visible(queue: Queue) -> None:
    queue.send({"n": 1}, SECOND)
    front = eventually(queue.front, lambda front: front.messages, 20)
    assert [each.hidden for each in front.messages] == [SECOND]
    assert longest_wait(front, delayed=True) == longest_wait(front, delayed=False) - SECOND


def test_the_time_is_that_of_storage_and_not_ours(queue: Queue) -> None:
    """The clock by which a message was put there is the one by which it is looked at."""
    queue.send({"n": 1})
    [message] = queue.front().messages
    assert abs(queue.front().seen_at - message.inserted_at) < timedelta(seconds=20)
    assert queue.front().seen_at.microsecond == 0, "the header Date is cut to the second"


# ---- what is made of it
def front(*messages: tuple[timedelta, timedelta]) -> Front:
    """Seen at noon; of each message how old it is, and for how long it was hidden."""
    return Front(NOON, tuple(Peeked(NOON - age, hidden) for age, hidden in messages), len(messages))


@pytest.mark.parametrize(
    ("seen", "delayed", "waits"),
    [
        (front(), True, timedelta(0)),
        (front((90 * SECOND, timedelta(0))), True, 90 * SECOND),
        (front((2 * HOUR, 2 * HOUR - 3 * SECOND)), True, 3 * SECOND),
        (front((2 * HOUR, 2 * HOUR - 3 * SECOND)), False, 2 * HOUR),
        (front((SECOND, timedelta(0)), (9 * SECOND, timedelta(0)), (4 * SECOND, timedelta(0))), True, 9 * SECOND),
        (front((-SECOND, timedelta(0))), True, timedelta(0)),
        (front((SECOND, HOUR)), True, timedelta(0)),
    ],
    ids=["empty", "plain", "delay taken off", "delay not believed", "oldest of many", "cut second", "put back"],
)
def test_the_wait_is_that_of_the_message_that_was_there_longest(seen: Front, delayed: bool, waits: timedelta) -> None:
    assert longest_wait(seen, delayed=delayed) == waits


class Still:
    """A queue whose front stands still."""

    def __init__(self, seen: Front) -> None:
        self.seen = seen

    def front(self) -> Front:
        return self.seen


@pytest.mark.parametrize(
    ("name", "waits"),
    [
        ("refresh-looks", 5),
        ("workflow-steps", 5),
        ("provisioning-requests", 3605),
        ("data-landed", 3605),
        ("workflow-steps-poison", 3605),
        ("operations-events", 3605),
    ],
)
def test_delays_are_believed_where_nobody_but_the_app_sends(name: str, waits: int) -> None:
    """A copy in a poison queue has the text of the original, and was visible at once."""
    lines = look({name: Still(front((HOUR + 5 * SECOND, HOUR)))})
    assert lines[name]["oldestSeconds"] == waits


@pytest.mark.parametrize("told", ["true", "-1", '"60"', "1e9", "null", "604801", "[60]"])
def test_a_delay_that_can_not_be_is_none(queue: Queue, told: str) -> None:
    queue.send_text(f'{{"{HIDDEN}": {told}}}')
    queue.send_text(f"no JSON, {HIDDEN}")
    queue.send_text(f'["{HIDDEN}"]')
    assert [each.hidden for each in queue.front().messages] == [timedelta(0)] * 3


def test_a_message_that_is_put_back_tells_of_its_new_delay() -> None:
    queue = MemoryQueue(lambda: NOON)
    put_back(queue, json.dumps({"id": "w", "turn": 3, HIDDEN: 7200}).encode(), Throttled("slow", retry_after=89.5))
    put_back(queue, b'{"id": "w"}', Throttled("slow", retry_after=90))
    assert queue.messages() == [{"id": "w", "turn": 3, HIDDEN: 90}, {"id": "w"}]


# ---- what goes wrong
def refused(error: Exception) -> Any:
    """A queue that can't be looked at."""

    class Refused:
        def front(self) -> Front:
            raise error

    return Refused()


def test_a_queue_that_is_missing_is_told_and_the_others_are_measured(account: StorageAccount, queue: Queue) -> None:
    lines = look({"missing": Queue(account.queues, "no-such-queue"), "data-landed": queue})
    assert lines["missing"]["outcome"] == "misconfigured"
    assert lines["missing"]["upstreamCode"] == "QueueNotFound"
    assert "deploy the infrastructure again" in lines["missing"]["message"]
    assert lines["data-landed"]["outcome"] == "ok"


@pytest.mark.parametrize("error", [Misconfigured("no right"), Throttled("slow")])
def test_a_queue_that_refuses_does_not_keep_us_from_the_others(queue: Queue, error: Exception) -> None:
    lines = look({"refused": refused(error), "data-landed": queue})
    assert "oldestSeconds" not in lines["refused"], "nothing is known, which is not the same as nothing waits"
    assert lines["data-landed"]["outcome"] == "ok"


def test_storage_that_is_away_is_left_to_the_next_minute() -> None:
    away = refused(Unavailable("away"))
    with listening() as lines, pytest.raises(Unavailable):
        QueueWatch({"first": away, "second": away}).look()
    assert [(line["target"], line["outcome"]) for line in lines.read] == [("first", "unavailable")]


def test_an_answer_without_a_time_is_no_measurement() -> None:
    class Undated:
        """Answers without the header Date."""

        def get_queue_client(self, name: str) -> Undated:
            return self

        def peek_messages(self, raw_response_hook: Callable[[Any], None], **_: Any) -> list[Any]:
            raw_response_hook(SimpleNamespace(http_response=SimpleNamespace(headers={})))
            return []

        def get_queue_properties(self) -> Any:
            return SimpleNamespace(approximate_message_count=0)

    service: Any = Undated()
    with pytest.raises(Unavailable):
        Queue(lambda: service, "q").front()
