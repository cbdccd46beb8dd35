"""What of Event Grid's messages counts as a landed file."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidRequest
from shared.refresh.events import Landed, landed, path_of_blob, read

Json = dict[str, Any]
URL = "https://contoso.blob.core.windows.net/landing/sales/2026/11/part%201.parquet"


def data(**changes: Any) -> Json:
    made = {
        "api": "PutBlob",
        "clientRequestId": "4c5dd7fb-2c48-4a27-bb30-5361b5de920a",
        "requestId": "9aeb0fdf-c01e-0131-0922-9eb549000000",
        "eTag": "0x8D76C39E4407333",
        "contentType": "application/octet-stream",
        "contentLength": 30699,
        "blobType": "BlockBlob",
        "url": URL,
        "sequencer": "000000000000000000000000000099240000000000c41c18",
        "storageDiagnostics": {"batchId": "681fe319-3006-00a8-0022-9e7cde000000"},
    }
    return {**made, **changes}


def grid(api: str = "PutBlob", **changes: Any) -> Json:
    event = {
        "topic": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/contoso",
        "subject": "/blobServices/default/containers/landing/blobs/sales/2026/11/part 1.parquet",
        "eventType": "Microsoft.Storage.BlobCreated",
        "eventTime": "2026-11-22T01:02:03.1234567Z",
        "id": "831e1650-001e-001b-66ab-eeb76e069631",
        "data": data(api=api),
        "dataVersion": "",
        "metadataVersion": "1",
    }
    return {**event, **changes}


def cloud(api: str = "PutBlob", **changes: Any) -> Json:
    event = {
        "specversion": "1.0",
        "source": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/contoso",
        "subject": "/blobServices/default/containers/landing/blobs/sales/2026/11/part 1.parquet",
        "type": "Microsoft.Storage.BlobCreated",
        "time": "2026-11-22T01:02:03.1234567Z",
        "id": "831e1650-001e-001b-66ab-eeb76e069631",
        "data": data(api=api),
    }
    return {**event, **changes}


def message(value: object) -> bytes:
    return json.dumps(value).encode()


EXPECTED = Landed(
    url=URL,
    path="landing/sales/2026/11/part 1.parquet",
    etag="0x8D76C39E4407333",
    event_time=datetime(2026, 11, 22, 1, 2, 3, 123456, UTC),
    event_id="831e1650-001e-001b-66ab-eeb76e069631",
    api="PutBlob",
)


@pytest.mark.parametrize("event", [grid(), [grid()], cloud(), [cloud()]], ids=["grid", "grids", "cloud", "clouds"])
@pytest.mark.parametrize("encode", [bytes, base64.b64encode], ids=["plain", "base64"])
def test_all_forms_say_the_same(event: object, encode: Any) -> None:
    assert landed(encode(message(event))) == [EXPECTED]


def test_several_events_in_one_message_are_all_read() -> None:
    assert landed(message([grid(), cloud()])) == [EXPECTED, EXPECTED]


@pytest.mark.parametrize("api", ["PutBlob", "PutBlockList", "FlushWithClose", "CopyBlob"])
def test_a_complete_file_counts_however_it_was_written(api: str) -> None:
    assert [one.api for event in (grid(api), cloud(api)) for one in landed(message(event))] == [api, api]


@pytest.mark.parametrize("api", ["CreateFile", "SftpCreate", "PutBlock", "putblob", "AppendFile"])
def test_a_file_that_is_not_complete_is_no_landing(api: str) -> None:
    assert landed(message([grid(api), cloud(api)])) == []


@pytest.mark.parametrize(
    "kind",
    [
        "Microsoft.Storage.BlobDeleted",
        "Microsoft.Storage.BlobRenamed",
        "Microsoft.EventGrid.SubscriptionValidationEvent",
        "provisioning.succeeded",
    ],
)
def test_other_events_are_none_of_ours(kind: str) -> None:
    assert landed(message([grid(eventType=kind), cloud(type=kind)])) == []
    assert landed(message([])) == []


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://a.blob.core.windows.net/c/b", "c/b"),
        ("https://a.dfs.core.windows.net/c/d/e.csv", "c/d/e.csv"),
        ("https://a.z13.blob.storage.azure.net/c/b", "c/b"),
        ("https://a.blob.core.windows.net:443/c/b?versionid=1", "c/b"),
        ("https://a.blob.core.windows.net/c/a%20b%2Bc+d%23e%3Ff.csv", "c/a b+c+d#e?f.csv"),
        ("https://a.blob.core.windows.net/c/%C3%BC/%E6%97%A5%E6%9C%AC.csv", "c/ü/日本.csv"),
        ("https://a.blob.core.windows.net/c/x%2Fy", "c/x/y"),
        ("https://a.blob.core.windows.net/c/%2520", "c/%20"),
        ("https://a.blob.core.windows.net/c//x", "c//x"),
        ("https://a.blob.core.windows.net/b.csv", "$root/b.csv"),
        ("https://a.blob.core.windows.net/$root/b.csv", "$root/b.csv"),
        ("http://127.0.0.1:10000/account/c/d/b.csv", "c/d/b.csv"),
        ("http://localhost:10000/account/c/b.csv", "c/b.csv"),
        ("http://[::1]:10000/account/c/b.csv", "c/b.csv"),
    ],
)
def test_the_path_is_container_and_blob_decoded(url: str, path: str) -> None:
    assert path_of_blob(url) == path
    assert landed(message(grid(data=data(url=url))))[0].path == path


def test_an_etag_counts_without_its_quotes_and_its_lack_is_made_up_for() -> None:
    quoted = landed(message(grid(data=data(eTag='"0x8D76C39E4407333"'))))
    assert quoted == [EXPECTED]
    without = landed(message(grid(data={name: value for name, value in data().items() if name != "eTag"})))
    assert without[0].etag == EXPECTED.event_id


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "not JSON"),
        (b"hello", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"{", "not JSON"),
        (base64.b64encode(b"{"), "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"7", "must be an object"),
        (b"[7]", "must be an object"),
        (b"{}", "eventType is missing"),
        (message({"specversion": "1.0"}), "type is missing"),
        (message(grid(eventType=7)), "eventType is missing, or no text"),
        (message(grid(data=None)), "data is missing"),
        (message(grid(data=data(api=None))), "api is missing"),
        (message(grid(data=data(url=""))), "url is missing"),
        (message(grid(data=data(url="landing/x"))), "no address of a blob"),
        (message(grid(data=data(url="ftp://a.blob.core.windows.net/c/b"))), "no address of a blob"),
        (message(grid(data=data(url="https://[a/c/b"))), ""),
        (message(grid(data=data(url="https://a.blob.core.windows.net/c/"))), "no blob"),
        (message(grid(data=data(url="https://a.blob.core.windows.net/c/%FF"))), "UTF-8"),
        (message(grid(data=data(url="http://127.0.0.1:10000/"))), "no address of a blob"),
        (message(grid(data=data(url="https://a.blob.core.windows.net/c/" + "x" * 9000))), "longer"),
        (message(grid(eventTime="yesterday")), "no time"),
        (message(cloud(time=None)), "time is missing"),
        (message(grid(id=None)), "id is missing"),
    ],
)
def test_what_can_never_be_read_is_refused_with_the_reason(raw: bytes, said: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        landed(raw)
    assert said in refusal.value.detail


def test_one_bad_event_does_not_take_the_good_ones_with_it() -> None:
    found = read(message([grid(), {"eventType": "Microsoft.Storage.BlobCreated"}, cloud()]))
    assert found.landed == (EXPECTED, EXPECTED)
    assert [(fault.path, fault.message) for fault in found.faults] == [("[1]", "data is missing, or no object.")]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
PLACES = st.sampled_from(["eventType", "eventTime", "id", "data", "url", "api", "eTag", "specversion", "type"])


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(raw: bytes) -> None:
    assert read(raw).landed == ()


@given(PLACES, ANYTHING)
def test_nothing_in_any_place_of_an_event_breaks_the_reader(place: str, value: object) -> None:
    event = grid()
    (event["data"] if place in event["data"] else event)[place] = value
    found = read(message([event, cloud()]))
    assert found.landed[-1:] == (EXPECTED,), "its neighbour is read all the same"


@given(st.text(max_size=60))
def test_a_name_comes_back_as_it_was_whatever_is_in_it(name: str) -> None:
    from urllib.parse import quote

    if not name or not name.isprintable():
        return
    assert path_of_blob(f"https://a.blob.core.windows.net/landing/{quote(name)}") == f"landing/{name}"
