"""The stage that tests of the app's tokens play on, and what the app logged meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest

from tests.cloud import Cloud
from tests.e2e.app_tokens.stage import TokenStage


@pytest.fixture
def app(cloud: Cloud) -> TokenStage:
    """As the emulated cloud sets the app up: `embed` by client secret, `operations` federated."""
    return TokenStage(cloud)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], str]]:
    """Everything that was logged by anybody, tracebacks included."""
    caplog.set_level(logging.DEBUG)
    yield lambda: "\n".join(f"{record.getMessage()}{record.exc_text or ''}" for record in caplog.records)
