"""Workers that run one at a time: each stops before every call that it makes, and the test says who goes on.

So the order in which two workers' calls take effect is the test's choice, and the same every time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from shared.errors import Unavailable
from tests.doubles.taps import Crash

STORAGE_CALL = timedelta(seconds=13)
WORLD_CALL = timedelta(seconds=30)
"""Deadlines: a call that stands for longer has timed out, and did nothing."""
PATIENCE = 10.0


class Worker:
    """One invocation, in a thread of its own."""

    def __init__(self, name: str, work: Callable[[], object]) -> None:
        self.name = name
        self.operation = ""
        """The call before which it stands."""
        self.called_at: datetime | None = None
        self.ended = False
        self.error: BaseException | None = None
        self.killed = False
        self.fails = ""
        """Its next call to storage is not answered: before its effect, or after."""
        self._work = work
        self._go = threading.Semaphore(0)
        self._stopped = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def go_on(self) -> None:
        """Until its next call, or its end."""
        self._go.release()
        assert self._stopped.acquire(timeout=PATIENCE), f"{self.name} hangs at {self.operation}"

    def stop(self, operation: str, now: datetime) -> None:
        """Called in its thread: wait until it may go on."""
        self.operation, self.called_at = operation, now
        self._stopped.release()
        self._go.acquire()
        if self.killed:
            raise Crash

    def _run(self) -> None:
        self._go.acquire()
        try:
            if not self.killed:
                self._work()
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.error = error
        self.ended = True
        self._stopped.release()


class Baton:
    """Hands the turn from worker to worker; its `tap` is what stops them."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self.workers: list[Worker] = []
        self._running: Worker | None = None

    def start(self, name: str, work: Callable[[], object]) -> Worker:
        """A new worker, which stands before its first call."""
        worker = Worker(name, work)
        self.workers.append(worker)
        self.step(worker)
        return worker

    def step(self, worker: Worker) -> None:
        """One call."""
        self._running = worker
        try:
            worker.go_on()
        finally:
            self._running = None
        if worker.ended:
            self.workers.remove(worker)
            if worker.error is not None and not isinstance(worker.error, Crash):
                raise worker.error

    def finish(self, worker: Worker, limit: int = 2000) -> None:
        """To its end."""
        for _ in range(limit):
            if worker.ended:
                return
            self.step(worker)
        raise AssertionError(f"{worker.name} never ends")

    def kill(self, worker: Worker) -> None:
        """Its process dies before the call at which it stands."""
        worker.killed = True
        self.step(worker)

    def kill_all(self) -> None:
        """Leave no thread behind."""
        for worker in list(self.workers):
            self.kill(worker)

    @contextmanager
    def tap(self, operation: str) -> Iterator[None]:
        """Wraps every call."""
        worker = self._running
        if worker is None:
            yield
            return
        worker.stop(operation, self._now())
        fails = self._fails(worker, operation)
        if fails == "before":
            raise Unavailable("no answer", effect_unknown=True)
        try:
            yield
        finally:
            if fails == "after":
                raise Unavailable("no answer", effect_unknown=True)

    def _fails(self, worker: Worker, operation: str) -> str:
        world = operation.startswith("world")
        assert worker.called_at is not None
        if self._now() - worker.called_at > (WORLD_CALL if world else STORAGE_CALL):
            return "before"
        fails, worker.fails = ("", worker.fails) if world else (worker.fails, "")
        return fails
