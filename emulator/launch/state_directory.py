"""The directory in which an emulator keeps its files: its own alone, and read by nobody else."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from emulator.processes import EmulatorFailed

_LEFT_BEHIND = ("environment.json", "server.key", "azurite.log", "host.log", ".environment.json.*", ".server.*")
"""Of an emulator that was killed: what names its places or holds its secrets must not be taken for this one's."""


class StateDirectory:
    """Where `environment.json`, certificates and logs of one emulator lie."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock: int | None = None

    @property
    def description(self) -> Path:
        """The file by which every harness finds its way."""
        return self.path / "environment.json"

    def log(self, name: str) -> Path:
        """The log of the child process of that name."""
        return self.path / f"{name}.log"

    def take(self) -> None:
        """Lock it for this process, and remove what an earlier one left there. Raises EmulatorFailed."""
        try:
            self._lock = self._open()
        except OSError as fault:
            raise EmulatorFailed(f"{self.path} can't be used: {fault.strerror}") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.release()
            raise EmulatorFailed(f"Another emulator uses {self.path}: give this one its own --state-dir") from None
        for pattern in _LEFT_BEHIND:
            for file in self.path.glob(pattern):
                file.unlink()

    def release(self) -> None:
        """Let the next one have it; the lock's file stays, as the mark that the directory is an emulator's."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _open(self) -> int:
        """The lock's file, in a directory that is empty or an emulator's already."""
        lock_file = self.path / "lock"
        self.path.mkdir(parents=True, exist_ok=True)
        if any(self.path.iterdir()) and not lock_file.exists():
            raise EmulatorFailed(f"{self.path} holds other files: give the emulator a directory of its own")
        self.path.chmod(0o700)
        return os.open(lock_file, os.O_RDWR | os.O_CREAT, 0o600)
