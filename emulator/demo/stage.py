"""What the scenes play on: the running emulator, its clients, and the lines that are printed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from emulator.processes import dying_with_us

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

Json = dict[str, Any]
PROJECT = Path(__file__).parents[2]
START_PATIENCE = 90.0


class DemoFailed(Exception):
    """A step did not do what it should; the sentence says what was expected and what came."""


class Stage:
    """The emulated cloud and the app, as clients outside see them."""

    def __init__(self, described: Json) -> None:
        self.described = described
        self.api = f"{described['functionsUrl']}/api"
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.proxies = {"https": described["environment"]["https_proxy"]}
        self._session.verify = described["caFile"]
        self._power_bi_token = ""

    def app(self, method: str, path: str, token: str = "", body: object = None) -> requests.Response:
        """Call our API as one of its clients."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self._session.request(method, f"{self.api}/{path}", json=body, headers=headers, timeout=60)

    def control(self, method: str, path: str, body: object = None) -> Any:
        """Ask the emulator what really happened."""
        url = f"{self.described['controlUrl']}/_emulator/{path}"
        answer = self._session.request(method, url, json=body, timeout=60)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def caller_token(self, client: str) -> str:
        """An Entra token for our API, by the client's own secret."""
        return self._token(client, self.described["api"]["scope"])

    def power_bi(self, method: str, path: str) -> requests.Response:
        """Ask Power BI itself, as the app's identity for operations."""
        if not self._power_bi_token:
            self._power_bi_token = self._token("operations", "https://analysis.windows.net/powerbi/api/.default")
        headers = {"Authorization": f"Bearer {self._power_bi_token}"}
        url = f"https://api.powerbi.com/v1.0/myorg/{path}"
        answer = self._session.request(method, url, headers=headers, timeout=60)
        answer.raise_for_status()
        return answer

    def power_bi_now(self) -> datetime:
        """The time by Power BI's clock."""
        return datetime.fromisoformat(self.control("GET", "clock")["now"])

    def _token(self, client: str, scope: str) -> str:
        known = self.described["clients"][client]
        url = f"https://login.microsoftonline.com/{self.described['tenantId']}/oauth2/v2.0/token"
        form = {
            "grant_type": "client_credentials",
            "client_id": known["clientId"],
            "client_secret": known["clientSecret"],
            "scope": scope,
        }
        answer = self._session.post(url, data=form, timeout=60)
        expect(answer.status_code == 200, f"Entra answered {answer.status_code}: {answer.text}")
        return str(answer.json()["access_token"])

    def put_on_queue(self, queue: str, message: Json) -> None:
        """Put a message on a queue of the app's account, as another system does."""
        from azure.storage.queue import QueueClient

        client = QueueClient.from_connection_string(
            self.described["storageConnectionString"], queue, connection_verify=self.described["caFile"]
        )
        with client:
            client.send_message(json.dumps(message))

    def container(self, name: str) -> ContainerClient:
        """A container of the account in which files land."""
        from azure.storage.blob import ContainerClient

        return ContainerClient.from_connection_string(
            self.described["storageConnectionString"], name, connection_verify=self.described["caFile"]
        )

    def upstream_calls(self) -> int:
        """How many calls reached Entra, Key Vault and Power BI so far."""
        return len(self.control("GET", "requests")["value"])


def expect(fact: bool, otherwise: str) -> None:
    """Stop the demo with a sentence unless `fact` holds."""
    if not fact:
        raise DemoFailed(otherwise)


def step(title: str, play: Callable[[], str]) -> None:
    """Play one step and print its line: what, outcome, seconds."""
    began = time.monotonic()
    outcome = play()
    line(title, outcome, time.monotonic() - began)


def line(title: str, outcome: str, seconds: float) -> None:
    """One line of the programme."""
    print(f"{title:<52} | {outcome} | {seconds:.2f}", flush=True)


@contextmanager
def raised(state_dir: Path, storage: str = "key") -> Iterator[Stage]:
    """The emulator with the app in its bundled host; it ends, with all its children, when the stage is left."""
    log = PROJECT / "build" / "demo.log"
    log.parent.mkdir(exist_ok=True)
    described = state_dir / "environment.json"
    options = ["--host", "bundled", "--storage", storage, "--state-dir", str(state_dir)]
    command = dying_with_us([sys.executable, "-m", "emulator", *options])
    with log.open("w") as out, subprocess.Popen(command, cwd=PROJECT, stdout=out, stderr=out) as process:
        try:
            _wait_until_ready(process, log)
            yield Stage(json.loads(described.read_text()))
        finally:
            process.terminate()
            process.wait(30)


def _wait_until_ready(process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_PATIENCE
    while time.monotonic() < deadline:
        said = log.read_text().splitlines()
        if any(text.startswith("READY ") for text in said):
            return
        expect(process.poll() is None, "The emulator did not start:\n" + "\n".join(said[-15:]))
        time.sleep(0.1)
    raise DemoFailed(f"The emulator was not ready within {START_PATIENCE:g} s; see {log}")
