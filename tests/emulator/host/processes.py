"""The host and its storage as processes of a test: started, watched by what they print, ended by their id."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from azure.storage.queue import QueueClient, QueueServiceClient

PROJECT = Path(__file__).parents[3]
T = TypeVar("T")


def eventually(what: str, check: Callable[[], T | None], seconds: float = 20) -> T:
    """The first truthy answer of `check`; fails when there was none in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = check()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"did not come within {seconds} s: {what}")


class Watched:
    """A process whose output is read as it comes."""

    def __init__(self, command: list[str], environment: Mapping[str, str]) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            command,
            env=dict(environment),
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def printed(self, pattern: str, count: int = 1) -> list[re.Match[str]]:
        """Wait until that many lines match, and give them."""

        def found() -> list[re.Match[str]] | None:
            if self.process.poll() is not None:
                self._reader.join(5)
            matches = [matched for line in self.lines if (matched := re.search(pattern, line))]
            if len(matches) < count and self.process.poll() is not None:
                raise AssertionError(
                    f"ended with {self.process.returncode} before {pattern!r}:\n" + "\n".join(self.lines)
                )
            return matches if len(matches) >= count else None

        try:
            return eventually(pattern, found)
        except AssertionError as error:
            raise AssertionError(f"{error}\n" + "\n".join(self.lines)) from None

    def never_printed(self, pattern: str) -> bool:
        return not any(re.search(pattern, line) for line in self.lines)

    def exit_code(self) -> int:
        """Wait for the end, and all its output."""
        code = self.process.wait(20)
        self._reader.join(5)
        return code

    def kill(self) -> None:
        """SIGKILL, at once."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        self._reader.join(5)
        assert self.process.stdout is not None
        self.process.stdout.close()


class HostProcess(Watched):
    """`python -m emulator.host` on a folder, cut off from every network."""

    def __init__(self, folder: Path, settings: Mapping[str, str], *options: str) -> None:
        command = [sys.executable, "-m", "emulator.host", "--port", "0", "--app-dir", str(folder), "--without-cloud"]
        super().__init__([*command, *options], {**clean_environment(), **settings})

    @property
    def url(self) -> str:
        """Base address, as the READY line tells it."""
        return self.printed(r"^READY (\S+)$")[0][1]

    def host_lines(self) -> list[dict[str, Any]]:
        """The host's own lines so far."""
        return [json.loads(line) for line in self.lines if '"source": "host"' in line]

    def terminate(self) -> None:
        """SIGTERM."""
        self.process.send_signal(signal.SIGTERM)


def clean_environment() -> dict[str, str]:
    """This process's environment without what would lead a host anywhere."""
    unwanted = re.compile(r"(?i)(.*_proxy|azurewebjobs.*|azurefunctions.*|azure_functions.*|python_threadpool.*)$")
    return {name: value for name, value in os.environ.items() if not unwanted.match(name)}


def write_app(folder: Path, code: str, **host_json: Any) -> Path:
    """A sample app; `queues` and others are sections of host.json's extensions, `functionTimeout` stands at its top."""
    document: dict[str, Any] = {"version": "2.0"}
    if "functionTimeout" in host_json:
        document["functionTimeout"] = host_json.pop("functionTimeout")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "host.json").write_text(json.dumps({**document, "extensions": host_json}))
    head = "import logging, os, time, pathlib\nimport azure.functions as func\napp = func.FunctionApp()\n"
    (folder / "function_app.py").write_text(head + code)
    return folder


class Storage:
    """An account in Azurite; every queue that is asked for has a name of its own."""

    def __init__(self, connection_string: str) -> None:
        self.connection_string = connection_string
        self.settings = {"AzureWebJobsStorage": connection_string}
        self.service = QueueServiceClient.from_connection_string(connection_string)

    def queue_name(self) -> str:
        return f"q{uuid.uuid4().hex[:20]}"

    def queue(self, name: str = "") -> QueueClient:
        """A new queue."""
        return self.service.create_queue(name or self.queue_name())

    def existing(self, name: str) -> QueueClient:
        return self.service.get_queue_client(name)

    def count(self, name: str) -> int:
        """Messages of a queue, those that are hidden included."""
        return self.existing(name).get_queue_properties().approximate_message_count or 0
