"""One real Azurite for the tests of this directory that need it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from shared.settings import StorageSettings
from shared.storage.connection import StorageAccount
from tests.azurite import azurite
from tests.workflow.harness import Harness


@pytest.fixture(scope="session")
def account() -> Iterator[StorageAccount]:
    """An account at Azurite, by connection string."""
    with azurite("workflows") as running:
        settings = StorageSettings(running.connection_string("workflows"), "", "", "")
        yield StorageAccount(settings, lambda: pytest.fail("no identity is needed"))


@pytest.fixture
def unique() -> str:
    """A name that no other test uses, as tables, queues and containers all take it."""
    return f"t{uuid.uuid4().hex[:20]}"


@pytest.fixture
def h() -> Harness:
    """A deployment in memory."""
    return Harness()
