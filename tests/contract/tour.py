"""One of every answer that the emulator gives, and the requests that bring them about."""

from __future__ import annotations

from tests.contract import tour_of_content
from tests.emulator.powerbi_driver import (
    APPS,
    CALENDAR_MODEL,
    CAPACITIES,
    GROUPS,
    INVOICE,
    MARGIN_MODEL,
    MARGIN_REPORT,
    REFERENCE,
    SALES,
    SALES_MODEL,
    SALES_REFRESHES,
    SALES_REPORT,
    Driver,
)

NO_CAPACITY = "00000000-0000-0000-0000-000000000000"
IDENTITY = {"username": "customer-7", "roles": ["Customer"], "datasets": [MARGIN_MODEL], "customData": "7"}
BLOB = {"identityBlob": {"value": "blob"}, "roles": ["Customer"], "datasets": [MARGIN_MODEL]}


def taken() -> Driver:
    """A driver that has called every operation, most in several ways."""
    driver = Driver()
    for part in (_groups, _users, _capacities, _datasets, _refreshes, _schedules, _reports, _tokens, _others):
        part(driver)
    for part in (tour_of_content.in_groups, tour_of_content.in_my_workspace, tour_of_content.as_administrator):
        part(driver)
    return driver


def _groups(driver: Driver) -> None:
    made = driver.new_workspace("TOUR-Sales-DEV")
    driver.call("GET", "/groups", query={"$filter": "contains(name,'Sales')", "$top": "2", "$skip": "0"})
    driver.call("GET", "/groups")
    driver.call("GET", f"/groups/{SALES}")
    driver.call("PATCH", f"/groups/{made}", {"name": "TOUR-Sales-TEST"})
    driver.call("DELETE", f"/groups/{made}")


def _users(driver: Driver) -> None:
    users = f"/groups/{SALES}/users"
    driver.call("POST", users, {"emailAddress": "dev@contoso.com", "groupUserAccessRight": "Viewer"})
    group = {"identifier": GROUPS["sales-analysts"], "principalType": "Group"}
    driver.call("POST", users, group | {"groupUserAccessRight": "Viewer"})
    driver.call("PUT", users, group | {"groupUserAccessRight": "Contributor"})
    driver.call("GET", users, query={"$top": "10", "$skip": "0"})
    driver.call("DELETE", f"{users}/{GROUPS['sales-analysts']}")
    profile = driver.call("POST", "/profiles", {"displayName": "Customer 7"}).body
    member = {"identifier": APPS["operations"].object_id, "principalType": "App", "groupUserAccessRight": "Viewer"}
    driver.call("POST", users, member | {"profile": {"id": profile["id"]}})
    driver.call("GET", users)
    driver.call("POST", "/RefreshUserPermissions")


def _capacities(driver: Driver) -> None:
    driver.call("GET", "/capacities")
    status = f"/groups/{REFERENCE}/CapacityAssignmentStatus"
    driver.call("GET", status)
    driver.call("POST", f"/groups/{REFERENCE}/AssignToCapacity", {"capacityId": CAPACITIES["premium-eu"]})
    for _ in range(3):
        driver.call("GET", status)
        driver.pass_time(seconds=0.5)
    driver.call("PATCH", f"/groups/{REFERENCE}", {"defaultDatasetStorageFormat": "Large"})
    driver.call("POST", f"/groups/{REFERENCE}/AssignToCapacity", {"capacityId": NO_CAPACITY})
    driver.pass_time(seconds=2)
    driver.call("GET", status)


def _datasets(driver: Driver) -> None:
    driver.call("GET", f"/groups/{SALES}/datasets")
    driver.call("GET", f"/groups/{SALES}/datasets/{MARGIN_MODEL}")
    parameter = {"name": "Server", "type": "Text", "isRequired": True, "currentValue": "dev"}
    driver.patch(datasets={SALES_MODEL: {"parameters": [parameter]}})
    driver.call("GET", f"/groups/{SALES}/datasets/{SALES_MODEL}/parameters")


def _refreshes(driver: Driver) -> None:
    driver.call("POST", SALES_REFRESHES, {"notifyOption": "NoNotification"})
    driver.pass_time(seconds=5)
    objects = [{"table": "Sales", "partition": "Sales-2026-11"}, {"table": "Date"}]
    request = {
        "type": "Full",
        "commitMode": "Transactional",
        "retryCount": 1,
        "timeout": "00:30:00",
        "objects": objects,
    }
    for outcome in ("Completed", "Failed", "TimedOut", "Disabled", "Cancelled"):
        driver.patch(datasets={SALES_MODEL: {"nextOutcome": outcome}})
        started = driver.call("POST", SALES_REFRESHES, request)
        details = f"{SALES_REFRESHES}/{started.headers['x-ms-request-id']}"
        driver.call("GET", details)
        driver.pass_time(seconds=10)
        driver.call("GET", details)
    running = driver.call("POST", SALES_REFRESHES, {"type": "Calculate", "maxParallelism": 2})
    driver.call("GET", SALES_REFRESHES, query={"$top": "2"})
    driver.call("DELETE", f"{SALES_REFRESHES}/{running.headers['x-ms-request-id']}")
    driver.call("GET", SALES_REFRESHES)


def _schedules(driver: Driver) -> None:
    schedule = f"/groups/{SALES}/datasets/{SALES_MODEL}/refreshSchedule"
    value = {"days": ["Monday"], "times": ["07:00"], "localTimeZoneId": "UTC", "notifyOption": "NoNotification"}
    driver.call("PATCH", schedule, {"value": value | {"enabled": True}})
    driver.call("GET", schedule)


def _reports(driver: Driver) -> None:
    driver.call("GET", f"/groups/{SALES}/reports")
    driver.call("GET", f"/groups/{SALES}/reports/{INVOICE}")
    driver.call("GET", f"/groups/{SALES}/reports/{SALES_REPORT}/pages")
    driver.call("GET", f"/groups/{SALES}/reports/{SALES_REPORT}/pages/ReportSection")


def _tokens(driver: Driver) -> None:
    both = {"reports": [{"id": MARGIN_REPORT, "allowEdit": False}], "datasets": [{"id": MARGIN_MODEL}]}
    target = {"targetWorkspaces": [{"id": SALES}], "lifetimeInMinutes": 30}
    driver.call("POST", "/GenerateToken", both | target | {"identities": [IDENTITY]}, who="embed")
    driver.call("POST", "/GenerateToken", both | {"identities": [BLOB]}, who="embed")
    one = {"accessLevel": "View", "allowSaveAs": True, "identities": [IDENTITY]}
    driver.call("POST", f"/groups/{SALES}/reports/{MARGIN_REPORT}/GenerateToken", one, who="embed")
    driver.call("POST", f"/groups/{SALES}/datasets/{SALES_MODEL}/GenerateToken", {"accessLevel": "View"}, who="embed")
    create = {"accessLevel": "Create", "datasetId": CALENDAR_MODEL}
    driver.call("POST", f"/groups/{REFERENCE}/reports/GenerateToken", create, who="embed")


def _others(driver: Driver) -> None:
    profile = driver.call("POST", "/profiles", {"displayName": "Customer 8"}).body["id"]
    driver.call("GET", "/profiles", query={"$filter": "displayName eq 'Customer 8'", "$top": "5", "$skip": "0"})
    driver.call("GET", f"/profiles/{profile}")
    driver.call("PUT", f"/profiles/{profile}", {"displayName": "Customer 9"})
    driver.call("DELETE", f"/profiles/{profile}")
    driver.call("GET", "/availableFeatures")
    driver.call("GET", "/availableFeatures(featureName='embedTrial')")
    everything = {"$top": "5000", "$expand": "users,reports,dashboards,datasets,dataflows,workbooks"}
    driver.call("GET", "/admin/groups", who="admin", query=everything)
    driver.call("GET", "/admin/groups", who="admin", query={"$top": "5", "$filter": "state eq 'Deleted'"})
