"""The stage that tests of embed tokens play on, and its usual caller."""

from __future__ import annotations

import pytest

from shared.auth.callers import Caller
from tests.cloud import Cloud
from tests.e2e.embed.stage import EmbedStage


@pytest.fixture
def stage(cloud: Cloud) -> EmbedStage:
    """A deployment that has issued nothing yet."""
    return EmbedStage(cloud)


@pytest.fixture
def portal(stage: EmbedStage) -> Caller:
    """The application that embeds, by its own token."""
    return stage.application()
