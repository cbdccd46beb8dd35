"""What is kept is given out again: to the same identity, by the same document, for as long as it is true and alive."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from shared.auth.callers import Caller
from shared.errors import InvalidRequest, NotAllowed, Throttled, Unavailable
from shared.times import to_text, utc_now
from tests.e2e.embed.stage import FOR_EVERYBODY, GENERATE, USER_ID, EmbedStage, as_customer
from tests.seeded import MARGIN, OVERVIEW, POWER_BI, SALES


def test_sixty_four_threads_with_one_wish_are_one_request_each_to_entra_and_power_bi(
    stage: EmbedStage, portal: Caller
) -> None:
    start = threading.Barrier(64)

    def issue(_: int) -> str:
        start.wait(30)
        return str(stage.issued(portal, "margin", **as_customer())["tokenId"])

    with ThreadPoolExecutor(64) as threads:
        ids = set(threads.map(issue, range(64)))
    assert len(ids) == 1
    assert (stage.token_requests(), stage.generated(), stage.reads()) == (1, 1, 2)


def test_a_kept_token_is_given_to_the_same_identity_only(stage: EmbedStage, portal: Caller) -> None:
    def token(name: str, **more: Any) -> str:
        return str(stage.issued(portal, "margin", **as_customer(name), **more)["tokenId"])

    assert token("john") == token("john")
    assert len({token("john"), token("jane"), token("john", lifetimeMinutes=50)}) == 3
    assert stage.generated() == 3


def test_a_kept_token_does_not_outlive_the_document_that_granted_it(stage: EmbedStage, portal: Caller) -> None:
    first = stage.issued(portal, "sales")
    stage.grants()
    assert stage.issued(portal, "sales")["tokenId"] != first["tokenId"]
    stage.grants(FOR_EVERYBODY | {"reports": ["margin"]})
    assert isinstance(stage.refused(portal, "sales"), NotAllowed)


def test_a_kept_token_is_given_out_for_the_first_half_of_its_life(stage: EmbedStage, portal: Caller) -> None:
    first = stage.issued(portal, "sales")
    stage.later = timedelta(minutes=29)
    assert stage.issued(portal, "sales")["tokenId"] == first["tokenId"]
    stage.later = timedelta(minutes=31)
    assert stage.issued(portal, "sales")["tokenId"] != first["tokenId"]


def test_a_token_is_made_with_an_entra_token_that_lives_long_enough(stage: EmbedStage, portal: Caller) -> None:
    stage.issued(portal, "margin", **as_customer("john"))
    stage.later = timedelta(minutes=14)
    stage.issued(portal, "margin", **as_customer("jane"))
    assert stage.token_requests() == 1
    stage.later = timedelta(minutes=16)
    stage.issued(portal, "margin", **as_customer("jack"))
    assert stage.token_requests() == 2


def test_what_is_known_about_a_report_is_five_minutes_old_at_most(stage: EmbedStage, portal: Caller) -> None:
    stage.issued(portal, "sales")
    stage.later = timedelta(minutes=4, seconds=50)
    stage.issued(portal, "sales")
    assert stage.reads() == 2
    stage.cloud.change(reports={OVERVIEW: {"name": "Renamed"}})
    stage.later = timedelta(minutes=5, seconds=1)
    assert stage.issued(portal, "sales")["reports"][0]["name"] == "Renamed"
    assert stage.reads() == 4


def test_a_kept_token_is_not_given_out_once_its_model_requires_an_identity(stage: EmbedStage, portal: Caller) -> None:
    stage.issued(portal, "sales")
    stage.cloud.change(datasets={SALES: {"roles": ["Customer"]}})
    stage.later = timedelta(minutes=5, seconds=1)
    assert isinstance(stage.refused(portal, "sales"), InvalidRequest)


def test_a_model_that_changed_meanwhile_is_looked_at_once_more(stage: EmbedStage) -> None:
    user = stage.user()
    stage.issued(user, "margin")
    stage.cloud.change(datasets={MARGIN: {"roles": []}})
    answer = stage.issued(user, "margin", lifetimeMinutes=29)
    assert stage.minted(answer)["identities"] == []
    stage.cloud.change(datasets={MARGIN: {"roles": ["Employee"]}})
    answer = stage.issued(user, "margin", lifetimeMinutes=28)
    assert stage.minted(answer)["identities"][0]["username"] == USER_ID
    assert stage.generated() == 5


def test_a_kept_token_is_given_out_while_power_bi_throttles(stage: EmbedStage, portal: Caller) -> None:
    first = stage.issued(portal, "sales")
    stage.cloud.fault(POWER_BI, ".", status=429, headers={"Retry-After": "90"}, times=9)
    assert isinstance(stage.refused(portal, "margin", **as_customer()), Throttled)
    assert stage.issued(portal, "sales")["tokenId"] == first["tokenId"]


@pytest.mark.parametrize("minutes", [-1, 63])
def test_a_token_that_is_dead_or_outlives_its_grant_is_not_handed_out(
    stage: EmbedStage, portal: Caller, minutes: int
) -> None:
    expiration = to_text(utc_now() + timedelta(minutes=minutes))
    odd = {"token": "odd", "tokenId": "0b6f0f1e-0000-4000-8000-000000000000", "expiration": expiration}
    stage.cloud.fault(POWER_BI, GENERATE, status=200, body=odd)
    assert isinstance(stage.refused(portal, "sales"), Unavailable)
    assert stage.issued(portal, "sales")["tokenId"] != odd["tokenId"], "nothing of it is kept"
