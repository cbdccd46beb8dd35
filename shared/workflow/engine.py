"""Drives workflows: accept, go on, sweep, cancel, retry, poison. Every rule here was found by breaking a shorter one.

The message is only a hint ("go on with W, turn n"): what is true stands in the head. So a lost message is found by the
sweep, and a doubled one dies out, because only the one that claims the head by its ETag may work.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from shared import telemetry
from shared.errors import Ended, Unavailable, Unknown
from shared.times import Now
from shared.workflow.records import Head, Json, Project, Status, StepRow
from shared.workflow.runner import LeaseLost, Runner
from shared.workflow.steps import Change, Kind, step_key, step_path
from shared.workflow.store import Stale, Store
from shared.workflow.timing import Timing

AT_ONCE = timedelta(0)
BROKEN: Json = {
    "code": "internal",
    "message": "The request could not be carried out because of a fault of this app; what was made is taken back. "
    "Quote the correlation id to the platform team.",
    "step": "",
    "requestId": "",
}


class Messages(Protocol):
    """The queue `workflow-steps`."""

    def send(self, message: Json, delay: timedelta) -> None:
        """Make it visible after `delay`."""


class Outside(Protocol):
    """Who is told what was changed, and how a workflow ended."""

    def changed(self, head: Head, act: str, change: Change) -> None:
        """One change made outside; `act` names step and attempt, so that a repeat is the same record."""

    def ended(self, head: Head) -> None:
        """At least once for each end, and the same each time."""


@dataclass(frozen=True)
class Acceptance:
    """A request that has been validated and may be carried out."""

    id: str
    kind: str
    project: str
    client: str
    caller: Json
    body: Json
    body_hash: str
    correlation_id: str


class Engine:
    """The workflow engine over a store and a queue. Raises Retryable errors when storage is away."""

    def __init__(  # noqa: PLR0917 - wiring names each of them
        self,
        store: Store,
        messages: Messages,
        outside: Outside,
        kinds: Mapping[str, Kind],
        now: Now,
        timing: Timing | None = None,
    ) -> None:
        self.store = store
        self._messages = messages
        self._outside = outside
        self._kinds = kinds
        self._now = now
        self._timing = timing or Timing()

    # ---- from outside
    def accept(self, asked: Acceptance) -> Head:
        """Record the request; when this returns it will be carried out. A repeat answers the workflow as it is.

        Raises Ended if the id was used for another body.
        """
        known = self.store.head(asked.id)
        if known is None:
            now = self._now()
            head = self._first(asked, now)
            self.store.put_body(asked.id, asked.body)
            self.store.open(asked.id, now)
            self.store.enlist(head)
            if self.store.insert(head):
                self._hint(head, AT_ONCE)
                return head
            known = self.store.head(asked.id)
        if known is None or known.body_hash != asked.body_hash:
            raise Ended("This idempotency key was used for another request. Use a new key for a new request.")
        return known

    def cancel(self, id: str) -> Head:
        """Turn the workflow round. Raises Unknown, or Ended if there is nothing left to cancel."""
        for head in self._reading(id):
            if head.final:
                raise Ended(f"The request has ended as {head.status}; there is nothing to cancel.")
            if head.cancel_requested:
                return head
            error = {"code": "cancelled", "message": "Cancelled on request.", "step": "", "requestId": ""}
            turned = replace(head.turned_round(self._now(), error), cancel_requested=True)
            if not head.owner:
                turned = replace(turned, due=self._now())
            try:
                written = self.store.put(turned)
            except Stale:
                continue
            if not written.owner:
                self._hint(written, AT_ONCE)
            return written
        raise self._busy(id)

    def retry(self, id: str) -> Head:
        """Begin again after a failure. Raises Unknown, or Ended unless it has failed."""
        for head in self._reading(id):
            if head.status is not Status.FAILED:
                raise Ended(f"Only a request that has failed can be tried again; this one is {head.status}.")
            self._finish(head)  # an end that is still under way would otherwise give away what begins here
            self.store.open(id, self._now())
            try:
                written = self.store.put(head.restarted(self._now()))
            except Stale:
                continue
            self.store.open(id, self._now())  # a late end of the first round may have closed it in between
            self._hint(written, AT_ONCE)
            return written
        raise self._busy(id)

    # ---- from the queue and the timer
    def go_on(self, id: str, turn: int) -> None:
        """One invocation. A stale turn, or one that somebody else works on, is dropped: he or the sweep will send."""
        now = self._now()
        head, rows = self.store.journal(id)
        if head is None:
            return
        if head.final:
            self._finish(head)
            return
        if head.turn != turn or head.held(now, self._timing.grace):
            return
        claimed = self._claim(head, now)
        if claimed is None:
            return
        with telemetry.correlation(head.correlation_id):
            self._work(claimed, rows)

    def sweep(self) -> int:
        """Send for every workflow whose `due` is past, end what was not ended; answers how many were found."""
        found = 0
        for opened in self.store.all_opened():
            head = self.store.head(opened.id)
            if head is None:
                if self._now() - opened.since > self._timing.orphan:
                    self.store.close(opened)
            elif head.final:
                self._finish(head)
                found += 1
            elif head.due + self._timing.grace < self._now():
                found += self._wake(head)
        return found

    def poisoned(self, id: str) -> None:
        """A message of this workflow failed again and again: add a strike, and go on all the same.

        Strikes turn a workflow round; as many again while it is taking back end it, with what is left named.
        """
        for head in self._reading(id):
            if head.final:
                return
            struck = replace(head, strikes=head.strikes + 1, updated_at=self._now())
            if struck.strikes == self._timing.strikes:
                struck = struck.turned_round(self._now(), BROKEN)
            try:
                written = self.store.put(struck)
            except Stale:
                continue
            self._hint(written, timedelta(seconds=30))
            return

    # ---- inside
    def _first(self, asked: Acceptance, now: datetime) -> Head:
        return Head(
            id=asked.id,
            kind=asked.kind,
            project=asked.project,
            client=asked.client,
            caller=asked.caller,
            body_hash=asked.body_hash,
            plan_version=self._kinds[asked.kind].versions[0],
            correlation_id=asked.correlation_id,
            created_at=now,
            updated_at=now,
            due=now,
        )

    def _reading(self, id: str, times: int = 10) -> Iterator[Head]:
        """The head, read anew each time around, for as long as somebody else keeps writing it."""
        for _ in range(times):
            head = self.store.head(id)
            if head is None:
                raise Unknown(f"There is no request {id}.")
            yield head

    def _busy(self, id: str) -> Unavailable:
        return Unavailable(f"Request {id} is being written by others. Try again in a moment.", retry_after=1)

    def _hint(self, head: Head, delay: timedelta) -> None:
        self._messages.send({"id": head.id, "turn": head.turn, "correlationId": head.correlation_id}, delay)

    def _wake(self, head: Head) -> bool:
        """The message was lost, or its worker died: send the same turn again, and give it time to arrive."""
        try:
            woken = self.store.put(replace(head, due=self._now() + self._timing.woken))
        except Stale:
            return False
        self._hint(woken, AT_ONCE)
        return True

    def _work(self, head: Head, rows: dict[str, StepRow]) -> None:
        kind = self._kinds[head.kind]
        runner = Runner(self.store, kind, head, rows, self._now, self._timing, self._outside.changed)
        try:
            delay = runner.run()
        except LeaseLost:
            telemetry.event("workflow", "leaseLost", target=head.id, turn=head.turn)
            return
        done = runner.head
        telemetry.event("workflow", done.status.value, target=head.id, turn=head.turn, kind=head.kind, why=done.why)
        if delay is None:
            self._finish(done)
        else:
            self._hint(done, delay)

    def _finish(self, head: Head) -> None:
        """Give the project back, tell of the end, and close; done by whoever meets a final head that is still open.

        The row in `open` is read before the head, so that a retry that begins meanwhile is not closed by accident.
        """
        opened = self.store.opened(head.id)
        final = self.store.head(head.id) if opened else None
        if opened is None or final is None or not final.final:
            return
        self._give_back(final)
        self._outside.ended(final)
        self.store.close(opened)

    def _give_back(self, head: Head) -> None:
        """The project goes to the next in order; what was made for it is registered."""
        for _ in range(10):
            project = self.store.project(head.project)
            if head.id not in project.order:
                return
            order = tuple(id for id in project.order if id != head.id)
            try:
                self.store.put_project(replace(self._registered(head, project), order=order))
            except Stale:
                continue
            following = self.store.head(order[0]) if order else None
            if following is not None and not following.final:
                self._hint(following, AT_ONCE)
            return
        raise self._busy(head.id)

    def _registered(self, head: Head, project: Project) -> Project:
        if head.status not in (Status.SUCCEEDED, Status.SUCCEEDED_WITH_WARNINGS):
            return project
        kind = self._kinds[head.kind]
        environments = kind.register(head, project, self.outcomes(head))
        return replace(project, environments=environments, client=project.client or head.client)

    def outcomes(self, head: Head) -> dict[str, Json]:
        """What the steps of the workflow made, by `environment/name`."""
        _, rows = self.store.journal(head.id)
        plan = self._kinds[head.kind].plan(head, self.store.body(head.id) or {})
        keys = {step_key(head.generation, index, step): step_path(step) for index, step in enumerate(plan)}
        return {keys[key]: row.outcome for key, row in rows.items() if key in keys}

    def _claim(self, head: Head, now: datetime) -> Head | None:
        try:
            return self.store.put(head.claimed(str(uuid.uuid4()), now, self._timing.lease, self._timing.grace))
        except Stale:
            return None
