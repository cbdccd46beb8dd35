"""The storage account: what its refusals mean, and services that are slow or silent."""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from shared.errors import Conflict, Misconfigured, NotFound, Throttled, Unavailable
from shared.storage.blobs import Container
from shared.storage.connection import storage_errors
from shared.storage.queues import Queue
from shared.storage.tables import Table
from tests.answering import answering
from tests.azurite import Azurite, account_of
from tests.storage.operator_documents import (
    NAME,
    address,
)

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient


def test_a_wrong_account_key_is_named_as_such(storage_service: Azurite) -> None:
    stranger = account_of(storage_service.connection_string("app", key=storage_service.keys["bare"])).blobs()
    with pytest.raises(Misconfigured, match="account key") as caught, storage_errors("blob get"):
        stranger.get_blob_client("config", NAME).download_blob()
    assert caught.value.evidence.status == 403
    assert caught.value.evidence.request_id


def test_an_absent_blob_is_not_found_and_a_lost_race_a_conflict(blobs: BlobServiceClient) -> None:
    client = blobs.get_blob_client("config", NAME)
    with pytest.raises(NotFound), storage_errors("blob get"):
        client.download_blob()
    client.upload_blob(b"one")
    with pytest.raises(Conflict), storage_errors("blob put"):
        client.upload_blob(b"two")


def test_the_client_of_an_account_is_made_once(storage_service: Azurite) -> None:
    made = account_of(storage_service.connection_string("app"))
    assert made.blobs() is made.blobs()


def test_a_service_that_accepts_and_never_answers_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        client = account_of(address(port)).blobs().get_blob_client("config", NAME)
        began = datetime.now(UTC)
        with pytest.raises(Unavailable) as caught, storage_errors("blob head"):
            client.get_blob_properties()
    assert caught.value.effect_unknown
    assert datetime.now(UTC) - began < timedelta(seconds=16)


@pytest.mark.parametrize("kind", ["table", "blob", "queue"])
def test_a_long_pause_is_left_to_the_caller_and_not_slept(kind: str) -> None:
    with answering() as busy:
        busy.status, busy.headers = 503, {"Retry-After": "30", "x-ms-error-code": "ServerBusy"}
        account = account_of(address(busy.port))
        calls: dict[str, Callable[[], object]] = {
            "table": lambda: Table(account.tables, "workflows").get("partition", "row"),
            "blob": lambda: Container(account.blobs, "config").get(NAME),
            "queue": lambda: Queue(account.queues, "workflow-steps").send({"n": 1}),
        }
        began = datetime.now(UTC)
        with pytest.raises(Throttled) as raised:
            calls[kind]()
    assert (raised.value.retry_after, len(busy.requests)) == (30, 1)
    assert datetime.now(UTC) - began < timedelta(seconds=5)
