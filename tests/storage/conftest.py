"""The containers of operator documents in a real storage service, without any document."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shared.storage.connection import StorageAccount
from tests.doubles.clock import Clock
from tests.storage.operator_documents import CONTAINERS, delete

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient


@pytest.fixture(scope="session")
def _containers(account: StorageAccount) -> BlobServiceClient:
    blobs = account.blobs()
    for container in CONTAINERS:
        blobs.create_container(container)
    return blobs


@pytest.fixture
def blobs(_containers: BlobServiceClient) -> BlobServiceClient:
    """The app's account."""
    for container in CONTAINERS:
        delete(_containers, container)
    return _containers


@pytest.fixture
def clock() -> Clock:
    """Everybody's time."""
    return Clock()
