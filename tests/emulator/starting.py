"""Emulators of a test's own: for what can't be done to the one that all tests share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import requests

PROJECT = Path(__file__).parents[2]
Json = dict[str, Any]


class Started:
    """A running emulator, its description, and the processes that belong to it."""

    def __init__(self, process: subprocess.Popen[str], state_dir: Path) -> None:
        self.process = process
        self.state_dir = state_dir

    def wait_until_ready(self) -> str:
        """The line that says READY; fails if there is none."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        assert line.startswith("READY "), self.process.communicate(timeout=20)
        return line

    @property
    def described(self) -> Json:
        return cast(Json, json.loads((self.state_dir / "environment.json").read_text()))

    def processes(self) -> dict[str, int]:
        """Ids of the emulator and of its children."""
        url = f"{self.described['controlUrl']}/_emulator/state"
        told: dict[str, int | None] = requests.get(url, timeout=20).json()["processes"]
        return {name: pid for name, pid in told.items() if pid and name != "hostRestarts"}

    def end(self) -> tuple[int, str, str]:
        """Wait for its end: exit code, the rest of its output, its errors."""
        output, errors = self.process.communicate(timeout=40)
        return self.process.returncode, output, errors


@contextmanager
def start(state_dir: Path, *options: str, **variables: str) -> Iterator[Started]:
    """Start one without waiting for it; at the end it is killed, which must end its children as well."""
    command = [sys.executable, "-m", "emulator", "--state-dir", str(state_dir), *options]
    pipe, environment = subprocess.PIPE, {**os.environ, **variables}
    with subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield Started(process, state_dir)
        finally:
            process.kill()


def is_running(pid: int) -> bool:
    """Is there such a process? One that has ended and only waits for somebody to notice does not count."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until(true: Callable[[], object], what: str, patience: float = 30) -> None:
    """Poll; fails with `what` when patience ends."""
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline, f"still not: {what}"
        time.sleep(0.02)
