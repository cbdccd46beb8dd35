"""Cold start and memory under Microsoft's own worker library, which needs Python 3.13."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator

import pytest

from tests.benchmarks.figures import say
from tests.cloud import Cloud, running
from tests.worker.deployment import Deployment
from tests.worker.library import Library, environment_in, needs_the_library, worker

pytestmark = needs_the_library
ROUNDS = 5
TIMES = 10_000
ORDER = {"reports": ["margin-report"], "identity": {"username": "customer-7"}}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(tmp_path_factory.mktemp("bench"), "--host", "none") as cloud:
        yield cloud


@pytest.fixture(scope="module")
def environment(cloud: Cloud) -> dict[str, str]:
    """The worker's environment; it may write bytecode, whatever is forbidden here."""
    return {name: value for name, value in environment_in(cloud).items() if name != "PYTHONDONTWRITEBYTECODE"}


@pytest.fixture(scope="module")
def deployed(cloud: Cloud, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """The folders of a deployment with compiled bytecode at hand, as a deployment has it."""
    deployment = Deployment(tmp_path_factory.mktemp("azure")).make()
    with worker(deployment, environment) as library:
        _token(library, cloud)
    return deployment


def _token(library: Library, cloud: Cloud) -> float:
    """Milliseconds of one embed token."""
    answer = library.call("embed-tokens", cloud.caller_token("customer-portal"), ORDER, method="POST")
    assert answer["status"] == 200, answer
    return float(answer["milliseconds"])


def test_cold_start(cloud: Cloud, deployed: Deployment, environment: dict[str, str]) -> None:
    """A fresh process each time: find the functions, then the first request of each kind, then the second."""
    indexing, health, first, second = [], [], [], []
    for _ in range(ROUNDS):
        with worker(deployed, environment) as library:
            indexing.append(library.indexing)
            health.append(library.call("health")["milliseconds"])
            first.append(_token(library, cloud))
            second.append(_token(library, cloud))
    for what, taken in (
        ("worker library: import the app and find its functions", indexing),
        ("worker library: first request to health", health),
        ("worker library: first embed token (all imports, keys, secret, token, documents)", first),
        ("worker library: second embed token", second),
    ):
        say(what, f"{statistics.median(taken):.1f} ms")


@pytest.mark.parametrize("function", ["health", "embed-tokens"])
def test_memory_after_ten_thousand_requests(
    cloud: Cloud, deployed: Deployment, environment: dict[str, str], function: str
) -> None:
    body = json.dumps(ORDER)
    headers = {"authorization": f"Bearer {cloud.caller_token('customer-portal')}", "content-type": "application/json"}
    given = {"headers": headers | {"content-length": str(len(body))}, "body": body, "method": "POST"}
    with worker(deployed, environment) as library:
        library.ask(do="repeat", function=function, times=200, together=8, **given)
        load = library.ask(do="repeat", function=function, times=TIMES, together=8, **given)
    grown = load["after"] - load["before"]
    say(
        f"worker library: {TIMES} times {function}, 8 at once",
        f"{TIMES / load['seconds']:.0f} a second; {load['before']:.0f} MiB before, {load['after']:.0f} MiB after",
    )
    assert grown < 10, f"{grown:.1f} MiB more after {TIMES} requests"
