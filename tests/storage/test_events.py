"""Events for others: to the queue, or to a custom topic of Event Grid with the managed identity."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError

from shared.errors import AppError, Invalid, Misconfigured, Throttled, Unavailable
from shared.storage.events import Events, Topic
from tests.answering import Answering, answering
from tests.doubles.clock import NOON
from tests.doubles.storage import MemoryQueue


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


@pytest.fixture
def grid() -> Iterator[Answering]:
    """Event Grid's custom topic."""
    with answering() as service:
        yield service


def topic(grid: Answering, credential: Credential | None = None) -> Events:
    return Events(MemoryQueue(lambda: NOON), Topic(grid.url, lambda: credential or Credential()))


@pytest.mark.parametrize("path", ["", "/", "/api/events"])
def test_with_a_topic_an_event_goes_there_with_the_managed_identity(grid: Answering, path: str) -> None:
    grid.url += path
    tell(topic(grid))
    [sent] = grid.requests
    assert sent.path == "/api/events?api-version=2018-01-01"
    assert sent.headers["Authorization"] == "Bearer token for https://eventgrid.azure.net/.default"
    assert sent.headers["Content-Type"].startswith("application/cloudevents-batch+json")
    assert json.loads(sent.body) == [EVENT]


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
def test_every_refusal_of_the_topic_has_its_meaning(grid: Answering, status: int, error: type[AppError]) -> None:
    grid.status = status
    with pytest.raises(error):
        tell(topic(grid))


def test_a_busy_topic_is_not_asked_again_before_it_said(grid: Answering) -> None:
    grid.status, grid.headers = 429, {"Retry-After": "77"}
    with pytest.raises(Throttled) as raised:
        tell(topic(grid))
    assert raised.value.retry_after == 77


def test_a_topic_that_is_away_is_unavailable() -> None:
    with pytest.raises(Unavailable) as raised:
        tell(topic(Answering("http://127.0.0.1:1")))
    assert raised.value.effect_unknown


@pytest.mark.parametrize(
    ("failure", "error"),
    [(ServiceRequestError("away"), Unavailable), (ClientAuthenticationError("no such identity"), Misconfigured)],
)
def test_without_a_token_nothing_is_sent(grid: Answering, failure: Exception, error: type[AppError]) -> None:
    with pytest.raises(error):
        tell(topic(grid, Credential(failure)))
    assert grid.requests == []
