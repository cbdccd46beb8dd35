"""Who is let in, in which words the others are told, and what is on every answer."""

from __future__ import annotations

import time
import uuid
from typing import Any

import pytest

from emulator.entra.tokens import Sign, TokenAuthority
from emulator.http import Call
from emulator.powerbi.service import PowerBI
from emulator.seed import TENANT_ID
from tests.emulator.powerbi_driver import (
    APPS,
    GROUPS,
    PEOPLE,
    REPORTS,
    SALES,
    SALES_MODEL,
    SALES_REFRESHES,
    STRANGERS,
    Driver,
)

SOMETHING = "0d0e0a0d-0000-4000-8000-00000000dead"
EMBED_ERRORS = "https://learn.microsoft.com/power-bi/developer/embedded/embedded-troubleshoot"


@pytest.fixture
def driver() -> Driver:
    return Driver()


@pytest.mark.observed("public clients: no Authorization header is 403 with an empty body")
def test_a_call_without_a_token_is_403_with_an_empty_body(driver: Driver) -> None:
    reply = driver.call("GET", "/groups", headers={"authorization": ""})
    assert (reply.status, reply.body, reply.code) == (403, None, "")


@pytest.mark.documented("https://learn.microsoft.com/entra/identity-platform/access-tokens")
def test_the_tenants_own_tokens_are_taken_and_those_of_another_key_or_tenant_are_not(driver: Driver) -> None:
    authority = TokenAuthority()
    service = PowerBI(authority, driver.clock)

    def status(sign: Sign = "right", **claims: Any) -> int:
        token = authority.issue(own | claims, sign=sign)
        headers = {"authorization": f"Bearer {token}"}
        return service.handle(Call("GET", "api.powerbi.com", "/v1.0/myorg/groups", {}, headers)).status

    own = {
        "aud": "https://analysis.windows.net/powerbi/api",
        "tid": TENANT_ID,
        "oid": APPS["embed"].object_id,
        "azp": APPS["embed"].client_id,
        "exp": int(time.time()) + 600,
    }
    assert status() == 200
    assert [status("wrongKey"), status("none"), status("hs256"), status(tid=SOMETHING), status(exp=1)] == [403] * 5


@pytest.mark.observed("public clients: a token that is none, or not for this API, is 403 with InvalidToken in a header")
@pytest.mark.parametrize("claims", [{"refuse": "signature"}, {"aud": "https://vault.azure.net"}, {"oid": SOMETHING}])
def test_a_token_at_fault_is_403_with_its_reason_in_a_header(driver: Driver, claims: dict[str, Any]) -> None:
    reply = driver.call("GET", "/groups", claims=claims)
    assert (reply.status, reply.body, reply.code) == (403, None, "InvalidToken")
    assert driver.call("GET", "/groups", headers={"authorization": "Bearer x"}).code == "InvalidToken"
    assert driver.call("GET", "/groups", headers={"authorization": "Basic eDp5"}).code == "InvalidToken"


@pytest.mark.documented(EMBED_ERRORS)
def test_an_expired_token_is_403_token_expired(driver: Driver) -> None:
    reply = driver.call("GET", "/groups", claims={"refuse": "expired"})
    message = "Access token has expired, resubmit with a new access token"
    assert (reply.status, reply.code, reply.message) == (403, "TokenExpired", message)


@pytest.mark.observed("public clients saw TokenExpired in the header as well (switch expiredToken)")
def test_an_expired_token_may_be_told_in_a_header(driver: Driver) -> None:
    driver.switch(expiredToken="header")
    reply = driver.call("GET", "/groups", claims={"refuse": "expired"})
    assert (reply.status, reply.body, reply.code) == (403, None, "TokenExpired")


@pytest.mark.observed("MicrosoftDocs/powerbi-docs#1109 and public clients (switch tenantRefusal)")
def test_a_service_principal_outside_the_tenant_settings_is_401_in_one_of_three_forms(driver: Driver) -> None:
    reply = driver.call("GET", "/groups", who="nobody")
    expected = (401, None, "ServicePrincipalIsNotAllowedByTenantAdminSwitch")
    assert (reply.status, reply.body, reply.code) == expected
    driver.switch(tenantRefusal="PowerBINotAuthorizedException")
    assert driver.call("GET", "/groups", who="nobody").code == "PowerBINotAuthorizedException"
    driver.switch(tenantRefusal="message")
    assert driver.call("GET", "/groups", who="nobody").body == {"Message": "API is not accessible for application"}


@pytest.mark.documented("https://learn.microsoft.com/power-bi/developer/embedded/embed-service-principal")
def test_the_tenant_switch_shuts_out_service_principals_but_not_people(driver: Driver) -> None:
    driver.switch(servicePrincipalsMayUseApis=False)
    assert driver.call("GET", "/groups").status == 401
    assert driver.call("GET", "/groups", who="ana").status == 200


@pytest.mark.documented(EMBED_ERRORS)
@pytest.mark.parametrize("workspace", [STRANGERS, SOMETHING])
def test_a_workspace_without_access_is_401_as_is_one_that_does_not_exist(driver: Driver, workspace: str) -> None:
    for path in (f"/groups/{workspace}", f"/groups/{workspace}/reports", f"/groups/{workspace}/users"):
        reply = driver.call("GET", path)
        twin = {"code": reply.code, "parameters": {}, "details": [], "exceptionCulprit": 1}
        assert (reply.status, reply.code) == (401, "PowerBINotAuthorizedException")
        assert reply.body == {"error": {"code": reply.code, "pbi.error": twin}}


@pytest.mark.observed(
    "public clients: 401 with GroupNotAccessible in a header; 404 elsewhere (switch noWorkspaceAccess)"
)
def test_a_workspace_without_access_may_be_told_in_two_other_ways(driver: Driver) -> None:
    driver.switch(noWorkspaceAccess="GroupNotAccessible")
    reply = driver.call("GET", f"/groups/{STRANGERS}")
    assert (reply.status, reply.body, reply.code) == (401, None, "GroupNotAccessible")
    driver.switch(noWorkspaceAccess="PowerBIEntityNotFound")
    assert driver.call("GET", f"/groups/{STRANGERS}").status == 404


@pytest.mark.observed("DevScope/powerbi-powershell-modules#66")
@pytest.mark.parametrize(
    "path",
    [
        f"/groups/{SALES}/reports/{SOMETHING}",
        f"/groups/{SALES}/datasets/{SOMETHING}",
        f"{SALES_REFRESHES}/{SOMETHING}",
        f"/groups/{SALES}/datasets/{SOMETHING}/refreshes",
    ],
)
def test_an_unknown_item_in_a_visible_workspace_is_404(driver: Driver, path: str) -> None:
    reply = driver.call("GET", path)
    assert (reply.status, reply.code) == (404, "PowerBIEntityNotFound")


@pytest.mark.documented("https://learn.microsoft.com/power-bi/collaborate-share/service-roles-new-workspaces")
def test_a_role_that_is_too_weak_is_refused(driver: Driver) -> None:
    driver.patch(workspaces={SALES: {"members": {"dev@contoso.com": {"right": "Viewer"}}}})
    assert driver.call("GET", f"/groups/{SALES}/reports", who="dev").status == 200
    assert driver.call("POST", SALES_REFRESHES, who="dev").status == 403
    assert driver.call("DELETE", f"/groups/{SALES}", who="dev").status == 403
    driver.switch(insufficientRoleStatus=401)
    assert driver.call("DELETE", f"/groups/{SALES}", who="dev").status == 401


@pytest.mark.documented("https://learn.microsoft.com/power-bi/collaborate-share/service-give-access-new-workspaces")
def test_members_of_a_group_have_the_groups_role_also_through_another_group(driver: Driver) -> None:
    inner, outer = GROUPS["finance-analysts"], GROUPS["sales-analysts"]
    driver.patch(
        principals={inner: {"members": ["Dev@contoso.com"]}, outer: {"members": [inner]}},
        workspaces={SALES: {"members": {outer: {"right": "Contributor"}}}},
    )
    assert driver.call("POST", SALES_REFRESHES, who="dev").status == 202
    driver.patch(principals={inner: {"members": [PEOPLE["chloe"].object_id]}})
    assert driver.call("GET", f"/groups/{SALES}", who="dev").status == 401
    assert driver.call("GET", f"/groups/{SALES}", who="chloe").status == 200


@pytest.mark.documented("Required Scope of Datasets_RefreshDatasetInGroup (switch missingScopeStatus for the status)")
def test_a_users_token_needs_a_scope_of_the_operation_and_an_apps_token_none(driver: Driver) -> None:
    reading = {"scp": "Dataset.Read.All"}
    assert driver.call("GET", SALES_REFRESHES, who="ana", claims=reading).status == 200
    assert driver.call("POST", SALES_REFRESHES, who="ana", claims=reading).status == 403
    driver.switch(missingScopeStatus=401)
    assert driver.call("POST", SALES_REFRESHES, who="ana", claims=reading).status == 401
    assert driver.call("POST", SALES_REFRESHES, who="ana", claims={"scp": "user_impersonation"}).status == 202
    driver.pass_time(seconds=2)
    driver.switch(delegatedScopesMatter=False)
    assert driver.call("POST", SALES_REFRESHES, who="ana", claims=reading).status == 202


@pytest.mark.observed("RuiRomano/pbimonitor#58, and public clients for Access-Control-Expose-Headers")
def test_every_answer_has_a_request_id_of_its_own(driver: Driver) -> None:
    calls = [("GET", "/groups"), ("GET", f"/groups/{STRANGERS}"), ("GET", "/nothing"), ("POST", SALES_REFRESHES)]
    replies = [driver.call(*call) for call in calls] + [driver.call("GET", "/groups", headers={"authorization": ""})]
    ids = {uuid.UUID(reply.headers["RequestId"]) for reply in replies}
    assert len(ids) == len(replies)
    assert {reply.headers["Access-Control-Expose-Headers"] for reply in replies} == {"RequestId"}
    assert all("x-ms-request-id" not in reply.headers for reply in replies)


@pytest.mark.observed("pbipandas and pypowerbi on PyPI write /groups//{id} and /{id}//datasets")
def test_doubled_slashes_a_last_one_and_case_make_no_difference(driver: Driver) -> None:
    paths = (f"//groups/{SALES}//reports", f"/groups/{SALES}/reports/", f"/Groups/{SALES.upper()}/REPORTS")
    assert [driver.call("GET", path).status for path in paths] == [200] * 3


def test_an_operation_that_is_not_emulated_is_501_and_names_itself(driver: Driver) -> None:
    reply = driver.call("GET", "/dataflowStorageAccounts")
    assert reply.status == 501
    assert "GET api.powerbi.com/v1.0/myorg/dataflowStorageAccounts" in reply.message


@pytest.mark.documented(
    "https://learn.microsoft.com/power-bi/developer/embedded/embed-sample-for-customers-national-clouds"
)
def test_each_national_cloud_takes_tokens_for_its_own_resource_only(driver: Driver) -> None:
    china = {"aud": "https://analysis.chinacloudapi.cn/powerbi/api/"}
    assert driver.call("GET", "/groups", host="api.powerbi.cn", claims=china).status == 200
    assert driver.call("GET", "/groups", claims=china).status == 403
    report = driver.call("GET", f"/groups/{SALES}/reports/{REPORTS['Invoice']}", host="api.powerbi.cn", claims=china)
    assert report.body["embedUrl"].startswith("https://app.powerbi.cn/rdlEmbed?reportId=")


@pytest.mark.observed("microsoft/powerbi-jupyter#20")
def test_json_without_a_content_type_is_415_with_a_bare_message(driver: Driver) -> None:
    reply = driver.call("POST", "/groups", {"name": "TOUR-X"}, headers={"content-type": ""})
    assert (reply.status, list(reply.body)) == (415, ["message"])


@pytest.mark.assumed("the service's JSON reader ignores unknown names and the case of known ones; not switchable")
def test_undeclared_fields_are_ignored_and_noted(driver: Driver) -> None:
    reply = driver.call("POST", "/groups", {"Name": "TOUR-X", "description": "x", "capacityId": "y"})
    assert (reply.status, reply.body["name"]) == (200, "TOUR-X")
    assert reply.notes == ["ignored undeclared field description", "ignored undeclared field capacityId"]


@pytest.mark.parametrize("raw", [None, b"{", b"[]", b'"x"', b'{"name": 1}', b"\xff"])
def test_a_body_that_does_not_fit_is_400(driver: Driver, raw: bytes) -> None:
    reply = driver.call("POST", "/groups", raw)
    assert (reply.status, reply.code) == (400, "InvalidRequest")


def test_the_caller_is_named_for_the_list_of_requests(driver: Driver) -> None:
    assert driver.call("GET", "/groups", who="embed").client_id == APPS["embed"].client_id
    version_2 = {"appid": None, "azp": "a-client"}
    assert driver.call("GET", "/groups", who="embed", claims=version_2).client_id == "a-client"
    assert driver.call("GET", "/groups", who="nobody").client_id == APPS["nobody"].client_id


@pytest.mark.documented(
    "Datasets_GetDatasetsInGroup; https://learn.microsoft.com/power-bi/developer/embedded/embed-multi-tenancy"
)
def test_a_profile_has_its_own_rights_and_not_its_owners(driver: Driver) -> None:
    made = driver.call("POST", "/profiles", {"displayName": "Customer 7"}).body["id"]
    as_profile = {"x-powerbi-profile-id": made}
    assert driver.call("GET", "/groups", headers=as_profile).value == []
    own = driver.call("POST", "/groups", {"name": "CUST-7"}, headers=as_profile).body["id"]
    assert [group["id"] for group in driver.call("GET", "/groups", headers=as_profile).value] == [own]
    assert driver.call("GET", f"/groups/{own}").status == 401
    assert driver.call("GET", "/groups", who="embed", headers=as_profile).status == 403
    driver.switch(unknownProfileStatus=401)
    assert driver.call("GET", "/groups", who="embed", headers=as_profile).status == 401
    assert driver.call("GET", f"/groups/{SALES}/datasets/{SALES_MODEL}", headers=as_profile).status == 401


def test_a_slash_at_the_end_of_a_path_makes_no_difference() -> None:
    driver = Driver()
    assert driver.call("GET", "/groups/").value == driver.call("GET", "/groups").value
    assert driver.call("GET", f"/groups/{SALES}/").body == driver.call("GET", f"/groups/{SALES}").body
