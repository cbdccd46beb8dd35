"""Taps wrap every call that the code under test makes: tests count there, crash, or let something else happen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext

from shared.errors import Unavailable

Tap = Callable[[str], AbstractContextManager[None]]
"""Wraps the effect of one call, by its name: what it is to, and what it does (`table workflows insert`)."""
Act = Callable[[], object]
Point = tuple[int, bool]
"""Which call (1 is the next one), and whether after its effect rather than before it."""


class Crash(BaseException):
    """The worker's process ends here."""


def untapped(call: str) -> AbstractContextManager[None]:
    """Lets everything happen."""
    return nullcontext()


def crash() -> None:
    """The worker dies here."""
    raise Crash


def storage_away() -> None:
    """The call fails, or its answer is lost."""
    raise Unavailable("storage is away", effect_unknown=True, retry_after=5)


def points(calls: int) -> list[Point]:
    """Before and after each of so many calls."""
    return [(number, after) for number in range(1, calls + 1) for after in (False, True)]


def told(point: Point, calls: list[str]) -> str:
    """A point in words, for the message of an assertion."""
    number, after = point
    return f"{'after' if after else 'before'} call {number} of {len(calls)}, {calls[number - 1]}"


class Interference:
    """Notes every call, and lets something happen before or after chosen ones; what that calls is not watched.

    What happens after a call happens after a refused one too: a refusal is an answer, and may get lost.
    """

    def __init__(self, plan: Mapping[Point, Act] | None = None) -> None:
        self.arm(plan or {})
        self._inside = False

    def arm(self, plan: Mapping[Point, Act]) -> None:
        """Watch from here on."""
        self.left, self.calls = dict(plan), list[str]()

    @contextmanager
    def __call__(self, call: str) -> Iterator[None]:
        if self._inside:
            yield
            return
        self.calls.append(call)
        number = len(self.calls)
        self._happen((number, False))
        try:
            yield
        finally:
            self._happen((number, True))

    def _happen(self, point: Point) -> None:
        act = self.left.pop(point, None)
        if act is None:
            return
        self._inside = True
        try:
            act()
        finally:
            self._inside = False


class Meanwhile:
    """Lets something happen just before the n-th call of that name (1 is the next one)."""

    def __init__(self, call: str, does: Act, number: int = 1) -> None:
        self._call, self._does, self._number = call, does, number
        self.calls = 0

    @property
    def happened(self) -> bool:
        return self.calls >= self._number

    @contextmanager
    def __call__(self, call: str) -> Iterator[None]:
        if call == self._call:
            self.calls += 1
            if self.calls == self._number:
                self._does()
        yield


def breaks(call: str, number: int = 1, error: Callable[[], BaseException] = Crash) -> Meanwhile:
    """A tap at which the n-th call of that name fails: the worker dies there, unless another error is told."""

    def fail() -> None:
        raise error()

    return Meanwhile(call, fail, number)
