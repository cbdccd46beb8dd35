"""The host as a whole: start everything, wait for the signal to stop, let go in order."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from emulator.host import indexing, options
from emulator.host.errors import CannotStart
from emulator.host.http_server import HttpServer, Routes
from emulator.host.indexing import Function
from emulator.host.invocation import Invoker
from emulator.host.log import line, say
from emulator.host.queues import Listener, Storage, queue_message, queue_name
from emulator.host.storage import Connection

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


class Host:
    """Everything that runs, from READY to the end."""

    def __init__(self, arguments: Arguments, environment: Mapping[str, str]) -> None:
        self._arguments = arguments
        self._environment = environment
        self._options = options.load(arguments.app_directory / "host.json", environment)
        self._functions = indexing.load(arguments.app_directory, environment)
        self._invoker = Invoker(environment, self._options.function_timeout)
        self._storage = Storage()
        self._listeners = self._make_listeners()
        http = [function for function in self._functions if function.kind == "httpTrigger"]
        others = [function for function in self._functions if function.kind != "httpTrigger"]
        routes = Routes(http, self._options.route_prefix)
        self._server = HttpServer(routes, others, self._invoker, self._run_by_hand)
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
        for listener in self._listeners:
            self._spawn(listener.run())
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
        for listener in self._listeners:
            listener.stop()
        await self._server.stop_accepting()
        work = [self._server.wait_until_quiet(), self._invoker.wait_until_idle()]
        work += [listener.wait_until_idle() for listener in self._listeners]
        tasks = [asyncio.ensure_future(each) for each in (*work, *self._tasks)]
        _, pending = await asyncio.wait(tasks, timeout=seconds)
        if pending:
            say("some invocations did not end in time; their messages come back when the lease is over", "warning")
        await self._server.close()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _run_by_hand(self, function: Function, text: str) -> None:
        self._spawn(self._invoke_by_hand(function, text))

    async def _invoke_by_hand(self, function: Function, text: str) -> None:
        await self._invoker.run(function, queue_message(None, text), shown={"byHand": True})

    def _make_listeners(self) -> list[Listener]:
        faults: list[str] = []
        listeners: list[Listener] = []
        for function in self._functions:
            if function.kind != "queueTrigger":
                continue
            try:
                listeners.append(self._listener(function))
            except ValueError as error:
                faults.append(f"function {function.name}: {error}")
        if faults:
            raise CannotStart(faults)
        return listeners

    def _listener(self, function: Function) -> Listener:
        return Listener(
            function=function,
            queue=queue_name(function.trigger["queueName"], self._environment),
            service=Connection(function.trigger.get("connection", ""), self._environment).queues(),
            options=self._options.queues,
            lease=self._arguments.message_lease,
            invoker=self._invoker,
            storage=self._storage,
            wake=self._wake,
        )

    def _wake(self, queue: str) -> None:
        for listener in self._listeners:
            if listener.queue == queue:
                listener.wake()


def end_process(code: int) -> None:
    """End at once: threads that still run a function would keep an ordinary exit waiting for them."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
