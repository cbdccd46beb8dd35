"""Drives workflows: accept, go on, sweep, cancel, retry, poison. Every rule here was found by breaking a shorter one.

The message is only a hint ("go on with W, turn n"): what is true stands in the head. So a lost message is found by the
sweep, and a doubled one dies out, because only the one that claims the head by its ETag may work.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from shared import telemetry
from shared.errors import Ended, Retryable, Unavailable, Unknown
from shared.storage.sweeping import sweep
from shared.times import Now
from shared.workflow.hold import LeaseLost
from shared.workflow.places import Places
from shared.workflow.ports import Outside
from shared.workflow.records import Head, Json, Opened, Status, StepRow
from shared.workflow.runner import Context, Runner
from shared.workflow.steps import Kind
from shared.workflow.store import Stale, Store
from shared.workflow.timing import Timing

if TYPE_CHECKING:
    from shared.storage.queues import Queue

AT_ONCE = timedelta(0)


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
        steps: Queue,
        outside: Outside,
        kinds: Mapping[str, Kind],
        now: Now,
        timing: Timing | None = None,
    ) -> None:
        self.store = store
        self._queue = steps
        self._outside = outside
        self._kinds = kinds
        self._now = now
        self._timing = timing or Timing()
        self._places = Places(store, kinds, self._timing)
        self._context = Context(store, self._places, now, self._timing, outside.changed)

    # ---- from outside
    def accept(self, asked: Acceptance) -> Head:
        """Record the request; when this returns it will be carried out. A repeat answers the workflow as it is.

        Raises Ended if the id was used for another body, and TooManyRequests, with nothing recorded, where too many of
        the project have not ended.
        """
        known = self.store.head(asked.id)
        if known is None:
            now = self._now()
            self._places.reserve(asked.project, asked.id, now)
            head = self._first(asked, self.store.put_body(asked.id, asked.body), now)
            self.store.open(asked.id, now)
            self.store.enlist(head)
            if self.store.insert(head):
                self._hint(head, AT_ONCE)
                return head
            known = self.store.head(asked.id)
        if known is None or known.body_hash != asked.body_hash:
            raise Ended("This idempotency key was used for another request. Use a new key for a new request.")
        return known

    def cancel(self, id: str, act: str = "") -> Head:
        """Turn the workflow round; `act`: the id by which a repeat is known, whatever has come of it since.

        Raises Unknown, or Ended if there is nothing left to cancel.
        """
        for head in self._reading(id):
            if act in head.acts:
                return head
            if head.final:
                raise Ended(f"The request has ended as {head.status}; there is nothing to cancel.")
            if head.cancel_requested and not act:
                return head
            now = self._now()
            turned = head if head.cancel_requested else _cancelled(head, now)
            try:
                written = self.store.put(turned.acted(act))
            except Stale:
                continue
            if not head.owner and not head.cancel_requested:
                self._hint(written, _rest(head, now))
            return written
        raise self._busy(id)

    def retry(self, id: str, act: str = "", body: Json | None = None) -> Head:
        """Begin again after a failure, with `body` in place of the former one; `act`: the id by which a repeat is
        known, whatever has come of it since.

        Raises Unknown, Ended unless it has failed, or TooManyRequests where too many of the project have not ended.

        The row in `open` is written first and carries the new generation: an end of the old one that is still under
        way somewhere can't remove it, so what is begun here is found even if this dies in the middle.
        """
        for head in self._reading(id):
            if act in head.acts:
                return head
            if head.status is not Status.FAILED:
                raise Ended(f"Only a request that has failed can be tried again; this one is {head.status}.")
            version = self._kind(head).versions[0]
            self._finish(head)
            self._places.reserve(head.project, id, self._now())
            body_key = head.body_key if body is None else self.store.put_body(id, body)
            again = head.restarted(self._now(), version, body_key)
            self.store.open(id, self._now(), again.generation)
            try:
                written = self.store.put(again.acted(act))
            except Stale:
                continue
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
        with telemetry.correlation(head.correlation_id):
            if head.final:
                self._finish(head)
            elif head.turn == turn and not head.held(now, self._timing.grace):
                claimed = self._claim(head, now)
                if claimed is not None:
                    self._work(claimed, rows, now)

    def sweep(self) -> int:
        """Send for every workflow whose `due` is past, end what was not ended; answers how many were found."""
        opened = self.store.all_opened(_start(self._now()))
        return sweep("workflow-sweep", ((each.id, partial(self._look_after, each)) for each in opened), self._now)

    def poisoned(self, id: str, turn: int) -> None:
        """A message failed again and again: add a strike, and go on all the same, in the next turn.

        Strikes turn a workflow round; as many again while it is taking back end it, with what is left named. A
        message that is stale, or delivered twice, or whose workflow somebody works on, is no strike.
        """
        for head in self._reading(id):
            now, pause = self._now(), self._timing.after_strike
            if head.final or head.turn != turn or head.held(now, self._timing.grace):
                return
            pause = max(pause, _rest(head, now))
            struck = head.struck(now, self._timing.poisoned, self._timing.strikes)
            try:
                written = self.store.put(struck.released(now, pause, "Stopped by a fault of this app."))
            except Stale:
                continue
            self._hint(written, pause)
            return

    def outcomes(self, head: Head) -> dict[str, Json]:
        """What the steps of the workflow made, by `environment/name`."""
        return self._places.outcomes(head)

    # ---- inside
    def _first(self, asked: Acceptance, body_key: str, now: datetime) -> Head:
        return Head(
            id=asked.id,
            kind=asked.kind,
            project=asked.project,
            client=asked.client,
            caller=asked.caller,
            body_hash=asked.body_hash,
            body_key=body_key,
            plan_version=self._kinds[asked.kind].versions[0],
            correlation_id=asked.correlation_id,
            created_at=now,
            updated_at=now,
            due=now,
        )

    def _kind(self, head: Head) -> Kind:
        kind = self._kinds.get(head.kind)
        if kind is None:
            raise Unavailable(f"This version of the app knows no {head.kind}. Try again later.", retry_after=300)
        return kind

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
        """Say that there is something to do. What it is stands in the head: if the queue is away, the sweep sends."""
        try:
            self._queue.send({"id": head.id, "turn": head.turn, "correlationId": head.correlation_id}, delay)
        except Retryable as error:
            telemetry.event("workflow", "hintLost", target=head.id, turn=head.turn, why=error.detail)

    def _look_after(self, opened: Opened) -> bool:
        """Whether there was something to do about this row of `open`."""
        head = self.store.head(opened.id)
        if head is None:
            if self._abandoned(opened):
                self.store.close(opened)
            return False
        if head.final:
            self._finish(head)
            return True
        return head.due + self._timing.grace < self._now() and self._wake(head)

    def _wake(self, head: Head) -> bool:
        """The message was lost, or its worker died: send the same turn again, and give it time to arrive."""
        try:
            woken = self.store.put(replace(head, due=self._now() + self._timing.woken))
        except Stale:
            return False
        self._hint(woken, AT_ONCE)
        return True

    def _claim(self, head: Head, now: datetime) -> Head | None:
        """A lease that ran out instead of being given back: a worker died at this workflow, which is a strike."""
        if head.owner:
            head = head.struck(now, self._timing.died, self._timing.strikes)
        try:
            return self.store.put(head.claimed(str(uuid.uuid4()), now, self._timing.lease, self._timing.grace))
        except Stale:
            return None

    def _work(self, head: Head, rows: dict[str, StepRow], began: datetime) -> None:
        runner = Runner(self._context, self._kinds.get(head.kind), head, rows, began)
        try:
            delay = runner.run()
        except LeaseLost:
            telemetry.event("workflow", "leaseLost", target=head.id, turn=head.turn)
            return
        done = runner.head
        error = done.error or {}
        failure = {name: error.get(name) for name in ("code", "step", "message", "requestId")}
        fields: Json = {"turn": head.turn, "kind": head.kind, "why": done.why, **failure}
        telemetry.event("workflow", done.status.value, target=head.id, **fields)
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
        if opened.generation > final.generation:  # a retry that is about to begin, unless it died
            if self._abandoned(opened):
                self.store.close(opened)
            return
        following = self._places.give_back(final)
        if following is not None and not following.final:
            self._hint(following, AT_ONCE)
        self._outside.ended(final)
        self.store.close(opened)

    def _abandoned(self, opened: Opened) -> bool:
        return self._now() - opened.since > self._timing.orphan


def _cancelled(head: Head, now: datetime) -> Head:
    """Turned round on request; whoever works on it meets that, else somebody is due to."""
    error = {"code": "cancelled", "message": "Cancelled on request.", "step": "", "requestId": ""}
    turned = replace(head.turned_round(now, error), cancel_requested=True)
    return turned if head.owner else replace(turned, due=now + _rest(head, now))


def _rest(head: Head, now: datetime) -> timedelta:
    """How long nothing may wake the workflow, because a service said so."""
    return max(AT_ONCE, head.rests_until - now) if head.rests_until else AT_ONCE


def _start(now: datetime) -> str:
    """Where a sweep begins among ids: each minute far from where the minutes before began (Fibonacci hashing)."""
    minute = int(now.timestamp()) // 60
    return f"{minute * 2654435769 % 2**32:08x}"
