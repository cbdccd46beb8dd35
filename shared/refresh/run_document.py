"""A run as callers read it. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field
from pydantic.config import JsonDict

from shared.refresh.records import Run
from shared.times import to_text
from shared.validation import Document

Json = dict[str, Any]
Status = Literal["queued", "waiting", "running", "completed", "failed", "timedOut", "cancelled", "skipped"]
TIME: JsonDict = {"format": "date-time"}


class RunError(Document):
    """Why a run, or one attempt of it, failed."""

    code: str
    class_: Literal["credentials", "source", "gateway", "capacity", "model", "timeout", "throttle", "unknown"] = Field(
        alias="class"
    )
    message: str
    retryable: bool
    remedy: str = Field(description="What somebody should do about it.")


class RunAttempt(Document):
    """One refresh in Power BI."""

    number: int
    request_id: str | None
    started_at: str | None = Field(json_schema_extra=TIME)
    ended_at: str | None = Field(json_schema_extra=TIME)
    status: str
    error: RunError | None


class RunObject(Document):
    """A table, or one partition of it."""

    table: str
    partition: str | None


class RunDocument(Document):
    """A run: from the first landed file or request until its refresh, or the last retry of it, has ended."""

    id: str
    dataset: str = Field(description="The alias in refresh.yaml.")
    workspace_id: str
    dataset_id: str
    trigger: Literal["dataLanded", "dependency", "freshness", "manual"]
    status: Status
    reason: str = Field(description="Why it waits, or ended as it did; empty where there is nothing to say.")
    request_id: str | None = Field(description="Power BI's own id of the last refresh.")
    refresh_type: str | None = Field(description="As Power BI's history calls it: ViaApi or ViaEnhancedApi.")
    attempts: list[RunAttempt]
    events: int = Field(description="How many landed files it covers.")
    objects: list[RunObject] = Field(description="Empty: the whole model, or what the caller's own body says.")
    queued_at: str = Field(json_schema_extra=TIME)
    started_at: str | None = Field(json_schema_extra=TIME)
    ended_at: str | None = Field(json_schema_extra=TIME)
    error: RunError | None
    cancel_requested: bool
    correlation_id: str


class RunList(Document):
    """One page of runs, the newest first."""

    value: list[RunDocument]
    continuation_token: str | None = Field(description="For the next page; null at the end.")


def run_document(run: Run) -> Json:
    """The run document."""
    return {
        "id": run.id,
        "dataset": run.dataset,
        "workspaceId": run.workspace_id,
        "datasetId": run.dataset_id,
        "trigger": run.trigger.value,
        "status": run.status.value,
        "reason": run.reason,
        "requestId": run.request_id or None,
        "refreshType": run.refresh_type or None,
        "attempts": [_texts(attempt.document()) for attempt in run.attempts],
        "events": run.events,
        "objects": [{"table": one.table, "partition": one.partition or None} for one in run.objects],
        "queuedAt": to_text(run.queued_at),
        "startedAt": _text(run.started_at),
        "endedAt": _text(run.ended_at),
        "error": run.error,
        "cancelRequested": run.cancel_requested,
        "correlationId": run.correlation_id,
    }


def _texts(values: Json) -> Json:
    return {name: to_text(value) if isinstance(value, datetime) else value for name, value in values.items()}


def _text(moment: datetime | None) -> str | None:
    return to_text(moment) if moment else None
