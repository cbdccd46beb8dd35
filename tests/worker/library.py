"""Drives `process.py`: Microsoft's worker library with this app, as tests see it.

The process that carries the library's messages over gRPC is not here: Microsoft publishes it as source alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cloud import Cloud
from tests.worker.deployment import Deployment

Json = dict[str, Any]

needs_the_library = pytest.mark.skipif(
    sys.version_info < (3, 13), reason="Microsoft's worker library needs Python 3.13 or newer"
)


class Library:
    """One worker process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.functions: dict[str, Json] = {}
        """The trigger of each function, by its name."""
        self.indexing = 0.0
        """Milliseconds that indexing took."""

    def ask(self, **command: Any) -> Json:
        """Send a command, and give what came back; an error of the process itself fails the test."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the worker ended with {self._process.wait(10)}"
        reply: Json = json.loads(line)
        assert "fault" not in reply, reply["fault"]
        return reply

    def index(self) -> None:
        """Let the library import the app and find its functions."""
        self._remember(self.ask(do="index"))

    def specialise(self, placeholder: Path, environment: Mapping[str, str]) -> None:
        """The same in a worker that was waiting for an app, any app, in a folder without one."""
        self._remember(self.ask(do="specialise", placeholder=str(placeholder), environment=dict(environment)))

    def _remember(self, found: Json) -> None:
        self.functions, self.indexing = found["functions"], found["milliseconds"]

    def of_kind(self, kind: str) -> list[str]:
        """Names of the functions with such a trigger."""
        return [name for name, trigger in self.functions.items() if trigger["type"] == kind]

    def call(self, function: str, token: str = "", body: object = None, **parts: Any) -> Json:
        """Invoke an HTTP function as the host does; header names arrive in lower case."""
        text = "" if body is None else json.dumps(body)
        headers = {"host": "localhost"} | ({"authorization": f"Bearer {token}"} if token else {})
        if body is not None:
            headers |= {"content-type": "application/json", "content-length": str(len(text.encode()))}
        return self.ask(do="invoke", function=function, headers=headers, body=text, **parts)


@contextmanager
def worker(deployment: Deployment, environment: Mapping[str, str]) -> Iterator[Library]:
    """A worker process with nothing but that deployment, started for it."""
    with _process(deployment, deployment.root, environment) as library:
        library.index()
        yield library


@contextmanager
def specialised_worker(deployment: Deployment, environment: Mapping[str, str], placeholder: Path) -> Iterator[Library]:
    """One that was started before anybody knew for which app, as Azure keeps them at hand for cold starts."""
    with _process(deployment, placeholder, {"PATH": "/usr/bin"}) as library:
        library.specialise(placeholder, environment)
        yield library


@contextmanager
def _process(deployment: Deployment, directory: Path, environment: Mapping[str, str]) -> Iterator[Library]:
    with subprocess.Popen(
        deployment.command(),
        cwd=directory,
        env=deployment.environment(environment),
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield Library(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(30)


def environment_in(cloud: Cloud) -> dict[str, str]:
    """What the platform would give the worker: the app's settings, and the way to the emulated cloud."""
    kept = {name: value for name, value in os.environ.items() if name not in cloud.described["removeEnvironment"]}
    return {**kept, **cloud.environment, **cloud.settings}
