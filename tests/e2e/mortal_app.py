"""The app in a host of its own, which dies when a test says so and is started again, as the platform does."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.cloud import Cloud
from tests.emulator.host.processes import Watched

Json = dict[str, Any]
HURRIED_APP = Path(__file__).parent / "hurried_app"


class MortalApp:
    """Called over HTTP as an operator; `die` is SIGKILL, at whatever it is doing."""

    def __init__(self, cloud: Cloud) -> None:
        self._token = cloud.caller_token("operator")
        self._start()

    def _start(self) -> None:
        host = [sys.executable, "-m", "emulator.host", "--port", "0", "--message-lease", "PT2S"]
        self._process = Watched([*host, "--app-dir", str(HURRIED_APP)], os.environ)
        self._url = str(self._process.printed(r"^READY (\S+)$")[0][1])

    def die(self) -> None:
        self._process.kill()
        self._start()

    def stop(self) -> None:
        self._process.kill()

    def tick(self, timer: str) -> None:
        """What the clock does each minute."""
        requests.post(f"{self._url}/admin/functions/{timer}", json={}, timeout=30)

    def call(self, method: str, path: str, **how: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self._token}", **how.pop("headers", {})}
        return requests.request(method, f"{self._url}/api/{path}", headers=headers, timeout=30, **how)


@contextmanager
def mortal_app(cloud: Cloud) -> Iterator[MortalApp]:
    app = MortalApp(cloud)
    try:
        yield app
    finally:
        app.stop()
