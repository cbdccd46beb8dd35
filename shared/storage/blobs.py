"""Blob containers, thin: whole blobs by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from shared.errors import NotFound
from shared.storage.connection import storage_errors

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient, BlobServiceClient


class Container:
    """One container. Raises the errors of `storage_errors`."""

    def __init__(self, service: Callable[[], BlobServiceClient], name: str) -> None:
        self._service = service
        self._name = name

    def put(self, name: str, content: bytes) -> None:
        """Write the blob, over what is there."""
        with storage_errors("blob put"):
            self._blob(name).upload_blob(content, overwrite=True)

    def get(self, name: str) -> bytes | None:
        """The blob's content; None if there is no such blob (a missing container is Misconfigured)."""
        try:
            with storage_errors("blob get"):
                return self._blob(name).download_blob().readall()
        except NotFound:
            return None

    def _blob(self, name: str) -> BlobClient:
        return self._service().get_blob_client(self._name, name)
