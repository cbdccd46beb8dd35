"""How it gets to Azure: package, azd, workflows, and the scripts beside the templates, run against stand-ins."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
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

from tests.infra.estate import PROJECT, STAGES, estate

PACKAGE = {"function_app.py", "host.json", "requirements.txt", "shared"}
WORKFLOWS = PROJECT / ".github/workflows"
SCRIPT = PROJECT / "infra/scripts/after_deploy.py"
SETUP = PROJECT / "infra/entra/setup.sh"
VAULT_VALUE = "from-one-program-to-the-next"


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


AZURE_CLI = f"""#!{sys.executable} -IS
import json, os, pathlib, sys
asked, state = sys.argv[1:], pathlib.Path(os.environ["STATE"])
known = json.loads(state.read_text()) if state.exists() else {{"apps": {{}}, "sps": [], "groups": [], "members": [],
    "federated": {{}}, "calls": [], "vault": {{}}}}
def value(name, default=""):
    return asked[asked.index(name) + 1] if name in asked else default
def end(text="", status=0):
    known["calls"].append(" ".join(asked))
    written = state.with_name("state." + str(os.getpid()))
    written.write_text(json.dumps(known))
    written.replace(state)  # whole, for the shell runs two of these at once
    if text:
        print(text)
    sys.exit(status)
said = " ".join(each for each in asked[:4] if not each.startswith("-"))
id = value("--id")
if said.startswith("account show"): end("tenant-1")
if said.startswith("account get-access-token"): end("a-token")
if said.startswith("cloud show"):
    end({{"name": "AzureCloud"}}.get(value("--query"), "https://" + value("--query").split(".")[-1]) + "")
if said.startswith("storage blob upload"):
    known["failures"] = known.get("failures", int(os.environ.get("REFUSALS", "0"))) - 1
    if known["failures"] >= 0: end(status=1)
    end()
if said.startswith("ad app list"): end(known["apps"].get(value("--display-name"), ""))
if said.startswith("ad app create"):
    known["apps"][value("--display-name")] = "id-of-" + value("--display-name")
    end(known["apps"][value("--display-name")])
if said.startswith("ad app show"): end("object-" + id)
if said.startswith("ad sp show"): end("sp-" + id if "--query" in asked else "", 0 if id in known["sps"] else 3)
if said.startswith("ad sp create"): known["sps"].append(id); end()
if said.startswith("ad group show"): end(status=0 if value("--group") in known["groups"] else 3)
if said.startswith("ad group create"): known["groups"].append(value("--display-name")); end()
if said.startswith("ad group member check"): end("true" if value("--member-id") in known["members"] else "false")
if said.startswith("ad group member add"): known["members"].append(value("--member-id")); end()
if said.startswith("ad app federated-credential list"): end(known["federated"].get(id, ""))
if said.startswith("ad app federated-credential create"):
    known["federated"][id] = json.loads(value("--parameters"))["subject"]; end()
if said.startswith("ad app credential reset"): end("{VAULT_VALUE}")
if said.startswith("keyvault secret set"): known["vault"][value("--name")] = sys.stdin.read(); end()
end()
"""


@pytest.fixture
def machine(tmp_path: Path) -> dict[str, str]:
    """An environment whose Azure CLI is a stand-in that keeps its state in a file."""
    return machine_in(tmp_path)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """What the first registrations printed, and the state that they left."""
    machine = machine_in(tmp_path_factory.mktemp("first"))
    done = run(machine, "bash", str(SETUP), "registrations", "prod")
    assert done.returncode == 0, done.stderr
    return done.stdout, Path(machine["STATE"]).read_text()


@pytest.fixture
def registered(machine: dict[str, str], first: tuple[str, str]) -> dict[str, str]:
    """A machine, and a tenant, where the registrations were made."""
    Path(machine["STATE"]).write_text(first[1])
    return machine


def machine_in(tmp_path: Path) -> dict[str, str]:
    program = tmp_path / "az"
    program.write_text(AZURE_CLI)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "STATE": str(tmp_path / "state.json"),
        "STORAGE_ACCOUNT_NAME": "st1",
        "CONFIG_CONTAINER": "config",
        "API_SCOPE": "api://x/.default",
        "DEPLOYMENT_PATIENCE_SECONDS": "2",
        "DEPLOYMENT_PAUSE_SECONDS": "0.02",
        "no_proxy": "*",
    }


def state(machine: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(machine["STATE"]).read_text())
    return found


def run(machine: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(command), env=machine, capture_output=True, text=True, check=False, timeout=30)


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


# ---- Entra ID
MAKING = re.compile(r"ad (app|sp|group) create|ad group member add")


def made(machine: dict[str, str]) -> int:
    return sum(1 for call in state(machine)["calls"] if MAKING.match(call))


def test_registrations_are_made_once_however_often_the_script_runs(
    registered: dict[str, str], first: tuple[str, str]
) -> None:
    before = made(registered)
    second = run(registered, "bash", str(SETUP), "registrations", "prod")
    assert (second.returncode, second.stdout) == (0, first[0])
    assert made(registered) == before == 9
    printed = dict(line.split("=", 1) for line in first[0].splitlines())
    assert set(printed) == {
        *("POWERBI_TENANT_ID", "API_CLIENT_ID", "API_AUDIENCE"),
        *("POWERBI_EMBED_CLIENT_ID", "POWERBI_OPERATIONS_CLIENT_ID"),
    }
    assert len(state(registered)["members"]) == 2  # the two that call Power BI; never the API's own


def test_each_role_is_a_scope_too_with_an_id_of_its_own(registered: dict[str, str]) -> None:
    [patch] = [call for call in state(registered)["calls"] if call.startswith("rest --method PATCH")]
    sent = json.loads(patch[patch.index("{") :])["api"]
    roles = json.loads((PROJECT / "infra/entra/roles.json").read_text())
    assert sent["requestedAccessTokenVersion"] == 2
    assert {each["value"] for each in sent["oauth2PermissionScopes"]} == {role["value"] for role in roles}
    ids = [each["id"] for each in [*sent["oauth2PermissionScopes"], *roles]]
    assert len(ids) == len(set(ids))


def test_the_managed_identity_vouches_once_for_each_registration(registered: dict[str, str]) -> None:
    named = registered | {"IDENTITY_PRINCIPAL_ID": "5f0c-principal"}
    for _ in range(2):
        done = run(named, "bash", str(SETUP), "federation", "prod")
        assert done.returncode == 0, done.stderr
    creations = [call for call in state(registered)["calls"] if "federated-credential create" in call]
    assert len(creations) == 2
    assert all('"api://AzureADTokenExchange"' in call and "5f0c-principal" in call for call in creations)


def test_federation_before_registrations_says_what_to_do(machine: dict[str, str]) -> None:
    done = run(machine | {"IDENTITY_PRINCIPAL_ID": "p"}, "bash", str(SETUP), "federation", "prod")
    assert done.returncode == 1
    assert "run 'registrations' first" in done.stderr


def test_a_secret_goes_into_the_vault_and_nowhere_else(registered: dict[str, str]) -> None:
    done = run(registered | {"KEY_VAULT_NAME": "kv-1"}, "bash", str(SETUP), "secrets", "prod")
    assert done.returncode == 0, done.stderr
    assert state(registered)["vault"] == dict.fromkeys(("powerbi-embed", "powerbi-operations"), VAULT_VALUE)
    assert VAULT_VALUE not in done.stdout + done.stderr + " ".join(state(registered)["calls"])


# ---- the runbook
def test_the_runbook_knows_every_way_in_which_work_can_fail() -> None:
    from typing import get_args

    from shared.refresh import failures

    runbook = (PROJECT / "docs/runbook.md").read_text()
    contract = ("invalidRequest", "nameTaken", "notVisible", "forbidden", "capacityRefused", "noOwners", "outsideTouch")
    for code in (*contract, "timedOut", "cancelled", "internal", *get_args(failures.Kind)):
        assert f"| `{code}` |" in runbook
