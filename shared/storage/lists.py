"""Lists of ids in a table, the newest first: one of all, and one for each name (a project, a dataset)."""

from __future__ import annotations

from datetime import datetime
from itertools import islice

from shared.storage.tables import Table

LIST = "list"
_FAR_FUTURE = 10**14
"""Milliseconds; later than anything that is listed."""


class NewestFirst:
    """Lies in the partitions `list` and `list-{name}` of the table, whose other partitions are somebody else's."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def add(self, id: str, when: datetime, name: str) -> None:
        """To the list of all and to that of `name`; a repeat with the same moment changes nothing."""
        for partition in (LIST, f"{LIST}-{name}"):
            self._table.replace(partition, place_of(id, when), {"id": id})

    def page(self, name: str, after: str, top: int) -> list[tuple[str, str]]:
        """Up to `top` places with their ids, behind the place `after`; of the list of all where `name` is empty."""
        partition = f"{LIST}-{name}" if name else LIST
        rows = self._table.partition(partition, after=after, top=top)
        return [(entity["RowKey"], entity["id"]) for entity, _ in islice(rows, top)]


def place_of(id: str, when: datetime) -> str:
    """Where it stands in each list: a row key."""
    return f"{_FAR_FUTURE - int(when.timestamp() * 1000):015}-{id}"
