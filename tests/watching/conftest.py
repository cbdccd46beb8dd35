"""What the tests of watching share."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

from tests.cloud import PROJECT, Cloud
from tests.emulator.host.processes import Watched


@pytest.fixture
def host(cloud: Cloud) -> Iterator[Watched]:
    """The app in the bundled host, on the emulated cloud as it was seeded."""
    command = [sys.executable, "-m", "emulator.host", "--port", "0", "--app-dir", str(PROJECT)]
    process = Watched(command, os.environ)
    yield process
    process.kill()
