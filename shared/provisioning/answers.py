"""The forms of what provisioning answers: here to be described, and held against real documents in tests."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from shared.validation import Document
from shared.workflow.records import Status, StepStatus


class StepAnswer(Document):
    """One step of one environment."""

    name: str
    status: StepStatus
    attempts: int
    started_at: str | None
    ended_at: str | None
    detail: str


class AccessAnswer(Document):
    """What became of one principal."""

    principal: str
    principal_type: str
    role: str | None
    status: Literal["granted", "unchanged", "removed", "failed"]
    error: Any = None


class EnvironmentAnswer(Document):
    """One environment's workspace. `created`: true, false, or "uncertain" where the answer to its making was lost."""

    workspace_id: str | None
    workspace_name: str
    created: bool | Literal["uncertain"]
    steps: list[StepAnswer]
    access: list[AccessAnswer]


class Progress(Document):
    """Steps that have ended, and how many there are."""

    done: int
    of: int


class ErrorAnswer(Document):
    """Why a request failed."""

    code: str
    message: str
    step: str
    request_id: str


class CleanupAnswer(Document):
    """What the undo met."""

    what: str
    status: Literal["undone", "left", "failed"]
    remedy: str


class RequestSummary(Document):
    """What a list shows of a request."""

    id: str
    operation: str
    project: str
    status: Status
    waiting_for: str | None
    created_at: str
    updated_at: str
    correlation_id: str
    caller: dict[str, Any]
    requested_by: str | None
    cancel_requested: bool
    error: ErrorAnswer | None


class StatusDocument(RequestSummary):
    """A request with every step."""

    progress: Progress
    environments: dict[str, EnvironmentAnswer]
    warnings: list[str]
    cleanup: list[CleanupAnswer]


class RequestPage(Document):
    """A page of requests, the newest first."""

    value: list[RequestSummary]
    continuation_token: str | None = Field(description="null at the end; good for the same filter only.")


class PlannedStep(Document):
    """One step that would be done, and why."""

    name: str
    action: str
    target: str
    reason: str


class PlannedEnvironment(Document):
    """What would be done in one environment."""

    workspace_id: str | None
    workspace_name: str
    steps: list[PlannedStep]


class DryRun(Document):
    """What a request would do; nothing has been done."""

    dry_run: Literal[True]
    operation: str
    project: str
    environments: dict[str, PlannedEnvironment]
    warnings: list[str]
