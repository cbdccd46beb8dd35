"""Fixtures that every test may use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

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
