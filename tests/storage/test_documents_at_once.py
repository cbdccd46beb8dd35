"""Operator documents when several instances, threads or versions of the app accept them at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from shared.errors import Unavailable
from shared.storage.documents import Documents
from tests.doubles.clock import SECOND, Clock
from tests.storage.operator_documents import (
    NAME,
    accepted_text,
    fault,
    instance,
    older,
    read,
    upload,
    value,
)

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient


def test_a_slow_instance_does_not_put_an_older_version_back(blobs: BlobServiceClient, clock: Clock) -> None:
    """It read version one; while it validates, two is uploaded and accepted by another instance."""
    other = instance(blobs, clock)

    def slow(raw: bytes) -> object:
        if raw == b"one":
            upload(blobs, "two")
            clock.advance(31 * SECOND)
            assert value(other) == "two"
        return read(raw)

    upload(blobs, "one")
    assert value(instance(blobs, clock, slow)) == "two"
    assert accepted_text(blobs) == "two"


@pytest.mark.parametrize("call", range(1, 9))
@pytest.mark.parametrize("before", ["", "zero"])
def test_whenever_another_instance_is_faster_the_newest_version_wins(
    blobs: BlobServiceClient, clock: Clock, before: str, call: int
) -> None:
    """Just before its n-th call to storage, another instance accepts version two."""
    calls = 0

    def interrupted() -> BlobServiceClient:
        nonlocal calls
        calls += 1
        if calls == call:
            upload(blobs, "two")
            assert value(instance(blobs, clock)) == "two"
        return blobs

    if before:
        upload(blobs, before)
        value(instance(blobs, clock))
    upload(blobs, "one")
    documents = Documents(interrupted, {NAME: read}, clock)
    assert value(documents) in ("one", "two")
    if calls >= call:
        assert accepted_text(blobs) == "two"
        clock.advance(31 * SECOND)
        assert value(documents) == "two"


def test_two_first_acceptances_at_once_agree(blobs: BlobServiceClient, clock: Clock) -> None:
    other = instance(blobs, clock)

    def slow(raw: bytes) -> object:
        value(other)
        return read(raw)

    upload(blobs, "one")
    documents = instance(blobs, clock, slow)
    assert documents.accepted(NAME) == other.accepted(NAME)


def test_a_document_that_changes_all_the_time_does_not_hold_the_caller(blobs: BlobServiceClient, clock: Clock) -> None:
    def restless(raw: bytes) -> object:
        upload(blobs, "other")
        blobs.get_blob_client("config-accepted", NAME).upload_blob(b"theirs", overwrite=True)
        return read(raw)

    upload(blobs, "one")
    documents = instance(blobs, clock, restless)
    assert value(documents) == "theirs"
    assert "keeps changing" in fault(documents)


def test_one_thread_looks_and_the_others_go_on_with_what_is_known(blobs: BlobServiceClient, clock: Clock) -> None:
    reading, go_on = threading.Event(), threading.Event()

    def slow(raw: bytes) -> object:
        if raw == b"two":
            reading.set()
            assert go_on.wait(20)
        return read(raw)

    upload(blobs, "one")
    documents = instance(blobs, clock, slow)
    assert value(documents) == "one"
    upload(blobs, "two")
    clock.advance(31 * SECOND)
    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(value, documents)
        assert reading.wait(20)
        assert value(documents) == "one"
        go_on.set()
        assert looking.result(20) == "two"
    assert value(documents) == "two"


def test_a_first_look_that_takes_too_long_does_not_take_all_threads_with_it(
    blobs: BlobServiceClient, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.storage.documents.PATIENCE", 0.05)
    reading, go_on = threading.Event(), threading.Event()

    def slow(raw: bytes) -> object:
        reading.set()
        assert go_on.wait(20)
        return read(raw)

    upload(blobs, "one")
    documents = instance(blobs, clock, slow)
    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(value, documents)
        assert reading.wait(20)
        with pytest.raises(Unavailable, match="takes longer than"):
            documents.accepted(NAME)
        go_on.set()
        assert looking.result(20) == "one"


def test_an_older_instance_keeps_what_it_has_when_a_newer_one_accepts_more(
    blobs: BlobServiceClient, clock: Clock
) -> None:
    old, new = instance(blobs, clock, older), instance(blobs, clock)
    upload(blobs, "one")
    assert value(old) == value(new) == "one"
    upload(blobs, "new")
    clock.advance(31 * SECOND)
    assert value(old) == "one"
    assert "uploaded version is refused: new: Unknown field." in fault(old)
    assert value(new) == "new"
    clock.advance(31 * SECOND)
    assert value(old) == "one"
    assert "accepted copy can't be read by this version" in fault(old)
    clock.advance(31 * SECOND)
    assert value(new) == "new"
    assert accepted_text(blobs) == "new"


def test_an_instance_that_can_not_read_the_accepted_copy_and_has_none_denies(
    blobs: BlobServiceClient, clock: Clock
) -> None:
    upload(blobs, "new")
    value(instance(blobs, clock))
    old = instance(blobs, clock, older)
    assert old.accepted(NAME) is None
    assert "can't be read" in fault(old)
