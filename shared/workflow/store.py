"""Where workflows are kept: tables `workflows`, `open` and `projects`, and the container `requests`.

Partition of `workflows`: the workflow's id, with the row `head` and a row for each step that has begun; and the lists.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from shared.storage.lists import NewestFirst, place_of
from shared.storage.records import Records, record_of, values_of
from shared.storage.tables import Stale, Table
from shared.workflow.records import Head, Json, Opened, Project, StepRow

if TYPE_CHECKING:
    from shared.storage.blobs import Container

__all__ = ["Stale", "Store", "Tables", "project_key"]

HEAD = "head"
OPEN = "open"
PROJECT = "project"


@dataclass(frozen=True)
class Tables:
    """The three tables."""

    workflows: Table
    open: Table
    projects: Table


class Store:
    """Reads and writes records. A conditional write that lost raises Stale; storage away raises a Retryable."""

    def __init__(self, tables: Tables, bodies: Container) -> None:
        self._workflows = tables.workflows
        self._heads = Records(tables.workflows, Head)
        self._steps = Records(tables.workflows, StepRow)
        self._lists = NewestFirst(tables.workflows)
        self._open = tables.open
        self._opened = Records(tables.open, Opened)
        self._projects = Records(tables.projects, Project)
        self._bodies = bodies

    # ---- heads and steps
    def head(self, id: str) -> Head | None:
        """The head as it is now."""
        return self._heads.get(id, HEAD)

    def journal(self, id: str) -> tuple[Head | None, dict[str, StepRow]]:
        """Head and step rows of the present generation, in one read.

        Rows come in the order of their keys, the head first: so whoever finds it free has all that was written
        before it was set free.
        """
        found = {entity["RowKey"]: (entity, etag) for entity, etag in self._workflows.partition(id)}
        if HEAD not in found:
            return None, {}
        head: Head = record_of(Head, *found.pop(HEAD))
        mine = f"step-{head.generation:03}-"
        return head, {key: record_of(StepRow, *row) for key, row in found.items() if key.startswith(mine)}

    def insert(self, head: Head) -> bool:
        """A new head; False if the workflow exists already."""
        try:
            self._heads.put(head.id, HEAD, head)
        except Stale:
            return False
        return True

    def put(self, head: Head) -> Head:
        """Write the head if nobody wrote since it was read."""
        return self._heads.put(head.id, HEAD, head)

    def put_step(self, id: str, row: StepRow) -> StepRow:
        """Write the step's row, a new one or one that nobody wrote since it was read."""
        return self._steps.put(id, row.key, row)

    # ---- the request as it was accepted
    def put_body(self, id: str, body: Json) -> str:
        """Keep the request; answers the key for the head, which says what counts of all that is kept under one id.

        The key follows from the content: whoever else accepts or retries at the same moment, perhaps by another policy,
        can't change what is carried out.
        """
        content = json.dumps(body, sort_keys=True).encode()
        key = hashlib.sha256(content).hexdigest()
        self._bodies.put(f"{id}/{key}", content)
        return key

    def body(self, head: Head) -> Json | None:
        """The request that the head was made for, or None if it never was valid, or if somebody removed it."""
        found = self._bodies.get(f"{head.id}/{head.body_key}")
        return json.loads(found) if found is not None else None

    # ---- which have work left
    def open(self, id: str, now: datetime, generation: int = 1) -> None:
        """Say that the workflow may have work left; a repeat renews the row."""
        self._open.replace(OPEN, id, values_of(Opened(id, now, generation)))

    def opened(self, id: str) -> Opened | None:
        """The row of one workflow."""
        return self._opened.get(OPEN, id)

    def all_opened(self, start: str = "") -> Iterator[Opened]:
        """All rows, from the key `start` on and around."""
        yield from self._opened.partition(OPEN, after=start)
        if start:
            yield from self._opened.partition(OPEN, below=start)

    def close(self, opened: Opened) -> None:
        """Nothing is left of it, unless it was opened again since the row was read."""
        try:
            self._open.delete(OPEN, opened.id, opened.etag)
        except Stale:
            return

    # ---- projects
    def project(self, name: str) -> Project:
        """The project's row; one that nobody asked for yet is empty."""
        return self._projects.get(project_key(name), PROJECT) or Project(name)

    def put_project(self, project: Project) -> Project:
        """Write it if nobody wrote since it was read."""
        return self._projects.put(project_key(project.name), PROJECT, project)

    # ---- lists
    def enlist(self, head: Head) -> None:
        """Make the workflow appear in lists: of all, and of its project."""
        self._lists.add(head.id, head.created_at, project_key(head.project))

    def listed(self, project: str = "", after: str = "", top: int = 50) -> list[tuple[str, str]]:
        """Up to `top` workflows, the newest first: their place in the list, to go on after, and their id.

        One whose acceptance was never answered may have no head, or another place than this one: see `is_place_of`.
        """
        return self._lists.page(project_key(project) if project else "", after, top)


def is_place_of(head: Head, place: str) -> bool:
    """Whether the head is listed there: an acceptance that died and was repeated left another place."""
    return place == place_of(head.id, head.created_at)


def project_key(name: str) -> str:
    """Names that differ in case only are one project; characters that a table refuses in a key are escaped."""
    return quote(name.casefold(), safe="").replace("%", "=")
