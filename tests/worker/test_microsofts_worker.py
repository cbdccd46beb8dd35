"""The app under Microsoft's own worker library: indexed by it, and called as it calls."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

import function_app
from emulator import seed
from tests.cloud import Cloud
from tests.worker.library import LIBRARY, Library, environment_in, needs_the_library, required_files, worker

pytestmark = needs_the_library
Json = dict[str, Any]
PLACES = {"id": "00000000-0000-4000-8000-000000000000", "project": "FIN-Margin", "alias": "sales", "name": "sales"}
"""What stands for the parameters of a route."""
REQUEST: Json = {
    "operation": "provision",
    "project": "FIN-Worker",
    "environments": [{"name": "dev"}],
    "owners": ["ana@contoso.com"],
}


@pytest.fixture(scope="module")
def library(emulated: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """A worker that has nothing but what `requirements.txt` brings, and the library itself."""
    emulated.reset()
    _forget_messages(emulated)
    allowed = required_files([LIBRARY])
    with worker(environment_in(emulated), only=allowed, scratch=tmp_path_factory.mktemp("worker")) as started:
        yield started


def test_it_finds_every_function_with_its_trigger(library: Library) -> None:
    declared = {}
    for function in function_app.app.get_functions():
        trigger = function.get_trigger()
        assert trigger is not None
        declared[function.get_function_name()] = trigger.get_dict_repr() | {"direction": "IN"}
    assert {name: trigger["type"] for name, trigger in library.functions.items()} == {
        name: trigger["type"] for name, trigger in declared.items()
    }
    assert {trigger["type"] for trigger in declared.values()} <= {"httpTrigger", "queueTrigger", "timerTrigger"}


def test_it_finds_them_and_answers_health_without_any_settings() -> None:
    with worker({"PATH": "/usr/bin"}) as bare:
        assert set(bare.functions) >= {"health", "readiness"}
        assert bare.call("health")["status"] == 200
        assert bare.call("readiness")["status"] == 503


def test_everything_that_the_app_depends_on_is_reached_from_it(library: Library, cloud: Cloud) -> None:
    answer = library.call("readiness", cloud.caller_token("operator"))
    assert answer["status"] == 200, answer["body"]
    assert answer["headers"]["content-type"] == "application/json"


def test_an_embed_token_is_issued_from_it(library: Library, cloud: Cloud) -> None:
    order = {"reports": ["margin-report"], "identity": {"username": "customer-7"}}
    answer = library.call("embed-tokens", cloud.caller_token("customer-portal"), order, method="POST")
    assert answer["status"] == 200, answer
    assert json.loads(answer["body"])["token"]


def test_every_http_function_answers_a_caller_with_all_roles(library: Library, cloud: Cloud) -> None:
    """Whatever the request lacks, the answer says so: none breaks off, none is a defect of the service."""
    token = cloud.caller_token("operator")
    answers = {name: _call(library, name, token) for name in library.of_kind("httpTrigger")}
    assert answers
    broken = {name: answer for name, answer in answers.items() if answer["error"] or answer["status"] >= 500}
    assert broken == {}


def test_every_http_function_but_the_open_ones_refuses_a_caller_without_a_token(library: Library) -> None:
    answers = {name: _call(library, name, "")["status"] for name in library.of_kind("httpTrigger")}
    assert {name for name, status in answers.items() if status != 401} == {"health", "openapi"}


def test_every_queue_function_outlives_a_message_that_it_can_not_read(library: Library) -> None:
    for name in library.of_kind("queueTrigger"):
        for text in ("{}", "not JSON", '{"id": 7}'):
            answer = library.ask(do="invoke", function=name, message=text)
            assert answer["error"] == "" or answer["error"].startswith("InvalidRequest: "), (name, text, answer)


def test_every_timer_function_runs(library: Library) -> None:
    for name in library.of_kind("timerTrigger"):
        answer = library.ask(do="invoke", function=name)
        assert answer["error"] == "", (name, answer)


def test_a_request_is_carried_out_message_by_message(library: Library, cloud: Cloud) -> None:
    token = cloud.caller_token("operator")
    accepted = library.call("provisioning-submit", token, REQUEST, method="POST", url="http://localhost/api/x")
    assert accepted["status"] == 202, accepted
    where = {"params": {"id": json.loads(accepted["body"])["id"]}}
    delivered, deadline = 0, time.monotonic() + 30
    status = ""
    while status not in ("succeeded", "failed") and time.monotonic() < deadline:
        delivered += _deliver(library, cloud)
        status = json.loads(library.call("provisioning-get", token, **where)["body"])["status"]
    assert status == "succeeded"
    assert delivered
    assert "FIN-Worker-DEV" in {workspace["name"] for workspace in cloud.state()["workspaces"].values()}


def test_a_file_that_lands_is_covered_by_a_refresh(library: Library, cloud: Cloud) -> None:
    """Event, looks and refresh, by whatever queues the functions are bound to."""
    from azure.storage.blob import ContainerClient

    margin = seed.DATASETS[2].id
    cloud.change(datasets={margin: {"refreshDuration": "PT0.1S"}})
    with ContainerClient.from_connection_string(cloud.connection_string, "landing") as landing:
        landing.upload_blob("margin/under-the-worker-library.json", b"{}", overwrite=True)
    deadline, ended = time.monotonic() + 30, False
    while not ended and time.monotonic() < deadline:
        _deliver(library, cloud)
        ended = any(run["status"] == "Completed" for run in _refreshes(cloud, margin))
    assert ended


def test_it_needs_nothing_that_requirements_do_not_bring(library: Library, cloud: Cloud) -> None:
    """The worker of this module could not import anything else; the app has not even tried."""
    token = cloud.caller_token("operator")
    for name in library.of_kind("httpTrigger"):
        _call(library, name, token)
    loaded = library.ask(do="loaded")
    assert loaded["refused"] == []
    assert "shared.powerbi.transport" in loaded["modules"]
    assert not {"emulator", "pytest", "aiohttp"} & set(loaded["modules"])


def test_what_requirements_do_not_bring_could_not_be_imported(library: Library) -> None:
    for module in ("trustme", "aiohttp", "pytest", "emulator", "tests"):
        assert library.ask(do="import", module=module) == {"found": False}, module
    for module in ("msal", "azure.identity", "cryptography", "shared.wiring"):
        assert library.ask(do="import", module=module) == {"found": True}, module


def _call(library: Library, name: str, token: str) -> Json:
    trigger = library.functions[name]
    method = (trigger.get("methods") or ["GET"])[0]
    body: Json | None = {} if method in ("POST", "PUT", "PATCH") else None
    return library.call(name, token, body, method=method, params=PLACES, url=f"http://localhost/api/{trigger['route']}")


def _refreshes(cloud: Cloud, dataset_id: str) -> list[Json]:
    return [run for run in cloud.state()["refreshes"].values() if run["datasetId"] == dataset_id]


def _forget_messages(cloud: Cloud) -> None:
    """What other tests have left in the queues is not for this worker."""
    from azure.storage.queue import QueueServiceClient

    with QueueServiceClient.from_connection_string(cloud.connection_string) as service:
        for queue in service.list_queues():
            service.get_queue_client(queue).clear_messages()


def _deliver(library: Library, cloud: Cloud) -> int:
    """Hand what waits in the functions' queues to them, as the host would; how many messages that were."""
    from azure.storage.queue import QueueServiceClient

    delivered = 0
    with QueueServiceClient.from_connection_string(cloud.connection_string) as service:
        for name in library.of_kind("queueTrigger"):
            queue = service.get_queue_client(library.functions[name]["queueName"])
            for message in queue.receive_messages(max_messages=8, visibility_timeout=30):
                answer = library.ask(do="invoke", function=name, message=message.content)
                assert answer["error"] == "", answer
                queue.delete_message(message)
                delivered += 1
    return delivered
