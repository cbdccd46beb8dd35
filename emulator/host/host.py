"""The host as a whole: start everything, wait for the signal to stop, let go in order."""

from __future__ import annotations

import asyncio
import hashlib
import os
import platform
import signal
import sys
import traceback
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from emulator.host import indexing, options
from emulator.host.app_settings import resolve
from emulator.host.cron import Schedule
from emulator.host.errors import CannotStart
from emulator.host.event_grid import EventGridWebhook
from emulator.host.http_server import HttpServer, Routes
from emulator.host.indexing import Function
from emulator.host.invocation import Invoker
from emulator.host.log import line, say
from emulator.host.queues import Listener, queue_message, queue_name
from emulator.host.storage import HOST_CONNECTION, Connection
from emulator.host.threads import HostThreads
from emulator.host.timers import StatusBlob, Timer, timer_request

EXIT_STOPPED = 0
EXIT_CANNOT_START = 1
EXIT_WORKER_LOST = 75
"""A function exceeded its time limit and its thread can't be ended: start the host again (EX_TEMPFAIL)."""
_LAST_WORDS = 5.0
"""Seconds for messages to be given back before a lost worker's process ends."""


@dataclass(frozen=True)
class Arguments:
    """What the command line says."""

    port: int
    app_directory: Path
    message_lease: timedelta
    drain: timedelta


class Source(Protocol):
    """What starts invocations by itself: a queue's listener, a timer."""

    async def run(self) -> None:
        """Go on until stopped, and then until what was begun has ended."""

    def stop(self) -> None:
        """Begin nothing more."""


class Host:
    """Everything that runs, from READY to the end."""

    def __init__(self, arguments: Arguments, environment: Mapping[str, str], now: Callable[[], datetime]) -> None:
        self._arguments = arguments
        self._environment = environment
        self._now = now
        self._options = options.load(arguments.app_directory / "host.json", environment)
        self._functions = indexing.load(arguments.app_directory, environment)
        self._invoker = Invoker(environment, self._options.function_timeout)
        self._threads = HostThreads()
        routes = Routes(self._triggered_by("httpTrigger"), self._options.route_prefix)
        events = EventGridWebhook(self._triggered_by("eventGridTrigger"), self._invoker)
        by_themselves = self._triggered_by("queueTrigger", "timerTrigger")
        self._listeners: list[Listener] = []
        self._sources = self._make_sources(by_themselves)
        self._server = HttpServer(routes, by_themselves, self._invoker, self._run_by_hand, events)
        self._tasks: set[asyncio.Task[None]] = set()
        self._stop = asyncio.Event()

    async def run(self) -> int:
        """Serve until a signal comes or the worker is lost; returns the exit code. Raises CannotStart."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        for remark in self._options.remarks:
            say(remark, "warning")
        port = await self._server.start(self._arguments.port)
        for source in self._sources:
            self._spawn(source.run())
        say(f"{len(self._functions)} functions loaded", functions=sorted(each.name for each in self._functions))
        line(f"READY http://127.0.0.1:{port}")
        return await self._until_the_end()

    async def _until_the_end(self) -> int:
        stopped = asyncio.ensure_future(self._stop.wait())
        lost = asyncio.ensure_future(self._invoker.lost.wait())
        await asyncio.wait({stopped, lost}, return_when=asyncio.FIRST_COMPLETED)
        if lost.done():
            say("the worker is lost: this process ends and has to be started again", "error")
            await self._let_go(_LAST_WORDS)
            return EXIT_WORKER_LOST
        say("stopping: nothing new is begun")
        await self._let_go(self._arguments.drain.total_seconds())
        return EXIT_STOPPED

    async def _let_go(self, seconds: float) -> None:
        """Begin nothing, wait for what runs, and leave the rest to the end of its lease."""
        for source in self._sources:
            source.stop()
        await self._server.stop_accepting()
        quiet = asyncio.ensure_future(self._server.wait_until_quiet())
        _, pending = await asyncio.wait({quiet, *self._tasks}, timeout=seconds)
        if pending:
            say("some invocations did not end in time; their messages come back when the lease is over", "warning")
        await self._server.close()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A source that dies would be missed by nobody: the process ends instead, and is started again."""
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            say("the host has a defect", "error", exception="".join(traceback.format_exception(error)))
            self._invoker.lost.set()

    def _triggered_by(self, *kinds: str) -> list[Function]:
        return [function for function in self._functions if function.kind in kinds]

    def _run_by_hand(self, function: Function, text: str) -> None:
        timer = function.kind == "timerTrigger"
        argument = timer_request(None, past_due=False) if timer else queue_message(None, text)
        self._spawn(self._invoke_by_hand(function, argument))

    async def _invoke_by_hand(self, function: Function, argument: Any) -> None:
        await self._invoker.run(function, argument, shown={"byHand": True})

    def _make_sources(self, functions: list[Function]) -> list[Source]:
        faults: list[str] = []
        sources: list[Source] = []
        for function in functions:
            try:
                sources.append(self._timer(function) if function.kind == "timerTrigger" else self._listener(function))
            except ValueError as error:
                faults.append(f"function {function.name}: {error}")
        if faults:
            raise CannotStart(faults)
        return sources

    def _listener(self, function: Function) -> Listener:
        listener = Listener(
            function=function,
            queue=queue_name(function.trigger["queueName"], self._environment),
            service=Connection(function.trigger.get("connection", ""), self._environment).queues(),
            options=self._options.queues,
            lease=self._arguments.message_lease,
            invoker=self._invoker,
            threads=self._threads,
            wake=self._wake,
        )
        self._listeners.append(listener)
        return listener

    def _wake(self, queue: str) -> None:
        for listener in self._listeners:
            if listener.queue == queue:
                listener.wake()

    def _timer(self, function: Function) -> Timer:
        schedule = Schedule(resolve(function.trigger["schedule"], self._environment))
        monitored = function.trigger.get("useMonitor") is not False
        kept = monitored and not schedule.is_denser_than_a_minute(self._now())
        return Timer(
            function=function,
            schedule=schedule,
            blob=self._status_blob(function) if kept else None,
            invoker=self._invoker,
            threads=self._threads,
            now=self._now,
        )

    def _status_blob(self, function: Function) -> StatusBlob:
        blobs = Connection(HOST_CONNECTION, self._environment).blobs()
        return StatusBlob(blobs, host_id(self._arguments.app_directory, self._environment), function.name)


def host_id(app_directory: Path, environment: Mapping[str, str]) -> str:
    """What tells hosts on one storage account apart: the setting, else made of machine and folder."""
    given = environment.get("AzureFunctionsWebHost__hostid")
    return given or hashlib.sha256(f"{platform.node()}:{app_directory}".encode()).hexdigest()[:32]


def end_process(code: int) -> None:
    """End at once: threads that still run a function would keep an ordinary exit waiting for them."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
