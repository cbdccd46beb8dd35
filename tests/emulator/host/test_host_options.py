"""host.json and the settings that override it."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from emulator.host.errors import CannotStart
from emulator.host.options import HostOptions, load, parse
from emulator.host.storage import Connection
from tests.emulator.host.processes import PROJECT


def options(extensions: dict[str, Any] | None = None, env: dict[str, str] | None = None, **root: Any) -> HostOptions:
    return parse({"version": "2.0", "extensions": extensions or {}, **root}, env or {})


def test_the_projects_own_host_json_holds_what_was_agreed() -> None:
    found = load(PROJECT / "host.json", {})
    queues = found.queues
    assert (found.route_prefix, found.function_timeout, found.remarks) == ("api", timedelta(minutes=10), ())
    assert (queues.encoding, queues.batch_size, queues.new_batch_threshold) == ("none", 8, 8)
    assert (queues.visibility_timeout, queues.max_polling_interval) == (timedelta(seconds=30), timedelta(seconds=5))


def test_what_is_not_said_is_as_on_the_platform() -> None:
    queues = options().queues
    assert (queues.batch_size, queues.max_dequeue_count, queues.encoding) == (16, 5, "base64")
    assert queues.new_batch_threshold == 8 * (os.cpu_count() or 1)
    assert (queues.max_polling_interval, queues.visibility_timeout) == (timedelta(minutes=1), timedelta(0))
    assert options(env={"AZURE_FUNCTIONS_ENVIRONMENT": "Development"}).queues.max_polling_interval == timedelta(
        seconds=2
    )


def test_app_settings_override_whatever_the_case() -> None:
    env = {
        "AzureFunctionsJobHost__extensions__Queues__batchsize": "1",
        "AzureFunctionsJobHost__functionTimeout": "-1",
        "AzureFunctionsJobHost__extensions__http__routePrefix": "",
    }
    found = options({"queues": {"batchSize": 4}}, env)
    assert (found.queues.batch_size, found.function_timeout, found.route_prefix) == (1, None, "")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("maxPollingInterval", "60"),
        ("maxPollingInterval", "00:00:00.05"),
        ("visibilityTimeout", "0:0:30"),
        ("visibilityTimeout", "24:00:00"),
        ("visibilityTimeout", "8.00:00:00"),
        ("visibilityTimeout", 30),
        ("batchSize", 33),
        ("batchSize", 0),
        ("batchSize", True),
        ("newBatchThreshold", -1),
        ("maxDequeueCount", "many"),
        ("messageEncoding", "utf8"),
    ],
)
def test_a_value_that_azure_would_misread_is_refused(name: str, value: object) -> None:
    with pytest.raises(CannotStart, match=f"queues.{name}: "):
        options({"queues": {name: value}})


def test_all_faults_are_told_at_once_and_unknown_keys_are_remarked() -> None:
    with pytest.raises(CannotStart) as refused:
        parse({"extensions": {"queues": {"batchSize": 99}}, "functionTimeout": "600"}, {})
    assert len(refused.value.reasons) == 3
    assert options({"queues": {"batchsizes": 3}}).remarks == (
        "host.json: extensions.queues.batchsizes is not known and has no effect",
    )


@pytest.mark.parametrize("content", [None, "{", "[]"])
def test_a_host_json_that_can_not_be_read_is_refused(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "host.json").write_text(content)
    with pytest.raises(CannotStart, match=r"host\.json"):
        load(tmp_path / "host.json", {})


def test_a_connection_is_found_with_and_without_its_prefix() -> None:
    text = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=;QueueEndpoint=http://127.0.0.1:1/{};"
    env = {"AzureWebJobsStorage": text.format("host"), "Landing": text.format("landing")}
    assert Connection("", env).queues().url == "http://127.0.0.1:1/host/"
    assert Connection("Storage", env).queues().url == "http://127.0.0.1:1/host/"
    assert Connection("Landing", env).queues().url == "http://127.0.0.1:1/landing/"
    with pytest.raises(ValueError, match="Absent has no setting"):
        Connection("Absent", env)


def test_a_connection_by_identity_takes_its_account_or_addresses() -> None:
    env = {"AzureWebJobsStorage__accountName": "acct", "AzureWebJobsStorage__clientId": "an-id"}
    assert Connection("", env).blobs().url == "https://acct.blob.core.windows.net/"
    env = {"Other__queueServiceUri": "https://x.queue.core.chinacloudapi.cn"}
    assert Connection("Other", env).queues().url == "https://x.queue.core.chinacloudapi.cn/"
    with pytest.raises(ValueError, match="neither blobServiceUri nor accountName"):
        Connection("Other", env).blobs()
