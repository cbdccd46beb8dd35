"""What this deployment may change at all: asked by the transport before anything that changes something is sent.

Whoever sends such a call says what it touches: the transport refuses to send one without a `Target`, so that a new call
can't forget it. The rules are those of `policy.yaml` (`touch`, `mode`), at this moment: the answer to a policy that was
narrowed is immediate, whatever was accepted before.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from shared import telemetry
from shared.errors import Evidence, Forbidden, Misconfigured


@dataclass(frozen=True)
class Target:
    """What a call changes. Names are those that Power BI itself or our registry gave for the id."""

    workspace_id: str = ""
    workspace_name: str = ""
    capacity_id: str = ""
    """The capacity on which something is put; empty where nothing is."""
    nothing: bool = False
    """It changes nothing, although it is no GET."""

    def __str__(self) -> str:
        return " ".join(part for part in (self.workspace_name, self.workspace_id, self.capacity_id) if part)


NOTHING = Target(nothing=True)
"""For a call that changes nothing, such as one that mints a token."""


class Rules(Protocol):
    """The policy, as far as it matters here."""

    @property
    def mode(self) -> Literal["act", "observe"]: ...

    def touches_workspace(self, workspace_id: str, name: str) -> bool: ...

    def touches_capacity(self, capacity_id: str) -> bool: ...


class OutsideTouch(Forbidden):
    """The policy does not let this deployment change that; nothing was sent."""


class Observed(Forbidden):
    """The policy's mode is `observe`: what would have been done is logged, and nothing was sent."""


class Guard:
    """Judges calls by the policy in force. `rules` gives None where none has been accepted: then nothing is changed."""

    def __init__(self, rules: Callable[[], Rules | None]) -> None:
        self._rules = rules

    def check(self, operation: str, target: Target) -> None:
        """Raises OutsideTouch, Observed, or Misconfigured where no policy is in force."""
        if target.nothing:
            return
        rules = self._rules()
        if rules is None:
            detail = "No policy.yaml is in force, so nothing is changed. An operator must upload a valid one."
            raise Misconfigured(detail, evidence=Evidence(operation))
        self._check_touch(rules, operation, target)
        if rules.mode == "observe":
            telemetry.event(f"powerbi.{operation}", "observed", target=str(target))
            raise Observed(
                f"The policy's mode is observe: {operation} on {target} was planned and not sent.",
                evidence=Evidence(operation),
            )

    def _check_touch(self, rules: Rules, operation: str, target: Target) -> None:
        outside = []
        if not rules.touches_workspace(target.workspace_id, target.workspace_name):
            outside.append(f"the workspace '{target.workspace_name or target.workspace_id}'")
        if target.capacity_id and not rules.touches_capacity(target.capacity_id):
            outside.append(f"the capacity {target.capacity_id}")
        if outside:
            told = " and ".join(outside)
            telemetry.event(f"powerbi.{operation}", "outside touch", target=str(target), level=logging.WARNING)
            raise OutsideTouch(
                f"The policy does not let this deployment change {told}: {operation} was not sent. "
                "An operator can widen `touch` in policy.yaml.",
                evidence=Evidence(operation),
            )
