"""What the deployment creates in the storage account before the app runs: the app itself creates nothing."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

QUEUES = ("provisioning-requests", "data-landed", "workflow-steps", "refresh-looks")
EVENTS_QUEUE = "operations-events"
TABLES = ("workflows", "open", "projects", "landings", "datasets", "runs", "audit", "idempotency")
CONTAINERS = (
    "config",
    "config-accepted",
    "landing",
    "requests",
    "runs",
    "rejected",
    "templates",
    "archive",
    "reports",
)


def load_libraries() -> None:
    """Import the storage clients, half a second's work, while Azurite starts."""
    import azure.data.tables
    import azure.storage.blob
    import azure.storage.queue  # noqa: F401


def create_infrastructure(connection_string: str, ca_file: Path, config_directory: Path) -> None:
    """Create queues, tables and containers in an empty account, and upload the operator's documents."""
    from azure.data.tables import TableServiceClient
    from azure.storage.blob import BlobServiceClient
    from azure.storage.queue import QueueServiceClient

    plain: dict[str, Any] = {
        "connection_verify": str(ca_file),
        "use_env_settings": False,
        "retry_total": 2,
        "logging_enable": False,
    }
    with (
        QueueServiceClient.from_connection_string(connection_string, **plain) as queues,
        TableServiceClient.from_connection_string(connection_string, **plain) as tables,
        BlobServiceClient.from_connection_string(connection_string, **plain) as blobs,
        ThreadPoolExecutor(4) as pool,
    ):
        queue_names = [*QUEUES, *(f"{name}-poison" for name in QUEUES), EVENTS_QUEUE]
        work: list[tuple[Callable[[str], object], str]] = [(queues.create_queue, name) for name in queue_names]
        work += [(tables.create_table, name) for name in TABLES]
        work += [(blobs.create_container, name) for name in CONTAINERS]
        for done in [pool.submit(create, name) for create, name in work]:
            done.result()
        config = blobs.get_container_client("config")
        for document in sorted(config_directory.glob("*.yaml")):
            config.upload_blob(document.name, document.read_bytes())
