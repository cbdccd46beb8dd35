"""Catalogues, orchestrators and administrators' scripts, by the calls that their sources make."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from typing import Any

import aiohttp
import msal
import pytest
import requests
from azure.identity import ClientSecretCredential

from tests.cloud import Cloud
from tests.peers.organisation import (
    ANA,
    API,
    LEGACY,
    OVERVIEW,
    RESOURCE,
    SALES,
    SALES_MODEL,
    SCOPE,
    TAKEN,
    client,
    password,
    throttle,
    until,
)

Json = dict[str, Any]
BOARD, TILE = "ab000000-0000-4000-8000-000000000001", "ac000000-0000-4000-8000-000000000001"
SOURCE_ID = "bb000000-0000-4000-8000-000000000001"
SOURCE = {"datasourceType": "Sql", "connectionDetails": {"server": "sql.contoso.com"}, "datasourceId": SOURCE_ID}


def _session(cloud: Cloud, name: str) -> requests.Session:
    made = requests.Session()
    token = ClientSecretCredential(cloud.tenant_id, *client(cloud, name)).get_token(SCOPE).token
    made.headers["Authorization"] = f"Bearer {token}"
    return made


@pytest.fixture
def session(cloud: Cloud) -> Iterator[requests.Session]:
    with _session(cloud, "operations") as made:
        yield made


@pytest.fixture
def admin(cloud: Cloud) -> Iterator[requests.Session]:
    with _session(cloud, "admin") as made:
        yield made


@pytest.fixture
def furnished(cloud: Cloud) -> None:
    tiles = [{"id": TILE, "title": "Turnover", "reportId": OVERVIEW, "datasetId": SALES_MODEL}]
    cloud.change(
        dashboards={BOARD: {"displayName": "Turnover", "workspaceId": SALES, "tiles": tiles}},
        datasets={SALES_MODEL: {"datasources": [SOURCE]}},
    )


# ---- orchestrators and catalogues


@pytest.mark.usefixtures("furnished")
def test_dagster_loads_a_workspace_by_its_items(session: requests.Session) -> None:
    def value(path: str) -> list[Json]:
        answer = session.get(f"{API}/groups/{SALES}/{path}", headers={"Content-Type": "application/json"})
        answer.raise_for_status()
        return list(answer.json()["value"])

    tiles = {board["id"]: value(f"dashboards/{board['id']}/tiles") for board in value("dashboards")}
    assert [tile["reportId"] for tile in tiles[BOARD]] == [OVERVIEW]
    assert OVERVIEW in {report["id"] for report in value("reports")}
    sources = {model["name"]: value(f"datasets/{model['id']}/datasources") for model in value("datasets")}
    assert [source["datasourceId"] for source in sources["Sales"] if "datasourceId" in source] == [SOURCE_ID]


def _scanned(admin: requests.Session, workspaces: list[str], form: str, **options: str) -> Json:
    body: dict[str, Any] = {form: {"workspaces": workspaces}}
    submitted = admin.post(f"{API}/admin/workspaces/getInfo", params=options, **body)
    assert submitted.status_code == 202
    status = f"{API}/admin/workspaces/scanStatus/{submitted.json()['id']}"
    assert submitted.headers["Location"] == status
    last = until(lambda: admin.get(status), lambda answer: answer.json()["status"] == "Succeeded")
    return dict(admin.get(last.headers["Location"]).json())


@pytest.mark.usefixtures("furnished")
@pytest.mark.parametrize("form", ["json", "data"], ids=["dagster", "datahub, which posts a form"])
def test_a_catalogue_loads_workspaces_by_a_scan(admin: requests.Session, form: str) -> None:
    modified = admin.get(f"{API}/admin/workspaces/modified", params={"excludePersonalWorkspaces": True}).json()
    options = dict.fromkeys(("lineage", "datasourceDetails", "datasetSchema", "datasetExpressions"), "true")
    result = _scanned(admin, [workspace["id"] for workspace in modified], form, **options, getArtifactUsers="True")
    sales = next(workspace for workspace in result["workspaces"] if workspace["name"] == TAKEN)
    assert {"reports", "dashboards", "datasets", "users"} <= set(sales)
    assert [table["name"] for table in sales["datasets"][0]["tables"]] == ["Sales", "Customer", "Date"]
    assert sales["datasets"][0]["datasourceUsages"] == [{"datasourceInstanceId": SOURCE_ID}]
    assert [source["datasourceId"] for source in result["datasourceInstances"]] == [SOURCE_ID]


@pytest.mark.parametrize("wanted", ["", "not(contains(name, 'Refer')) or trim(name) eq 'Shared Reference'"])
def test_openmetadata_pages_through_groups_by_their_count(session: requests.Session, wanted: str) -> None:
    """It asks for one to learn how many there are, and then for the pages; any fourth field is an error to it."""
    query = {"$filter": wanted} if wanted else {}
    first = session.get(f"{API}/groups", params={"$top": "1", "$skip": "0"} | query).json()
    assert set(first) == {"@odata.context", "@odata.count", "value"}
    pages = [
        session.get(f"{API}/groups", params={"$top": "1", "$skip": str(skip)} | query).json()["value"]
        for skip in range(first["@odata.count"])
    ]
    assert [group["name"] for page in pages for group in page] == [TAKEN, "Shared Reference"]


def test_a_catalogue_that_is_no_administrator_is_told_so(session: requests.Session) -> None:
    refused = session.post(f"{API}/admin/workspaces/getInfo", json={"workspaces": [SALES]})
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "PowerBINotAuthorizedException")


# ---- administrators


def test_a_script_reads_a_day_of_the_activity_log_by_the_addresses_in_it(admin: requests.Session, cloud: Cloud) -> None:
    """As power-bi-api-admin and the PowerShell module do; the next page is on the region's host."""
    day = _today(cloud)
    event = {"CreationTime": f"{day}T00:30:00", "Activity": "ViewReport", "UserId": ANA}
    cloud.change(activityEvents={"41ce06d1-d81b-4ea0-bc6d-2ce3dd2f8e87": event})
    window = f"startDateTime='{day}T00:00:00Z'&endDateTime='{day}T02:59:59Z'"
    found: list[Json] = []
    address: str | None = f"{API}/admin/activityevents?{window}"
    while address:
        page = admin.get(address).json()
        found += page["activityEventEntities"]
        address = page["continuationUri"]
    assert [(entry["Activity"], entry["UserId"]) for entry in found] == [("ViewReport", ANA)]
    hosts = {call["host"] for call in cloud.calls(path="/activityevents")}
    assert len(hosts) == 2
    assert any(host.startswith("wabi-") for host in hosts)


def _today(cloud: Cloud) -> str:
    """Power BI's day."""
    return str(cloud.control("POST", "clock", {"advance": "PT0S"})["now"])[:10]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("state eq 'Active' and type eq 'Workspace'", 3),
        ("tolower(name) eq 'strangers'", 1),
        (f"users/any(u: tolower(u/emailAddress) eq tolower('{ANA.upper()}'))", 2),
        (f"id eq '{SALES}'", 1),
        ("state eq 'Deleted'", 0),
    ],
)
def test_powershell_finds_workspaces_of_the_organisation(admin: requests.Session, text: str, expected: int) -> None:
    query = {"$top": "100", "$skip": "0", "$filter": text, "$expand": "users"}
    answer = admin.get(f"{API}/admin/groups", params=query)
    assert len(answer.json()["value"]) == expected


def test_powershell_without_a_workspace_is_refused_as_a_service_principal(session: requests.Session) -> None:
    refused = session.get(f"{API}/datasets")
    assert (refused.status_code, refused.json()["Message"]) == (403, "API is not accessible for application")


# ---- other ways to log in and to ask


def test_a_script_of_adal_logs_in_by_either_name_of_the_authority(cloud: Cloud) -> None:
    adal: Any = pytest.importorskip("adal", reason="adal (requirements-peers.txt) is not installed")
    for authority in (LEGACY, LEGACY.replace("login.microsoftonline.com", "login.windows.net")):
        context = adal.AuthenticationContext(authority)
        token = context.acquire_token_with_client_credentials(RESOURCE, *client(cloud))["accessToken"]
        assert requests.get(f"{API}/groups", headers={"Authorization": f"Bearer {token}"}, timeout=30).ok


def test_a_script_of_adal_logs_in_as_a_master_user(cloud: Cloud) -> None:
    adal: Any = pytest.importorskip("adal", reason="adal (requirements-peers.txt) is not installed")
    context = adal.AuthenticationContext("https://login.windows.net/common", api_version=None)
    found = context.acquire_token_with_username_password(RESOURCE, ANA, password(cloud), client(cloud)[0])
    headers = {"Authorization": f"Bearer {found['accessToken']}"}
    assert requests.get(f"{API}/groups", headers=headers, timeout=30).ok
    for home in ("datasets", "reports", "dashboards", "imports", "apps"):
        assert requests.get(f"{API}/{home}", headers=headers, timeout=30).json()["value"] == []


def test_a_client_may_ask_for_a_refresh_token_that_it_does_not_get(cloud: Cloud) -> None:
    """As pbicli on npm does; without a user there is none."""
    client_id, secret = client(cloud)
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    scope = {"scope": f"{SCOPE} offline_access"}
    answer = requests.post(f"{LEGACY}/oauth2/v2.0/token", data=form | scope, timeout=30)
    assert answer.status_code == 200, answer.text
    assert "access_token" in answer.json()
    assert "refresh_token" not in answer.json()


def test_aiohttp_gets_through_where_it_heeds_the_environment(cloud: Cloud) -> None:
    async def count() -> int:
        headers = {"Authorization": f"Bearer {_msal_token(cloud)}"}
        async with (
            aiohttp.ClientSession(trust_env=True) as started,
            # its own default is made when it is imported, which here is before the environment leads to the cloud
            started.get(f"{API}/groups", headers=headers, ssl=ssl.create_default_context()) as answer,
        ):
            return len((await answer.json())["value"])

    assert asyncio.run(count()) == 2


def _msal_token(cloud: Cloud) -> str:
    client_id, secret = client(cloud)
    app = msal.ConfidentialClientApplication(client_id, client_credential=secret, authority=LEGACY)
    return str(app.acquire_token_for_client([SCOPE])["access_token"])


def test_a_client_that_doubles_slashes_and_mixes_case_gets_through(session: requests.Session) -> None:
    """As pbipandas and pypowerbi do; and as people type."""
    for path in (f"/groups//{SALES}/datasets", f"/Groups/{SALES.upper()}//Datasets/", f"/groups/{SALES}/datasets/"):
        assert len(session.get(f"{API}{path}").json()["value"]) == 2


def test_a_client_sees_how_long_it_has_to_wait(session: requests.Session, cloud: Cloud) -> None:
    throttle(cloud, "/datasets$", seconds=17)
    refused = session.get(f"{API}/groups/{SALES}/datasets")
    assert (refused.status_code, refused.headers["Retry-After"], list(refused.json())) == (429, "17", ["message"])
    assert refused.headers["RequestId"]
