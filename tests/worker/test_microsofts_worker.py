"""The app under Microsoft's own worker library: indexed by it, and called as it calls."""

from __future__ import annotations

import functools
import json
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import function_app
from emulator import seed
from tests.cloud import Cloud
from tests.worker.deployment import Deployment
from tests.worker.library import Library, environment_in, needs_the_library, specialised_worker, worker

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
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    return Deployment(tmp_path_factory.mktemp("azure")).make()


@pytest.fixture(scope="module")
def library(emulated: Cloud, deployment: Deployment) -> Iterator[Library]:
    """A worker that has nothing but the package, what `requirements.txt` brings, and the library itself."""
    emulated.reset()
    _forget_messages(emulated)
    with worker(deployment, environment_in(emulated)) as started:
        yield started


def test_it_finds_every_function_with_its_trigger(library: Library) -> None:
    declared = {}
    for function in _declared():
        trigger = function.get_trigger()
        assert trigger is not None
        declared[function.get_function_name()] = trigger.get_dict_repr()["type"]
    assert {name: trigger["type"] for name, trigger in library.functions.items()} == declared
    assert set(declared.values()) <= {"httpTrigger", "queueTrigger", "timerTrigger"}


@functools.cache
def _declared() -> list[Any]:
    """The app's functions; it may be asked for them once."""
    return list(function_app.app.get_functions())


def test_it_finds_them_and_answers_health_without_any_settings(deployment: Deployment) -> None:
    with worker(deployment, {"PATH": "/usr/bin"}) as bare:
        assert set(bare.functions) >= {"health", "readiness"}
        assert bare.call("health")["status"] == 200
        assert bare.call("readiness")["status"] == 503


def test_a_worker_that_was_waiting_for_any_app_serves_this_one_with_its_settings(
    deployment: Deployment, cloud: Cloud, tmp_path: Path
) -> None:
    """Its environment is replaced, its folder changed and the app's put last on the path, in a process that runs."""
    with specialised_worker(deployment, environment_in(cloud), tmp_path) as specialised:
        assert set(specialised.functions) == {one.get_function_name() for one in _declared()}
        answer = specialised.call("readiness", cloud.caller_token("operator"))
        assert answer["status"] == 200, answer["body"]


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


def test_it_runs_on_nothing_but_the_package_its_requirements_and_the_worker(
    library: Library, deployment: Deployment, cloud: Cloud
) -> None:
    """After a call of every kind, each module in the process is of Python itself or of one of the three folders."""
    token = cloud.caller_token("operator")
    for name in library.of_kind("httpTrigger"):
        _call(library, name, token)
    loaded = library.ask(do="loaded")
    strange = {name: file for name, file in loaded["files"].items() if not _belongs(file, deployment)}
    assert strange == {}
    assert loaded["files"]["shared.powerbi.transport"].startswith(str(deployment.root / "shared"))
    assert loaded["files"]["msal"].startswith(str(deployment.packages))
    assert loaded["files"]["azure.functions"].startswith(str(deployment.packages))


def test_what_requirements_do_not_bring_could_not_be_imported(library: Library) -> None:
    for module in ("trustme", "aiohttp", "pytest", "emulator", "tests"):
        assert library.ask(do="import", module=module) == {"found": False}, module
    for module in ("msal", "azure.identity", "cryptography", "shared.wiring"):
        assert library.ask(do="import", module=module) == {"found": True}, module


def test_the_package_is_the_app_alone(deployment: Deployment) -> None:
    names = {path.name for path in deployment.root.iterdir()} - {"__pycache__"}
    assert names == {"function_app.py", "host.json", "requirements.txt", "shared", ".python_packages"}


def test_the_description_of_the_api_is_part_of_the_package(library: Library) -> None:
    """The one file that the app reads at run time."""
    answer = library.call("openapi")
    assert (answer["status"], json.loads(answer["body"])["openapi"]) == (200, "3.1.0")


def _belongs(file: str, deployment: Deployment) -> bool:
    """Whether a module's file is of the deployment or of Python itself."""
    inside = file.startswith((str(deployment.root), str(deployment.worker)))
    return inside or (file.startswith(sysconfig.get_path("stdlib")) and "site-packages" not in file)


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
