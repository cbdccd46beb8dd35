"""One workflow of a project at a time, in the order in which they came; and what they made, for whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from shared.errors import Unavailable
from shared.workflow.records import Head, Json, Project, Status
from shared.workflow.steps import Kind, path_of
from shared.workflow.store import Stale, Store

ATTEMPTS = 10


class Places:
    """The order of each project. Raises Unavailable where others keep writing it."""

    def __init__(self, store: Store, kinds: Mapping[str, Kind]) -> None:
        self._store = store
        self._kinds = kinds

    def take(self, head: Head) -> Project:
        """Stand in line; it is the workflow's turn if it is the first in the `order` of what this answers.

        One that has ended does not hold up those behind it, even if nobody gave its place back.
        """
        for _ in range(ATTEMPTS):
            project = self._store.project(head.project)
            if head.id not in project.order:
                joined = self._put(replace(project, order=(*project.order, head.id)))
                if joined is None:
                    continue
                project = joined
            if project.order[0] == head.id or not self._cleared(project):
                return project
        raise _busy(head)

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
        raise _busy(head)

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


def _busy(head: Head) -> Unavailable:
    return Unavailable(f"The project {head.project} is being written by others. Try again in a moment.", retry_after=1)
