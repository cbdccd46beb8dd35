"""Answers that belong to no capability: problem details, health, readiness. What makes them stands elsewhere."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from shared.validation import Document


class ProblemFault(Document):
    """One thing wrong with the request."""

    path: str = Field(description="Where, as in identity.roles[0]; empty for the body as a whole.")
    message: str


class Problem(Document):
    """Problem details (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str = Field(description="What happened and what to do about it.")
    instance: str
    correlation_id: str = Field(description="The x-correlation-id of the answer; operators find the request by it.")
    errors: list[ProblemFault] = Field([], description="All faults at once, where there are several places to mend.")


class Health(Document):
    """The app itself is running."""

    status: Literal["ok"]
    version: str


class ReadinessCheck(Document):
    """One thing that the app depends on."""

    name: str
    status: Literal["passed", "failed", "skipped"]
    evidence: str
    remedy: str
    ms: Annotated[float, Field(ge=0)]


class ReadinessReport(Document):
    """Whether the app could do its work now; made anew once a minute at most."""

    status: Literal["ready", "notReady"]
    checks: list[ReadinessCheck]
