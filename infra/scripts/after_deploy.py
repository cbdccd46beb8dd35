"""What follows a deployment: upload the operator's documents, wait until roles are known, show /readiness.

    python infra/scripts/after_deploy.py upload     config/*.yaml to the container `config`
    python infra/scripts/after_deploy.py check      wait for /api/health, then for a green /api/readiness

Needs the Azure CLI, signed in, and the deployment's outputs as environment variables (azd and the workflow set them).
The caller needs the app role Operations.Read. With private networking run it where the network can be reached.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

from steps import NotYet, azure, call, output, patiently, run, say, token

CONFIG = Path(__file__).parents[2] / "config"


def upload() -> None:
    """Every document; one that did not change is the same version after it."""
    account, container = output("STORAGE_ACCOUNT_NAME"), output("CONFIG_CONTAINER")
    for document in sorted(CONFIG.glob("*.yaml")):
        command = ["storage", "blob", "upload", "--auth-mode", "login", "--overwrite", "--only-show-errors"]
        place = ["--account-name", account, "--container-name", container, "--name", document.name]
        patiently(partial(azure, *command, *place, "--file", str(document)))
        say(f"Uploaded {document.name}")


def check() -> None:
    """Health first, which needs nothing but the app itself; then readiness, which names what is missing."""
    api = output("API_URL")
    version = patiently(partial(call, f"{api}/health")).get("version", "")
    say(f"The app runs, version {version}")
    report = patiently(partial(_ready, f"{api}/readiness", token("--scope", output("API_SCOPE"))))
    for each in report["checks"]:
        say(f"{each['status']:8} {each['name']}: {each['evidence']}")
    say("Ready")


def _ready(url: str, bearer: str) -> dict[str, Any]:
    report: dict[str, Any] = call(url, bearer)
    if report.get("status") == "ready":
        return report
    failed = [each for each in report.get("checks", []) if each["status"] == "failed"]
    raise NotYet("; ".join(f"{each['name']}: {each['evidence']} {each['remedy']}" for each in failed) or str(report))


if __name__ == "__main__":
    steps = {"upload": upload, "check": check}
    if len(sys.argv) != 2 or sys.argv[1] not in steps:
        say(__doc__ or "")
        sys.exit(2)
    sys.exit(run(steps[sys.argv[1]]))
