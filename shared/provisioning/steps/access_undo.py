"""What the access step takes back: never more than this request gave, and nothing is given back that it took.

Nobody should get access by a failure: what was taken away is named in `cleanup` instead. In a workspace that this
request created the grants stay, and go with the workspace: if that has to be left, it is left with its owners.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from shared.errors import Rejected
from shared.provisioning.planner import AccessChange
from shared.provisioning.principals import Principal, principal_of, rank
from shared.provisioning.steps.access_calls import CHANGED, AccessCalls, short
from shared.provisioning.steps.common import Json, group_of, is_fresh, left
from shared.workflow.records import StepRow
from shared.workflow.steps import Act, Undone, UndoVerdict, Work

LONGEST_REMEDY = 500


class AccessUndo(AccessCalls):
    """The way back."""

    def look_undo(self, work: Work, row: StepRow) -> Json:
        """The roles now of all whom this request may have changed."""
        made = self.made(work)
        if not made.get("workspaceId") or is_fresh(made):
            return {"made": made}
        members = self.members(work, made["workspaceId"])
        results = {entry["key"]: entry for entry in row.outcome.get("results", [])}
        for guess in self._guessed(row, members):
            if results.get(guess["key"], {}).get("status") not in CHANGED:
                results[guess["key"]] = guess
        now = {key: members.get(principal_of(key), "") for key in results}
        return {"made": made, "results": [*results.values()], "roles": now}

    def decide_undo(self, row: StepRow, seen: Json, now: datetime) -> UndoVerdict:  # noqa: ARG002
        """Act while there is something that this request gave."""
        if any(True for _ in _given(seen)):
            return Act()
        return self._end(seen, {})

    def act_undo(self, work: Work, row: StepRow, seen: Json) -> UndoVerdict:  # noqa: ARG002 - see decide_undo
        """Take back what was given."""
        group = group_of(seen["made"])
        failed: dict[str, str] = {}
        for entry in _given(seen):
            principal, before = principal_of(entry["key"]), entry["before"]
            action: Literal["lower", "remove"] = "lower" if before else "remove"
            back = AccessChange(action, principal, before, entry["role"], "Undo.")
            try:
                self.send(work, group, back)
            except Rejected as error:
                failed[entry["key"]] = short(error)
        return self._end(seen, failed)

    def refused_undo(self, row: StepRow, error: Exception, now: datetime) -> UndoVerdict:  # noqa: ARG002 - see decide_undo
        """Nobody can be looked at: all that was given stays."""
        given = [entry["key"] for entry in row.outcome.get("results", []) if entry["status"] == "granted"]
        remedy = f"Take away by hand what was given to: {', '.join(given) or 'nobody, as far as is known'}. {error}"
        return left(f"access to {self.order.workspace_name}", remedy[:LONGEST_REMEDY], "failed")

    def _guessed(self, row: StepRow, members: dict[Principal, str]) -> Iterator[Json]:
        """An answer was lost: what was wanted, was not there before and is there now counts as ours."""
        first = row.seen.get("roles", {})
        for grant in self.order.grants if row.open else ():
            before = first.get(grant.principal.key, "")
            if members.get(grant.principal, "") == grant.role != before:
                yield {"key": grant.principal.key, "role": grant.role, "status": "granted", "before": before}

    def _end(self, seen: Json, failed: dict[str, str]) -> Undone:
        """What stays as it is, by name."""
        cleanup: list[Json] = []
        for key, error in failed.items():
            what = f"access of {key} to {self.order.workspace_name}"
            cleanup.append({"what": what, "status": "failed", "remedy": f"Take it away by hand. {error}"})
        for entry in seen.get("results", []):
            taken = entry["status"] == "removed" or (entry["status"] == "granted" and _is_lowered(entry))
            if taken:
                what = f"access of {entry['key']} to {self.order.workspace_name}"
                remedy = f"It was {entry['before']} before; give it again by hand if it is needed."
                cleanup.append({"what": what, "status": "left", "remedy": remedy})
        return Undone(tuple(cleanup))


def _given(seen: Json) -> Iterator[Json]:
    """What this request gave and what nobody has changed since."""
    for entry in seen.get("results", []):
        gave = entry["status"] == "granted" and entry["role"] and not _is_lowered(entry)
        if gave and seen["roles"][entry["key"]] == entry["role"]:
            yield entry


def _is_lowered(entry: Json) -> bool:
    return bool(entry["before"]) and rank(entry["role"]) < rank(entry["before"])
