"""One workflow of a project at a time, in the order in which they came; and what they made, for whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from shared.errors import TooManyRequests, Unavailable
from shared.workflow.records import Head, Json, Project, Reserved, Status
from shared.workflow.steps import Kind, path_of
from shared.workflow.store import Stale, Store
from shared.workflow.timing import Timing

ATTEMPTS = 10


class Places:
    """The order of each project. Raises Unavailable where others keep writing it."""

    def __init__(self, store: Store, kinds: Mapping[str, Kind], timing: Timing) -> None:
        self._store = store
        self._kinds = kinds
        self._timing = timing

    def reserve(self, name: str, id: str, now: datetime) -> None:
        """A place in the project's line, for a workflow of which nothing else is written yet; a repeat keeps it.

        It is counted and reserved in one conditional write, so that requests at once do not exceed the limit. What was
        reserved and never taken counts for an hour. Raises TooManyRequests.
        """
        for _ in range(ATTEMPTS):
            project = self._store.project(name)
            reserved = tuple(each for each in project.reserved if now - each.since <= self._timing.orphan)
            counted = {*project.order, *(each.id for each in reserved)}
            if id in counted:
                return
            if len(counted) >= self._timing.most_in_line:
                raise _too_many(name, len(counted))
            if self._put(replace(project, reserved=(*reserved, Reserved(id, now)))):
                return
        raise _busy(name)

    def take(self, head: Head) -> Project:
        """Stand in line; it is the workflow's turn if it is the first in the `order` of what this answers.

        One that has ended does not hold up those behind it, even if nobody gave its place back.
        """
        for _ in range(ATTEMPTS):
            project = self._store.project(head.project)
            if head.id not in project.order:
                reserved = tuple(each for each in project.reserved if each.id != head.id)
                joined = self._put(replace(project, order=(*project.order, head.id), reserved=reserved))
                if joined is None:
                    continue
                project = joined
            if project.order[0] == head.id or not self._cleared(project):
                return project
        raise _busy(head.project)

    def give_back(self, head: Head) -> Head | None:
        """The project goes to the next in line; what was made for it is registered. Answers whose turn it is now.

        The project is read before the head: so a retry that takes a new place after this makes the write fail, and
        one that took it before is seen.
        """
        for _ in range(ATTEMPTS):
            project = self._store.project(head.project)
            if head.id not in project.order or not self._still_ended(head):
                return None
            order = _without(project, head.id)
            if self._put(replace(self._registered(head, project), order=order)):
                first = project.order[0] == head.id
                return self._store.head(order[0]) if first and order else None
        raise _busy(head.project)

    def _cleared(self, project: Project) -> bool:
        """Whether the first in line was one that has ended, or is known to nobody."""
        first = self._store.head(project.order[0])
        if first is None:
            self._put(replace(project, order=_without(project, project.order[0])))
            return True
        if first.final:
            self.give_back(first)
        return first.final

    def _still_ended(self, head: Head) -> bool:
        now = self._store.head(head.id)
        return now is not None and now.final and now.generation == head.generation

    def _registered(self, head: Head, project: Project) -> Project:
        if head.status not in (Status.SUCCEEDED, Status.SUCCEEDED_WITH_WARNINGS):
            return project
        kind = self._kinds.get(head.kind)
        if kind is None:
            raise Unavailable(f"What {head.kind} made is registered by another version of the app.", retry_after=300)
        environments = kind.register(head, project, self.outcomes(head))
        return replace(project, environments=environments, client=project.client or head.client)

    def outcomes(self, head: Head) -> dict[str, Json]:
        """What the steps of the workflow made, by `environment/name`."""
        _, rows = self._store.journal(head.id)
        return {path_of(key): row.outcome for key, row in rows.items()}

    def _put(self, project: Project) -> Project | None:
        """What was written, or None if somebody else wrote."""
        try:
            return self._store.put_project(project)
        except Stale:
            return None


def _without(project: Project, id: str) -> tuple[str, ...]:
    return tuple(other for other in project.order if other != id)


def _busy(name: str) -> Unavailable:
    return Unavailable(f"The project {name} is being written by others. Try again in a moment.", retry_after=1)


def _too_many(name: str, number: int) -> TooManyRequests:
    detail = f"{number} requests for the project {name} have not ended yet. Try again when some of them have."
    return TooManyRequests(detail, retry_after=60)
