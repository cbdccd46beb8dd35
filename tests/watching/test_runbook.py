"""The runbook keeps its word: what it gives to paste can be pasted, and a replay does nothing twice."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import textwrap
import uuid
from pathlib import Path

import pytest

from shared.listing import Query
from shared.refresh.events import read
from tests.cloud import PROJECT, Cloud
from tests.e2e.provisioning.stage import ProvisioningStage, provision
from tests.emulator.host.processes import Watched
from tests.infra.kusto import rows
from tests.infra.log_lines import Json
from tests.infra.queries import fields

RUNBOOK = (PROJECT / "docs/runbook.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """What stands in fences of that language, in lists as well."""
    found = re.findall(rf"(?ms)^( *)```{language}\n(.*?)^ *```$", RUNBOOK)
    return [textwrap.dedent(text) for _, text in found]


# ---- what is pasted
LINE: Json = {
    "correlationId": "…",
    "operation": "queue-watch",
    "target": "data-landed",
    "outcome": "ok",
    "count": 1,
    "oldestSeconds": 7,
    "requestId": "r",
    "message": "m",
    "exception": "e",
}


@pytest.mark.parametrize("query", blocks("kusto"), ids=range(len(blocks("kusto"))))
def test_its_queries_run_and_find_the_line(query: str) -> None:
    assert fields(query) <= set(LINE)
    found = rows(query, [LINE])
    assert found
    assert not {None, ""} & set(found[0].values())


def test_its_shell_is_shell() -> None:
    scripts = blocks("bash")
    assert len(scripts) >= 6
    for script in scripts:
        done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False, timeout=30)
        assert (done.returncode, done.stderr) == (0, ""), script


def test_every_function_that_it_uses_is_defined_there() -> None:
    shell = "\n".join(blocks("bash"))
    defined = set(re.findall(r"(?m)^(\w+)\(\) \{", shell))
    assert defined == {"api", "show", "fetch", "put"}
    for name in defined:
        assert len(re.findall(rf"\b{name} ", shell)) >= 1


def test_every_link_within_it_leads_somewhere() -> None:
    headings = re.findall(r"(?m)^#+ (.+)$", RUNBOOK)
    anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
    linked = set(re.findall(r"\]\(#([^)]+)\)", RUNBOOK.replace("\n", "")))
    assert linked - anchors == set()
    assert len(linked) >= 8


# ---- what is pasted, pasted
needs_tools = pytest.mark.skipif(
    not all(shutil.which(tool) for tool in ("bash", "curl", "jq")), reason="needs bash, curl and jq"
)
STAND_INS = """
az() { case "$1 $2" in 'account get-access-token') echo "$TOKEN" ;; *) printf '%s\\n' "$*" >> calls ;; esac; }
azd() { echo "API_SCOPE='api://scope'"; echo "STORAGE_ACCOUNT_NAME='stpb'"; }
"""
"""The clouds' own tools: az notes what it is asked for."""


def paste(*scripts: str, where: Path, **variables: str) -> str:
    """What one shell prints in which these are pasted, one after the other."""
    script = "\n".join(["set -euo pipefail", STAND_INS, *scripts])
    command, environment = ["bash", "-c", script], {"PATH": os.environ["PATH"], **variables}
    done = subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@needs_tools
def test_the_app_can_be_called_as_it_says(cloud: Cloud, host: Watched, tmp_path: Path) -> None:
    url = host.printed(r"^READY (\S+)$")[0][1]
    where = {"API_URL": f"{url}/api", "TOKEN": cloud.caller_token("operator")}
    [first] = [block for block in blocks("bash") if "api() {" in block]
    assert "az login" in first
    told = paste(first, "api GET readiness | jq .status", where=tmp_path, **where)
    assert told.splitlines()[-1] == '"ready"'
    refresh = re.findall(r"`(api POST refresh-runs [^`]+)`", RUNBOOK)[0]
    first_id, second_id = paste(first, *[f"{refresh} | jq .id"] * 2, where=tmp_path, **where).splitlines()
    assert first_id == second_id != "null"


@needs_tools
def test_dead_letters_go_back_one_by_one(tmp_path: Path) -> None:
    (tmp_path / "events.json").write_text('[{"id": "one", "data": {"a": "x y"}}, {"id": "two"}]')
    tools, loop = (next(block for block in blocks("bash") if part in block) for part in ("show() {", "while read"))
    paste(tools, loop, where=tmp_path, STORAGE_ACCOUNT_NAME="stpb")
    put = [call for call in (tmp_path / "calls").read_text().splitlines() if call.startswith("storage message put")]
    assert [re.findall(r"--content (.+?) --time", call)[0] for call in put] == [
        '{"id":"one","data":{"a":"x y"}}',
        '{"id":"two"}',
    ]
    assert all("--queue-name data-landed" in call and "--time-to-live -1" in call for call in put)


# ---- replaying
@pytest.fixture
def rejected(cloud: Cloud) -> tuple[ProvisioningStage, Json]:
    """A deployment in which a request was refused, and what it kept of it."""
    stage = ProvisioningStage(cloud)
    misspelt = provision("FIN-Replay", owner=["somebody"], requestId="replayed-1")
    stage.queued.take(str(uuid.uuid4()), json.dumps(misspelt).encode())
    (copy,) = stage.rejected.documents()
    return stage, copy


def corrected(copy: Json, request_id: str) -> bytes:
    request = json.loads(copy["message"])
    del request["owner"]
    return json.dumps(request | {"requestId": request_id}).encode()


def test_a_corrected_request_with_a_new_id_is_carried_out_once_however_often_it_is_sent(
    rejected: tuple[ProvisioningStage, Json],
) -> None:
    stage, copy = rejected
    for _ in range(3):
        stage.queued.take(str(uuid.uuid4()), corrected(copy, "replayed-1-2"))
    stage.settle()
    assert sorted(each["status"] for each in stage.provisioning.list(Query())["value"]) == ["failed", "succeeded"]
    assert len(stage.workspaces("FIN-Replay-DEV")) == 1


def test_under_its_old_id_a_corrected_request_is_refused_again(rejected: tuple[ProvisioningStage, Json]) -> None:
    stage, copy = rejected
    stage.queued.take(str(uuid.uuid4()), corrected(copy, "replayed-1"))
    stage.settle()
    assert [each["status"] for each in stage.provisioning.list(Query())["value"]] == ["failed"]
    assert stage.workspaces("FIN-Replay-DEV") == []


def test_the_copy_names_the_status_document(rejected: tuple[ProvisioningStage, Json]) -> None:
    stage, copy = rejected
    assert stage.document(copy["requestId"])["error"]["code"] == "invalidRequest"


def test_a_dead_lettered_event_is_read_as_it_lies_there() -> None:
    """Event Grid adds why and when it gave up; the names are those of its documentation."""
    event = {
        "id": "e-1",
        "topic": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/landing",
        "subject": "/blobServices/default/containers/landing/blobs/sales/1.parquet",
        "eventType": "Microsoft.Storage.BlobCreated",
        "eventTime": "2026-11-22T10:00:00.0000000Z",
        "dataVersion": "",
        "metadataVersion": "1",
        "data": {"api": "PutBlob", "url": "https://l.blob.core.windows.net/landing/sales/1.parquet", "eTag": "0x1"},
        "deadLetterReason": "MaxDeliveryAttemptsExceeded",
        "deliveryAttempts": 30,
        "lastDeliveryOutcome": "Unauthorized",
        "publishTime": "2026-11-22T10:00:01.0000000Z",
        "lastDeliveryAttemptTime": "2026-11-23T10:00:01.0000000Z",
    }
    found = read(json.dumps(event).encode())
    assert [landed.path for landed in found.landed] == ["landing/sales/1.parquet"]
    assert found.faults == ()
