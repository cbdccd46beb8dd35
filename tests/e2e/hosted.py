"""The whole app in the emulator's bundled host, called over HTTP as its clients call it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.cloud import Cloud, running


class Hosted:
    """The emulated cloud with the app in its host; `log` is what the app wrote."""

    def __init__(self, cloud: Cloud, state_dir: Path) -> None:
        self.cloud = cloud
        self.log = state_dir / "host.log"
        self._session = requests.Session()
        self._session.trust_env = False

    def call(self, method: str, path: str, token: str = "", **how: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= how.pop("headers", {})
        url = f"{self.cloud.functions_url}/api/{path}"
        return self._session.request(method, url, headers=headers, timeout=60, **how)


@contextmanager
def hosting(state_dir: Path) -> Iterator[Hosted]:
    """Start both, and end them with the block."""
    with running(state_dir, "--host", "bundled") as cloud:
        yield Hosted(cloud, state_dir)
