"""Azure Tables, several rows of one partition at once: all of them are written, or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared.storage.connection import storage_errors
from shared.storage.tables import Stale, Table

MOST_ROWS = 100
"""A transaction of the service takes no more."""


class BatchTable(Table):
    """A table that takes transactions."""

    def together(self, partition: str, inserts: Mapping[str, Mapping[str, Any]], deletes: Sequence[str] = ()) -> None:
        """Insert and remove rows of one partition, at most 100, in one call.

        Stale, and nothing is done, if one of the `inserts` is there already or one of the `deletes` is not there. A
        call whose answer was lost is repeated by the SDK, and then meets its own write: Stale may mean that too.
        """
        from azure.data.tables import TableTransactionError

        keys = {"PartitionKey": partition}
        operations: list[tuple[str, dict[str, Any]]] = [
            ("create", {**keys, "RowKey": row, **values}) for row, values in inserts.items()
        ]
        operations += [("delete", {**keys, "RowKey": row}) for row in deletes]
        if not operations:
            return
        with storage_errors(f"table {self._name} transaction"):
            try:
                self._table().submit_transaction(operations)
            except TableTransactionError as error:
                if error.status_code in (404, 409) and getattr(error, "error_code", "") != "TableNotFound":
                    raise Stale(f"{self._name}: rows of {partition} were changed") from None
                raise
