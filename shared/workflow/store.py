"""Where workflows are kept: tables `workflows`, `open` and `projects`, and the container `requests`.

Partition of `workflows`: the workflow's id, with the row `head` and a row for each step that has begun; and, for lists,
`list` and `list-{project}`, whose row keys sort the newest first.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Protocol

from shared.storage.tables import Stale, Table
from shared.workflow.records import Head, Json, Project, StepRow
from shared.workflow.rows import (
    head_of,
    head_values,
    moment,
    project_key,
    project_of,
    project_values,
    step_of,
    step_values,
    text,
)

__all__ = ["Bodies", "Opened", "Stale", "Store", "Tables", "project_key"]

HEAD = "head"
OPEN = "open"
LIST = "list"
PROJECT = "project"
FAR_FUTURE = 10**14  # milliseconds; later than any workflow


class Bodies(Protocol):
    """Requests as they were accepted."""

    def put(self, name: str, content: bytes) -> None:
        """Write, over what is there."""

    def get(self, name: str) -> bytes | None:
        """Read; None if it is not there."""


@dataclass(frozen=True)
class Opened:
    """A row in `open`: this workflow may have work left, in this generation. `etag` says who wrote it last."""

    id: str
    since: datetime
    generation: int
    etag: str


@dataclass(frozen=True)
class Tables:
    """The three tables."""

    workflows: Table
    open: Table
    projects: Table


class Store:
    """Reads and writes records. A conditional write that lost raises Stale; storage away raises a Retryable."""

    def __init__(self, tables: Tables, bodies: Bodies) -> None:
        self._workflows = tables.workflows
        self._open = tables.open
        self._projects = tables.projects
        self._bodies = bodies

    # ---- heads and steps
    def head(self, id: str) -> Head | None:
        """The head as it is now."""
        found = self._workflows.get(id, HEAD)
        return head_of(*found) if found else None

    def journal(self, id: str) -> tuple[Head | None, dict[str, StepRow]]:
        """Head and step rows of the present generation, in one read.

        Rows come in the order of their keys, the head first: so whoever finds it free has all that was written
        before it was set free.
        """
        entities = {entity["RowKey"]: (entity, etag) for entity, etag in self._workflows.partition(id)}
        if HEAD not in entities:
            return None, {}
        head = head_of(*entities.pop(HEAD))
        mine = f"step-{head.generation:03}-"
        return head, {key: step_of(*found) for key, found in entities.items() if key.startswith(mine)}

    def insert(self, head: Head) -> bool:
        """A new head; False if the workflow exists already."""
        try:
            _insert(self._workflows, head.id, HEAD, head_values(head))
        except Stale:
            return False
        return True

    def put(self, head: Head) -> Head:
        """Write the head if nobody wrote since it was read."""
        return replace(head, etag=_replace(self._workflows, head.id, HEAD, head_values(head), head.etag))

    def put_step(self, id: str, row: StepRow) -> StepRow:
        """Write the step's row, a new one or one that nobody wrote since it was read."""
        values = step_values(row)
        if row.etag:
            return replace(row, etag=_replace(self._workflows, id, row.key, values, row.etag))
        return replace(row, etag=_insert(self._workflows, id, row.key, values))

    # ---- the request as it was accepted
    def put_body(self, id: str, body_hash: str, body: Json) -> None:
        """Keep the request. Two that came under one id at the same moment are two blobs: the head says which counts."""
        self._bodies.put(f"{id}/{body_hash}", json.dumps(body, sort_keys=True).encode())

    def body(self, head: Head) -> Json | None:
        """The request that the head was made for, or None if somebody removed it."""
        found = self._bodies.get(f"{head.id}/{head.body_hash}")
        return json.loads(found) if found is not None else None

    # ---- which have work left
    def open(self, id: str, now: datetime, generation: int = 1) -> None:
        """Say that the workflow may have work left; a repeat renews the row."""
        self._open.replace(OPEN, id, {"since": text(now), "generation": generation})

    def opened(self, id: str) -> Opened | None:
        """The row of one workflow."""
        found = self._open.get(OPEN, id)
        return _opened(found[0]["RowKey"], *found) if found else None

    def all_opened(self, start: str = "") -> Iterator[Opened]:
        """All rows, from the key `start` on and around."""
        for entity, etag in self._open.partition(OPEN, after=start):
            yield _opened(entity["RowKey"], entity, etag)
        if start:
            for entity, etag in self._open.partition(OPEN, below=start):
                yield _opened(entity["RowKey"], entity, etag)

    def close(self, opened: Opened) -> None:
        """Nothing is left of it, unless it was opened again since the row was read."""
        try:
            self._open.delete(OPEN, opened.id, opened.etag)
        except Stale:
            return

    # ---- projects
    def project(self, name: str) -> Project:
        """The project's row; one that nobody asked for yet is empty."""
        found = self._projects.get(project_key(name), PROJECT)
        return project_of(*found) if found else Project(name)

    def put_project(self, project: Project) -> Project:
        """Write it if nobody wrote since it was read."""
        key, values = project_key(project.name), project_values(project)
        if project.etag:
            return replace(project, etag=_replace(self._projects, key, PROJECT, values, project.etag))
        return replace(project, etag=_insert(self._projects, key, PROJECT, values))

    # ---- lists
    def enlist(self, head: Head) -> None:
        """Make the workflow appear in lists: of all, and of its project."""
        newest_first = FAR_FUTURE - int(head.created_at.timestamp() * 1000)
        row = f"{newest_first:015}-{head.id}"
        for partition in (LIST, f"{LIST}-{project_key(head.project)}"):
            self._workflows.replace(partition, row, {"workflow": head.id})

    def listed(self, project: str = "", after: str = "", top: int = 50) -> list[tuple[str, str]]:
        """Up to `top` workflows, the newest first: their place in the list, to go on after, and their id.

        One whose acceptance was never answered may have no head.
        """
        partition = f"{LIST}-{project_key(project)}" if project else LIST
        rows = self._workflows.partition(partition, after=after, top=top)
        return [(entity["RowKey"], entity["workflow"]) for entity, _ in islice(rows, top)]


def _opened(id: str, entity: Json, etag: str) -> Opened:
    return Opened(id, moment(entity["since"]), entity["generation"], etag)


def _insert(table: Table, partition: str, row: str, values: Json) -> str:
    try:
        return table.insert(partition, row, values)
    except Stale:
        return _ours(table, partition, row, values)


def _replace(table: Table, partition: str, row: str, values: Json, etag: str) -> str:
    try:
        return table.replace(partition, row, values, etag)
    except Stale:
        return _ours(table, partition, row, values)


def _ours(table: Table, partition: str, row: str, values: Json) -> str:
    """The ETag, if what stands there is what was to be written; else Stale.

    The storage SDK repeats a call whose answer was lost, and then meets its own write.
    """
    found = table.get(partition, row)
    if found is None or any(found[0].get(name) != value for name, value in values.items()):
        raise Stale(f"{row} was written by somebody else")
    return found[1]
