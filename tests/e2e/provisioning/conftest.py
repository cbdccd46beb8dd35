"""The stage that tests of provisioning play on."""

from __future__ import annotations

import pytest

from tests.cloud import Cloud
from tests.e2e.provisioning.stage import ProvisioningStage


@pytest.fixture
def stage(cloud: Cloud) -> ProvisioningStage:
    """A deployment that has done nothing yet."""
    return ProvisioningStage(cloud)
