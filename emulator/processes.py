"""Child processes: their output goes to a file, and none of them outlives the emulator."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_CHILD = Path(__file__).with_name("child.py")
_PATIENCE = 8.0
_LARGEST_LOG = 50 * 1024 * 1024
_CHUNK = 64 * 1024


class EmulatorFailed(Exception):
    """The emulator can't start, or can't go on; the message is one sentence that says why."""


def dying_with_us(command: Sequence[str]) -> list[str]:
    """The command as one that ends with this process, however this one ends.

    Start it from the main thread: its life hangs on that of the thread.
    """
    return [sys.executable, "-I", "-S", str(_CHILD), str(os.getpid()), *command]


class Child:
    """A command in a process group of its own, which ends with the emulator."""

    def __init__(self, name: str, command: Sequence[str], log_file: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self._command = list(command)
        self._log_file = log_file
        self._environment = dict(environment)
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._recent = ""
        self._spoke = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if self._process and running else None

    async def start(self, directory: Path | None = None) -> None:
        """Start it; raises EmulatorFailed."""
        try:
            self._process = await asyncio.create_subprocess_exec(
                *dying_with_us(self._command),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env=self._environment,
                cwd=directory,
                start_new_session=True,
            )
        except OSError as fault:
            raise EmulatorFailed(f"{self.name} could not be started: {fault}") from None
        self._recent = ""
        self._reader = asyncio.create_task(self._keep_output(self._process))

    async def wait_for_output(self, *texts: str, patience: float) -> str:
        """Its output so far, once all `texts` have occurred in it; raises EmulatorFailed if it ends or is slow."""
        try:
            async with asyncio.timeout(patience):
                while not all(text in self._recent for text in texts):
                    if self._reader is None or self._reader.done():
                        raise EmulatorFailed(f"{self.name} ended before it was ready: {self.last_words()}")
                    self._spoke.clear()
                    await self._spoke.wait()
        except TimeoutError:
            raise EmulatorFailed(f"{self.name} was not ready after {patience:g} s: {self.last_words()}") from None
        return self._recent

    async def ended(self) -> int:
        """Wait until it has ended, and tell how."""
        assert self._process is not None
        return await self._process.wait()

    async def stop(self) -> None:
        """Ask it to end, and end its whole group if it does not."""
        if self._process is None:
            return
        if self._process.returncode is None:
            _signal_group(self._process.pid, signal.SIGTERM, also_group=False)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), _PATIENCE)
        _signal_group(self._process.pid, signal.SIGKILL, also_group=True)
        await self._process.wait()
        self._process = None  # its id may soon be another's
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)

    def last_words(self) -> str:
        """The end of its output, on one line."""
        lines = [line.strip() for line in self._recent.splitlines() if line.strip()]
        return " | ".join(lines[-5:])[-1000:] or f"it said nothing (see {self._log_file})"

    async def _keep_output(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        descriptor = os.open(self._log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "ab", buffering=0) as log:
            while chunk := await process.stdout.read(_CHUNK):
                if log.tell() > _LARGEST_LOG:
                    log.truncate(0)
                log.write(chunk)
                self._recent = (self._recent + chunk.decode("utf-8", "replace"))[-_CHUNK:]
                self._spoke.set()
        self._spoke.set()


def _signal_group(pid: int, number: signal.Signals, *, also_group: bool) -> None:
    """Signal a child, or the whole of its group: it leads one, so its id is the group's."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number) if also_group else os.kill(pid, number)
