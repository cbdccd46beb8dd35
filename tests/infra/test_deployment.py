"""How it gets to Azure: package, azd, workflows, and the scripts beside the templates, run against stand-ins."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.infra.azure_cli import machine_in, run, state
from tests.infra.estate import PROJECT, STAGES, estate

PACKAGE = {"function_app.py", "host.json", "requirements.txt", "shared"}
WORKFLOWS = PROJECT / ".github/workflows"
SCRIPT = PROJECT / "infra/scripts/after_deploy.py"
SETUP = PROJECT / "infra/entra/setup.sh"


# ---- the package
def ignored(name: str) -> bool:
    patterns = [line for line in (PROJECT / ".funcignore").read_text().splitlines() if line and line[0] != "#"]
    return any(fnmatch(name, pattern) for pattern in patterns)


def test_the_package_holds_the_app_and_nothing_else() -> None:
    command = ["git", "ls-tree", "--name-only", "HEAD"]
    tracked = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout.split()
    assert {name for name in tracked if not ignored(name)} == PACKAGE
    assert all(ignored(name) for name in ("local.settings.json", ".venv", ".emulator", "node_modules", "build"))


def test_the_workflow_packs_the_same() -> None:
    packing = (WORKFLOWS / "deploy.yml").read_text()
    packed = re.findall(r"zip --quiet --recurse-paths package\.zip (.+) \\", packing)[0].split()
    assert set(packed) == {*PACKAGE, ".python_packages"}


# ---- azd
def test_azd_finds_the_app_and_runs_what_follows_a_deployment() -> None:
    azure = yaml.safe_load((PROJECT / "azure.yaml").read_text())
    [(name, service)] = azure["services"].items()
    assert (service["host"], service["language"], service["project"]) == ("function", "python", ".")
    assert f"'azd-service-name': '{name}'" in estate().module("function-app").text
    assert azure["infra"] == {"provider": "bicep", "path": "infra", "module": "main"}
    said = azure["hooks"]["postdeploy"]["run"]
    assert said.index("after_deploy.py upload") < said.index("after_deploy.py check")


@pytest.mark.parametrize(("given", "status"), [({}, 1), ({"API_AUDIENCE": "api://x"}, 0)])
def test_azd_stops_before_it_provisions_with_ids_missing(given: dict[str, str], status: int, tmp_path: Path) -> None:
    hooks = yaml.safe_load((PROJECT / "azure.yaml").read_text())["hooks"]
    assert hooks["preup"] == hooks["preprovision"]
    (tmp_path / "infra/scripts").mkdir(parents=True)
    (tmp_path / "infra/prod.bicepparam").write_text("using 'main.bicep'\n")
    script = shutil.copy(PROJECT / hooks["preup"]["run"], tmp_path / "infra/scripts")
    known = ("POWERBI_TENANT_ID", "POWERBI_EMBED_CLIENT_ID", "POWERBI_OPERATIONS_CLIENT_ID", "API_CLIENT_ID")
    environment = {"PATH": os.environ["PATH"], "AZURE_ENV_NAME": "prod", **dict.fromkeys(known, "x"), **given}
    done = subprocess.run(["sh", str(script)], cwd="/", env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == status
    assert (tmp_path / "infra/main.bicepparam").exists() == (status == 0)
    assert ("API_AUDIENCE is not set" in done.stderr) == (status == 1)


# ---- workflows
def workflow(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((WORKFLOWS / f"{name}.yml").read_text())
    return found


def environment_of(job: dict[str, Any]) -> set[str]:
    return set(job["env"])


def test_no_workflow_knows_a_secret_and_each_may_do_no_more_than_it_must() -> None:
    for file in WORKFLOWS.glob("*.yml"):
        assert "secrets." not in file.read_text()
        found = yaml.safe_load(file.read_text())
        assert found["permissions"] == {"contents": "read"}
        for job in found["jobs"].values():
            assert set(job.get("permissions", {}).values()) <= {"read", "write"}
            assert {name for name, right in job.get("permissions", {}).items() if right == "write"} <= {"id-token"}


def test_ci_is_what_a_developer_runs() -> None:
    steps = [step.get("run", "") for step in workflow("ci")["jobs"]["checks"]["steps"]]
    assert ".ci/run" in steps
    assert any("az bicep install" in step for step in steps)


def test_a_pull_request_shows_what_would_change_in_each_environment() -> None:
    job = workflow("deploy")["jobs"]["what-if"]
    assert job["strategy"]["matrix"]["stage"] == list(STAGES)
    assert "az deployment sub what-if" in job["steps"][-1]["run"]


def test_one_package_goes_from_stage_to_stage() -> None:
    jobs = workflow("deploy")["jobs"]
    assert [jobs[stage]["needs"] for stage in STAGES] == [["package"], ["dev"], ["test"]]
    assert {jobs[stage]["uses"] for stage in STAGES} == {"./.github/workflows/deploy-stage.yml"}
    assert [jobs[stage]["with"]["stage"] for stage in STAGES] == list(STAGES)


def test_a_deployment_is_approved_smoke_tested_and_rolled_back() -> None:
    job = workflow("deploy-stage")["jobs"]["deploy"]
    assert job["environment"] == "${{ inputs.stage }}"
    said = [f"{step.get('name', '')} {step.get('run', '')}" for step in job["steps"]]
    order = [
        "az deployment sub create",
        "config-zip --src package.zip",
        "after_deploy.py upload",
        "after_deploy.py check",
    ]
    places = [next(index for index, text in enumerate(said) if part in text) for part in order]
    assert places == sorted(places)
    assert job["steps"][-1]["if"].startswith("failure()")
    assert "config-zip --src last/package.zip" in job["steps"][-1]["run"]


@pytest.mark.parametrize("stage", STAGES)
def test_workflows_hand_over_every_variable_that_the_parameters_read(stage: str) -> None:
    read = set(re.findall(r"readEnvironmentVariable\('(\w+)'", estate().stages[stage].text))
    for job in (workflow("deploy")["jobs"]["what-if"], workflow("deploy-stage")["jobs"]["deploy"]):
        assert read == environment_of(job)


def test_the_scripts_read_only_outputs_that_the_template_has() -> None:
    read = set(re.findall(r'_output\("(\w+)"\)', SCRIPT.read_text()))
    needed = set(re.findall(r"\$\{(\w+):\?is an output", SETUP.read_text()))
    assert read | needed <= set(estate().main.outputs)


# ---- stand-ins
@contextmanager
def api(*answers: tuple[int, dict[str, Any]]) -> Iterator[tuple[str, list[str]]]:
    """A server that gives /health, and these answers to /readiness in turn, the last one for ever."""
    asked: list[str] = []
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.path} {self.headers.get('Authorization', '')}".strip())
            health = (200, {"status": "ok", "version": "7"})
            status, body = health if self.path.endswith("health") else left.pop(0) if len(left) > 1 else left[0]
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *arguments: Any) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/api", asked
        finally:
            server.shutdown()


@pytest.fixture
def machine(tmp_path: Path) -> dict[str, str]:
    """An environment whose Azure CLI is a stand-in that keeps its state in a file."""
    return machine_in(tmp_path)


READY = {"status": "ready", "checks": [{"name": "settings", "status": "passed", "evidence": "All.", "remedy": ""}]}
RED = {"name": "storage", "status": "failed", "evidence": "403.", "remedy": "Give it the role."}


def test_documents_are_uploaded_as_soon_as_the_role_is_known(machine: dict[str, str]) -> None:
    done = run(machine | {"REFUSALS": "2"}, sys.executable, str(SCRIPT), "upload")
    uploads = [call for call in state(machine)["calls"] if call.startswith("storage blob upload")]
    documents = sorted(path.name for path in (PROJECT / "config").glob("*.yaml"))
    assert done.returncode == 0, done.stderr
    assert len(uploads) == len(documents) + 2
    assert [line.split()[-1] for line in done.stdout.splitlines() if line.startswith("Uploaded")] == documents
    assert all("--auth-mode login" in call for call in uploads)


def test_the_check_waits_for_a_green_readiness_and_shows_it(machine: dict[str, str]) -> None:
    with api((503, {"status": "notReady", "checks": [RED]}), (200, READY)) as (url, asked):
        done = run(machine | {"API_URL": url}, sys.executable, str(SCRIPT), "check")
    assert done.returncode == 0, done.stdout
    assert asked == ["/api/health", *["/api/readiness Bearer a-token"] * 2]
    assert "Not yet: storage: 403. Give it the role." in done.stdout
    assert "passed   settings: All." in done.stdout
    assert "a-token" not in done.stdout + done.stderr


@pytest.mark.parametrize("status", [503, 401])
def test_the_check_fails_when_readiness_stays_red(machine: dict[str, str], status: int) -> None:
    patience = {"DEPLOYMENT_PATIENCE_SECONDS": "0.2"}
    with api((status, {"status": "notReady", "checks": [RED]})) as (url, _):
        done = run(machine | patience | {"API_URL": url}, sys.executable, str(SCRIPT), "check")
    assert done.returncode == 1
    assert "Given up:" in done.stdout


def test_the_token_goes_nowhere_but_to_https(machine: dict[str, str]) -> None:
    done = run(machine | {"API_URL": "http://example.org/api"}, sys.executable, str(SCRIPT), "check")
    assert done.returncode != 0
    assert "is not https" in done.stderr


# ---- the runbook
def test_the_runbook_knows_every_way_in_which_work_can_fail() -> None:
    from typing import get_args

    from shared.refresh import failures

    runbook = (PROJECT / "docs/runbook.md").read_text()
    contract = ("invalidRequest", "nameTaken", "notVisible", "forbidden", "capacityRefused", "noOwners", "outsideTouch")
    for code in (*contract, "timedOut", "cancelled", "internal", *get_args(failures.Kind)):
        assert f"| `{code}` |" in runbook
