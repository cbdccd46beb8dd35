"""The part of the tour that reads what is in workspaces, as their users, as people at home and as administrators."""

from __future__ import annotations

from dataclasses import dataclass

from emulator.http import Json
from tests.emulator.powerbi_driver import (
    APPS,
    CALENDAR_MODEL,
    CAPACITIES,
    INVOICE,
    MARGIN_MODEL,
    REFERENCE,
    SALES,
    SALES_MODEL,
    SALES_REPORT,
    Driver,
)

HOME = "d4000000-0000-4000-8000-0000000000aa"
HOME_MODEL = "e5000000-0000-4000-8000-0000000000aa"
HOME_REPORT = "f6000000-0000-4000-8000-0000000000aa"
BOARD, HOME_BOARD = "ab000000-0000-4000-8000-000000000001", "ab000000-0000-4000-8000-0000000000aa"
TILE = "ac000000-0000-4000-8000-000000000001"
FLOW = "ad000000-0000-4000-8000-000000000001"
IMPORT, HOME_IMPORT = "ae000000-0000-4000-8000-000000000001", "ae000000-0000-4000-8000-0000000000aa"
APP = "af000000-0000-4000-8000-000000000001"
GATEWAY, SOURCE = "ba000000-0000-4000-8000-000000000001", "bb000000-0000-4000-8000-000000000001"
PIPELINE = "bc000000-0000-4000-8000-000000000001"
QUERY = "EVALUATE VALUES(Customer[Name])"
DATASOURCE: Json = {
    "datasourceType": "Sql",
    "connectionDetails": {"server": "sql.contoso.com", "database": "sales"},
    "gatewayId": GATEWAY,
    "datasourceId": SOURCE,
}
PARAMETER: Json = {"name": "Server", "type": "Text", "isRequired": True, "currentValue": "dev"}
TILES: list[Json] = [{"id": TILE, "title": "Turnover", "reportId": SALES_REPORT, "datasetId": SALES_MODEL}]
EVENT: Json = {"CreationTime": "2026-11-22T09:30:00", "Operation": "ViewReport", "Activity": "ViewReport"}


@dataclass(frozen=True)
class _Place:
    """A group or home: who goes there, its path, and what is in it."""

    who: str
    where: str
    model: str
    report: str
    board: str
    imported: str


def furnish(driver: Driver) -> None:
    """One of everything: in the workspace of the seed, and in a workspace of Ana's own."""
    operations = APPS["operations"].object_id
    content: Json = {
        "parameters": [PARAMETER],
        "datasources": [DATASOURCE],
        "queryResults": {QUERY: [{"Customer[Name]": "Adatum"}]},
        "upstreamDataflows": [{"targetDataflowId": FLOW, "groupId": SALES}],
    }
    home: Json = {"workspaceId": HOME, "owner": "ana@contoso.com"}
    people: Json = {"ana@contoso.com": {"right": "Admin"}}
    driver.patch(
        workspaces={HOME: {"name": "PersonalWorkspace Ana Ruiz", "type": "PersonalGroup", "members": people}},
        datasets={SALES_MODEL: content, HOME_MODEL: content | home | {"name": "Budget"}},
        reports={
            INVOICE: {"datasources": [DATASOURCE]},
            HOME_REPORT: {"name": "Budget", "workspaceId": HOME, "datasetId": HOME_MODEL, "pages": [{"name": "P"}]},
        },
        dashboards={
            BOARD: {"displayName": "Turnover", "workspaceId": SALES, "tiles": TILES},
            HOME_BOARD: {"displayName": "Mine", "workspaceId": HOME, "tiles": TILES},
        },
        dataflows={FLOW: {"name": "Staging", "workspaceId": SALES, "description": "x", "datasources": [DATASOURCE]}},
        imports={
            IMPORT: {"name": "Sales", "workspaceId": SALES, "datasets": [SALES_MODEL], "reports": [SALES_REPORT]}
            | {"created": "2026-11-22T09:00:00Z", "updated": "2026-11-22T09:01:00Z"},
            HOME_IMPORT: {"name": "Budget", "workspaceId": HOME, "importState": "Publishing"},
        },
        apps={APP: {"name": "Sales", "workspaceId": SALES, "updated": "2026-11-01", "members": ["ana@contoso.com"]}},
        gateways={
            GATEWAY: {
                "name": "On premises",
                "publicKey": {"exponent": "AQAB", "modulus": "o6j2"},
                "admins": [operations],
                "datasources": [{"id": SOURCE, "datasourceName": "Sales", "credentialType": "Basic"}],
            }
        },
        pipelines={
            PIPELINE: {
                "displayName": "Sales",
                "admins": [operations],
                "stages": [{"order": 1}, {"order": 0, "workspaceId": SALES}],
            }
        },
        activityEvents={"41ce06d1-d81b-4ea0-bc6d-2ce3dd2f8e87": EVENT | {"UserId": "ana@contoso.com"}},
    )


def in_groups(driver: Driver) -> None:
    """As the users of a workspace read and change what is in it."""
    furnish(driver)
    _items(driver, _Place("operations", f"/groups/{SALES}", SALES_MODEL, SALES_REPORT, BOARD, IMPORT))
    group, model = f"/groups/{SALES}", f"/groups/{SALES}/datasets/{SALES_MODEL}"
    driver.call("GET", f"{group}/datasets/upstreamDataflows")
    driver.call("GET", f"{group}/reports/{INVOICE}/datasources")
    driver.call("GET", f"{group}/dataflows")
    driver.call("GET", f"{group}/dataflows/{FLOW}/datasources")
    driver.call("POST", f"{group}/dataflows/{FLOW}/refreshes", {"notifyOption": "NoNotification"})
    driver.call("GET", f"{group}/dataflows/{FLOW}/transactions")
    driver.call("POST", f"{model}/Default.TakeOver")
    clone = {"name": "Copy", "targetWorkspaceId": REFERENCE, "targetModelId": CALENDAR_MODEL}
    copy = driver.call("POST", f"{group}/reports/{SALES_REPORT}/Clone", clone).body["id"]
    driver.call("POST", f"/groups/{REFERENCE}/reports/{copy}/Rebind", {"datasetId": SALES_MODEL})
    driver.call("DELETE", f"/groups/{REFERENCE}/reports/{copy}")
    driver.call("GET", "/gateways")
    driver.call("GET", f"/gateways/{GATEWAY}")
    driver.call("GET", f"/gateways/{GATEWAY}/datasources")
    driver.call("GET", f"/gateways/{GATEWAY}/datasources/{SOURCE}")
    driver.call("GET", "/pipelines")
    driver.call("GET", f"/pipelines/{PIPELINE}", query={"$expand": "stages"})
    driver.call("GET", f"/pipelines/{PIPELINE}/stages")


def _items(driver: Driver, place: _Place) -> None:
    """What is the same in a group and at home."""
    where, model, who = place.where, place.model, place.who
    for path in ("/datasets", f"/datasets/{model}", f"/datasets/{model}/datasources", f"/datasets/{model}/parameters"):
        driver.call("GET", where + path, who=who)
    details = {"updateDetails": [{"name": "Server", "newValue": "prod"}]}
    driver.call("POST", f"{where}/datasets/{model}/Default.UpdateParameters", details, who=who)
    query = {"queries": [{"query": QUERY}], "serializerSettings": {"includeNulls": True}}
    driver.call("POST", f"{where}/datasets/{model}/executeQueries", query, who=who)
    for path in ("/reports", f"/reports/{place.report}", f"/reports/{place.report}/pages"):
        driver.call("GET", where + path, who=who)
    for path in ("", f"/{place.board}", f"/{place.board}/tiles", f"/{place.board}/tiles/{TILE}"):
        driver.call("GET", f"{where}/dashboards{path}", who=who)
    driver.patch(datasets={model: {"mode": "Push", "tables": ["Sales"]}})
    driver.call("GET", f"{where}/datasets/{model}/tables", who=who)
    driver.patch(datasets={model: {"mode": "Import"}})
    user = {"identifier": "chloe@contoso.com", "principalType": "User"}
    for method, right in (("POST", "ReadReshare"), ("PUT", "Read")):
        body = user | {"datasetUserAccessRight": right}
        driver.call(method, f"{where}/datasets/{model}/users", body, who=who)
    driver.call("GET", f"{where}/datasets/{model}/users", who=who)
    driver.call("GET", f"{where}/imports", who=who)
    driver.call("GET", f"{where}/imports/{place.imported}", who=who)


def in_my_workspace(driver: Driver) -> None:
    """As a person reads and changes what is in her own workspace."""
    _items(driver, _Place("ana", "", HOME_MODEL, HOME_REPORT, HOME_BOARD, HOME_IMPORT))
    model, report = f"/datasets/{HOME_MODEL}", f"/reports/{HOME_REPORT}"
    driver.call("GET", f"{report}/pages/P", who="ana")
    driver.call("POST", f"{model}/refreshes", {"notifyOption": "MailOnFailure"}, who="ana")
    driver.call("GET", f"{model}/refreshes", who="ana", query={"$top": "1"})
    enhanced = "ca000000-0000-4000-8000-000000000001"
    driver.patch(refreshes={enhanced: {"datasetId": HOME_MODEL, "refreshType": "ViaEnhancedApi", "duration": "PT1H"}})
    driver.patch(refreshes={enhanced: {"started": "2026-11-22T12:00:00+00:00"}})
    driver.call("GET", f"{model}/refreshes/{enhanced}", who="ana")
    driver.call("DELETE", f"{model}/refreshes/{enhanced}", who="ana")
    driver.call("PATCH", f"{model}/refreshSchedule", {"value": {"days": ["Monday"], "enabled": True}}, who="ana")
    driver.call("GET", f"{model}/refreshSchedule", who="ana")
    copy = driver.call("POST", f"{report}/Clone", {"name": "Copy"}, who="ana").body["id"]
    driver.call("POST", f"/reports/{copy}/Rebind", {"datasetId": SALES_MODEL}, who="ana")
    driver.patch(reports={copy: {"datasetId": "", "datasources": [DATASOURCE]}})
    driver.call("GET", f"/reports/{copy}/datasources", who="ana")
    driver.call("DELETE", f"/reports/{copy}", who="ana")
    driver.call("DELETE", model, who="ana")
    driver.call("GET", "/apps", who="ana")
    driver.call("GET", f"/apps/{APP}", who="ana")


def as_administrator(driver: Driver) -> None:
    """As whoever governs the tenant reads all of it."""
    for kind in ("datasets", "reports", "dashboards", "dataflows"):
        driver.call("GET", f"/admin/{kind}", who="admin", query={"$top": "9", "$skip": "0"})
        driver.call("GET", f"/admin/groups/{SALES}/{kind}", who="admin")
    driver.call("GET", f"/admin/groups/{SALES}", who="admin", query={"$expand": "users"})
    driver.call("GET", f"/admin/groups/{SALES}/users", who="admin")
    driver.call("GET", f"/admin/datasets/{SALES_MODEL}/users", who="admin")
    driver.call("GET", f"/admin/datasets/{SALES_MODEL}/datasources", who="admin")
    driver.call("GET", f"/admin/dashboards/{BOARD}/tiles", who="admin")
    driver.call("GET", f"/admin/dashboards/{BOARD}/users", who="admin")
    driver.call("GET", f"/admin/reports/{SALES_REPORT}/users", who="admin")
    driver.call("GET", "/admin/capacities", who="admin")
    driver.call("GET", f"/admin/capacities/{CAPACITIES['premium-eu']}/users", who="admin")
    driver.call("GET", "/admin/apps", who="admin", query={"$top": "9"})
    driver.call("GET", "/admin/pipelines", who="admin", query={"$expand": "stages,users"})
    _scan(driver)
    window = {"startDateTime": "'2026-11-22T09:00:00Z'", "endDateTime": "'2026-11-22T10:30:00Z'"}
    first = driver.call("GET", "/admin/activityevents", who="admin", query=window).body
    token = {"continuationToken": f"'{first['continuationToken']}'"}
    driver.call("GET", "/admin/activityevents", who="admin", query=token)
    driver.call("DELETE", f"/groups/{SALES}/datasets/{MARGIN_MODEL}")


def _scan(driver: Driver) -> None:
    everything = ("lineage", "datasourceDetails", "datasetSchema", "datasetExpressions", "getArtifactUsers")
    workspaces = driver.call(
        "GET", "/admin/workspaces/modified", who="admin", query={"excludePersonalWorkspaces": "True"}
    )
    body = {"workspaces": [workspace["id"] for workspace in workspaces.body]}
    query = dict.fromkeys(everything, "true")
    scan = driver.call("POST", "/admin/workspaces/getInfo", body, who="admin", query=query).body["id"]
    driver.call("GET", f"/admin/workspaces/scanStatus/{scan}", who="admin")
    driver.pass_time(seconds=2)
    driver.call("GET", f"/admin/workspaces/scanStatus/{scan}", who="admin")
    driver.call("GET", f"/admin/workspaces/scanResult/{scan}", who="admin")
