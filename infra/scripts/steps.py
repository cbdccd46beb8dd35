"""What the scripts of a deployment share: the Azure CLI, outputs of the templates, patience, requests with a token.

Role assignments take minutes to be known everywhere and an app minutes to start, so whatever is not there yet is tried
again for a quarter of an hour.
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
from typing import Any, TypeVar

PATIENCE = float(os.environ.get("DEPLOYMENT_PATIENCE_SECONDS", "900"))
PAUSE = float(os.environ.get("DEPLOYMENT_PAUSE_SECONDS", "20"))
LONGEST_CALL = 60.0

T = TypeVar("T")


class NotYet(Exception):
    """What was looked for is not there yet; says why."""


class Failed(Exception):
    """It will not get better by waiting; says why."""


def run(steps: Callable[[], None]) -> int:
    """The exit code: 0 when all that was asked for is done."""
    try:
        steps()
    except (NotYet, Failed) as why:
        say(f"Given up: {why}")
        return 1
    return 0


def output(name: str) -> str:
    """An output of the templates: azd and the workflow set them as environment variables."""
    value = os.environ.get(name, "")
    if not value:
        raise SystemExit(f"{name} is not set: it is an output of the deployment")
    return value


def azure(*arguments: str) -> str:
    """The Azure CLI; its own message where it fails. What it prints may be a token: it is not repeated."""
    program = shutil.which("az")
    if program is None:
        raise SystemExit("The Azure CLI (az) is not installed")
    try:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=300)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise NotYet(f"az {arguments[0]} {arguments[1]} did not end within five minutes") from None
    if done.returncode:
        raise NotYet(f"az {arguments[0]} {arguments[1]} failed: {done.stderr.strip()[-500:]}")
    return done.stdout.strip()


def token(*scope: str) -> str:
    """An access token of whoever is signed in; for Azure itself where no scope is given."""
    return azure("account", "get-access-token", *scope, "--query", "accessToken", "-o", "tsv")


def call(url: str, bearer: str = "", body: bytes | None = None) -> Any:
    """The answer's JSON; also that of a 503, which readiness gives. A request with a body is a POST of a package."""
    if not url.startswith(("https://", "http://127.0.0.1:")):
        raise SystemExit(f"{url} is not https")
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    headers |= {"Content-Type": "application/zip"} if body is not None else {}
    request = urllib.request.Request(url, data=body, headers=headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=LONGEST_CALL if body is None else 600) as answer:  # noqa: S310
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if body is None and error.code == 503 and "json" in error.headers.get("Content-Type", ""):
            return json.load(error)
        raise NotYet(f"{url} answered {error.code}: {error.read(500).decode('utf-8', 'replace')}") from None
    except (OSError, ValueError) as error:
        raise NotYet(f"{url} did not answer: {error}") from None


def patiently(attempt: Callable[[], T]) -> T:
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
                say(f"Not yet: {why}")
                said = now
            time.sleep(PAUSE)


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
