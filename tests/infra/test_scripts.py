"""The scripts of a deployment, run against stand-ins: they wait for what takes time, and no longer."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from tests.infra.azure_cli import machine_in, run, state
from tests.infra.estate import PROJECT

SCRIPTS = PROJECT / "infra/scripts"
HEALTH = (200, {"status": "ok", "version": "7"})
READY = (
    200,
    {"status": "ready", "checks": [{"name": "settings", "status": "passed", "evidence": "All.", "remedy": ""}]},
)
RED = {"name": "storage", "status": "failed", "evidence": "403.", "remedy": "Give it the role."}
NOT_READY = (503, {"status": "notReady", "checks": [RED]})
PUBLISH = "POST /api/publish?RemoteBuild=false&Deployer=publish.py"

Answer = tuple[int, Any]


@contextmanager
def served(*answers: Answer) -> Iterator[tuple[str, list[str]]]:
    """A server that gives these answers in turn, the last one for ever; and what it was asked, with the token."""
    asked: list[str] = []
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            asked.append(f"{self.command} {self.path} {self.headers.get('Authorization', '')}".strip())
            status, body = left.pop(0) if len(left) > 1 else left[0]
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        do_POST = do_GET  # noqa: N815 - named by the library

        def log_message(self, *arguments: Any) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()


@pytest.fixture
def machine(tmp_path: Path) -> dict[str, str]:
    """An environment whose Azure CLI is a stand-in that keeps its state in a file."""
    return machine_in(tmp_path)


def script(machine: dict[str, str], name: str, *arguments: str) -> CompletedProcess[str]:
    return run(machine, sys.executable, str(SCRIPTS / name), *arguments)


# ---- documents
def test_documents_are_uploaded_as_soon_as_the_role_is_known(machine: dict[str, str]) -> None:
    done = script(machine | {"REFUSALS": "2"}, "after_deploy.py", "upload")
    uploads = [call for call in state(machine)["calls"] if call.startswith("storage blob upload")]
    documents = sorted(path.name for path in (PROJECT / "config").glob("*.yaml"))
    assert done.returncode == 0, done.stderr
    assert len(uploads) == len(documents) + 2
    assert [line.split()[-1] for line in done.stdout.splitlines() if line.startswith("Uploaded")] == documents
    assert all("--auth-mode login" in call for call in uploads)


# ---- readiness
def test_the_check_waits_for_a_green_readiness_and_shows_it(machine: dict[str, str]) -> None:
    with served(HEALTH, NOT_READY, READY) as (url, asked):
        done = script(machine | {"API_URL": f"{url}/api"}, "after_deploy.py", "check")
    assert done.returncode == 0, done.stdout
    assert asked == ["GET /api/health", *["GET /api/readiness Bearer a-token"] * 2]
    assert "Not yet: storage: 403. Give it the role." in done.stdout
    assert "passed   settings: All." in done.stdout
    assert "a-token" not in done.stdout + done.stderr


@pytest.mark.parametrize("status", [503, 401])
def test_the_check_fails_when_readiness_stays_red(machine: dict[str, str], status: int) -> None:
    patience = {"DEPLOYMENT_PATIENCE_SECONDS": "0.2"}
    with served(HEALTH, (status, NOT_READY[1])) as (url, _):
        done = script(machine | patience | {"API_URL": f"{url}/api"}, "after_deploy.py", "check")
    assert done.returncode == 1
    assert "Given up:" in done.stdout


def test_the_token_goes_nowhere_but_to_https(machine: dict[str, str]) -> None:
    done = script(machine | {"API_URL": "http://example.org/api"}, "after_deploy.py", "check")
    assert done.returncode != 0
    assert "is not https" in done.stderr


# ---- the package
@pytest.fixture
def package(tmp_path: Path) -> str:
    file = tmp_path / "package.zip"
    file.write_bytes(b"a package")
    return str(file)


def test_a_package_is_handed_over_as_it_is_and_waited_for(machine: dict[str, str], package: str) -> None:
    building = [(404, {}), (200, {"status": 2, "complete": False})]
    with served((202, "d-1"), *building, (200, {"status": 4, "complete": True})) as (url, asked):
        done = script(machine | {"PUBLISH_URL": url}, "publish.py", package)
    assert done.returncode == 0, done.stdout + done.stderr
    assert asked == [f"{PUBLISH} Bearer a-token", *["GET /api/deployments/d-1 Bearer a-token"] * 3]
    assert "a-token" not in done.stdout + done.stderr


def test_a_package_is_handed_over_again_while_the_site_starts(machine: dict[str, str], package: str) -> None:
    with served((503, {}), (403, {}), (202, "d-2"), (200, {"status": 4})) as (url, asked):
        done = script(machine | {"PUBLISH_URL": url}, "publish.py", package)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [each.split()[0] for each in asked] == ["POST", "POST", "POST", "GET"]


def test_a_deployment_that_failed_is_not_waited_for(machine: dict[str, str], package: str) -> None:
    with served((202, "d-3"), (200, {"status": 3, "complete": True})) as (url, asked):
        done = script(machine | {"PUBLISH_URL": url}, "publish.py", package)
    assert done.returncode == 1
    assert "The deployment failed" in done.stdout
    assert len(asked) == 2
