"""Who may do what in the workspace: one result for each principal; all is given before anything is taken away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from shared.errors import AppError, Forbidden, NotFound, Rejected, Retryable
from shared.powerbi.groups import Group
from shared.powerbi.guardrails import Observed, OutsideTouch
from shared.provisioning.planner import (
    GIVES,
    TAKES,
    AccessChange,
    AccessFound,
    access_wanted,
    owners,
    plan_access,
)
from shared.provisioning.principals import ADMIN, Principal, principal_of
from shared.provisioning.steps.access_calls import CHANGED, action_of, short, told_of
from shared.provisioning.steps.access_undo import AccessUndo
from shared.provisioning.steps.common import (
    Json,
    group_of,
    guarded,
    is_fresh,
    not_visible_yet,
    nothing_to_do,
    refusal,
    without_workspace,
)
from shared.workflow.records import StepRow
from shared.workflow.steps import Act, Change, Done, Fail, Verdict, Wait, Work

MOST_STRANGERS = 40
"""How many members that are not wanted are taken away at a time: a journal's row holds 64 KiB."""
LONGEST_WARNING = 500


@dataclass
class Progress:
    """What one act has come to so far."""

    roles: dict[Principal, str]
    others: AccessFound
    done: dict[Principal, tuple[str, str]] = field(default_factory=dict)
    """Status and the role before, of those that were changed."""
    failed: dict[Principal, str] = field(default_factory=dict)

    def found(self) -> AccessFound:
        """As it is now, and who can't be given what they are to have."""
        return replace(self.others, roles=self.roles, refused=self.failed.keys())


class AccessStep(AccessUndo):
    """One workspace's members."""

    name = "access"

    # ---- forward
    def look(self, work: Work, row: StepRow) -> Json:
        """The roles of all who are wanted, revoked or (with `exact`) strangers; of the others how many own it."""
        made = self.made(work)
        if not made.get("workspaceId"):
            return {"made": made, "roles": {}}
        own = Principal("App", self.services.own_id())
        members = {} if row.attempts == 0 and is_fresh(made) else self.members(work, made["workspaceId"])
        if row.open:
            self._tell_found(work, row, members)
        return {"made": made, "own": own.key, "open": row.open, **self._compact(members, own)}

    def _tell_found(self, work: Work, row: StepRow, members: dict[Principal, str]) -> None:
        """Of the changes that were announced and whose answers were lost, those that have come about are audited here;
        the row of one that was answered stays as it is.
        """
        for change in self._plan(row.seen, _found(row.seen)):
            if change.action in GIVES | TAKES and members.get(change.principal, "") == change.role:
                work.changed(Change(action_of(change), told_of(group_of(row.seen["made"]), change), "found"))

    def decide(self, row: StepRow, seen: Json, now: datetime) -> Verdict:  # noqa: ARG002 - the engine's interface
        """Act if anything is to be changed; else what has come of it."""
        made = seen["made"]
        if not made.get("workspaceId"):
            return self._without(made)
        plan = self._plan(seen, _found(seen))
        if any(change.action in GIVES | TAKES for change in plan):
            return Act()
        return self._verdict(row, seen, Progress(dict(_found(seen).roles), _found(seen)))

    def act(self, work: Work, row: StepRow, seen: Json) -> Verdict:
        """Give, and then take as far as what could be given allows it."""
        group, found = group_of(seen["made"]), _found(seen)
        progress = Progress(dict(found.roles), found)
        try:
            for change in self._plan(seen, found):
                if change.action in GIVES:
                    self._do(work, group, change, progress)
            for change in self._plan(seen, progress.found()):
                if change.action in TAKES:
                    self._do(work, group, change, progress)
        except Retryable as error:
            if not progress.done:
                raise
            return Wait(error.retry_after, error.detail, self._outcome(row, seen, progress))
        if seen["more"]:
            return Wait(0, "There are more members to be taken away.", self._outcome(row, seen, progress))
        return self._verdict(row, seen, progress)

    def refused(self, row: StepRow, error: Exception, now: datetime) -> Verdict:
        """The workspace itself refuses us, or the guardrails do."""
        assert isinstance(error, AppError)  # noqa: S101 - the engine hands over what services refused
        name = self.order.workspace_name
        judged = guarded(error, f"changing access to '{name}'", {**row.outcome})
        if judged is not None:
            return judged
        if isinstance(error, Forbidden | NotFound) and self.order.operation == "provision":
            return not_visible_yet(row, now, name, error)
        return refusal("notVisible", error, f"The members of '{name}' can't be changed")

    def _without(self, made: Json) -> Verdict:
        """No workspace: the mode is `observe`, or the project has no such environment."""
        if self.order.operation == "provision":
            return without_workspace(made, f"changing access to '{self.order.workspace_name}'") or Done()
        if self.order.named:
            told = f"The project has no environment '{self.order.environment}' that this app created."
            return Fail("notVisible", told)
        return nothing_to_do({}, "The project has no such environment.")

    # ---- one change
    def _do(self, work: Work, group: Group, change: AccessChange, progress: Progress) -> None:
        """One principal. What Power BI refuses about it is told on its own line and stops nothing else."""
        try:
            before = self.send(work, group, change)
        except (Observed, OutsideTouch):
            raise
        except Rejected as error:
            if isinstance(error, Forbidden | NotFound) and not progress.done and not self.visible(work, group.id):
                raise  # it is the workspace that refuses
            progress.failed[change.principal] = short(error)
            return
        progress.roles[change.principal] = change.role
        if before != change.role:
            progress.done[change.principal] = ("granted" if change.role else "removed", before)

    # ---- what came of it
    def _verdict(self, row: StepRow, seen: Json, progress: Progress) -> Verdict:
        outcome = self._outcome(row, seen, progress)
        own = principal_of(seen["own"])
        needed = self.order.required_owners if self.order.operation == "provision" else 0
        if owners(progress.found(), own) < needed:
            errors = [entry["error"] for entry in outcome["results"] if entry["role"] == ADMIN and entry["error"]]
            told = " ".join(errors)
            message = f"Fewer owners than the policy requires ({needed}) could be made Admin. {told}"
            return Fail("noOwners", message[:LONGEST_WARNING], outcome=outcome)
        if any(entry["status"] in ("granted", "removed", "failed") for entry in outcome["results"]):
            return Done(outcome)
        return nothing_to_do(outcome, "Everybody has the access that they are to have.")

    def _outcome(self, row: StepRow, seen: Json, progress: Progress) -> Json:
        results = list(self._results(row, seen, progress))
        failed = [entry for entry in results if entry["status"] == "failed"]
        outcome: Json = {"workspaceId": seen["made"]["workspaceId"], "results": results}
        outcome["workspaceName"] = seen["made"]["workspaceName"]
        if failed:
            outcome["warnings"] = [_warning(self.order.environment, failed)]
        return outcome

    def _results(self, row: StepRow, seen: Json, progress: Progress) -> Iterator[Json]:
        """One for each principal, with what earlier acts came to, whether or not they were answered."""
        earlier = {entry["key"]: entry for entry in row.outcome.get("results", [])}
        first = row.seen.get("roles", {}) if seen["open"] else seen["roles"]
        plan = self._plan(seen, progress.found())
        errors = {change.principal: change.reason for change in plan if change.action == "refuse"} | progress.failed
        for principal, role in self._listed([*earlier, *first, *seen["roles"]]):
            key, now = principal.key, progress.roles.get(principal, "")
            status, before = progress.done.get(principal, ("", first.get(key, "")))
            if principal in errors:
                status = "failed"
            elif not status and earlier.get(key, {}).get("status") in CHANGED:
                status, before = earlier[key]["status"], earlier[key]["before"]
            elif not status:
                lost_answer = seen["open"] and before != now == role
                status = ("granted" if role else "removed") if lost_answer else "unchanged"
            error = errors.get(principal, "")
            yield {"key": key, "role": role, "status": status, "before": before, "error": error}

    def _listed(self, keys: Iterable[str]) -> list[tuple[Principal, str]]:
        """Who is told of, with the role that they are to have: those who were named, and with `exact` strangers."""
        named = {grant.principal: grant.role for grant in self.order.grants}
        named |= {principal: "" for principal in self.order.revocations if principal not in named}
        strangers = [principal for principal in dict.fromkeys(map(principal_of, keys)) if principal not in named]
        return [*named.items(), *((principal, "") for principal in strangers[:MOST_STRANGERS])]

    def _plan(self, seen: Json, found: AccessFound) -> tuple[AccessChange, ...]:
        return plan_access(access_wanted(self.order, principal_of(seen["own"])), found)

    def _compact(self, members: dict[Principal, str], own: Principal) -> Json:
        """What a journal's row can hold: those who matter by name, of all others the Admins' number."""
        named = [grant.principal for grant in self.order.grants] + list(self.order.revocations)
        strangers = sorted(set(members) - set(named) - {own}) if self.order.exact else []
        listed = [*named, *strangers[:MOST_STRANGERS]]
        rest = [
            principal
            for principal, role in members.items()
            if role == ADMIN and principal != own and principal not in listed
        ]
        return {
            "roles": {principal.key: members.get(principal, "") for principal in listed if principal in members},
            "otherAdmins": len(rest),
            "otherOwners": sum(principal.is_people for principal in rest),
            "more": len(strangers) > MOST_STRANGERS,
        }


def _found(seen: Json) -> AccessFound:
    roles = {principal_of(key): role for key, role in seen["roles"].items()}
    return AccessFound(roles, seen["otherAdmins"], seen["otherOwners"])


def _warning(environment: str, failed: list[Json]) -> str:
    told = "; ".join(f"{entry['key']}: {entry['error']}" for entry in failed)
    return f"{environment}: access of {len(failed)} could not be brought to what was asked for. {told}"[
        :LONGEST_WARNING
    ]
