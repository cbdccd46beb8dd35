"""What provisioning costs: calls to Power BI beside the least, seconds with a slow Power BI, operations on storage."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.benchmarks.figures import say
from tests.cloud import Cloud, running
from tests.workflow.costs import operations_of_a_clean_run, table_operations

LEAST = 3 + 2 + 2 + 8 + 1
"""3 creates, 2 assignments to a capacity, 2 looks at how they ended, 8 grants, 1 list that names all workspaces."""
REQUEST: dict[str, Any] = {
    "operation": "provision",
    "project": "FIN-Bench",
    "environments": [{"name": "dev"}, {"name": "test"}, {"name": "prod"}],
    "owners": ["ana@contoso.com"],
    "access": [
        {
            "principal": "b2000000-0000-4000-8000-000000000001",
            "principalType": "Group",
            "role": "Member",
            "environments": ["dev", "test"],
        },
        {"principal": "ben@contoso.com", "principalType": "User", "role": "Viewer"},
    ],
}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(tmp_path_factory.mktemp("bench"), "--host", "bundled") as cloud:
        yield cloud


def test_three_environments_with_power_bi_at_fifty_milliseconds(cloud: Cloud) -> None:
    cloud.fault("api.powerbi.com", ".*", times=100_000, delaySeconds=0.05)
    seconds, calls = _provisioned(cloud, "first")
    say("three environments from nothing: calls to Power BI, and the least", f"{len(calls)}, {LEAST}")
    say("… from the request to its end, Power BI at 50 ms a call", f"{seconds:.1f} s, capacity assignment included")
    seconds, calls = _provisioned(cloud, "second")
    changes = sum(call["method"] != "GET" for call in calls)
    say("the same request again: calls, and changes", f"{len(calls)}, {changes}")
    assert changes == 0


def test_operations_on_storage() -> None:
    counted = {name: table_operations(counter) for name, counter in operations_of_a_clean_run().items()}
    say("table operations: acceptance, invocation beside its steps, step", ", ".join(map(str, counted.values())))


def _provisioned(cloud: Cloud, key: str) -> tuple[float, list[dict[str, Any]]]:
    """Seconds until the document says that it has ended, and the calls that reached Power BI."""
    headers = {"Authorization": f"Bearer {cloud.caller_token('operator')}", "Idempotency-Key": f"bench-{key}"}
    before = len(cloud.calls("api.powerbi.com"))
    began = time.monotonic()
    answer = requests.post(
        f"{cloud.functions_url}/api/provisioning-requests", json=REQUEST, headers=headers, timeout=60
    )
    assert answer.status_code == 202, answer.text
    url = cloud.functions_url + answer.headers["Location"]
    while (document := requests.get(url, headers=headers, timeout=60).json())["status"] != "succeeded":
        assert time.monotonic() - began < 120, document
        time.sleep(0.1)
    return time.monotonic() - began, cloud.calls("api.powerbi.com")[before:]
