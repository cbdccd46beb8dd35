"""Azure Tables, thin: entities as dicts, optimistic concurrency as values and exceptions of our own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from shared.storage.connection import storage_errors

if TYPE_CHECKING:
    from azure.data.tables import TableClient, TableServiceClient

Entity = dict[str, Any]
LONGEST_TEXT = 30_000
"""Characters of one property: it holds 64 KiB, and text is stored as UTF-16. Prose is cut to this, by `cut`."""


def cut(text: str) -> str:
    """Prose (never JSON) that fits a property."""
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"


class Stale(Exception):
    """Somebody else wrote (or made, or removed) the row in between: read again and think again."""


class Table:
    """One table. Every method raises the Retryable errors of shared.errors when storage is away."""

    def __init__(self, service: Callable[[], TableServiceClient], name: str) -> None:
        self._service = service
        self._name = name
        self._client: TableClient | None = None

    def get(self, partition: str, row: str) -> tuple[Entity, str] | None:
        """The row and its ETag, or None."""
        from azure.core.exceptions import ResourceNotFoundError

        with storage_errors(f"table {self._name} get"):
            try:
                entity = self._table().get_entity(partition, row)
            except ResourceNotFoundError as error:
                if _no_such_table(error):
                    raise
                return None
        return dict(entity), str(entity.metadata["etag"])

    def insert(self, partition: str, row: str, values: Mapping[str, Any]) -> str:
        """A new row; answers its ETag. Stale if there is one."""
        from azure.core.exceptions import ResourceExistsError

        with storage_errors(f"table {self._name} insert"):
            try:
                answer = self._table().create_entity(_entity(partition, row, values))
            except ResourceExistsError:
                raise Stale(f"{self._name}: {row} is there already") from None
        return str(answer["etag"])

    def replace(self, partition: str, row: str, values: Mapping[str, Any], etag: str = "") -> str:
        """Write the whole row; answers its new ETag. With `etag`: Stale unless it is still that one."""
        from azure.core import MatchConditions
        from azure.core.exceptions import ResourceModifiedError, ResourceNotFoundError
        from azure.data.tables import UpdateMode

        entity = _entity(partition, row, values)
        with storage_errors(f"table {self._name} replace"):
            if not etag:
                return str(self._table().upsert_entity(entity, mode=UpdateMode.REPLACE)["etag"])
            try:
                answer = self._table().update_entity(
                    entity, mode=UpdateMode.REPLACE, etag=etag, match_condition=MatchConditions.IfNotModified
                )
            except (ResourceModifiedError, ResourceNotFoundError) as error:
                if _no_such_table(error):
                    raise
                raise Stale(f"{self._name}: {row} was changed") from None
        return str(answer["etag"])

    def put(self, partition: str, row: str, values: Mapping[str, Any], etag: str = "") -> str:
        """Write a new row, or with `etag` over the one that was read; answers its ETag. Stale if somebody was faster.

        The SDK repeats a call whose answer was lost and then meets its own write: so what stands there, if it is what
        was to be written, is ours.
        """
        try:
            return self.replace(partition, row, values, etag) if etag else self.insert(partition, row, values)
        except Stale:
            found = self.get(partition, row)
            if found is None or any(found[0].get(name) != value for name, value in values.items()):
                raise
            return found[1]

    def delete(self, partition: str, row: str, etag: str = "") -> None:
        """Remove the row; one that is not there is no error. With `etag`: Stale unless it is still that one."""
        from azure.core import MatchConditions
        from azure.core.exceptions import ResourceModifiedError

        condition: dict[str, Any] = {"etag": etag, "match_condition": MatchConditions.IfNotModified} if etag else {}
        with storage_errors(f"table {self._name} delete"):
            try:
                self._table().delete_entity(partition, row, **condition)
            except ResourceModifiedError:
                raise Stale(f"{self._name}: {row} was changed") from None

    def partition(
        self, partition: str, *, after: str = "", below: str = "", top: int = 0
    ) -> Iterator[tuple[Entity, str]]:
        """Rows of a partition in the order of their keys, with their ETags: those after `after` and below `below`.

        `top` is how many are fetched at a time; the caller stops when it has enough.
        """
        wanted = "PartitionKey eq @partition"
        parameters = {"partition": partition}
        if after:
            wanted += " and RowKey gt @after"
            parameters["after"] = after
        if below:
            wanted += " and RowKey lt @below"
            parameters["below"] = below
        page: dict[str, Any] = {"results_per_page": top} if top else {}
        with storage_errors(f"table {self._name} partition"):
            for entity in self._table().query_entities(wanted, parameters=parameters, **page):
                yield dict(entity), str(entity.metadata["etag"])

    def _table(self) -> TableClient:
        if self._client is None:
            self._client = self._service().get_table_client(self._name)
        return self._client


def _entity(partition: str, row: str, values: Mapping[str, Any]) -> Entity:
    return {"PartitionKey": partition, "RowKey": row, **values}


def _no_such_table(error: Exception) -> bool:
    return getattr(error, "error_code", "") == "TableNotFound"
