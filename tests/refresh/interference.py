"""Things that happen between two calls of an invocation: crashes, lost answers, other workers, passing time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from shared.errors import Unavailable
from tests.refresh.harness import Crash


@dataclass
class Interference:
    """A tap. `plan` says what happens before (or after) which call of the invocation that is watched."""

    plan: dict[tuple[int, bool], Callable[[], object]] = field(default_factory=dict)
    count: int = 0
    calls: list[str] = field(default_factory=list)
    _inside: bool = False

    def arm(self, plan: Mapping[tuple[int, bool], Callable[[], object]]) -> None:
        """Watch the next invocation."""
        self.plan, self.count, self.calls = dict(plan), 0, []

    @contextmanager
    def __call__(self, operation: str) -> Iterator[None]:
        if self._inside:
            yield
            return
        self.count += 1
        number = self.count
        self.calls.append(operation)
        self._happen(number, after=False)
        yield
        self._happen(number, after=True)

    def _happen(self, number: int, *, after: bool) -> None:
        act = self.plan.pop((number, after), None)
        if act is None:
            return
        self._inside = True
        try:
            act()
        finally:
            self._inside = False


def crash() -> None:
    """The worker dies here."""
    raise Crash


def storage_away() -> None:
    """The call fails, or its answer is lost."""
    raise Unavailable("storage is away", effect_unknown=True, retry_after=5)
