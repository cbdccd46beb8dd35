"""The app as its clients see it: in the host, over HTTP, with tokens from Entra; and what it leaves behind."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from shared.provisioning.answers import DryRun, RequestPage, StatusDocument
from shared.validation import check
from tests.e2e.hosted import Hosted, hosting
from tests.waiting import eventually

Json = dict[str, Any]
REQUEST: Json = {"reports": ["margin-report"], "identity": {"username": "customer-1042"}}
NEVER_SERVED = "customer-5005"
"""For whom the app has kept no token from another test: Power BI forgets what it issued, the app does not."""
TOKEN = re.compile(r"eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}|H4sI[A-Za-z0-9+/_-]{20,}")


@pytest.fixture(scope="module")
def hosted_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    with hosting(tmp_path_factory.mktemp("hosted")) as started:
        yield started


@pytest.fixture
def hosted(hosted_once: Hosted) -> Hosted:
    hosted_once.cloud.reset()
    return hosted_once


@pytest.fixture
def portal(hosted: Hosted) -> str:
    return hosted.cloud.caller_token("customer-portal")


def test_health_needs_no_token(hosted: Hosted) -> None:
    answer = hosted.call("GET", "health")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"


def test_the_api_describes_itself(hosted: Hosted) -> None:
    described = hosted.call("GET", "openapi.json").json()
    assert described["openapi"].startswith("3.1")
    assert {"/embed-tokens", "/health", "/readiness", "/openapi.json"} <= set(described["paths"])


def test_a_portal_gets_an_embed_token_for_its_customer_and_power_bi_has_it_so(hosted: Hosted, portal: str) -> None:
    request = {**REQUEST, "identity": {"username": NEVER_SERVED}}
    answer = hosted.call("POST", "embed-tokens", portal, json=request)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    made = hosted.cloud.state()["embedTokens"][answer.json()["tokenId"]]
    assert [(one["username"], one["roles"]) for one in made["identities"]] == [(NEVER_SERVED, ["Customer"])]


def test_an_employee_gets_a_token_for_itself(hosted: Hosted) -> None:
    answer = hosted.call(
        "POST", "embed-tokens", hosted.cloud.user_token("ana@contoso.com"), json={"reports": ["margin-report"]}
    )
    assert answer.status_code == 200, answer.text
    made = hosted.cloud.state()["embedTokens"][answer.json()["tokenId"]]
    ana = hosted.cloud.described["seed"]["users"]["ana@contoso.com"]
    assert [(one["username"], one["roles"]) for one in made["identities"]] == [(ana, ["Employee"])]


ODD_CALLERS: list[tuple[str, Json, int]] = [
    ("expired", {"claims": {"exp": 1_600_000_000, "nbf": 1_500_000_000, "iat": 1_500_000_000}}, 401),
    ("not yet valid", {"claims": {"nbf": 4_000_000_000, "exp": 4_000_003_600}}, 401),
    ("another audience", {"claims": {"aud": "https://graph.microsoft.com"}}, 401),
    ("another tenant", {"claims": {"tid": "00000000-0000-4000-8000-000000000000"}}, 401),
    ("wrong key", {"sign": "wrongKey"}, 401),
    ("unsigned", {"sign": "none"}, 401),
    ("signed with a shared secret", {"sign": "hs256"}, 401),
    ("without the role", {"claims": {"roles": ["Refresh.Read"]}}, 403),
    ("a user with the scope and without the role", {"delegated": True, "user": "ben@contoso.com"}, 403),
]


@pytest.mark.parametrize(("odd", "status"), [case[1:] for case in ODD_CALLERS], ids=[case[0] for case in ODD_CALLERS])
def test_odd_callers_are_turned_away(hosted: Hosted, odd: Json, status: int) -> None:
    how = dict(odd)
    token = hosted.cloud.odd_token(how.pop("sign", "right"), **how)
    answer = hosted.call("POST", "embed-tokens", token, json=REQUEST)
    assert answer.status_code == status, answer.text
    assert ("www-authenticate" in answer.headers) == (status == 401)
    assert hosted.cloud.calls(path="GenerateToken") == []


ODD_BODIES: list[tuple[str, Json, int]] = [
    ("not JSON", {"data": b"reports", "headers": {"content-type": "application/json"}}, 400),
    ("announced as text", {"data": b"{}", "headers": {"content-type": "text/plain"}}, 415),
    ("wrong types", {"json": {"reports": "margin-report"}}, 400),
    ("unknown fields", {"json": {**REQUEST, "colour": "blue"}}, 400),
    (
        "duplicate keys",
        {"data": b'{"reports": ["a"], "reports": ["b"]}', "headers": {"content-type": "application/json"}},
        400,
    ),
    ("over 1 MiB", {"json": {"reports": ["x" * 1_100_000]}}, 413),
    ("in chunks", {"data": iter([b"{}"]), "headers": {"content-type": "application/json"}}, 411),
    ("another schema version", {"json": {**REQUEST, "schemaVersion": 2}}, 400),
]


@pytest.mark.parametrize(("how", "status"), [case[1:] for case in ODD_BODIES], ids=[case[0] for case in ODD_BODIES])
def test_odd_bodies_are_refused_with_the_reason(hosted: Hosted, portal: str, how: Json, status: int) -> None:
    answer = hosted.call("POST", "embed-tokens", portal, **dict(how))
    assert answer.status_code == status, answer.text
    problem = answer.json()
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert problem["status"] == status
    assert problem["correlationId"] == answer.headers["x-correlation-id"]


def test_without_a_token_nothing_is_said_about_the_body(hosted: Hosted) -> None:
    assert hosted.call("POST", "embed-tokens", data=b"\x00").status_code == 401


def test_a_wrong_method_or_route_is_404(hosted: Hosted, portal: str) -> None:
    assert hosted.call("GET", "embed-tokens", portal).status_code == 404
    assert hosted.call("POST", "promotions", portal, json={}).status_code == 404


def test_readiness_is_for_operators_and_names_each_thing_with_evidence(hosted: Hosted, portal: str) -> None:
    assert hosted.call("GET", "readiness", portal).status_code == 403
    answer = hosted.call("GET", "readiness", hosted.cloud.caller_token("auditor"))
    report = answer.json()
    assert (answer.status_code, report["status"]) == (200, "ready"), report
    names = {check["name"] for check in report["checks"]}
    assert {
        "settings",
        "storage",
        "document embed.yaml",
        "credential of embed",
        "token of embed",
        "Power BI for embed",
    } <= names
    assert all(check["evidence"] for check in report["checks"])


def test_a_project_is_provisioned_listed_and_described_as_the_api_says(hosted: Hosted) -> None:
    operator = hosted.cloud.caller_token("operator")
    project = f"FIN-{uuid.uuid4().hex[:8]}"
    body = {
        "operation": "provision",
        "project": project,
        "environments": [{"name": "dev"}],
        "owners": ["ana@contoso.com"],
        "access": [{"principal": "nobody.knows@contoso.com", "principalType": "User", "role": "Viewer"}],
    }
    plan = hosted.call("POST", "provisioning-requests?dryRun=true", operator, json=body)
    assert plan.status_code == 200, plan.text
    check(DryRun, plan.json())
    accepted = hosted.call("POST", "provisioning-requests", operator, json=body, headers={"Idempotency-Key": project})
    assert (accepted.status_code, accepted.headers["retry-after"]) == (202, "5"), accepted.text
    again = hosted.call("POST", "provisioning-requests", operator, json=body, headers={"Idempotency-Key": project})
    assert again.json()["id"] == accepted.json()["id"]
    path = accepted.headers["location"].removeprefix("/api/")
    document = eventually(lambda: hosted.call("GET", path, operator).json(), lambda told: "succeeded" in told["status"])
    assert document["status"] == "succeededWithWarnings"
    check(StatusDocument, document)
    page = hosted.call("GET", f"provisioning-requests?project={project}", operator).json()
    assert [entry["id"] for entry in check(RequestPage, page).model_dump()["value"]] == [document["id"]]
    assert hosted.call("POST", f"{path}/cancel", operator).status_code == 409
    assert hosted.call("POST", f"{path}/retry", operator).status_code == 409


def test_provisioning_needs_the_role_for_each_of_its_doors(hosted: Hosted, portal: str) -> None:
    auditor = hosted.cloud.caller_token("auditor")
    somewhere = "provisioning-requests/00000000-0000-4000-8000-000000000000"
    assert hosted.call("POST", "provisioning-requests", auditor, json={}).status_code == 403
    assert hosted.call("POST", f"{somewhere}/cancel", auditor).status_code == 403
    assert hosted.call("POST", f"{somewhere}/retry", auditor).status_code == 403
    assert hosted.call("GET", "provisioning-requests", portal).status_code == 403
    assert hosted.call("GET", somewhere, auditor).status_code == 404
    assert hosted.call("GET", "provisioning-requests?top=0", auditor).status_code == 400


def test_power_bi_being_away_is_503_with_retry_after(hosted: Hosted, portal: str) -> None:
    hosted.cloud.fault("api.powerbi.com", ".*", times=20, status=500)
    only_here = {"reports": ["sales-overview"], "lifetimeMinutes": 37}  # so that no other test's token serves it
    answer = hosted.call("POST", "embed-tokens", portal, json=only_here)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1


def test_no_secret_and_no_token_is_in_the_log_or_in_storage(hosted: Hosted, portal: str) -> None:
    """Successes and failures of every kind first, then everything that was written is searched."""
    cloud = hosted.cloud
    operator = cloud.caller_token("operator")
    assert hosted.call("POST", "embed-tokens", portal, json=REQUEST).status_code == 200
    hosted.call("POST", "embed-tokens", portal, json={**REQUEST, "password": portal})
    hosted.call("POST", "embed-tokens", cloud.odd_token("wrongKey"), json=REQUEST)
    hosted.call("GET", f"readiness?token={portal}", operator)
    cloud.fault(
        "api.powerbi.com", ".*", times=2, status=403, body={"error": {"code": "TokenExpired", "message": portal}}
    )
    hosted.call("POST", "embed-tokens", portal, json={"reports": ["sales-overview"]})
    asked = {"operation": "provision", "project": "FIN-Searched", "environments": [{"name": "dev"}]}
    accepted = hosted.call("POST", "provisioning-requests", operator, json={**asked, "owners": ["ana@contoso.com"]})
    path = accepted.headers["location"].removeprefix("/api/")
    eventually(lambda: hosted.call("GET", path, operator).json(), lambda told: told["status"] == "succeeded")
    assert hosted.call("POST", "refresh-runs", operator, json={"dataset": "margin"}).status_code == 202
    said = hosted.log.read_text() + "\n".join(_everything_in_storage(cloud.connection_string))
    secrets = [client["clientSecret"] for client in cloud.described["clients"].values()]
    secrets += [*cloud.described["people"].values(), _account_key(cloud.connection_string), portal, operator]
    assert "embed-tokens" in said
    assert "customer-portal" in said
    assert [secret[:4] for secret in secrets if secret in said] == []
    assert TOKEN.findall(said) == []
    lines = [line for line in hosted.log.read_text().splitlines() if not line.startswith("READY ")]
    assert all(isinstance(json.loads(line), dict) for line in lines)


def _account_key(connection_string: str) -> str:
    return dict(part.split("=", 1) for part in connection_string.split(";") if part)["AccountKey"]


def _everything_in_storage(connection_string: str) -> Iterator[str]:
    """Every blob, message and row of the app's account, as text."""
    from azure.data.tables import TableServiceClient
    from azure.storage.blob import BlobServiceClient
    from azure.storage.queue import QueueServiceClient

    blobs = BlobServiceClient.from_connection_string(connection_string)
    for container in blobs.list_containers():
        client = blobs.get_container_client(container.name)
        for blob in client.list_blobs():
            yield f"{blob.name} {client.download_blob(blob.name).readall().decode('utf-8', 'replace')}"
    queues = QueueServiceClient.from_connection_string(connection_string)
    for queue in queues.list_queues():
        for message in queues.get_queue_client(queue.name).peek_messages(32):
            yield str(message.content)
    tables = TableServiceClient.from_connection_string(connection_string)
    for table in tables.list_tables():
        for row in tables.get_table_client(table.name).list_entities():
            yield json.dumps(dict(row), default=str)
