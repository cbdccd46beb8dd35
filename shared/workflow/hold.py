"""A workflow that this invocation has claimed: all that it writes goes through here, and only while it is its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from shared.errors import Unavailable
from shared.workflow.records import Head, StepRow
from shared.workflow.store import Stale, Store

PUT_ATTEMPTS = 10


@dataclass
class PutDown(Exception):
    """The invocation ends here and the next turn goes on after `delay`. `strikes`: for a reason that must not last."""

    delay: timedelta
    why: str
    strikes: int = 0


class LeaseLost(Exception):
    """Somebody else has the workflow now: write nothing, send nothing."""


class TurnedRound(Exception):
    """The workflow is to be taken back: begin nothing more in the forward direction."""


class Hold:
    """`head` and `rows` are what stands in the table, as far as this invocation knows."""

    def __init__(self, store: Store, head: Head, rows: dict[str, StepRow]) -> None:
        self._store = store
        self.head = head
        self.rows = rows

    def row(self, key: str) -> StepRow:
        """The step's row; one that has not begun is empty."""
        return self.rows.get(key, StepRow(key))

    def save(self, row: StepRow) -> StepRow:
        """Write the step's row, unless it says what is there. Raises LeaseLost, or Unavailable if it was written by
        somebody who held the workflow before: then it has to be read again.
        """
        known = self.rows.get(row.key)
        if known == row:
            return known
        try:
            saved = self._store.put_step(self.head.id, row)
        except Stale:
            self.refresh()
            raise Unavailable("The journal was written meanwhile; reading it again.", retry_after=1) from None
        self.rows[row.key] = saved
        return saved

    def write(self, change: Callable[[Head], Head]) -> None:
        """Write the head; where a cancel came in between, again on top of that. Raises LeaseLost."""
        for _ in range(PUT_ATTEMPTS):
            try:
                self.head = self._store.put(change(self.head))
            except Stale:
                self.refresh()
            else:
                return
        raise LeaseLost

    def refresh(self) -> None:
        """Read the head again. Raises LeaseLost."""
        head = self._store.head(self.head.id)
        if head is None or head.owner != self.head.owner:
            raise LeaseLost
        self.head = head
