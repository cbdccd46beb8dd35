"""No wider than one grant, and never without the identity that a model requires."""

from __future__ import annotations

from shared.auth.callers import Caller
from shared.errors import InvalidRequest, NotAllowed
from tests.e2e.embed.stage import FOR_EMPLOYEES, FOR_EVERYBODY, USER_ID, EmbedStage, as_customer
from tests.seeded import ANALYTICS, INVOICE, MARGIN, POWER_BI, SALES


def test_what_goes_beyond_the_grant_is_refused_with_all_that_is_too_much_before_power_bi_is_asked(
    stage: EmbedStage, portal: Caller
) -> None:
    identity = {"username": "john", "roles": ["Customer", "Employee"]}
    wide = {"accessLevel": "Edit", "saveAs": [ANALYTICS], "lifetimeMinutes": 61, "identity": identity}
    refusal = stage.refused(portal, "margin", "secret", **wide)
    assert isinstance(refusal, NotAllowed)
    assert [fault.path for fault in refusal.faults] == [
        "reports[1]",
        "accessLevel",
        "saveAs[0]",
        "lifetimeMinutes",
        "identity.roles[1]",
    ]
    assert stage.sent() == []


def test_a_user_can_not_say_who_it_is(stage: EmbedStage) -> None:
    refusal = stage.refused(stage.user(), "margin", identity={"username": "ben", "customData": "north"})
    assert isinstance(refusal, NotAllowed)
    assert [fault.path for fault in refusal.faults] == ["identity.username", "identity.customData"]
    assert stage.sent() == []


def test_a_username_that_the_grant_fixes_can_not_be_chosen(stage: EmbedStage, portal: Caller) -> None:
    stage.grants(FOR_EVERYBODY | {"identity": {"username": "fixed:kiosk", "roles": ["Customer"]}})
    assert isinstance(stage.refused(portal, "margin", **as_customer()), NotAllowed)
    token = stage.minted(stage.issued(portal, "margin"))
    assert token["identities"][0]["username"] == "kiosk"


def test_a_delegated_grant_does_not_serve_the_application_nor_the_other_way_round(
    stage: EmbedStage, portal: Caller
) -> None:
    stage.grants(FOR_EMPLOYEES)
    assert isinstance(stage.refused(portal, "margin", **as_customer()), NotAllowed)
    stage.grants(FOR_EVERYBODY)
    assert isinstance(stage.refused(stage.user(), "margin"), NotAllowed)


def test_an_application_without_an_entry_gets_nothing(stage: EmbedStage) -> None:
    assert isinstance(stage.refused(stage.application("operator"), "margin", **as_customer()), NotAllowed)


def test_nothing_is_granted_while_no_document_is_in_force(stage: EmbedStage, portal: Caller) -> None:
    stage.grants_nothing()
    assert isinstance(stage.refused(portal, "sales"), NotAllowed)


def test_a_dataset_with_row_level_security_gets_no_token_without_an_identity(stage: EmbedStage, portal: Caller) -> None:
    assert isinstance(stage.refused(portal, "margin"), InvalidRequest)
    stage.grants(FOR_EVERYBODY | {"identity": "none"})
    assert isinstance(stage.refused(portal, "margin"), NotAllowed)
    assert stage.generated() == 0


def test_a_dataset_about_which_power_bi_is_silent_gets_no_token_without_an_identity(
    stage: EmbedStage, portal: Caller
) -> None:
    silent = {"id": SALES, "name": "Sales"}
    stage.cloud.fault(POWER_BI, f"/datasets/{SALES}", status=200, body=silent)
    assert isinstance(stage.refused(portal, "sales"), InvalidRequest)
    assert stage.generated() == 0


def test_a_users_identity_is_the_claim_of_its_own_token(stage: EmbedStage) -> None:
    answer = stage.issued(stage.user(), "margin")
    token = stage.minted(answer)
    assert token["identities"] == [{"username": USER_ID, "roles": ["Employee"], "datasets": [MARGIN]}]
    assert token["lifetimeInMinutes"] == 30


def test_a_users_claim_is_not_sent_where_no_dataset_requires_an_identity(stage: EmbedStage) -> None:
    assert stage.minted(stage.issued(stage.user(), "sales"))["identities"] == []


def test_a_paginated_report_needs_an_identity_or_an_explicit_none(stage: EmbedStage, portal: Caller) -> None:
    answer = stage.issued(portal, "invoice", **as_customer())
    assert answer["reports"][0]["datasetId"] is None
    assert stage.minted(answer)["identities"] == [{"username": "john", "reports": [INVOICE]}]
    stage.grants({"caller": "application", "reports": ["invoice"], "identity": "none"})
    assert stage.minted(stage.issued(portal, "invoice"))["identities"] == []
    stage.grants({"caller": "application", "reports": ["invoice"]})
    assert isinstance(stage.refused(portal, "invoice"), NotAllowed)
