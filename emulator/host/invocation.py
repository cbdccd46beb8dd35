"""Run one invocation: threads for plain functions, the event loop for async ones, a context, outputs, a time limit."""

from __future__ import annotations

import asyncio
import os
import secrets
import threading
import time
import traceback
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import azure.functions as func
from azure.functions import _abc

from emulator.host.indexing import Function
from emulator.host.log import say

_local = threading.local()


class _TraceContext(_abc.TraceContext):
    def __init__(self, parent: str, state: str) -> None:
        self._parent, self._state = parent, state

    @property
    def trace_parent(self) -> str:
        return self._parent

    @property
    def trace_state(self) -> str:
        return self._state

    @property
    def attributes(self) -> dict[str, str]:
        return {}


class _RetryContext(_abc.RetryContext):
    """No retry policy is followed here, so this is always the first try."""

    @property
    def retry_count(self) -> int:
        return 0

    @property
    def max_retry_count(self) -> int:
        return 0

    @property
    def exception(self) -> Any:
        return None


class _Context(func.Context):
    def __init__(self, function: Function, invocation_id: str, trace: _abc.TraceContext) -> None:
        self._function, self._invocation_id, self._trace = function, invocation_id, trace

    @property
    def invocation_id(self) -> str:
        return self._invocation_id

    @property
    def thread_local_storage(self) -> Any:
        return _local

    @property
    def function_name(self) -> str:
        return self._function.name

    @property
    def function_directory(self) -> str:
        return self._function.directory

    @property
    def trace_context(self) -> _abc.TraceContext:
        return self._trace

    @property
    def retry_context(self) -> _abc.RetryContext:
        return _RetryContext()


class _Out(func.Out[Any]):
    def __init__(self) -> None:
        self._value: Any = None

    def set(self, val: Any) -> None:
        self._value = val

    def get(self) -> Any:
        return self._value


@dataclass(frozen=True)
class Outcome:
    """How an invocation ended. `error` is empty if it went well; only then are there outputs."""

    invocation_id: str
    error: str = ""
    outputs: Mapping[str, Any] = field(default_factory=dict)
    """What each output binding was given (`$return` among them), those aside that were given nothing."""

    @property
    def succeeded(self) -> bool:
        return not self.error


class Invoker:
    """Runs functions. Once one exceeds the time limit the worker counts as lost, and all that run fail with it."""

    def __init__(self, environment: Mapping[str, str], time_limit: timedelta | None) -> None:
        self._limit = time_limit.total_seconds() if time_limit else None
        self._pool = ThreadPoolExecutor(thread_count(environment), thread_name_prefix="worker")
        self.lost = asyncio.Event()
        """Set when a function exceeded its time limit: threads can't be ended, so the process has to be."""

    async def run(
        self,
        function: Function,
        argument: Any,
        *,
        trace_parent: str = "",
        trace_state: str = "",
        shown: Mapping[str, object],
    ) -> Outcome:
        """Run `function` with its trigger's value; never raises. `shown` goes into the log line."""
        invocation_id = str(uuid.uuid4())
        trace = _TraceContext(trace_parent or _new_trace_parent(), trace_state)
        outs = {name: _Out() for name in function.outputs if name != "$return"}
        arguments: dict[str, Any] = {function.trigger["name"]: argument, **outs}
        if function.wants_context:
            arguments["context"] = _Context(function, invocation_id, trace)
        started = time.monotonic()
        error, value = await self._limited(function, arguments, invocation_id)
        outcome = _outcome(function, invocation_id, error, value, outs)
        _tell(function, outcome, time.monotonic() - started, shown)
        return outcome

    async def _limited(self, function: Function, arguments: Mapping[str, Any], invocation_id: str) -> tuple[str, Any]:
        work = asyncio.ensure_future(self._start(function, arguments, invocation_id))
        lost = asyncio.ensure_future(self.lost.wait())
        try:
            await asyncio.wait({work, lost}, timeout=self._limit, return_when=asyncio.FIRST_COMPLETED)
            if work.cancelled():
                return "it was cancelled, by itself or by what it awaited", None
            if work.done():
                return work.result()
            if self.lost.is_set():
                return "the worker was restarted because another function exceeded its time limit", None
            self.lost.set()
            return f"it exceeded the functionTimeout of {self._limit:g} s; the worker restarts", None
        finally:
            lost.cancel()
            if function.is_async:
                work.cancel()

    async def _start(self, function: Function, arguments: Mapping[str, Any], invocation_id: str) -> tuple[str, Any]:
        if not function.is_async:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, _run_in_thread, function, arguments, invocation_id)
        try:
            return "", await function.call(**arguments)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001  whatever the app raises is its failure, not the host's
            return _trace(error), None


def thread_count(environment: Mapping[str, str]) -> int:
    """Threads for plain functions, as the platform's worker counts them."""
    text = environment.get("PYTHON_THREADPOOL_THREAD_COUNT", "")
    given = int(text) if text.isdecimal() else 0
    return given if given >= 1 else min(32, (os.cpu_count() or 1) + 4)


def _run_in_thread(function: Function, arguments: Mapping[str, Any], invocation_id: str) -> tuple[str, Any]:
    _local.invocation_id = invocation_id
    try:
        return "", function.call(**arguments)
    except BaseException as error:  # noqa: BLE001  whatever the app raises is its failure, not the host's
        return _trace(error), None
    finally:
        _local.invocation_id = None


def _trace(error: BaseException) -> str:
    """The trace without the host's own frame at its top."""
    below = error.__traceback__.tb_next if error.__traceback__ else None
    return "".join(traceback.format_exception(type(error), error, below))


def _outcome(
    function: Function, invocation_id: str, error: str, value: Any, outs: Mapping[str, func.Out[Any]]
) -> Outcome:
    if error:
        return Outcome(invocation_id, error)
    if value is not None and "$return" not in function.outputs:
        return Outcome(invocation_id, f"it returned a {type(value).__name__}, but has no $return binding")
    given = {"$return": value, **{name: out.get() for name, out in outs.items()}}
    return Outcome(invocation_id, outputs={name: each for name, each in given.items() if each is not None})


def _new_trace_parent() -> str:
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def _tell(function: Function, outcome: Outcome, seconds: float, shown: Mapping[str, object]) -> None:
    fields: dict[str, object] = {
        "function": function.name,
        "invocationId": outcome.invocation_id,
        "outcome": "succeeded" if outcome.succeeded else "failed",
        "milliseconds": round(seconds * 1000, 1),
        **shown,
    }
    if outcome.succeeded:
        say(f"Executed {function.name}", "info", **fields)
    else:
        say(f"{function.name} failed: {_last_line(outcome.error)}", "error", **fields, exception=outcome.error)


def _last_line(error: str) -> str:
    return error.strip().rsplit("\n", maxsplit=1)[-1]
