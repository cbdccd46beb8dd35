"""What follows a deployment: upload the operator's documents, wait until roles are known, show /readiness.

    python infra/scripts/after_deploy.py upload     config/*.yaml to the container `config`
    python infra/scripts/after_deploy.py check      wait for /api/health, then for a green /api/readiness

Needs the Azure CLI, signed in, and the deployment's outputs as environment variables (azd and the workflow set them).
The caller needs the app role Operations.Read. Role assignments take minutes to be known everywhere, so both keep trying
for a quarter of an hour. With private networking run it where the network can be reached.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

CONFIG = Path(__file__).parents[2] / "config"
PATIENCE = float(os.environ.get("DEPLOYMENT_PATIENCE_SECONDS", "900"))
PAUSE = float(os.environ.get("DEPLOYMENT_PAUSE_SECONDS", "20"))
LONGEST_CALL = 60.0


class NotYet(Exception):
    """What was looked for is not there yet; says why."""


def main(arguments: list[str]) -> int:
    """The exit code: 0 when all that was asked for is done."""
    steps = {"upload": upload, "check": check}
    if len(arguments) != 1 or arguments[0] not in steps:
        _say(__doc__ or "")
        return 2
    try:
        steps[arguments[0]]()
    except NotYet as why:
        _say(f"Given up: {why}")
        return 1
    return 0


def upload() -> None:
    """Every document; one that did not change is the same version after it."""
    account, container = _output("STORAGE_ACCOUNT_NAME"), _output("CONFIG_CONTAINER")
    for document in sorted(CONFIG.glob("*.yaml")):
        command = ["storage", "blob", "upload", "--auth-mode", "login", "--overwrite", "--only-show-errors"]
        place = ["--account-name", account, "--container-name", container, "--name", document.name]
        _patiently(lambda all_of=[*command, *place, "--file", str(document)]: _azure(*all_of))  # type: ignore[misc]
        _say(f"Uploaded {document.name}")


def check() -> None:
    """Health first, which needs nothing but the app itself; then readiness, which names what is missing."""
    api = _output("API_URL")
    version = _patiently(lambda: _get(f"{api}/health", {})).get("version", "")
    _say(f"The app runs, version {version}")
    token = _azure(
        "account", "get-access-token", "--scope", _output("API_SCOPE"), "--query", "accessToken", "-o", "tsv"
    )
    report = _patiently(lambda: _ready(f"{api}/readiness", token))
    for each in report["checks"]:
        _say(f"{each['status']:8} {each['name']}: {each['evidence']}")
    _say("Ready")


def _ready(url: str, token: str) -> dict[str, Any]:
    report = _get(url, {"Authorization": f"Bearer {token}"})
    if report.get("status") == "ready":
        return report
    failed = [each for each in report.get("checks", []) if each["status"] == "failed"]
    raise NotYet("; ".join(f"{each['name']}: {each['evidence']} {each['remedy']}" for each in failed) or str(report))


def _get(url: str, headers: dict[str, str]) -> dict[str, Any]:
    if not url.startswith(("https://", "http://127.0.0.1:")):
        raise SystemExit(f"{url} is not https")
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=LONGEST_CALL) as answer:  # noqa: S310
            return dict(json.load(answer))
    except urllib.error.HTTPError as error:
        if error.code == 503 and "json" in error.headers.get("Content-Type", ""):
            return dict(json.load(error))
        raise NotYet(f"{url} answered {error.code}: {error.read(500).decode('utf-8', 'replace')}") from None
    except (OSError, ValueError) as error:
        raise NotYet(f"{url} did not answer: {error}") from None


def _azure(*arguments: str) -> str:
    """The Azure CLI; its own message where it fails. What it prints may be a token: it is not repeated."""
    program = shutil.which("az")
    if program is None:
        raise SystemExit("The Azure CLI (az) is not installed")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=300)  # noqa: S603
    if done.returncode:
        raise NotYet(f"az {arguments[0]} {arguments[1]} failed: {done.stderr.strip()[-500:]}")
    return done.stdout.strip()


def _patiently(attempt: Callable[[], Any]) -> Any:
    """Until it succeeds or patience ends; says once a minute what is missing."""
    ends, said = time.monotonic() + PATIENCE, 0.0
    while True:
        try:
            return attempt()
        except NotYet as why:
            now = time.monotonic()
            if now + PAUSE > ends:
                raise
            if now - said > 60:
                _say(f"Not yet: {why}")
                said = now
            time.sleep(PAUSE)


def _output(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise SystemExit(f"{name} is not set: it is an output of the deployment")
    return value


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
