"""Power BI refuses, throttles or is away: who is told what, and what is tried again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.auth.callers import Caller
from shared.errors import InvalidRequest, Misconfigured, Throttled, Unavailable, Unknown
from tests.e2e.embed.stage import FOR_EVERYBODY, GENERATE, EmbedStage, as_customer
from tests.seeded import MARGIN, OVERVIEW, POWER_BI


def test_a_report_whose_dataset_is_hidden_from_us_gets_no_token(stage: EmbedStage, portal: Caller) -> None:
    hidden = {"id": OVERVIEW, "name": "x", "reportType": "PowerBIReport", "embedUrl": "https://stage.powerbi.com/x"}
    stage.cloud.fault(POWER_BI, f"/reports/{OVERVIEW}", status=200, body=hidden)
    assert isinstance(stage.refused(portal, "sales"), Misconfigured)
    assert stage.generated() == 0


def test_a_refusal_that_another_look_does_not_explain_is_passed_on_once(stage: EmbedStage, portal: Caller) -> None:
    message = f"Creating embed token for accessing dataset {MARGIN} shouldn't have effective identity"
    body = {"error": {"code": "InvalidRequest", "message": message}}
    stage.cloud.fault(POWER_BI, GENERATE, status=400, body=body, times=5)
    refusal = stage.refused(portal, "margin", **as_customer())
    assert isinstance(refusal, InvalidRequest)
    assert message in refusal.detail
    assert stage.generated() == 1


def test_a_role_that_the_model_lacks_is_told_in_power_bis_words(stage: EmbedStage, portal: Caller) -> None:
    stage.grants(FOR_EVERYBODY | {"identity": {"username": "request", "roles": ["Nosuch"]}})
    refusal = stage.refused(portal, "margin", **as_customer())
    assert isinstance(refusal, InvalidRequest)
    assert "Nosuch" in refusal.detail


def test_a_granted_report_that_power_bi_does_not_find_is_named(stage: EmbedStage, portal: Caller) -> None:
    stage.cloud.change(reports={OVERVIEW: None})
    refusal = stage.refused(portal, "sales")
    assert isinstance(refusal, Unknown)
    assert "'sales'" in refusal.detail
    assert "embed.yaml needs mending" in refusal.detail


def test_a_missing_role_of_our_own_is_the_operators_business(stage: EmbedStage, portal: Caller) -> None:
    stage.cloud.fault(POWER_BI, "/reports/", status=401, headers={"X-PowerBI-Error-Info": "GroupNotAccessible"})
    refusal = stage.refused(portal, "sales")
    assert isinstance(refusal, Misconfigured)
    assert "role Member" in refusal.detail


def test_power_bis_throttle_is_passed_on_and_kept(stage: EmbedStage, portal: Caller) -> None:
    stage.cloud.fault(POWER_BI, GENERATE, status=429, headers={"Retry-After": "90"}, body={"message": "slow down"})
    for _ in range(3):
        refusal = stage.refused(portal, "sales")
        assert isinstance(refusal, Throttled)
        assert 80 < refusal.retry_after <= 90
    assert stage.generated() == 1
    stage.later = timedelta(seconds=91)
    assert stage.issued(portal, "sales")["token"]


def test_a_server_error_is_unavailable_and_nothing_is_kept_of_it(stage: EmbedStage, portal: Caller) -> None:
    stage.cloud.fault(POWER_BI, GENERATE, status=500, body="An error has occurred")
    assert isinstance(stage.refused(portal, "sales"), Unavailable)
    assert stage.issued(portal, "sales")["token"]


@pytest.mark.parametrize("drop", ["before", "after"])
def test_a_broken_connection_is_tried_once_more(stage: EmbedStage, portal: Caller, drop: str) -> None:
    stage.cloud.fault(POWER_BI, GENERATE, drop=drop)
    answer = stage.issued(portal, "sales")
    assert stage.minted(answer)
    assert stage.generated() == 2


def test_an_expired_token_of_our_own_is_renewed_once(stage: EmbedStage, portal: Caller) -> None:
    body = {"error": {"code": "TokenExpired", "message": "Access token has expired, resubmit with a new access token"}}
    stage.cloud.fault(POWER_BI, GENERATE, status=403, body=body)
    assert stage.issued(portal, "sales")["token"]
    assert (stage.token_requests(), stage.generated()) == (2, 2)
