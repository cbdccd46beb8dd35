"""The stage that tests of refreshes play on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cloud import Cloud
from tests.contract.checks import check_requests
from tests.e2e.refresh.stage import RefreshStage


@pytest.fixture
def stage(cloud: Cloud) -> Iterator[RefreshStage]:
    """A deployment that has done nothing yet; what it sends meanwhile is held to Power BI's contract."""
    made = RefreshStage(cloud)
    yield made
    assert check_requests(cloud.calls()) == [], "what we send, Power BI accepts"
