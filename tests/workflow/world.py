"""A make-believe Power BI for tests of the engine: unique names, late visibility and effects, lost answers, a stranger.

It remembers who made what on whose behalf, and notes every harm that a wrong engine would do.
"""

from __future__ import annotations

import itertools
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from shared.errors import Conflict, Forbidden, NotFound, Throttled, Unavailable
from tests.doubles.taps import Tap, untapped

T = TypeVar("T")

APP = "app"
STRANGER = "stranger"
CALL = timedelta(seconds=30)
"""The total deadline of a call."""
LATEST_EFFECT = timedelta(minutes=5)
"""After its deadline, a call that timed out has had its effect or never will."""
LATEST_VISIBLE = timedelta(minutes=14)

THROTTLED = "throttled"
LOST = "lost"  # carried out, but the answer does not arrive
NEVER = "never"  # not carried out, and no answer arrives
LATE = "late"  # no answer arrives, and it is carried out later


@dataclass
class Workspace:
    """One workspace; `by` is the workflow and generation for which it was made, or the stranger."""

    id: str
    name: str
    by: str
    visible_at: datetime
    members: dict[str, str] = field(default_factory=dict)
    """Who is in it, and by whom they were added."""
    alive: bool = True


@dataclass
class Request:
    """Who calls: the workflow with its generation, and the owner of the lease under which it calls."""

    workflow: str
    generation: int
    owner: str

    @property
    def by(self) -> str:
        """What is made carries this."""
        return f"{self.workflow}.{self.generation}"


class World:
    """The service. `fates` lets the next calls of an operation go wrong; `holder` says whose lease a workflow is."""

    def __init__(self, now: Callable[[], datetime], tap: Tap = untapped) -> None:
        self.now = now
        self.tap = tap
        self.holder: Callable[[str], str] | None = None
        self.workspaces: list[Workspace] = []
        self.fates: dict[str, deque[str]] = {"create": deque(), "delete": deque(), "add": deque(), "remove": deque()}
        self.refused: set[str] = set()
        """Operations that are refused for good."""
        self.lag = timedelta(0)
        self.late: list[tuple[datetime, Callable[[], None]]] = []
        self.harm: list[str] = []
        self.calls: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        """Calls that had their effect."""
        self._ids = itertools.count(1)

    # ---- what the app may call
    def find(self, name: str) -> Workspace | None:
        """In the list of what we may see."""
        with self.tap("world find"):
            self.pass_time()
            shown = [each for each in self.workspaces if each.alive and APP in each.members]
            return next((each for each in shown if each.name == name and each.visible_at <= self.now()), None)

    def read(self, id: str) -> Workspace | None:
        """By id, which needs no list."""
        with self.tap("world read"):
            self.pass_time()
            return next((each for each in self.workspaces if each.id == id and each.alive), None)

    def create(self, name: str, request: Request) -> str:
        """Raises Conflict if the name is taken."""
        return self._carry_out("create", request, lambda: self._make(name, request.by).id)

    def delete(self, id: str, request: Request) -> None:
        """Raises NotFound."""
        self._carry_out("delete", request, lambda: self._remove(id))

    def add(self, id: str, principal: str, request: Request) -> None:
        """A repeat changes nothing."""
        self._carry_out("add", request, lambda: self._add(id, principal, request.by))

    def remove(self, id: str, principal: str, request: Request) -> None:
        """Who is not in it is removed all the same."""
        self._carry_out("remove", request, lambda: self._take_out(id, principal, request.workflow))

    # ---- what others do
    def stranger_makes(self, name: str, *, with_us: bool) -> None:
        """Somebody else was faster."""
        if not any(each.alive and each.name == name for each in self.workspaces):
            made = self._make(name, STRANGER)
            made.members = {STRANGER: STRANGER, **({APP: STRANGER} if with_us else {})}
            made.visible_at = self.now()

    def pass_time(self) -> None:
        """Calls that were on their way arrive."""
        due = [effect for at, effect in self.late if at <= self.now()]
        self.late = [(at, effect) for at, effect in self.late if at > self.now()]
        for effect in due:
            effect()

    # ---- inside
    def _carry_out(self, operation: str, request: Request, effect: Callable[[], T]) -> T:
        with self.tap(f"world {operation}"):
            self.pass_time()
            self.calls[operation] += 1
            if self.holder and self.holder(request.workflow) != request.owner:
                self.harm.append(f"{request.by} calls {operation} without a lease")
            if operation in self.refused:
                raise Forbidden("not for you")
            fates = self.fates[operation]
            return self._by_fate(fates.popleft() if fates else "", lambda: self._effect(operation, effect))

    def _effect(self, operation: str, effect: Callable[[], T]) -> T:
        done = effect()
        self.done[operation] += 1
        return done

    def _by_fate(self, fate: str, effect: Callable[[], T]) -> T:
        if fate == THROTTLED:
            raise Throttled("slow down", retry_after=60)
        if fate == LATE:
            self.late.append((self.now() + CALL + LATEST_EFFECT, lambda: self._late(effect)))
        if fate in (LATE, NEVER):
            raise Unavailable("no answer", effect_unknown=True, retry_after=5)
        done = effect()
        if fate == LOST:
            raise Unavailable("no answer", effect_unknown=True, retry_after=5)
        return done

    def _late(self, effect: Callable[[], object]) -> None:
        try:
            effect()
        except (Conflict, NotFound):
            return

    def _make(self, name: str, by: str) -> Workspace:
        if any(each.alive and each.name == name for each in self.workspaces):
            raise Conflict("that name is taken")
        made = Workspace(f"ws{next(self._ids)}", name, by, self.now() + self.lag, {APP: by})
        self.workspaces.append(made)
        return made

    def _alive(self, id: str) -> Workspace:
        found = next((each for each in self.workspaces if each.id == id and each.alive), None)
        if found is None:
            raise NotFound("no such workspace")
        return found

    def _remove(self, id: str) -> None:
        workspace = self._alive(id)
        if workspace.by == STRANGER:
            self.harm.append("a stranger's workspace is deleted")
        workspace.alive = False

    def _add(self, id: str, principal: str, by: str) -> None:
        workspace = self._alive(id)
        if workspace.by == STRANGER:
            self.harm.append("a stranger's workspace is changed")
        workspace.members.setdefault(principal, by)

    def _take_out(self, id: str, principal: str, workflow: str) -> None:
        workspace = self._alive(id)
        by = workspace.members.pop(principal, "")
        if by and by.rpartition(".")[0] != workflow:
            self.harm.append(f"{workflow} takes back what {by} granted")
