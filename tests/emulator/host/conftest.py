"""Fixtures of the host's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.azurite import Azurite
from tests.emulator.host.messages import Signals
from tests.emulator.host.processes import HostProcess, Storage

StartHost = Callable[..., HostProcess]


@pytest.fixture(scope="session")
def storage(storage_service: Azurite) -> Storage:
    """The account in which a host's queues and timer states lie."""
    return Storage(storage_service.connection_string("app"))


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


@pytest.fixture
def signals(tmp_path: Path) -> Signals:
    return Signals(tmp_path / "signals")
