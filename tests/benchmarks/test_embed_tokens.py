"""How many embed tokens a second, from the cache and minted, and what one costs upstream."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import azure.functions as func
import pytest

import function_app
from shared import wiring
from tests.benchmarks.figures import say, under_load
from tests.cloud import Cloud, environment_of, running

Ask = Callable[[str], None]
BODY = '{"reports": ["margin-report"], "identity": {"username": "%s"}}'


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(tmp_path_factory.mktemp("bench"), "--host", "none") as cloud, environment_of(cloud):
        yield cloud


@pytest.fixture
def ask(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ask]:
    """Ask for a token for a customer, as the platform's worker would call the function."""
    monkeypatch.setattr(wiring, "_services", None)
    cloud.reset()
    token = cloud.caller_token("customer-portal")

    def call(customer: str) -> None:
        body = (BODY % customer).encode()
        headers = {
            "authorization": f"Bearer {token}",
            "content-type": "application/json",
            "content-length": str(len(body)),
        }
        answer = function_app.embed_tokens(
            func.HttpRequest(method="POST", url="/api/embed-tokens", headers=headers, body=body)
        )
        assert answer.status_code == 200, answer.get_body()

    yield call


def test_tokens_from_the_cache(cloud: Cloud, ask: Ask) -> None:
    ask("customer-1")
    before = len(cloud.calls())
    say("tokens from the cache, 8 threads", under_load(lambda _: ask("customer-1"), times=3000, threads=8))
    say("upstream calls for one of them", (len(cloud.calls()) - before) / 3000)
    assert len(cloud.calls()) == before


def test_tokens_minted(cloud: Cloud, ask: Ask) -> None:
    ask("customer-0")
    before = len(cloud.calls())
    say("tokens minted, 8 threads", under_load(lambda number: ask(f"customer-{number + 1}"), times=500, threads=8))
    say("upstream calls for one of them", (len(cloud.calls()) - before) / 500)
    assert len(cloud.calls()) == before + 500


def test_one_token_at_a_time(cloud: Cloud, ask: Ask) -> None:
    ask("customer-0")
    say("one at a time, from the cache", under_load(lambda _: ask("customer-0"), times=500, threads=1))
    say("one at a time, minted", under_load(lambda number: ask(f"one-{number}"), times=200, threads=1))
