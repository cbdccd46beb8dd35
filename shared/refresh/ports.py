"""What the refresh engine asks of others."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from shared.refresh.records import Change, Json, Run

if TYPE_CHECKING:
    from shared.powerbi.refreshes import RefreshDetails, RefreshEntry
    from shared.refresh.documents import DatasetPolicy

Policies = Callable[[str], "DatasetPolicy | None"]
"""How the dataset of this id is refreshed, by the document in force; None if it is not named there."""


class Refresher(Protocol):
    """Power BI's refreshes of one dataset. Request ids come in lower case."""

    def start(self, workspace_id: str, dataset_id: str, body: Json | None, *, deadline: float) -> str:
        """Begin a refresh within `deadline` seconds; its request id, or empty if none was sent back.

        Raises Retryable (Unavailable with `effect_unknown` where it may have begun) or Rejected.
        """

    def history(self, workspace_id: str, dataset_id: str) -> list[RefreshEntry]:
        """All that the refresh history shows (at most 60), the newest first."""

    def details(self, workspace_id: str, dataset_id: str, request_id: str) -> RefreshDetails:
        """An enhanced refresh in detail. Raises Rejected where there is none."""

    def cancel(self, workspace_id: str, dataset_id: str, request_id: str) -> None:
        """Cancel an enhanced refresh. Raises Rejected where there is nothing to cancel."""


class Outside(Protocol):
    """Who is told what was changed outside, and how a run ended. Both raise Retryable where nobody could be told."""

    def changed(self, run: Run, change: Change) -> None:
        """A row in the audit, for each change made in Power BI; of two for one claim and action the known one stays."""

    def ended(self, run: Run) -> None:
        """At least once for each run, the same each time: the run's id is the event's."""
