"""The runbook keeps its word: what it gives to paste can be pasted, and a replay does nothing twice."""

from __future__ import annotations

import json
import re
import subprocess
import textwrap
import uuid

import pytest

from shared.listing import Query
from shared.refresh.events import read
from tests.cloud import PROJECT, Cloud
from tests.e2e.provisioning.stage import ProvisioningStage, provision
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
