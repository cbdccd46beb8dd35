"""How it gets to Azure: what is packed, what azd and the workflows do, in which order, with which rights."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.infra.estate import PROJECT, STAGES, estate

PACKAGE = {"function_app.py", "host.json", "requirements.txt", "shared"}
WORKFLOWS = {file.stem: file for file in (PROJECT / ".github/workflows").glob("*.yml")}


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
    [packing] = [step["run"] for step in steps("deploy", "package") if "zip " in step.get("run", "")]
    packed = packing.split("package.zip")[1].replace("\\", " ").split()
    assert set(packed) == {*PACKAGE, "__pycache__", ".python_packages"}
    assert "compileall" in packing  # an instance could not keep what it compiles: the package is mounted read-only


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
    found: dict[str, Any] = yaml.safe_load(WORKFLOWS[name].read_text())
    return found


def steps(name: str, job: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = workflow(name)["jobs"][job]["steps"]
    return found


def every_step() -> Iterator[dict[str, Any]]:
    for name in WORKFLOWS:
        for job in workflow(name)["jobs"].values():
            yield from job.get("steps", [])


@pytest.mark.parametrize("name", WORKFLOWS)
def test_no_workflow_knows_a_secret_and_each_may_do_no_more_than_it_must(name: str) -> None:
    assert "secrets." not in WORKFLOWS[name].read_text()
    found = workflow(name)
    assert found["permissions"] == {"contents": "read"}
    for job in found["jobs"].values():
        assert {right for right, how in job.get("permissions", {}).items() if how == "write"} <= {"id-token"}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_action_is_pinned_to_a_commit_and_says_which_version_that_is(name: str) -> None:
    used = re.findall(r"(?m)^\s+(?:- )?uses: (.+)$", WORKFLOWS[name].read_text())
    pinned = r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+|\./\.github/workflows/(ci|deploy-stage)\.yml"
    assert [each for each in used if not re.fullmatch(pinned, each)] == []


def test_no_action_leaves_a_token_in_the_working_copy() -> None:
    checkouts = [step for step in every_step() if step.get("uses", "").startswith("actions/checkout@")]
    assert [step["with"]["persist-credentials"] for step in checkouts] == [False] * 4


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_step_ends_with_the_first_command_that_fails(name: str) -> None:
    assert workflow(name)["defaults"] == {"run": {"shell": "bash"}}  # -e and pipefail
    for step in every_step():
        script = re.sub(r"\$\{\{.+?\}\}", "value", step.get("run", ""))
        assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0
        assert "${{" not in step.get("run", "")  # what comes from outside comes as an environment variable


def test_ci_is_what_a_developer_runs_and_keeps_what_the_browser_saw() -> None:
    done = steps("ci", "checks")
    scripts = [step.get("run", "") for step in done]
    assert ".ci/run" in scripts
    assert any("az bicep install" in script for script in scripts)
    assert (done[-1]["if"], done[-1]["with"]["path"]) == ("always()", "build/screenshots")


def test_a_pull_request_shows_what_would_change_in_each_environment_with_a_readers_rights() -> None:
    job = workflow("deploy")["jobs"]["what-if"]
    assert job["strategy"]["matrix"]["stage"] == list(STAGES)
    assert "az deployment sub what-if" in job["steps"][-1]["run"]
    assert "--validation-level ProviderNoRbac" in job["steps"][-1]["run"]


def test_one_package_that_passed_the_checks_goes_from_stage_to_stage() -> None:
    jobs = workflow("deploy")["jobs"]
    assert [jobs[stage]["needs"] for stage in STAGES] == [["package"], ["dev"], ["test"]]
    assert (jobs["package"]["needs"], jobs["checks"]["uses"]) == (["checks"], "./.github/workflows/ci.yml")
    assert {jobs[stage]["uses"] for stage in STAGES} == {"./.github/workflows/deploy-stage.yml"}
    assert [jobs[stage]["with"]["stage"] for stage in STAGES] == list(STAGES)


def test_a_deployment_is_approved_smoke_tested_and_rolled_back() -> None:
    job = workflow("deploy-stage")["jobs"]["deploy"]
    assert job["environment"] == "${{ inputs.stage }}"
    said = [step.get("run", "") for step in job["steps"]]
    order = ["az deployment sub create", "publish.py package.zip", "after_deploy.py upload", "after_deploy.py check"]
    places = [next(index for index, text in enumerate(said) if part in text) for part in order]
    assert places == sorted(places)
    assert job["steps"][-1]["if"].startswith("failure()")
    assert said[-1].index("publish.py last/package.zip") < said[-1].index("after_deploy.py check")


@pytest.mark.parametrize("stage", STAGES)
def test_workflows_hand_over_every_variable_that_the_parameters_read(stage: str) -> None:
    read = set(re.findall(r"readEnvironmentVariable\('(\w+)'", estate().stages[stage].text))
    for job in (workflow("deploy")["jobs"]["what-if"], workflow("deploy-stage")["jobs"]["deploy"]):
        assert read == set(job["env"])
        assert job["env"]["AZURE_PRINCIPAL_TYPE"] == "ServicePrincipal"  # a role assignment of another type is refused


def test_scripts_and_workflows_read_only_outputs_that_the_template_has() -> None:
    scripts = "".join(file.read_text() for file in (PROJECT / "infra/scripts").glob("*.py"))
    read = set(re.findall(r'\boutput\("(\w+)"\)', scripts))
    needed = set(re.findall(r"\$\{(\w+):\?is an output", (PROJECT / "infra/entra/setup.sh").read_text()))
    assert {"PUBLISH_URL", "API_URL", "IDENTITY_PRINCIPAL_ID"} <= read | needed <= set(estate().main.outputs)


# ---- the runbook
def test_the_runbook_knows_every_way_in_which_work_can_fail() -> None:
    from typing import get_args

    from shared.refresh import failures

    runbook = (PROJECT / "docs/runbook.md").read_text()
    contract = ("invalidRequest", "nameTaken", "notVisible", "forbidden", "capacityRefused", "noOwners", "outsideTouch")
    for code in (*contract, "timedOut", "cancelled", "internal", *get_args(failures.Kind)):
        assert f"| `{code}` |" in runbook
