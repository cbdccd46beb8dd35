"""The bundled Functions host as a child process: started, waited for, and started again if it dies."""

from __future__ import annotations

import asyncio
import random
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from emulator.processes import Child, EmulatorFailed

_PATIENCE = 60.0
_SHORTEST_PAUSE = 0.25
_LONGEST_PAUSE = 10.0
_STABLE_AFTER = 60.0


class BundledHost:
    """`python -m emulator.host` for this project; `environment` is all that it gets."""

    def __init__(self, project: Path, log_file: Path, port: int, environment: Mapping[str, str]) -> None:
        self.port = port or free_port()
        command = [sys.executable, "-m", "emulator.host", "--port", str(self.port), "--app-dir", str(project)]
        self._project = project
        self.child = Child("The bundled host", command, log_file, environment)
        self.restarts = 0
        self._keeper: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Base address, without the route prefix."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start it and wait until it serves; raises EmulatorFailed. From then on it is kept alive."""
        await self.child.start(self._project)
        await self.child.wait_for_output("READY http", patience=_PATIENCE)
        self._keeper = asyncio.create_task(self._keep_alive())

    async def stop(self) -> None:
        """End it for good."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        await self.child.stop()

    async def _keep_alive(self) -> None:
        """Start it again whenever it ends, at once the first time, then with pauses that double."""
        pause = _SHORTEST_PAUSE
        while True:
            started = time.monotonic()
            code = await self.child.ended()
            pause = _SHORTEST_PAUSE if time.monotonic() - started > _STABLE_AFTER else min(pause * 2, _LONGEST_PAUSE)
            print(f"The bundled host ended with {code}; it is started again", file=sys.stderr, flush=True)
            await self.child.stop()
            await self._start_again(pause)

    async def _start_again(self, pause: float) -> None:
        """Until it can be started at all: a machine out of memory or processes may recover."""
        while True:
            await asyncio.sleep(pause)
            self.restarts += 1
            try:
                await self.child.start(self._project)
            except EmulatorFailed as failed:
                print(failed, file=sys.stderr, flush=True)
            else:
                return


def free_port() -> int:
    """A port that nobody listens on, below those that the system hands out to connections on their way out."""
    for _ in range(200):
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no free port was found")
