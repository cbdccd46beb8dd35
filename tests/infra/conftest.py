"""What the tests of watching share: the app's runs take seconds, and are made once."""

from __future__ import annotations

import pytest

from tests.cloud import Cloud
from tests.infra.failing_runs import Runs


@pytest.fixture(scope="session")
def runs(emulated: Cloud) -> Runs:
    """The app, run on the emulated cloud."""
    return Runs(emulated)
