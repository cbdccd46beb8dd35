"""What the workflow engine asks of others, besides the steps that a capability brings."""

from __future__ import annotations

from typing import Protocol

from shared.workflow.records import Head
from shared.workflow.steps import Change


class Outside(Protocol):
    """Who is told what was changed, and how a workflow ended."""

    def changed(self, head: Head, act: str, change: Change) -> None:
        """One change made outside; `act` names step, attempt, action and target: a repeat is the same record."""

    def ended(self, head: Head) -> None:
        """At least once for each end, and the same each time."""
