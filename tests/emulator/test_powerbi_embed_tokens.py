"""GenerateToken: limits, rights, lifetimes, and what the token says."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from datetime import timedelta
from typing import Any

import pytest

from tests.emulator.powerbi_driver import (
    APPS,
    CALENDAR_MODEL,
    CAPACITIES,
    INVOICE,
    MARGIN_MODEL,
    MARGIN_REPORT,
    REFERENCE,
    SALES,
    SALES_MODEL,
    SALES_REPORT,
    START,
    TOKEN_LIFE,
    Driver,
    Reply,
)

CONSIDERATIONS = "https://learn.microsoft.com/power-bi/developer/embedded/generate-embed-token"
PLAIN = {"reports": [{"id": SALES_REPORT}], "datasets": [{"id": SALES_MODEL}]}
FILTERED = {
    "reports": [{"id": MARGIN_REPORT}],
    "datasets": [{"id": MARGIN_MODEL}],
    "identities": [{"username": "customer-7", "roles": ["Customer"], "datasets": [MARGIN_MODEL]}],
}
SOMETHING = "0d0e0a0d-0000-4000-8000-00000000dead"


@pytest.fixture
def driver() -> Driver:
    return Driver()


def mint(driver: Driver, body: Any, who: str = "embed", **options: Any) -> Reply:
    return driver.call("POST", "/GenerateToken", body, who=who, **options)


@pytest.mark.documented("EmbedToken_GenerateToken")
def test_a_token_is_made_and_says_what_it_is_for(driver: Driver) -> None:
    reply = mint(driver, FILTERED)
    assert reply.status == 200
    assert set(reply.body) == {"@odata.context", "token", "tokenId", "expiration"}
    assert reply.body["token"].startswith("H4sI")
    grant = driver.service.read_embed_token(reply.body["token"])
    assert grant["tokenId"] == reply.body["tokenId"]
    assert grant["reports"] == [{"id": MARGIN_REPORT, "workspaceId": SALES, "allowEdit": False}]
    assert grant["datasets"] == [{"id": MARGIN_MODEL, "xmlaPermissions": "Off"}]
    assert grant["identities"] == FILTERED["identities"]


def test_the_state_keeps_what_a_token_was_made_with_but_not_its_value(driver: Driver) -> None:
    token = mint(driver, FILTERED | {"targetWorkspaces": [{"id": SALES}], "lifetimeInMinutes": 5}).body
    state = driver.service.state()
    kept = state["embedTokens"][token["tokenId"]]
    assert token["token"] not in json.dumps(state)
    assert kept["sha256"] == hashlib.sha256(token["token"].encode()).hexdigest()
    assert (kept["callerClientId"], kept["expiration"]) == (APPS["embed"].client_id, token["expiration"])
    assert (kept["targetWorkspaces"], kept["lifetimeInMinutes"]) == ([SALES], 5)


def test_a_token_that_was_changed_or_has_expired_is_not_read(driver: Driver) -> None:
    token = mint(driver, FILTERED).body["token"]
    sealed = json.loads(gzip.decompress(base64.b64decode(token)))
    sealed["grant"]["identities"][0]["roles"] = ["Employee"]
    forged = base64.b64encode(gzip.compress(json.dumps(sealed).encode())).decode()
    for wrong in (forged, token[:-8], "H4sI", "", "x.y.z"):
        with pytest.raises(ValueError, match="embed token"):
            driver.service.read_embed_token(wrong)
    with pytest.raises(ValueError, match="not made by this emulator"):
        Driver().service.read_embed_token(token)
    driver.clock.advance(TOKEN_LIFE)
    with pytest.raises(ValueError, match="expired"):
        driver.service.read_embed_token(token)


@pytest.mark.parametrize(("life", "seconds"), [("PT0S", 3600), ("PT5S", 5), ("PT2H", 3600)])
def test_a_switch_makes_tokens_short_so_that_a_test_sees_them_end(driver: Driver, life: str, seconds: int) -> None:
    driver.switch(embedTokenLife=life)
    expected = (START + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert mint(driver, PLAIN).body["expiration"] == expected


@pytest.mark.documented(CONSIDERATIONS + ": as long as the Entra token; lifetimeInMinutes can only shorten")
@pytest.mark.parametrize(
    ("lifetime", "minutes"), [(None, 60), (0, 60), (1, 1), (10, 10), (60, 60), (61, 60), (100_000, 60)]
)
def test_a_token_lives_as_long_as_the_entra_token_or_shorter(
    driver: Driver, lifetime: int | None, minutes: int
) -> None:
    body = PLAIN if lifetime is None else PLAIN | {"lifetimeInMinutes": lifetime}
    expected = (START + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert mint(driver, body).body["expiration"] == expected


@pytest.mark.documented(CONSIDERATIONS)
def test_a_token_minted_late_from_one_entra_token_is_shorter(driver: Driver) -> None:
    ends = int((START + TOKEN_LIFE).timestamp())
    driver.pass_time(minutes=50)
    assert mint(driver, PLAIN, claims={"exp": ends}).body["expiration"] == "2026-11-22T13:00:00Z"


@pytest.mark.documented("EmbedToken_GenerateToken: lifetimeInMinutes is a positive integer or 0")
@pytest.mark.parametrize("lifetime", [-1, "60", 1.5, True])
def test_a_lifetime_that_is_no_positive_number_is_400(driver: Driver, lifetime: Any) -> None:
    assert mint(driver, PLAIN | {"lifetimeInMinutes": lifetime}).status == 400


@pytest.mark.documented("EmbedToken_GenerateToken: at most 50 reports, 50 datasets, 50 target workspaces")
@pytest.mark.assumed("the status above fifty (tooManyTokenItemsStatus)")
@pytest.mark.parametrize(
    ("name", "item"), [("reports", SALES_REPORT), ("datasets", SALES_MODEL), ("targetWorkspaces", SALES)]
)
def test_a_token_is_for_fifty_of_each_at_most(driver: Driver, name: str, item: str) -> None:
    assert mint(driver, PLAIN | {name: [{"id": item}] * 50}).status == 200
    assert mint(driver, PLAIN | {name: [{"id": item}] * 51}).status == 400
    driver.switch(tooManyTokenItemsStatus=403)
    assert mint(driver, PLAIN | {name: [{"id": item}] * 51}).status == 403


def test_a_token_for_nothing_is_400(driver: Driver) -> None:
    assert mint(driver, {}).status == 400
    assert mint(driver, {"reports": [], "targetWorkspaces": [{"id": SALES}]}).status == 400


@pytest.mark.observed("DevScope/powerbi-powershell-modules#66: an unknown item is 404")
@pytest.mark.parametrize("name", ["reports", "datasets", "targetWorkspaces"])
def test_an_unknown_item_is_404(driver: Driver, name: str) -> None:
    reply = mint(driver, PLAIN | {name: [{"id": SOMETHING}]})
    assert (reply.status, reply.code) == (404, "PowerBIEntityNotFound")


@pytest.mark.documented(CONSIDERATIONS + ": the caller has access to every workspace (tokenWithoutAccessStatus)")
def test_the_caller_needs_a_role_in_every_workspace(driver: Driver) -> None:
    assert mint(driver, PLAIN, who="admin").status == 403
    driver.switch(tokenWithoutAccessStatus=401)
    assert mint(driver, PLAIN, who="admin").status == 401
    assert mint(driver, PLAIN, who="operations").status == 200
    driver.patch(workspaces={REFERENCE: {"members": {APPS["embed"].object_id: None}}})
    apart = {"reports": [{"id": SALES_REPORT}], "datasets": [{"id": CALENDAR_MODEL}]}
    assert mint(driver, apart).status == 401
    assert mint(driver, PLAIN | {"targetWorkspaces": [{"id": REFERENCE}]}).status == 401


@pytest.mark.documented(
    "https://learn.microsoft.com/power-bi/developer/embedded/embedded-row-level-security: member or admin"
)
@pytest.mark.parametrize("body", [FILTERED, {"reports": [{"id": SALES_REPORT}], "datasets": [{"id": CALENDAR_MODEL}]}])
def test_filtered_data_and_data_of_another_workspace_need_a_member(driver: Driver, body: Any) -> None:
    for right, status in (("Contributor", 403), ("Member", 200), ("Admin", 200)):
        members = {APPS["admin"].object_id: {"right": right}}
        driver.patch(workspaces={SALES: {"members": members}, REFERENCE: {"members": members}})
        assert mint(driver, body, who="admin").status == status


@pytest.mark.assumed("which role editing and saving need is not documented (tokenWithoutAccessStatus for the status)")
@pytest.mark.parametrize(
    "body",
    [PLAIN | {"reports": [{"id": SALES_REPORT, "allowEdit": True}]}, PLAIN | {"targetWorkspaces": [{"id": SALES}]}],
)
def test_a_viewer_hands_out_no_right_to_change(driver: Driver, body: Any) -> None:
    driver.patch(workspaces={SALES: {"members": {APPS["admin"].object_id: {"right": "Viewer"}}}})
    assert mint(driver, PLAIN, who="admin").status == 200
    assert mint(driver, body, who="admin").status == 403


@pytest.mark.documented("EmbedToken_GenerateToken, Required Scope")
def test_a_users_token_needs_scopes_for_what_it_asks(driver: Driver) -> None:
    reading = {"scp": "Report.Read.All Dataset.Read.All"}
    edit = PLAIN | {"reports": [{"id": SALES_REPORT, "allowEdit": True}]}
    save = PLAIN | {"targetWorkspaces": [{"id": SALES}]}
    assert [mint(driver, body, "ana", claims=reading).status for body in (PLAIN, edit, save)] == [200, 403, 403]
    assert mint(driver, edit | save, "ana").status == 200
    assert mint(driver, PLAIN, "ana", claims={"scp": "Dataset.Read.All"}).status == 403


@pytest.mark.documented("GenerateTokenRequestV2Dataset.xmlaPermissions; read-only XMLA needs a capacity")
def test_xmla_permissions_are_off_or_read_only_and_that_needs_a_capacity(driver: Driver) -> None:
    def with_xmla(dataset: str, word: str) -> Reply:
        return mint(driver, {"datasets": [{"id": dataset, "xmlaPermissions": word}], "reports": PLAIN["reports"]})

    reply = with_xmla(SALES_MODEL, "ReadOnly")
    grant = driver.service.read_embed_token(reply.body["token"])
    assert grant["datasets"] == [{"id": SALES_MODEL, "xmlaPermissions": "ReadOnly"}]
    assert with_xmla(SALES_MODEL, "ReadWrite").status == 400
    assert with_xmla(CALENDAR_MODEL, "ReadOnly").status == 400
    assert with_xmla(CALENDAR_MODEL, "Off").status == 200


@pytest.mark.documented(CONSIDERATIONS + ": without a capacity, a limited number of trial tokens (trialTokens)")
def test_trial_tokens_run_out_and_their_use_is_told(driver: Driver) -> None:
    driver.switch(trialTokens=4)
    trial = {"datasets": [{"id": CALENDAR_MODEL}]}
    feature = "/availableFeatures(featureName='embedTrial')"
    for usage in (0, 25, 50, 75):
        assert driver.call("GET", feature, who="embed").body["additionalInfo"] == {"usage": usage}
        assert mint(driver, trial).status == 200
    assert mint(driver, trial).status == 403
    assert mint(driver, PLAIN).status == 200
    assert mint(driver, trial, who="operations").status == 200
    driver.call("POST", f"/groups/{REFERENCE}/AssignToCapacity", {"capacityId": CAPACITIES["premium-eu"]})
    driver.pass_time(seconds=2)
    assert mint(driver, trial).status == 200


@pytest.mark.documented("Reports_GenerateTokenInGroup")
def test_the_v1_form_for_a_report_takes_access_level_and_save_as(driver: Driver) -> None:
    path = f"/groups/{SALES}/reports/{MARGIN_REPORT}/GenerateToken"
    body = {"accessLevel": "Edit", "allowSaveAs": True, "identities": FILTERED["identities"]}
    reply = driver.call("POST", path, body, who="embed")
    grant = driver.service.read_embed_token(reply.body["token"])
    assert (grant["reports"][0]["allowEdit"], grant["targetWorkspaces"]) == (True, [SALES])
    assert driver.call("POST", path, {"accessLevel": "View"}, who="embed").status == 400
    assert driver.call("POST", path, {"accessLevel": "Create"}, who="embed").status == 400
    without = [{"username": "customer-7", "roles": ["Customer"]}]
    assert driver.call("POST", path, {"accessLevel": "View", "identities": without}, who="embed").status == 200


@pytest.mark.documented("GenerateTokenRequestV2 has neither accessLevel nor allowSaveAs")
def test_v2_ignores_what_only_v1_knows(driver: Driver) -> None:
    reply = mint(driver, PLAIN | {"accessLevel": "Edit", "allowSaveAs": True})
    grant = driver.service.read_embed_token(reply.body["token"])
    assert (grant["reports"][0]["allowEdit"], grant["targetWorkspaces"]) == (False, [])
    assert len(reply.notes) == 2


@pytest.mark.documented("Reports_GenerateTokenForCreateInGroup: accessLevel Create and a datasetId")
def test_the_v1_form_for_a_new_report_names_its_dataset(driver: Driver) -> None:
    path = f"/groups/{SALES}/reports/GenerateToken"
    create = {"accessLevel": "Create", "datasetId": SALES_MODEL}
    reply = driver.call("POST", path, create, who="embed")
    assert driver.service.read_embed_token(reply.body["token"])["creates"] is True
    for wrong in ({"accessLevel": "Create"}, create | {"accessLevel": "View"}):
        assert driver.call("POST", path, wrong, who="embed").status == 400


@pytest.mark.documented(
    "https://learn.microsoft.com/power-bi/developer/embedded/embedded-row-level-security (paginated)"
)
def test_a_paginated_report_takes_a_token_with_or_without_an_identity(driver: Driver) -> None:
    invoice = {"reports": [{"id": INVOICE}]}
    identity = {"username": "customer-7", "reports": [INVOICE]}
    assert mint(driver, invoice).status == 200
    assert mint(driver, invoice | {"identities": [identity]}).status == 200
    wrong = PLAIN | {"identities": [identity | {"reports": [SALES_REPORT]}]}
    assert mint(driver, wrong).status == 400
