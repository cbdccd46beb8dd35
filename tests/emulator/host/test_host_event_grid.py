"""Event Grid's webhook behaves as on the Functions host."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.emulator.host.processes import HostProcess, write_app

APP = """
@app.event_grid_trigger("event")
def on_landed(event: func.EventGridEvent) -> None:
    logging.info("got %s %s %s", event.id, event.event_type, event.get_json()["url"])
    if event.subject == "fails":
        raise ValueError("never")
"""
Event = dict[str, Any]


def landed(id: str, subject: str = "blob") -> Event:
    return {
        "id": id,
        "topic": "/subscriptions/0",
        "subject": subject,
        "eventType": "Microsoft.Storage.BlobCreated",
        "eventTime": "2026-11-01T06:00:00.0000000Z",
        "data": {"url": f"https://account.blob.core.windows.net/landing/{id}"},
        "dataVersion": "",
        "metadataVersion": "1",
    }


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostProcess]:
    host = HostProcess(write_app(tmp_path_factory.mktemp("app"), APP), {})
    yield host
    host.kill()


def post(host: HostProcess, body: object, kind: str = "Notification", function: str = "on_landed") -> requests.Response:
    url = f"{host.url}/runtime/webhooks/eventgrid"
    headers = {"aeg-event-type": kind} if kind else {}
    return requests.post(url, json=body, headers=headers, params={"functionName": function}, timeout=5)


def test_a_subscription_is_validated_with_its_code(host: HostProcess) -> None:
    answer = post(host, [{**landed("v"), "data": {"validationCode": "512d38b6"}}], "SubscriptionValidation")
    assert (answer.status_code, answer.json()) == (200, {"validationResponse": "512d38b6"})
    assert post(host, [landed("v")], "SubscriptionValidation").status_code == 400


def test_cloud_events_are_validated_by_leave_to_send(host: HostProcess) -> None:
    url = f"{host.url}/runtime/webhooks/eventgrid?functionName=on_landed"
    answer = requests.options(url, headers={"WebHook-Request-Origin": "eventgrid.azure.net"}, timeout=5)
    assert (answer.status_code, answer.headers["WebHook-Allowed-Origin"]) == (200, "eventgrid.azure.net")
    assert requests.options(url, timeout=5).status_code == 400


@pytest.mark.parametrize("alone", [True, False])
def test_each_event_of_a_delivery_is_one_invocation(host: HostProcess, alone: bool) -> None:
    ids = ["one"] if alone else ["first", "second"]
    assert post(host, landed("one") if alone else [landed(id) for id in ids]).status_code == 202
    for id in ids:
        host.printed(f"^got {id} Microsoft.Storage.BlobCreated https://account.blob.core.windows.net/landing/{id}$")


def test_one_event_that_fails_brings_the_whole_delivery_back(host: HostProcess) -> None:
    assert post(host, [landed("good"), landed("bad", "fails")]).status_code == 500
    host.printed("^got good ")
    host.printed("on_landed failed: ValueError: never")


def test_an_event_that_the_platforms_library_can_not_read_fails(host: HostProcess) -> None:
    assert post(host, [{**landed("odd"), "eventTime": "yesterday"}]).status_code == 500
    host.printed("its event can't be read")


def test_what_is_no_delivery_is_refused(host: HostProcess) -> None:
    assert post(host, [landed("x")], function="unknown").status_code == 404
    assert post(host, [landed("x")], kind="").status_code == 400
    assert post(host, [landed("x")], kind="Unsubscribe").status_code == 400
    assert post(host, [], kind="Notification").status_code == 400
    assert post(host, ["text"]).status_code == 400
