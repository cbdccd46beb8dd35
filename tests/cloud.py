"""The emulated cloud for tests: one process for each test worker, reached as any client reaches it."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import requests

from emulator.processes import dying_with_us

PROJECT = Path(__file__).parents[1]
Json = dict[str, Any]


class Cloud:
    """A running emulator: where things are, its control API, and tokens as a caller gets them."""

    def __init__(self, described: Json) -> None:
        self.described = described
        self.environment: dict[str, str] = described["environment"]
        self.settings: dict[str, str] = described["settings"]
        self.connection_string: str = described["storageConnectionString"]
        self.tenant_id: str = described["tenantId"]
        self.functions_url: str = described["functionsUrl"] or ""
        self._control_url: str = described["controlUrl"]

    def control(self, method: str, path: str, body: object = None) -> Any:
        """Call the control API; answers JSON, or None where there is no body."""
        answer = requests.request(method, f"{self._control_url}/_emulator/{path}", json=body, timeout=30)
        assert answer.status_code < 400, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def reset(self) -> None:
        """Everything back to the seed: state, faults, clock, secrets, the list of requests."""
        self.control("POST", "reset", {"seed": "default"})

    def state(self) -> Json:
        return cast(Json, self.control("GET", "state"))

    def change(self, **maps: Json) -> None:
        """Merge into the state: `change(switches={...}, datasets={id: {...}})`."""
        self.control("PATCH", "state", maps)

    def fault(self, host: str, path: str, method: str = ".*", **what: Any) -> str:
        """The next matching call fails as told: status, headers, body, delaySeconds, drop, skip, times."""
        match = {"host": host, "method": method, "path": path}
        return str(self.control("POST", "faults", {"match": match, **what})["id"])

    def calls(self, host: str = "", path: str = "", method: str = "") -> list[Json]:
        """The calls that reached the emulated services since the last reset, filtered by parts of host and path."""
        listed = self.control("GET", "requests")["value"]
        return [
            call
            for call in listed
            if host in call["host"] and path in call["path"] and (not method or call["method"] == method)
        ]

    def odd_token(self, sign: str = "right", **claims_and_header: Any) -> str:
        """A caller's token with claims or header of the test's choosing."""
        return str(self.control("POST", "tokens", {**claims_and_header, "sign": sign})["token"])

    def caller_token(self, client: str) -> str:
        """What a client of our API gets from Entra by client credentials."""
        known = self.described["clients"][client]
        form = {
            "grant_type": "client_credentials",
            "client_id": known["clientId"],
            "client_secret": known["clientSecret"],
            "scope": self.described["api"]["scope"],
        }
        return self._ask_entra(form)

    def user_token(self, user: str, client: str = "customer-portal") -> str:
        """A delegated token: the user signed in to the client, which asks for our API's scope."""
        known = self.described["clients"][client]
        form = {
            "grant_type": "password",
            "client_id": known["clientId"],
            "client_secret": known["clientSecret"],
            "username": user,
            "password": self.described["people"][user],
            "scope": f"{self.described['api']['audience']}/Embed.Issue",
        }
        return self._ask_entra(form)

    def _ask_entra(self, form: Mapping[str, str]) -> str:
        url = f"https://login.microsoftonline.com/{self.tenant_id}/oauth2/v2.0/token"
        with self.session() as session:
            answer = session.post(url, data=form, timeout=30)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def session(self) -> requests.Session:
        """A client outside the app: same proxy and CA, nothing of the process's environment."""
        session = requests.Session()
        session.trust_env = False
        session.proxies = {"https": self.environment["https_proxy"]}
        session.verify = self.environment["REQUESTS_CA_BUNDLE"]
        return session


@contextmanager
def running(state_dir: Path, *options: str) -> Iterator[Cloud]:
    """Start the emulator and end it with its children; `options` as on its command line."""
    command = dying_with_us([sys.executable, "-m", "emulator", "--state-dir", str(state_dir), *options])
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Cloud(json.loads(_ready(process).read_text()))
        finally:
            process.terminate()
            process.wait(30)


def _ready(process: subprocess.Popen[str], patience: float = 60) -> Path:
    """Read until the READY line, and go on reading so that the pipe never fills."""
    found: queue.Queue[str] = queue.Queue()

    def read(stream: IO[str]) -> None:
        for line in stream:
            if line.startswith("READY "):
                found.put(line.removeprefix("READY ").strip())
        found.put("")

    assert process.stdout is not None
    threading.Thread(target=read, args=(process.stdout,), daemon=True).start()
    described = found.get(timeout=patience)
    assert described, f"the emulator ended with {process.wait(10)} before it was ready"
    return Path(described)


@contextmanager
def environment_of(cloud: Cloud) -> Iterator[None]:
    """This process talks to the emulated cloud, and to nothing else, for as long as this lasts."""
    before = dict(os.environ)
    for name in cloud.described["removeEnvironment"]:
        os.environ.pop(name, None)
    os.environ.update(cloud.environment)
    os.environ.update(cloud.settings)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
