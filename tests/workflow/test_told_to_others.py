"""What leaves the app beside its answers: audit rows, events, and messages that are put back."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError

from shared.errors import AppError, Invalid, Misconfigured, Throttled, Unavailable
from shared.storage.audit import Audit
from shared.storage.events import Events, Topic
from shared.storage.queues import Queue, decode, put_back
from tests.doubles.clock import NOON
from tests.doubles.storage import MemoryQueue, MemoryTable

# ---- audit


def record(audit: Audit, act: str = "step-1", decision: str = "createWorkspace done", request_id: str = "r1") -> None:
    audit.record("w1", act, {"clientId": "c"}, "FIN-DEV", decision, request_id, "corr", NOON)


def test_a_change_is_recorded_with_caller_decision_target_and_request_id() -> None:
    table = MemoryTable("audit")
    record(Audit(table))
    [(entity, _)] = list(table.partition("w1"))
    assert {name: entity[name] for name in ("act", "target", "decision", "requestId", "correlationId", "when")} == {
        "act": "step-1",
        "target": "FIN-DEV",
        "decision": "createWorkspace done",
        "requestId": "r1",
        "correlationId": "corr",
        "when": "2026-11-22T12:00:00Z",
    }
    assert json.loads(entity["caller"]) == {"clientId": "c"}


def test_an_act_that_is_told_twice_is_one_row_as_it_was_told_first() -> None:
    table = MemoryTable("audit")
    record(Audit(table))
    record(Audit(table), decision="createWorkspace found", request_id="")
    [(entity, _)] = list(table.partition("w1"))
    assert (entity["decision"], entity["requestId"]) == ("createWorkspace done", "r1")


def test_what_is_learned_later_takes_the_place_of_unknown_and_never_the_other_way_round() -> None:
    table = MemoryTable("audit")
    record(Audit(table), decision="createWorkspace unknown", request_id="")
    record(Audit(table), decision="createWorkspace found", request_id="r2")
    record(Audit(table), decision="createWorkspace unknown", request_id="")
    [(entity, _)] = list(table.partition("w1"))
    assert (entity["decision"], entity["requestId"]) == ("createWorkspace found", "r2")


def test_acts_that_differ_only_in_what_a_key_may_not_hold_are_different_rows() -> None:
    table = MemoryTable("audit")
    for act in ("grant a/b", "grant a#b", "grant a?b", "x" * 5000, "x" * 5001):
        record(Audit(table), act=act)
    assert len(table.rows) == 5


def test_a_long_target_never_makes_the_audit_fail() -> None:
    table = MemoryTable("audit")
    Audit(table).record("w1", "a", {"c": "x" * 90_000}, "y" * 90_000, "z" * 90_000, "r", "c", NOON)
    [(entity, _)] = list(table.partition("w1"))
    assert all(len(value) <= 30_000 for value in entity.values())


# ---- messages


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


# ---- events


def tell(events: Events) -> None:
    events.tell("provisioning.succeeded", "provisioning-requests/w1", "w1-1", {"project": "FIN"}, NOON)


EVENT = {
    "specversion": "1.0",
    "id": "w1-1",
    "source": "/powerbi-automation",
    "type": "provisioning.succeeded",
    "subject": "provisioning-requests/w1",
    "time": "2026-11-22T12:00:00Z",
    "datacontenttype": "application/json",
    "data": {"project": "FIN"},
}


def test_without_a_topic_an_event_goes_to_the_queue() -> None:
    queue = MemoryQueue(lambda: NOON)
    tell(Events(queue))
    assert queue.messages() == [EVENT]


@dataclass
class Credential:
    error: Exception | None = None

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        if self.error:
            raise self.error
        return AccessToken(f"token for {scopes[0]}", 0)


@dataclass
class EventGrid:
    url: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)


@pytest.fixture
def grid() -> Iterator[EventGrid]:
    state = EventGrid()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.requests.append((self.path, dict(self.headers), body))
            self.send_response(state.status)
            for name, value in {"Content-Length": "0", **state.headers}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        state.url = f"http://127.0.0.1:{server.server_port}"
        yield state
        server.shutdown()


def topic(grid: EventGrid, credential: Credential | None = None) -> Events:
    return Events(MemoryQueue(lambda: NOON), Topic(grid.url, lambda: credential or Credential()))


@pytest.mark.parametrize("path", ["", "/", "/api/events"])
def test_with_a_topic_an_event_goes_there_with_the_managed_identity(grid: EventGrid, path: str) -> None:
    grid.url += path
    tell(topic(grid))
    [(called, headers, body)] = grid.requests
    assert called == "/api/events?api-version=2018-01-01"
    assert headers["Authorization"] == "Bearer token for https://eventgrid.azure.net/.default"
    assert headers["Content-Type"].startswith("application/cloudevents-batch+json")
    assert body == [EVENT]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (301, Misconfigured),
        (400, Invalid),
        (401, Misconfigured),
        (403, Misconfigured),
        (404, Misconfigured),
        (413, Invalid),
        (429, Throttled),
        (500, Unavailable),
        (503, Unavailable),
    ],
)
def test_every_refusal_of_the_topic_has_its_meaning(grid: EventGrid, status: int, error: type[AppError]) -> None:
    grid.status = status
    with pytest.raises(error):
        tell(topic(grid))


def test_a_busy_topic_is_not_asked_again_before_it_said(grid: EventGrid) -> None:
    grid.status, grid.headers = 429, {"Retry-After": "77"}
    with pytest.raises(Throttled) as raised:
        tell(topic(grid))
    assert raised.value.retry_after == 77


def test_a_topic_that_is_away_is_unavailable() -> None:
    with pytest.raises(Unavailable) as raised:
        tell(topic(EventGrid("http://127.0.0.1:1")))
    assert raised.value.effect_unknown


@pytest.mark.parametrize(
    ("failure", "error"),
    [(ServiceRequestError("away"), Unavailable), (ClientAuthenticationError("no such identity"), Misconfigured)],
)
def test_without_a_token_nothing_is_sent(grid: EventGrid, failure: Exception, error: type[AppError]) -> None:
    with pytest.raises(error):
        tell(topic(grid, Credential(failure)))
    assert grid.requests == []


# ---- storage that is slow


def test_a_long_pause_is_left_to_the_caller_and_not_slept() -> None:
    from azure.core.pipeline.transport import RequestsTransport

    from shared.storage.connection import _transport

    transport = _transport()
    assert isinstance(transport, RequestsTransport)
    with pytest.raises(Throttled) as raised:
        transport.sleep(30)
    assert raised.value.retry_after == 30


def test_a_queue_is_told_its_name_in_the_refusal_of_a_message_that_is_too_large() -> None:
    with pytest.raises(Invalid, match="workflow-steps"):
        Queue(lambda: pytest.fail("not reached"), "workflow-steps").send({"t": "x" * 70_000})
