"""Messages: read in both encodings, and put back until what they wait for is there."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import azure.functions as func
import pytest

from shared import messages
from shared.errors import Invalid, Misconfigured, Throttled, Unavailable
from shared.storage.connection import StorageAccount
from shared.storage.queues import Queue, decode, put_back
from tests.azurite import Azurite
from tests.doubles.clock import NOON
from tests.doubles.storage import MemoryQueue
from tests.waiting import eventually


@dataclass(frozen=True)
class Waiting:
    """A queue by its name, and its messages that may be received now."""

    queue: str
    read: Callable[[], list[Any]]

    def collect(self, number: int) -> list[Any]:
        """So many, as they become visible; a message that was received stays hidden."""
        found: list[Any] = []

        def receive() -> list[Any]:
            found.extend(self.read())
            return found

        return eventually(receive, lambda found: len(found) == number, patience=20)


def test_plain_json_and_base64_of_it_are_read_alike() -> None:
    text = b'{"id": "w", "turn": 1}'
    wrapped = base64.encodebytes(text)
    assert decode(text) == decode(b"  " + text).strip() == decode(wrapped) == text
    assert decode(base64.b64encode(b"[1]")) == b"[1]"


@pytest.mark.parametrize("odd", [b"", b"nonsense", b"bm9uc2Vuc2U=", b"\xff\xfe", "ä".encode()])
def test_what_is_neither_stays_as_it_came(odd: bytes) -> None:
    assert decode(odd) == odd


def test_a_message_is_put_back_as_it_was_until_retry_after_is_over() -> None:
    queue = MemoryQueue(lambda: NOON)
    put_back(queue, base64.b64encode('{"id": "ä"}'.encode()), Throttled("slow", retry_after=90))
    put_back(queue, b"no json \xff", Throttled("slow", retry_after=0))
    assert json.loads(queue.sent[0].body) == {"id": "ä"}
    assert queue.sent[0].visible_at == NOON + timedelta(seconds=90)
    assert base64.b64decode(queue.sent[1].body) == b"no json \xff"
    assert queue.sent[1].visible_at == NOON + timedelta(seconds=1), "never at once: that would be a busy loop"


def test_where_it_cannot_be_put_back_the_first_error_leaves_the_trigger() -> None:
    class Away(MemoryQueue):
        def send_text(self, text: str, delay: timedelta = timedelta(0)) -> None:
            raise Unavailable("queues are away")

    first = Misconfigured("settings")
    with pytest.raises(Misconfigured) as raised:
        put_back(Away(lambda: NOON), b"{}", first)
    assert raised.value is first


def test_a_queue_is_told_its_name_in_the_refusal_of_a_message_that_is_too_large() -> None:
    with pytest.raises(Invalid, match="workflow-steps"):
        Queue(lambda: pytest.fail("not reached"), "workflow-steps").send({"t": "x" * 70_000})


# ---- functions of queues and timers
def received(body: object, id: str = "m-1") -> func.QueueMessage:
    """As the host hands it to a function."""
    return func.QueueMessage(id=id, body=body if isinstance(body, bytes) else json.dumps(body).encode())


def function_of(queue: str, error: Exception | None = None, key: str = "") -> Callable[[func.QueueMessage], None]:
    """A function of that queue, which fails like this."""

    @messages.endpoint(queue, key=key)
    def function(message: func.QueueMessage) -> None:
        if error:
            raise error

    return function


@pytest.fixture
def waiting(account: StorageAccount, storage_service: Azurite, unique: str, monkeypatch: pytest.MonkeyPatch) -> Waiting:
    """A queue of the app, and what is in it."""
    monkeypatch.setenv("AzureWebJobsStorage", storage_service.connection_string("app"))
    client = account.queues().create_queue(unique)
    return Waiting(unique, lambda: [json.loads(each.content) for each in client.receive_messages()])


def test_an_outage_leaves_no_function_and_puts_the_message_back(waiting: Waiting) -> None:
    outages = (Throttled("slow", retry_after=1), Unavailable("away", retry_after=1), Misconfigured("x", retry_after=1))
    for outage in outages:
        function_of(waiting.queue, outage)(received({"n": 1}))
    assert waiting.collect(len(outages)) == [{"n": 1}] * len(outages)


def test_what_is_put_back_is_not_seen_before_retry_after_is_over(waiting: Waiting) -> None:
    function_of(waiting.queue, Throttled("slow", retry_after=300))(received({"n": 1}))
    assert waiting.read() == []


def test_the_messages_own_id_goes_along_where_its_sender_left_the_key_out(waiting: Waiting) -> None:
    away = Unavailable("away", retry_after=1)
    for body in ({"n": 1}, {"n": 2, "requestId": "given"}):
        function_of(waiting.queue, away, key="requestId")(received(body, id="m-7"))
    found = waiting.collect(2)
    assert sorted(found, key=lambda each: each["n"]) == [{"n": 1, "requestId": "m-7"}, {"n": 2, "requestId": "given"}]


def test_a_defect_leaves_the_function_so_that_the_host_delivers_again(waiting: Waiting) -> None:
    with pytest.raises(ZeroDivisionError):
        function_of(waiting.queue, ZeroDivisionError())(received({"n": 1}))
    assert waiting.read() == []


def test_an_outage_leaves_a_timers_work_to_its_next_tick() -> None:
    @messages.timer("sweep")
    def sweep(timer: func.TimerRequest) -> None:
        raise Unavailable("away")

    sweep(cast(func.TimerRequest, None))
