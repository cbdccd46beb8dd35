"""Records as table rows and back: pure. Prose is cut to what a property holds, JSON is spread over several."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from shared.storage.tables import LONGEST_TEXT, cut
from shared.workflow.records import Head, Json, Project, Status, StepRow, StepStatus

LONGEST_MESSAGE = 4000


def project_key(name: str) -> str:
    """Names that differ in case only are one project; characters that a table refuses in a key are escaped."""
    return quote(name.casefold(), safe="").replace("%", "=")


def text(moment: datetime | None) -> str:
    """To the microsecond, so that what is read back equals what was written."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds") if moment else ""


def moment(written: str) -> datetime:
    """The opposite of `text`."""
    return datetime.fromisoformat(written)


def head_values(head: Head) -> Json:
    """A head's row without its keys."""
    return {
        "kind": head.kind,
        "project": head.project,
        "client": head.client,
        **_spread("caller", head.caller),
        "bodyHash": head.body_hash,
        "planVersion": head.plan_version,
        "correlationId": head.correlation_id,
        "createdAt": text(head.created_at),
        "updatedAt": text(head.updated_at),
        "due": text(head.due),
        "status": head.status.value,
        "why": cut(head.why),
        "turn": head.turn,
        "generation": head.generation,
        "undo": head.undo,
        "cancelRequested": head.cancel_requested,
        "owner": head.owner,
        "leaseUntil": text(head.lease_until),
        "restsUntil": text(head.rests_until),
        "strikes": head.strikes,
        **_spread("error", _cut_message(head.error)),
    }


def head_of(entity: Mapping[str, Any], etag: str) -> Head:
    """The head that was written."""
    return Head(
        id=entity["PartitionKey"],
        kind=entity["kind"],
        project=entity["project"],
        client=entity["client"],
        caller=_joined(entity, "caller"),
        body_hash=entity["bodyHash"],
        plan_version=entity["planVersion"],
        correlation_id=entity["correlationId"],
        created_at=moment(entity["createdAt"]),
        updated_at=moment(entity["updatedAt"]),
        due=moment(entity["due"]),
        status=Status(entity["status"]),
        why=entity["why"],
        turn=entity["turn"],
        generation=entity["generation"],
        undo=entity["undo"],
        cancel_requested=entity["cancelRequested"],
        owner=entity["owner"],
        lease_until=_moment(entity["leaseUntil"]),
        rests_until=_moment(entity["restsUntil"]),
        strikes=entity["strikes"],
        error=_joined(entity, "error"),
        etag=etag,
    )


def step_values(row: StepRow) -> Json:
    """A step's row without its keys."""
    return {
        "status": row.status.value,
        "attempts": row.attempts,
        "open": row.open,
        "attemptedAt": text(row.attempted_at),
        "startedAt": text(row.started_at),
        "endedAt": text(row.ended_at),
        **_spread("seen", row.seen),
        **_spread("outcome", row.outcome),
        "detail": cut(row.detail),
        "undoAttempts": row.undo_attempts,
        "takenBack": row.taken_back,
        **_spread("cleanup", row.cleanup),
    }


def step_of(entity: Mapping[str, Any], etag: str) -> StepRow:
    """The step's row that was written."""
    return StepRow(
        key=entity["RowKey"],
        status=StepStatus(entity["status"]),
        attempts=entity["attempts"],
        open=entity["open"],
        attempted_at=_moment(entity["attemptedAt"]),
        started_at=_moment(entity["startedAt"]),
        ended_at=_moment(entity["endedAt"]),
        seen=_joined(entity, "seen"),
        outcome=_joined(entity, "outcome"),
        detail=entity["detail"],
        undo_attempts=entity["undoAttempts"],
        taken_back=entity["takenBack"],
        cleanup=tuple(_joined(entity, "cleanup")),
        etag=etag,
    )


def project_values(project: Project) -> Json:
    """A project's row without its keys."""
    return {
        "name": project.name,
        "client": project.client,
        **_spread("order", project.order),
        **_spread("environments", project.environments),
    }


def project_of(entity: Mapping[str, Any], etag: str) -> Project:
    """The project that was written."""
    return Project(
        name=entity["name"],
        client=entity["client"],
        order=tuple(_joined(entity, "order")),
        environments=_joined(entity, "environments"),
        etag=etag,
    )


def _moment(written: str) -> datetime | None:
    return moment(written) if written else None


def _cut_message(error: Json | None) -> Json | None:
    return {**error, "message": error["message"][:LONGEST_MESSAGE]} if error and "message" in error else error


def _spread(name: str, value: object) -> Json:
    """JSON in properties `name`, `name1`, `name2` …, each as long as a property may be."""
    written = json.dumps(value)
    parts = [written[at : at + LONGEST_TEXT] for at in range(0, len(written), LONGEST_TEXT)]
    return {f"{name}{number or ''}": part for number, part in enumerate(parts)}


def _joined(entity: Mapping[str, Any], name: str) -> Any:
    parts = [entity[name]]
    while (following := f"{name}{len(parts)}") in entity:
        parts.append(entity[following])
    return json.loads("".join(parts))
