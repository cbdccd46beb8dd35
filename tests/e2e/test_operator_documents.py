"""Operator documents against a real storage service: who accepts what, and what happens when two do at once."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from shared.errors import Conflict, Fault, InvalidRequest, Misconfigured, NotFound, Retryable, Unavailable
from shared.settings import StorageSettings
from shared.storage.connection import StorageAccount, storage_errors
from shared.storage.documents import Documents
from tests.azurite import Azurite, azurite

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient

NAME = "embed.yaml"


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, seconds: float = 31) -> None:
        self.now += timedelta(seconds=seconds)


def read(raw: bytes) -> object:
    """The version of the app that the tests run: documents that begin with `bad` are none."""
    if raw.startswith(b"bad"):
        raise InvalidRequest("bad", faults=[Fault("reports[0]", "Must be good.")])
    return raw.decode()


def account(connection_string: str) -> StorageAccount:
    return StorageAccount(StorageSettings(connection_string, "", "", ""), lambda: pytest.fail("no identity is needed"))


@pytest.fixture(scope="session")
def storage() -> Iterator[Azurite]:
    with azurite("prepared", "bare") as running:
        yield running


@pytest.fixture(scope="session")
def prepared(storage: Azurite) -> BlobServiceClient:
    blobs = account(storage.connection_string("prepared")).blobs()
    for container in ("config", "config-accepted"):
        blobs.create_container(container)
    return blobs


@pytest.fixture
def blobs(prepared: BlobServiceClient) -> BlobServiceClient:
    for container in ("config", "config-accepted"):
        delete(prepared, container)
    return prepared


@pytest.fixture
def clock() -> Clock:
    return Clock()


def delete(blobs: BlobServiceClient, container: str) -> None:
    client = blobs.get_blob_client(container, NAME)
    if client.exists():
        client.delete_blob()


def upload(blobs: BlobServiceClient, text: str) -> None:
    blobs.get_blob_client("config", NAME).upload_blob(text.encode(), overwrite=True)


def accepted_text(blobs: BlobServiceClient) -> str:
    return blobs.get_blob_client("config-accepted", NAME).download_blob().readall().decode()


def instance(blobs: BlobServiceClient, clock: Clock, reader: Callable[[bytes], object] = read) -> Documents:
    return Documents(lambda: blobs, {NAME: reader}, clock)


def value(documents: Documents) -> object:
    found = documents.accepted(NAME)
    return found.value if found else None


def fault(documents: Documents) -> str:
    return documents.states()[0].fault


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
    clock.pass_by(29)
    assert value(documents) == "one"
    clock.pass_by(2)
    assert value(documents) == "two"


def test_a_clock_that_was_set_back_does_not_stop_the_looking(blobs: BlobServiceClient, clock: Clock) -> None:
    upload(blobs, "one")
    documents = instance(blobs, clock)
    assert value(documents) == "one"
    upload(blobs, "two")
    clock.pass_by(-3600)
    assert value(documents) == "two"


def test_a_bad_document_is_reported_and_the_accepted_one_stays(blobs: BlobServiceClient, clock: Clock) -> None:
    upload(blobs, "one")
    documents = instance(blobs, clock)
    value(documents)
    upload(blobs, "bad two")
    clock.pass_by()
    assert value(documents) == "one"
    assert accepted_text(blobs) == "one"
    assert "reports[0]: Must be good." in fault(documents)
    assert value(instance(blobs, clock)) == "one"
    upload(blobs, "three")
    clock.pass_by()
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
        clock.pass_by()
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
    clock.pass_by()
    assert value(documents) == "one"
    assert "see the log" in fault(documents)


def test_a_document_deleted_from_config_stays_in_force_and_the_state_says_so(
    blobs: BlobServiceClient, clock: Clock
) -> None:
    upload(blobs, "one")
    documents = instance(blobs, clock)
    value(documents)
    delete(blobs, "config")
    clock.pass_by()
    assert value(documents) == "one"
    assert "no embed.yaml in the container config" in fault(documents)
    assert value(instance(blobs, clock)) == "one"


def test_an_accepted_copy_taken_away_denies_at_once(blobs: BlobServiceClient, clock: Clock) -> None:
    upload(blobs, "one")
    documents = instance(blobs, clock)
    value(documents)
    delete(blobs, "config")
    delete(blobs, "config-accepted")
    clock.pass_by()
    assert documents.accepted(NAME) is None


def test_a_slow_instance_does_not_put_an_older_version_back(blobs: BlobServiceClient, clock: Clock) -> None:
    """It read version one; while it validates, two is uploaded and accepted by another instance."""
    other = instance(blobs, clock)

    def slow(raw: bytes) -> object:
        if raw == b"one":
            upload(blobs, "two")
            clock.pass_by()
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
        clock.pass_by()
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
    clock.pass_by()
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


def older(raw: bytes) -> object:
    """An older version of the app, which does not know what `new` means."""
    if raw.startswith(b"new"):
        raise InvalidRequest("old", faults=[Fault("new", "Unknown field.")])
    return read(raw)


def test_an_older_instance_keeps_what_it_has_when_a_newer_one_accepts_more(
    blobs: BlobServiceClient, clock: Clock
) -> None:
    old, new = instance(blobs, clock, older), instance(blobs, clock)
    upload(blobs, "one")
    assert value(old) == value(new) == "one"
    upload(blobs, "new")
    clock.pass_by()
    assert value(old) == "one"
    assert "uploaded version is refused: new: Unknown field." in fault(old)
    assert value(new) == "new"
    clock.pass_by()
    assert value(old) == "one"
    assert "accepted copy can't be read by this version" in fault(old)
    clock.pass_by()
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


class Away:
    """Storage that goes away: nothing listens behind its address then."""

    def __init__(self, blobs: BlobServiceClient) -> None:
        self._there = blobs
        self.away = True
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        text = f"DefaultEndpointsProtocol=http;AccountName=a;AccountKey=AAAA;BlobEndpoint=http://127.0.0.1:{port}/a;"
        self._nothing = account(text)

    def __call__(self) -> BlobServiceClient:
        return self._nothing.blobs() if self.away else self._there


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
    clock.pass_by(6)
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
    clock.pass_by()
    caplog.clear()
    assert value(documents) == "one"
    clock.pass_by()
    assert value(documents) == "one"
    assert "Storage can't be reached" in fault(documents)
    assert sum("Storage can't be reached" in str(record.msg) for record in caplog.records) == 1
    service.away = False
    clock.pass_by()
    assert fault(documents) == ""


def test_missing_containers_are_a_matter_of_infrastructure(storage: Azurite, clock: Clock) -> None:
    bare = account(storage.connection_string("bare")).blobs()
    documents = instance(bare, clock)
    with pytest.raises(Misconfigured, match="deploy the infrastructure"):
        documents.accepted(NAME)
    assert "deploy the infrastructure" in fault(documents)


def test_a_wrong_account_key_is_named_as_such(storage: Azurite) -> None:
    stranger = account(storage.connection_string("prepared", key=storage.keys["bare"])).blobs()
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


def test_the_client_of_an_account_is_made_once(storage: Azurite) -> None:
    made = account(storage.connection_string("prepared"))
    assert made.blobs() is made.blobs()


def test_a_service_that_accepts_and_never_answers_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        text = f"DefaultEndpointsProtocol=http;AccountName=a;AccountKey=AAAA;BlobEndpoint=http://127.0.0.1:{port}/a;"
        client = account(text).blobs().get_blob_client("config", NAME)
        began = datetime.now(UTC)
        with pytest.raises(Unavailable) as caught, storage_errors("blob head"):
            client.get_blob_properties()
    assert caught.value.effect_unknown
    assert datetime.now(UTC) - began < timedelta(seconds=16)
