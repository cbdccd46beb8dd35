"""Fixtures of the host's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.emulator.host.processes import HostProcess, Storage, running_azurite

StartHost = Callable[..., HostProcess]


@pytest.fixture(scope="session")
def storage() -> Iterator[Storage]:
    """One Azurite for each test worker."""
    with running_azurite() as storage:
        yield storage


@pytest.fixture
def start_host() -> Iterator[StartHost]:
    """Starts hosts that don't outlive the test."""
    started: list[HostProcess] = []

    def start(folder: Path, settings: dict[str, str], *options: str) -> HostProcess:
        host = HostProcess(folder, settings, *options)
        started.append(host)
        return host

    yield start
    for host in started:
        host.kill()
