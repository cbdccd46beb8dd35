"""Operator documents: a good one is accepted and in force everywhere, a bad one changes nothing and is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shared.errors import Misconfigured, Retryable
from shared.storage.documents import Documents
from tests.azurite import Azurite, account_of
from tests.doubles.clock import HOUR, SECOND, Clock
from tests.storage.operator_documents import (
    NAME,
    Away,
    accepted_text,
    delete,
    fault,
    instance,
    read,
    upload,
    value,
)

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient


def test_nothing_uploaded_means_nothing_in_force_and_says_what_to_do(blobs: BlobServiceClient, clock: Clock) -> None:
    documents = instance(blobs, clock)
    assert documents.accepted(NAME) is None
    assert "upload it" in fault(documents)
    assert "all is denied" in fault(documents)


def test_a_good_document_is_copied_and_in_force_everywhere(blobs: BlobServiceClient, clock: Clock) -> None:
    upload(blobs, "one")
    first, second = instance(blobs, clock), instance(blobs, clock)
    assert value(first) == "one"
    assert accepted_text(blobs) == "one"
    assert first.accepted(NAME) == second.accepted(NAME)
    [state] = second.states()
    assert state.fault == ""
    assert state.accepted_at is not None
    assert state.etag == blobs.get_blob_client("config-accepted", NAME).get_blob_properties().etag.strip('"')


def test_the_copy_names_the_version_that_it_was_made_from(blobs: BlobServiceClient, clock: Clock) -> None:
    upload(blobs, "one")
    value(instance(blobs, clock))
    source = blobs.get_blob_client("config", NAME).get_blob_properties().etag.strip('"')
    assert blobs.get_blob_client("config-accepted", NAME).get_blob_properties().metadata["sourceetag"] == source


def test_storage_is_looked_at_every_thirty_seconds_at_most(blobs: BlobServiceClient, clock: Clock) -> None:
    upload(blobs, "one")
    documents = instance(blobs, clock)
    assert value(documents) == "one"
    upload(blobs, "two")
    clock.advance(29 * SECOND)
    assert value(documents) == "one"
    clock.advance(2 * SECOND)
    assert value(documents) == "two"


def test_a_clock_that_was_set_back_does_not_stop_the_looking(blobs: BlobServiceClient, clock: Clock) -> None:
    upload(blobs, "one")
    documents = instance(blobs, clock)
    assert value(documents) == "one"
    upload(blobs, "two")
    clock.advance(-HOUR)
    assert value(documents) == "two"


def test_a_bad_document_is_reported_and_the_accepted_one_stays(blobs: BlobServiceClient, clock: Clock) -> None:
    upload(blobs, "one")
    documents = instance(blobs, clock)
    value(documents)
    upload(blobs, "bad two")
    clock.advance(31 * SECOND)
    assert value(documents) == "one"
    assert accepted_text(blobs) == "one"
    assert "reports[0]: Must be good." in fault(documents)
    assert value(instance(blobs, clock)) == "one"
    upload(blobs, "three")
    clock.advance(31 * SECOND)
    assert value(documents) == "three"
    assert fault(documents) == ""


def test_a_bad_document_is_read_once(blobs: BlobServiceClient, clock: Clock) -> None:
    readings: list[bytes] = []

    def counting(raw: bytes) -> object:
        readings.append(raw)
        return read(raw)

    upload(blobs, "bad")
    documents = instance(blobs, clock, counting)
    for _ in range(3):
        assert value(documents) is None
        clock.advance(31 * SECOND)
    assert readings == [b"bad"]


def test_a_document_over_one_mebibyte_is_refused_unread(blobs: BlobServiceClient, clock: Clock) -> None:
    upload(blobs, "x" * (1024 * 1024 + 1))
    documents = instance(blobs, clock, lambda _: pytest.fail("it was read"))
    assert documents.accepted(NAME) is None
    assert "1 MiB" in fault(documents)


def test_a_defect_of_the_reader_refuses_the_document_only(blobs: BlobServiceClient, clock: Clock) -> None:
    def reader(raw: bytes) -> object:
        return raw.decode() if raw == b"one" else 1 / 0

    upload(blobs, "one")
    documents = instance(blobs, clock, reader)
    assert value(documents) == "one"
    upload(blobs, "two")
    clock.advance(31 * SECOND)
    assert value(documents) == "one"
    assert "see the log" in fault(documents)


def test_a_document_deleted_from_config_stays_in_force_and_the_state_says_so(
    blobs: BlobServiceClient, clock: Clock
) -> None:
    upload(blobs, "one")
    documents = instance(blobs, clock)
    value(documents)
    delete(blobs, "config")
    clock.advance(31 * SECOND)
    assert value(documents) == "one"
    assert "no embed.yaml in the container config" in fault(documents)
    assert value(instance(blobs, clock)) == "one"


def test_an_accepted_copy_taken_away_denies_at_once(blobs: BlobServiceClient, clock: Clock) -> None:
    upload(blobs, "one")
    documents = instance(blobs, clock)
    value(documents)
    delete(blobs, "config")
    delete(blobs, "config-accepted")
    clock.advance(31 * SECOND)
    assert documents.accepted(NAME) is None


def test_storage_that_is_away_at_first_is_retryable_and_asked_again_after_a_pause(
    blobs: BlobServiceClient, clock: Clock
) -> None:
    upload(blobs, "one")
    service = Away(blobs)
    documents = Documents(service, {NAME: read}, clock)
    with pytest.raises(Retryable):
        documents.accepted(NAME)
    service.away = False
    with pytest.raises(Retryable):
        documents.accepted(NAME)
    clock.advance(6 * SECOND)
    assert value(documents) == "one"


def test_storage_that_goes_away_later_leaves_what_is_in_force(
    blobs: BlobServiceClient, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    upload(blobs, "one")
    service = Away(blobs)
    service.away = False
    documents = Documents(service, {NAME: read}, clock)
    assert value(documents) == "one"
    service.away = True
    clock.advance(31 * SECOND)
    caplog.clear()
    assert value(documents) == "one"
    clock.advance(31 * SECOND)
    assert value(documents) == "one"
    assert "Storage can't be reached" in fault(documents)
    assert sum("Storage can't be reached" in str(record.msg) for record in caplog.records) == 1
    service.away = False
    clock.advance(31 * SECOND)
    assert fault(documents) == ""


def test_missing_containers_are_a_matter_of_infrastructure(storage_service: Azurite, clock: Clock) -> None:
    bare = account_of(storage_service.connection_string("bare")).blobs()
    documents = instance(bare, clock)
    with pytest.raises(Misconfigured, match="deploy the infrastructure"):
        documents.accepted(NAME)
    assert "deploy the infrastructure" in fault(documents)
