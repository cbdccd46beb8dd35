"""Storage clients for the host itself, from the settings that the real one reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient
    from azure.storage.queue import QueueServiceClient

HOST_CONNECTION = "AzureWebJobsStorage"
_CLIENT: dict[str, Any] = {
    "retry_total": 2,
    "initial_backoff": 1,
    "increment_base": 1,
    "connection_timeout": 5,
    "read_timeout": 20,
}


class Connection:
    """A connection by the name that a trigger gives: a connection string, or the settings of an identity."""

    def __init__(self, name: str, environment: Mapping[str, str]) -> None:
        self.name = name or HOST_CONNECTION
        self._values = _settings(self.name, environment)
        if not any(
            key in self._values for key in ("", "accountname", "queueserviceuri", "serviceuri", "blobserviceuri")
        ):
            raise ValueError(f"the connection {self.name} has no setting {self.name} nor {self.name}__accountName")

    def queues(self) -> QueueServiceClient:
        """A client that hands messages out as they stand in the queue."""
        from azure.storage.queue import QueueServiceClient

        if "" in self._values:
            return QueueServiceClient.from_connection_string(self._values[""], **_CLIENT)
        return QueueServiceClient(self._url("queue"), credential=self._identity(), **_CLIENT)

    def blobs(self) -> BlobServiceClient:
        """A client for the host's own containers."""
        from azure.storage.blob import BlobServiceClient

        if "" in self._values:
            return BlobServiceClient.from_connection_string(self._values[""], **_CLIENT)
        return BlobServiceClient(self._url("blob"), credential=self._identity(), **_CLIENT)

    def _url(self, service: str) -> str:
        given = self._values.get(f"{service}serviceuri") or self._values.get("serviceuri")
        if given:
            return given
        if "accountname" not in self._values:
            raise ValueError(f"the connection {self.name} has neither {service}ServiceUri nor accountName")
        return f"https://{self._values['accountname']}.{service}.core.windows.net"

    def _identity(self) -> Any:
        from azure.identity import ManagedIdentityCredential

        client_id = self._values.get("clientid")
        return ManagedIdentityCredential(client_id=client_id) if client_id else ManagedIdentityCredential()


def _settings(name: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The settings of a connection: "" for the name itself, the rest by what follows `__`, in lower case.

    A name is looked for with the prefix AzureWebJobs first, then as it is; a connection string wins over the others.
    """
    for candidate in (f"AzureWebJobs{name}", name):
        prefix = f"{candidate}__".lower()
        found = {
            key[len(prefix) :].lower(): value for key, value in environment.items() if key.lower().startswith(prefix)
        }
        if environment.get(candidate):
            found[""] = environment[candidate]
        if found:
            return found
    return {}
