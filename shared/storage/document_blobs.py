"""The two blobs of an operator's document: the proposal in `config`, the copy in force in `config-accepted`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from shared import __version__
from shared.errors import Conflict, NotFound
from shared.storage.connection import storage_errors

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient

PROPOSED = "config"
ACCEPTED = "config-accepted"
_SOURCE = "sourceetag"


@dataclass(frozen=True)
class Blob:
    """One version of a blob. `source` is the version of the proposal that an accepted copy was made from."""

    container: str
    name: str
    etag: str
    size: int
    modified: datetime
    source: str = ""

    @property
    def version(self) -> str:
        """The ETag without its quotes, which metadata and answers spell differently."""
        return self.etag.strip('"')


class DocumentBlobs:
    """Reads and copies documents; raises what `storage_errors` raises."""

    def __init__(self, service: Callable[[], BlobServiceClient]) -> None:
        self._service = service

    def proposed(self, name: str) -> Blob | None:
        """What the operator uploaded last, or None."""
        return self._look(PROPOSED, name)

    def accepted(self, name: str) -> Blob | None:
        """What is in force, or None."""
        return self._look(ACCEPTED, name)

    def content(self, blob: Blob) -> bytes:
        """The bytes of exactly this version. Raises Conflict if there is another one by now, or none."""
        from azure.core import MatchConditions

        try:
            with storage_errors("blob get"):
                client = self._service().get_blob_client(blob.container, blob.name)
                download = client.download_blob(etag=blob.etag, match_condition=MatchConditions.IfNotModified)
                return download.readall()
        except NotFound as error:
            raise Conflict("It was deleted while it was read.", evidence=error.evidence) from error

    def accept(self, content: bytes, proposed: Blob, replaces: Blob | None) -> Blob:
        """Put the proposal's content in force. Raises Conflict if what is in force is not `replaces` any more."""
        from azure.core import MatchConditions

        condition = (
            {"etag": replaces.etag, "match_condition": MatchConditions.IfNotModified}
            if replaces
            else {"match_condition": MatchConditions.IfMissing}
        )
        with storage_errors("blob put"):
            client = self._service().get_blob_client(ACCEPTED, proposed.name)
            metadata = {_SOURCE: proposed.version, "acceptedby": __version__}
            made = client.upload_blob(content, overwrite=True, metadata=metadata, **condition)
        return Blob(ACCEPTED, proposed.name, made["etag"], len(content), made["last_modified"], proposed.version)

    def _look(self, container: str, name: str) -> Blob | None:
        try:
            with storage_errors("blob head"):
                found = self._service().get_blob_client(container, name).get_blob_properties()
        except NotFound:
            return None
        source = {key.lower(): value for key, value in found.metadata.items()}.get(_SOURCE, "")
        return Blob(container, name, found.etag, found.size, found.last_modified, source)
