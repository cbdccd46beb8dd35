"""Fixtures that every test may use."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from shared.storage.connection import StorageAccount
from tests.azurite import Azurite, account_of, azurite
from tests.cloud import Cloud, environment_of, running
from tests.contract.coverage import pytest_terminal_summary  # noqa: F401 - prints what of Power BI our client uses

# The same examples at every run, however slow the machine is; `--hypothesis-profile=default` looks for new ones.
settings.register_profile("suite", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")


@pytest.fixture(scope="session")
def emulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """One emulated cloud for each test worker."""
    with running(tmp_path_factory.mktemp("emulator"), "--host", "none") as cloud, environment_of(cloud):
        yield cloud


@pytest.fixture
def cloud(emulated: Cloud) -> Cloud:
    """The emulated cloud as it was seeded; the process's environment leads to it."""
    emulated.reset()
    return emulated


@pytest.fixture(scope="session")
def storage_service() -> Iterator[Azurite]:
    """One real Azurite for each test worker, with two accounts; nobody makes anything in the one called `bare`."""
    with azurite("app", "bare") as running_service:
        yield running_service


@pytest.fixture(scope="session")
def account(storage_service: Azurite) -> StorageAccount:
    """The app's account there, by connection string."""
    return account_of(storage_service.connection_string("app"))


@pytest.fixture
def unique() -> str:
    """A name that no other test uses, as tables, queues and containers all take it."""
    return f"t{uuid.uuid4().hex[:20]}"
