"""A storage account's clients, kept for the life of the process, and its errors in our own terms."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from shared.errors import AppError, Misconfigured, Throttled, Unavailable
from shared.telemetry import keep_secret

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.data.tables import TableServiceClient
    from azure.storage.blob import BlobServiceClient
    from azure.storage.queue import QueueServiceClient

    from shared.settings import StorageSettings

RETRIES = 2
CONNECT_SECONDS = 2
READ_SECONDS = 3
LARGEST_PAUSE = 2
"""Three tries and two pauses of at most two seconds: a service that is away is given up within about 13 s."""
CONNECTIONS = 32


class StorageAccount:
    """The clients of one account, each made on first use. They raise Misconfigured where the settings can't be used.

    `credential` is asked for only where the settings hold no connection string.
    """

    def __init__(self, settings: StorageSettings, credential: Callable[[], TokenCredential]) -> None:
        self._settings = settings
        self._credential = credential
        self._lock = threading.Lock()
        self._clients: dict[str, Any] = {}

    def blobs(self) -> BlobServiceClient:
        """The blob service."""
        client: BlobServiceClient = self._kept("blob", self._make_blobs)
        return client

    def queues(self) -> QueueServiceClient:
        """The queue service."""
        client: QueueServiceClient = self._kept("queue", self._make_queues)
        return client

    def tables(self) -> TableServiceClient:
        """The table service."""
        client: TableServiceClient = self._kept("table", self._make_tables)
        return client

    def _kept(self, service: str, make: Callable[[], object]) -> Any:
        with self._lock:
            if service not in self._clients:
                self._clients[service] = make()
            return self._clients[service]

    def _make_blobs(self) -> object:
        from azure.storage.blob import BlobServiceClient, LinearRetry

        retry = LinearRetry(backoff=LARGEST_PAUSE // 2, random_jitter_range=1, retry_total=RETRIES)
        return self._made(BlobServiceClient, self._settings.blob_url, retry_policy=retry)

    def _make_queues(self) -> object:
        from azure.storage.queue import LinearRetry, QueueServiceClient

        retry = LinearRetry(backoff=LARGEST_PAUSE // 2, random_jitter_range=1, retry_total=RETRIES)
        return self._made(QueueServiceClient, self._settings.queue_url, retry_policy=retry)

    def _make_tables(self) -> object:
        from azure.data.tables import TableServiceClient

        bounds = {"retry_total": RETRIES, "retry_backoff_factor": 0.5, "retry_backoff_max": LARGEST_PAUSE}
        return self._made(TableServiceClient, self._settings.table_url, **bounds)

    def _made(self, client: Any, url: str, **options: Any) -> object:
        text = self._settings.connection_string
        options |= {"transport": _transport(), "raw_response_hook": _leave_long_pauses}
        if not text:
            return client(url, credential=self._credential(), **options)
        _keep_secrets_of(text)
        try:
            return client.from_connection_string(text, **options)
        except ValueError:  # its text may quote the string
            raise Misconfigured(
                "The storage connection string can't be used: copy it again from the account."
            ) from None


def _transport() -> object:
    """Pooled for all threads of the app, with our time limits; what is tried again is the storage SDK's business."""
    import requests
    from azure.core.pipeline.transport import RequestsTransport

    session = requests.Session()
    adapter = requests.adapters.HTTPAdapter(pool_maxsize=CONNECTIONS, max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return RequestsTransport(
        session=session, session_owner=False, connection_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS
    )


def _leave_long_pauses(response: Any) -> None:
    """Leaves a long pause to whoever called. It sees each answer before the SDK's retries do: those of the tables would
    sleep for as long as the service says, on a thread of the app, and the others ask again before it is over.
    """
    asked = str(response.http_response.headers.get("Retry-After", ""))
    if asked.isdecimal() and int(asked) > LARGEST_PAUSE:
        raise Throttled("Storage asks for fewer calls. Try again later.", retry_after=int(asked))


def _keep_secrets_of(connection_string: str) -> None:
    for part in connection_string.split(";"):
        name, _, value = part.partition("=")
        if name.strip().lower() in ("accountkey", "sharedaccesssignature"):
            keep_secret(value.strip())


@contextmanager
def storage_errors(operation: str) -> Iterator[None]:
    """Turns the storage SDK's exceptions into ours. `operation` is `blob get`, `queue send`, `table insert` …

    Raises Throttled, Unavailable, Misconfigured (401, 403, container missing), NotFound, Conflict (exists already, or
    has changed since: 304, 409, 412) or Invalid. Our own errors, a credential's among them, pass as they are.
    """
    from azure.core.exceptions import AzureError

    from shared.storage.errors import from_sdk

    try:
        yield
    except AzureError as error:
        raise from_sdk(operation, error) from error
    except AppError:
        raise
    except OSError as error:  # a connection that breaks while an answer is read
        raise Unavailable("Storage broke off the answer. Try again.", effect_unknown=True) from error
