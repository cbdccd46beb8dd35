"""Where workflows are kept: tables `workflows`, `open` and `projects`, and the container `requests`.

Partition of `workflows`: the workflow's id, with the row `head` and a row for each step that has begun; and, for lists,
`list` and `list-{project}`, whose row keys sort the newest first.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import quote

from shared.storage.tables import Entity, Stale, Table, cut
from shared.workflow.records import Head, Json, Project, Status, StepRow, StepStatus

__all__ = ["Bodies", "Opened", "Stale", "Store", "Tables"]

HEAD = "head"
OPEN = "open"
LIST = "list"
FAR_FUTURE = 10**14  # milliseconds; later than any workflow


class Bodies(Protocol):
    """Requests as they were accepted."""

    def put(self, name: str, body: bytes) -> None:
        """Write, over what is there."""

    def get(self, name: str) -> bytes | None:
        """Read; None if it is not there."""


@dataclass(frozen=True)
class Opened:
    """A row in `open`: this workflow may have work left. `etag` says which acceptance wrote it."""

    id: str
    since: datetime
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
        return _head(*found) if found else None

    def journal(self, id: str) -> tuple[Head | None, dict[str, StepRow]]:
        """Head and step rows of the present generation, in one read."""
        entities = {entity["RowKey"]: (entity, etag) for entity, etag in self._workflows.partition(id)}
        if HEAD not in entities:
            return None, {}
        head = _head(*entities.pop(HEAD))
        mine = f"step-{head.generation:03}-"
        return head, {key: _step(*found) for key, found in entities.items() if key.startswith(mine)}

    def insert(self, head: Head) -> bool:
        """A new head; False if the workflow exists already."""
        try:
            self._workflows.insert(head.id, HEAD, _head_values(head))
        except Stale:
            return False
        return True

    def put(self, head: Head) -> Head:
        """Write the head if nobody wrote since it was read."""
        return replace(head, etag=self._workflows.replace(head.id, HEAD, _head_values(head), head.etag))

    def put_step(self, id: str, row: StepRow) -> StepRow:
        """Write the step's row, a new one or one that nobody wrote since it was read."""
        values = _step_values(row)
        if row.etag:
            return replace(row, etag=self._workflows.replace(id, row.key, values, row.etag))
        return replace(row, etag=self._workflows.insert(id, row.key, values))

    # ---- the request as it was accepted
    def put_body(self, id: str, body: Json) -> None:
        """Keep the request."""
        self._bodies.put(id, json.dumps(body, ensure_ascii=False, sort_keys=True).encode())

    def body(self, id: str) -> Json | None:
        """The request, or None if it is not there."""
        found = self._bodies.get(id)
        return json.loads(found) if found is not None else None

    # ---- which have work left
    def open(self, id: str, now: datetime) -> None:
        """Say that the workflow may have work left; a repeat renews the row."""
        self._open.replace(OPEN, id, {"since": _text(now)})

    def opened(self, id: str) -> Opened | None:
        """The row of one workflow."""
        found = self._open.get(OPEN, id)
        return _opened(*found) if found else None

    def all_opened(self) -> Iterator[Opened]:
        """All rows."""
        for entity, etag in self._open.partition(OPEN):
            yield _opened(entity, etag)

    def close(self, opened: Opened) -> None:
        """Nothing is left of it, unless it was opened again since the row was read."""
        try:
            self._open.delete(OPEN, opened.id, opened.etag)
        except Stale:
            return

    # ---- projects
    def project(self, name: str) -> Project:
        """The project's row; one that nobody asked for yet is empty."""
        found = self._projects.get(project_key(name), "project")
        if found is None:
            return Project(name)
        entity, etag = found
        return Project(
            name=entity["name"],
            client=entity["client"],
            order=tuple(json.loads(entity["order"])),
            environments=json.loads(entity["environments"]),
            etag=etag,
        )

    def put_project(self, project: Project) -> Project:
        """Write it if nobody wrote since it was read."""
        values = {
            "name": project.name,
            "client": project.client,
            "order": json.dumps(project.order),
            "environments": json.dumps(project.environments),
        }
        key = project_key(project.name)
        if project.etag:
            return replace(project, etag=self._projects.replace(key, "project", values, project.etag))
        return replace(project, etag=self._projects.insert(key, "project", values))

    # ---- lists
    def enlist(self, head: Head) -> None:
        """Make the workflow appear in lists: of all, and of its project."""
        newest_first = FAR_FUTURE - int(head.created_at.timestamp() * 1000)
        row = f"{newest_first:015}-{head.id}"
        for partition in (LIST, f"{LIST}-{project_key(head.project)}"):
            self._workflows.replace(partition, row, {"workflow": head.id})

    def listed(self, project: str = "", after: str = "", top: int = 50) -> list[tuple[str, str]]:
        """Up to `top` workflows, the newest first: their place in the list, to go on after, and their id."""
        partition = f"{LIST}-{project_key(project)}" if project else LIST
        rows = self._workflows.partition(partition, after=after, top=top)
        return [(entity["RowKey"], entity["workflow"]) for entity, _ in _first(rows, top)]


def project_key(name: str) -> str:
    """Names that differ in case only are one project; characters that a table refuses in a key are escaped."""
    return quote(name.casefold(), safe="").replace("%", "=")


def _first(rows: Iterator[tuple[Entity, str]], top: int) -> Iterator[tuple[Entity, str]]:
    for _, row in zip(range(top), rows, strict=False):
        yield row


def _text(moment: datetime | None) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds") if moment else ""


def _moment(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _known(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _opened(entity: Mapping[str, Any], etag: str) -> Opened:
    return Opened(entity["RowKey"], _known(entity["since"]), etag)


def _cut_message(error: Json | None) -> Json | None:
    return {**error, "message": error["message"][:4000]} if error and "message" in error else error


def _head_values(head: Head) -> Json:
    return {
        "kind": head.kind,
        "project": head.project,
        "client": head.client,
        "caller": json.dumps(head.caller),
        "bodyHash": head.body_hash,
        "planVersion": head.plan_version,
        "correlationId": head.correlation_id,
        "createdAt": _text(head.created_at),
        "updatedAt": _text(head.updated_at),
        "due": _text(head.due),
        "status": head.status.value,
        "why": cut(head.why),
        "turn": head.turn,
        "generation": head.generation,
        "undo": head.undo,
        "cancelRequested": head.cancel_requested,
        "owner": head.owner,
        "leaseUntil": _text(head.lease_until),
        "strikes": head.strikes,
        "error": json.dumps(_cut_message(head.error)),
    }


def _head(entity: Mapping[str, Any], etag: str) -> Head:
    return Head(
        id=entity["PartitionKey"],
        kind=entity["kind"],
        project=entity["project"],
        client=entity["client"],
        caller=json.loads(entity["caller"]),
        body_hash=entity["bodyHash"],
        plan_version=entity["planVersion"],
        correlation_id=entity["correlationId"],
        created_at=_known(entity["createdAt"]),
        updated_at=_known(entity["updatedAt"]),
        due=_known(entity["due"]),
        status=Status(entity["status"]),
        why=entity["why"],
        turn=entity["turn"],
        generation=entity["generation"],
        undo=entity["undo"],
        cancel_requested=entity["cancelRequested"],
        owner=entity["owner"],
        lease_until=_moment(entity["leaseUntil"]),
        strikes=entity["strikes"],
        error=json.loads(entity["error"]),
        etag=etag,
    )


def _step_values(row: StepRow) -> Json:
    return {
        "status": row.status.value,
        "attempts": row.attempts,
        "open": row.open,
        "attemptedAt": _text(row.attempted_at),
        "startedAt": _text(row.started_at),
        "endedAt": _text(row.ended_at),
        "seen": json.dumps(row.seen),
        "outcome": json.dumps(row.outcome),
        "detail": cut(row.detail),
        "takenBack": row.taken_back,
        "cleanup": json.dumps(row.cleanup),
    }


def _step(entity: Mapping[str, Any], etag: str) -> StepRow:
    return StepRow(
        key=entity["RowKey"],
        status=StepStatus(entity["status"]),
        attempts=entity["attempts"],
        open=entity["open"],
        attempted_at=_moment(entity["attemptedAt"]),
        started_at=_moment(entity["startedAt"]),
        ended_at=_moment(entity["endedAt"]),
        seen=json.loads(entity["seen"]),
        outcome=json.loads(entity["outcome"]),
        detail=entity["detail"],
        taken_back=entity["takenBack"],
        cleanup=tuple(json.loads(entity["cleanup"])),
        etag=etag,
    )
