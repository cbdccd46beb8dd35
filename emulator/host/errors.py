"""Reasons for which the host does not start."""

from __future__ import annotations

from collections.abc import Sequence


class CannotStart(Exception):
    """The host refuses to start; every reason is a sentence that says what to do."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = tuple(reasons)
