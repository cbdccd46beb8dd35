"""Runs checks of what the app depends on, and reports each with its evidence and what to do about it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared import telemetry
from shared.errors import AppError
from shared.flight import FlightCache
from shared.times import Now

AT_ONCE = 8
SECONDS_EACH = 10.0
_LONGEST_EVIDENCE = 1_000

Entry = dict[str, object]


class Skipped(Exception):
    """A check that does not apply here, and why."""


@dataclass(frozen=True)
class Check:
    """`run` does the thing and returns its evidence, in a sentence; it raises `AppError` or `Skipped`."""

    name: str
    run: Callable[[], str]
    remedy: str


@dataclass
class _Run:
    """A check under way. It can't be stopped: one that overruns is reported, and left to its own time-outs."""

    check: Check
    began: float = field(default_factory=time.perf_counter)
    ended: Future[tuple[str, str, float]] = field(default_factory=Future)

    def start(self) -> None:
        """A daemon thread, so that a check which hangs does not keep the process from ending."""
        context = copy_context()
        threading.Thread(target=context.run, args=(self._work,), name=f"check {self.check.name}", daemon=True).start()

    def entry(self, seconds: float) -> Entry:
        """Its line in the report; waits until `seconds` after it began."""
        try:
            status, evidence, took = self.ended.result(timeout=max(0.0, self.began + seconds - time.perf_counter()))
        except TimeoutError:
            status, evidence = "failed", f"It took longer than {seconds:g} s and was given up."
            took = time.perf_counter() - self.began
        return {
            "name": self.check.name,
            "status": status,
            "evidence": telemetry.redact(evidence)[:_LONGEST_EVIDENCE],
            "remedy": self.check.remedy if status == "failed" else "",
            "ms": round(took * 1000),
        }

    def _work(self) -> None:
        try:
            with telemetry.timed("readiness.check", target=self.check.name) as line:
                status, evidence = self._outcome()
                line["outcome"] = status
        except BaseException as error:  # noqa: BLE001 - whatever happens in a check is its outcome
            status, evidence = "failed", _words(error)
        self.ended.set_result((status, evidence, time.perf_counter() - self.began))

    def _outcome(self) -> tuple[str, str]:
        try:
            return "passed", str(self.check.run())
        except Skipped as reason:
            return "skipped", str(reason)


class Readiness:
    """The report of all `checks`, made anew when the last is older than `kept`; by one thread, others wait for it."""

    def __init__(
        self,
        checks: Sequence[Check],
        now: Now,
        kept: timedelta = timedelta(seconds=60),
        *,
        seconds_each: float = SECONDS_EACH,
        at_once: int = AT_ONCE,
    ) -> None:
        self._checks = tuple(checks)
        self._now = now
        self._kept = kept
        self._seconds = seconds_each
        self._at_once = at_once
        self._running: dict[str, _Run] = {}
        rounds = -(-len(self._checks) // at_once)
        self._reports: FlightCache[str, _Report] = FlightCache(
            "the readiness report", entries=1, patience=rounds * seconds_each + 5.0
        )

    def report(self) -> Entry:
        """`{"status": "ready" or "notReady", "checks": [{name, status, evidence, remedy, ms}]}`, in the order of the
        checks. Never raises: what goes wrong is in the report.
        """
        try:
            entries = self._reports.get("report", self._make, self._fresh).entries
        except AppError as error:
            entries = [{"name": "readiness", "status": "failed", "evidence": str(error), "remedy": "", "ms": 0}]
        failed = any(entry["status"] == "failed" for entry in entries)
        return {"status": "notReady" if failed else "ready", "checks": [dict(entry) for entry in entries]}

    def _fresh(self, report: _Report) -> bool:
        return timedelta(0) <= self._now() - report.made_at < self._kept

    def _make(self) -> _Report:
        entries: list[Entry] = []
        for start in range(0, len(self._checks), self._at_once):
            runs = [self._begun(check) for check in self._checks[start : start + self._at_once]]
            entries += [run.entry(self._seconds) for run in runs]
        return _Report(entries, self._now())

    def _begun(self, check: Check) -> _Run:
        """A run of this check: the former one, if it still has not ended."""
        former = self._running.get(check.name)
        if former is not None and not former.ended.done():
            return former
        run = self._running[check.name] = _Run(check)
        run.start()
        return run


@dataclass(frozen=True)
class _Report:
    entries: Sequence[Entry]
    made_at: datetime


def _words(error: BaseException) -> str:
    """What may be told of an error: our own sentences, and only the class of anything else."""
    if not isinstance(error, AppError):
        return f"An unexpected error ({type(error).__name__}); the log has its trace."
    return f"{error.detail} (request {error.request_id})" if error.request_id else error.detail
