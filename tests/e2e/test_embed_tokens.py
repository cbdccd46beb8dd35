"""Embed tokens end to end: callers' real tokens, the operator's document, and what Power BI was asked for."""

from __future__ import annotations

import json
import logging
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest

from emulator import seed
from shared import telemetry
from shared.auth.callers import Caller, Callers
from shared.auth.signing_keys import SigningKeys
from shared.auth.tokens import AppTokens
from shared.embed.documents import read_embed_document
from shared.embed.request import EmbedTokenAnswer, EmbedTokenRequest
from shared.embed.service import EmbedTokens
from shared.errors import AppError, InvalidRequest, Misconfigured, NotAllowed, Throttled, Unavailable, Unknown
from shared.powerbi.transport import Transport
from shared.settings import Settings
from shared.storage.documents import Accepted
from shared.times import from_text, to_text, utc_now
from shared.validation import check
from tests.cloud import Cloud
from tests.e2e.identities import Identities
from tests.contract.checks import check_request

Json = dict[str, Any]

POWER_BI = "api.powerbi.com"
GENERATE = "/GenerateToken"
WORKSPACE = seed.WORKSPACES[0].id
SALES, MARGIN = seed.DATASETS[1].id, seed.DATASETS[2].id
OVERVIEW, BY_CUSTOMER, INVOICE = (report.id for report in seed.REPORTS)
PORTAL = next(app.client_id for app in seed.APPLICATIONS if app.name == "customer-portal")
ANA = seed.PEOPLE[0]

CUSTOMER = {"username": "request", "roles": ["Customer"], "customData": "request"}
FOR_EVERYBODY = {"caller": "application", "reports": ["margin", "sales", "invoice"], "identity": CUSTOMER}
FOR_EMPLOYEES = {
    "caller": "delegated",
    "reports": ["margin", "sales"],
    "maxLifetimeMinutes": 30,
    "identity": {"username": "claim:oid", "roles": ["Employee"]},
}


def granting(*grants: Json, **reports: Json) -> Json:
    known = {"margin": BY_CUSTOMER, "sales": OVERVIEW, "invoice": INVOICE, "secret": OVERVIEW}
    return {
        "reports": {alias: {"workspaceId": WORKSPACE, "reportId": id_} for alias, id_ in known.items()} | reports,
        "clients": {"portal": {"appIds": [PORTAL], "grants": list(grants or (FOR_EVERYBODY, FOR_EMPLOYEES))}},
    }


class InForce:
    """The operator's document, without the storage that it usually comes from."""

    def __init__(self) -> None:
        self.document: Accepted | None = None

    def accepted(self, name: str) -> Accepted | None:
        assert name == "embed.yaml"
        return self.document

    def put(self, document: Json, etag: str = "1") -> None:
        self.document = Accepted(etag, read_embed_document(json.dumps(document).encode()))


class App:
    """The embedding side of the app as wiring builds it, with a clock that can be moved."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.later = timedelta(0)
        settings = Settings.from_env(os.environ)
        tokens = Identities(settings, self.now).tokens
        self.documents = InForce()
        self.documents.put(granting())
        transport = Transport(settings.cloud, tokens, self.now)
        self.service = EmbedTokens(self.documents, transport, self.now, settings.identities["embed"].client_id)
        self.callers = Callers(settings.callers, SigningKeys(settings.callers, utc_now), utc_now)

    def now(self) -> datetime:
        return utc_now() + self.later

    def application(self) -> Caller:
        return self.callers.verify(f"Bearer {self.cloud.caller_token('customer-portal')}", role="Embed.Issue")

    def user(self) -> Caller:
        return self.callers.verify(f"Bearer {self.cloud.user_token(ANA.upn)}", role="Embed.Issue")

    def minted(self, answer: Json) -> Json:
        """What Power BI knows about the token that was answered."""
        known: Json = self.cloud.state()["embedTokens"][answer["tokenId"]]
        return known

    def generated(self) -> int:
        return len(self.cloud.calls(host=POWER_BI, path=GENERATE))

    def reads(self) -> int:
        return len(self.cloud.calls(host=POWER_BI, method="GET"))

    def token_requests(self) -> int:
        """By the app: callers get their tokens from the same Entra."""
        calls = self.cloud.calls(host="login.microsoftonline.com", path="oauth2/v2.0/token")
        return len([call for call in calls if "analysis.windows.net" in json.dumps(call["body"])])


@pytest.fixture
def app(cloud: Cloud) -> App:
    return App(cloud)


@pytest.fixture
def portal(app: App) -> Caller:
    return app.application()


def asked(*reports: str, **more: Any) -> EmbedTokenRequest:
    return check(EmbedTokenRequest, {"reports": list(reports), **more})


def as_customer(name: str = "john") -> Json:
    return {"identity": {"username": name}}


def refused(app: App, caller: Caller, request: EmbedTokenRequest) -> AppError:
    with pytest.raises(AppError) as refusal:
        app.service.issue(caller, request)
    return refusal.value


def test_the_answer_is_what_an_embedding_page_needs(app: App, portal: Caller) -> None:
    answer = app.service.issue(portal, asked("margin", **as_customer()))
    check(EmbedTokenAnswer, answer)
    report = answer["reports"][0]
    assert answer["tokenType"] == "Embed"
    assert (report["alias"], report["reportId"], report["workspaceId"]) == ("margin", BY_CUSTOMER, WORKSPACE)
    assert (report["datasetId"], report["name"]) == (MARGIN, "Margin by customer")
    assert "config=" in report["embedUrl"], "the address comes from Power BI"
    expiration = from_text(answer["expiration"])
    assert timedelta(minutes=44) < expiration - utc_now() <= timedelta(minutes=60)
    assert answer["renewAfter"] == to_text(expiration - timedelta(minutes=10))


def test_the_token_holds_exactly_what_was_asked_for(app: App, portal: Caller) -> None:
    token = app.minted(app.service.issue(portal, asked("margin", "sales", **as_customer())))
    assert [(report["id"], report["allowEdit"]) for report in token["reports"]] == [
        (OVERVIEW, False),
        (BY_CUSTOMER, False),
    ]
    assert {dataset["id"] for dataset in token["datasets"]} == {SALES, MARGIN}
    assert token["targetWorkspaces"] == []
    assert token["identities"] == [{"username": "john", "roles": ["Customer"], "datasets": [MARGIN]}]
    assert token["lifetimeInMinutes"] == 60


def test_everything_that_is_granted_can_be_asked_for(app: App, portal: Caller) -> None:
    wide = FOR_EVERYBODY | {"accessLevels": ["View", "Edit"], "saveAsWorkspaces": [WORKSPACE]}
    app.documents.put(granting(wide))
    identity = {"username": "john", "roles": ["Customer"], "customData": "north"}
    request = asked("margin", accessLevel="Edit", saveAs=[WORKSPACE], identity=identity, lifetimeMinutes=20)
    answer = app.service.issue(portal, request)
    token = app.minted(answer)
    assert token["reports"][0]["allowEdit"]
    assert token["targetWorkspaces"] == [WORKSPACE]
    assert token["identities"][0]["customData"] == "north"
    left = from_text(answer["expiration"]) - utc_now()
    assert timedelta(minutes=19) < left <= timedelta(minutes=20)
    assert from_text(answer["renewAfter"]) - utc_now() < timedelta(minutes=20) * 2 / 3


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({"reports": ["margin", "secret"]}, "reports[1]"),
        ({"accessLevel": "Edit"}, "accessLevel"),
        ({"saveAs": [WORKSPACE]}, "saveAs[0]"),
        ({"lifetimeMinutes": 61}, "lifetimeMinutes"),
        ({"identity": {"username": "john", "roles": ["Customer", "Employee"]}}, "identity.roles[1]"),
    ],
)
def test_one_thing_more_than_granted_is_refused_before_power_bi_is_asked(
    app: App, portal: Caller, more: Json, path: str
) -> None:
    refusal = refused(app, portal, check(EmbedTokenRequest, {"reports": ["margin"], **as_customer(), **more}))
    assert isinstance(refusal, NotAllowed)
    assert [fault.path for fault in refusal.faults] == [path]
    assert app.cloud.calls(host=POWER_BI) == []


@pytest.mark.parametrize(("part", "path"), [("username", "identity.username"), ("customData", "identity.customData")])
def test_a_user_can_not_say_who_it_is(app: App, part: str, path: str) -> None:
    refusal = refused(app, app.user(), asked("margin", identity={part: "ben"}))
    assert isinstance(refusal, NotAllowed)
    assert [fault.path for fault in refusal.faults] == [path]
    assert app.cloud.calls(host=POWER_BI) == []


def test_a_username_that_the_grant_fixes_can_not_be_chosen(app: App, portal: Caller) -> None:
    app.documents.put(granting(FOR_EVERYBODY | {"identity": {"username": "fixed:kiosk", "roles": ["Customer"]}}))
    assert isinstance(refused(app, portal, asked("margin", **as_customer())), NotAllowed)
    token = app.minted(app.service.issue(portal, asked("margin")))
    assert token["identities"][0]["username"] == "kiosk"


def test_an_unknown_alias_is_refused_like_one_that_is_not_granted(app: App, portal: Caller) -> None:
    hidden, unknown = (refused(app, portal, asked(alias)) for alias in ("secret", "nosuch"))
    assert type(hidden) is type(unknown) is NotAllowed
    assert hidden.detail.replace("secret", "nosuch") == unknown.detail
    assert app.cloud.calls(host=POWER_BI) == []


def test_a_delegated_grant_does_not_serve_the_application_nor_the_other_way_round(app: App, portal: Caller) -> None:
    app.documents.put(granting(FOR_EMPLOYEES))
    assert isinstance(refused(app, portal, asked("margin", **as_customer())), NotAllowed)
    app.documents.put(granting(FOR_EVERYBODY))
    assert isinstance(refused(app, app.user(), asked("margin")), NotAllowed)


def test_an_application_without_an_entry_gets_nothing(app: App) -> None:
    token = app.cloud.caller_token("operator")
    caller = app.callers.verify(f"Bearer {token}", role="Embed.Issue")
    assert isinstance(refused(app, caller, asked("margin", **as_customer())), NotAllowed)


def test_nothing_is_granted_while_no_document_is_in_force(app: App, portal: Caller) -> None:
    app.documents.document = None
    assert isinstance(refused(app, portal, asked("sales")), NotAllowed)


def test_a_dataset_with_row_level_security_gets_no_token_without_an_identity(app: App, portal: Caller) -> None:
    assert isinstance(refused(app, portal, asked("margin")), InvalidRequest)
    app.documents.put(granting(FOR_EVERYBODY | {"identity": "none"}))
    assert isinstance(refused(app, portal, asked("margin")), NotAllowed)
    assert app.generated() == 0


def test_a_dataset_about_which_power_bi_is_silent_gets_no_token_without_an_identity(app: App, portal: Caller) -> None:
    silent = {"id": SALES, "name": "Sales"}
    app.cloud.fault(POWER_BI, f"/datasets/{SALES}", status=200, body=silent)
    assert isinstance(refused(app, portal, asked("sales")), InvalidRequest)
    assert app.generated() == 0


def test_an_identity_that_no_dataset_requires_is_a_bad_request(app: App, portal: Caller) -> None:
    assert isinstance(refused(app, portal, asked("sales", **as_customer())), InvalidRequest)


def test_a_users_identity_is_the_claim_of_its_own_token(app: App) -> None:
    answer = app.service.issue(app.user(), asked("margin"))
    token = app.minted(answer)
    assert token["identities"] == [{"username": ANA.object_id, "roles": ["Employee"], "datasets": [MARGIN]}]
    assert token["lifetimeInMinutes"] == 30


def test_a_users_claim_is_not_sent_where_no_dataset_requires_an_identity(app: App) -> None:
    assert app.minted(app.service.issue(app.user(), asked("sales")))["identities"] == []


def test_a_missing_claim_is_refused(app: App) -> None:
    identity = {"username": "claim:employeeid", "roles": ["Employee"]}
    app.documents.put(granting(FOR_EMPLOYEES | {"identity": identity}))
    assert isinstance(refused(app, app.user(), asked("margin")), NotAllowed)


def test_a_paginated_report_needs_an_identity_or_an_explicit_none(app: App, portal: Caller) -> None:
    answer = app.service.issue(portal, asked("invoice", **as_customer()))
    assert answer["reports"][0]["datasetId"] is None
    assert app.minted(answer)["identities"] == [{"username": "john", "reports": [INVOICE]}]
    app.documents.put(granting({"caller": "application", "reports": ["invoice"], "identity": "none"}), "2")
    assert app.minted(app.service.issue(portal, asked("invoice")))["identities"] == []
    app.documents.put(granting({"caller": "application", "reports": ["invoice"]}), "3")
    assert isinstance(refused(app, portal, asked("invoice")), NotAllowed)


def test_a_composite_model_brings_the_models_that_it_stands_on(app: App, portal: Caller) -> None:
    datasets = [{"datasetId": SALES, "xmla": "readOnly"}, {"datasetId": MARGIN, "xmla": "readOnly"}]
    composite = {"workspaceId": WORKSPACE, "reportId": OVERVIEW, "datasets": datasets}
    app.documents.put(granting(sales=composite))
    token = app.minted(app.service.issue(portal, asked("sales", **as_customer())))
    assert {dataset["id"]: dataset["xmlaPermissions"] for dataset in token["datasets"]} == {
        SALES: "ReadOnly",
        MARGIN: "ReadOnly",
    }
    assert [identity["datasets"] for identity in token["identities"]] == [[MARGIN]]


def test_a_dataset_in_another_workspace_is_found_where_the_document_says(app: App, portal: Caller) -> None:
    calendar, elsewhere = seed.DATASETS[0].id, seed.WORKSPACES[1].id
    app.cloud.change(reports={OVERVIEW: {"datasetId": calendar}})
    assert isinstance(refused(app, portal, asked("sales")), Unknown)
    datasets = [{"datasetId": calendar, "workspaceId": elsewhere}]
    app.documents.put(granting(sales={"workspaceId": WORKSPACE, "reportId": OVERVIEW, "datasets": datasets}))
    answer = app.service.issue(portal, asked("sales", lifetimeMinutes=20))
    assert answer["reports"][0]["datasetId"] == calendar
    assert [dataset["id"] for dataset in app.minted(answer)["datasets"]] == [calendar]


def test_a_report_whose_dataset_is_hidden_from_us_gets_no_token(app: App, portal: Caller) -> None:
    hidden = {"id": OVERVIEW, "name": "x", "reportType": "PowerBIReport", "embedUrl": "https://app.powerbi.com/x"}
    app.cloud.fault(POWER_BI, f"/reports/{OVERVIEW}", status=200, body=hidden)
    assert isinstance(refused(app, portal, asked("sales")), Misconfigured)
    assert app.generated() == 0


def test_reports_that_are_read_side_by_side_keep_the_correlation_id(
    app: App, portal: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    telemetry.install()
    caplog.set_level(logging.INFO)
    with telemetry.correlation("one-request"):
        app.service.issue(portal, asked("margin", "sales", **as_customer()))
    lines = [json.loads(record.getMessage()) for record in caplog.records if "powerbi." in record.getMessage()]
    assert len(lines) == 5
    assert {line["correlationId"] for line in lines} == {"one-request"}
    assert all(line["requestId"] for line in lines)


def test_sixty_four_threads_with_one_wish_are_one_request_each_to_entra_and_power_bi(app: App, portal: Caller) -> None:
    start = threading.Barrier(64)

    def issue(_: int) -> str:
        start.wait(30)
        return str(app.service.issue(portal, asked("margin", **as_customer()))["tokenId"])

    with ThreadPoolExecutor(64) as threads:
        ids = set(threads.map(issue, range(64)))
    assert len(ids) == 1
    assert (app.token_requests(), app.generated(), app.reads()) == (1, 1, 2)


def test_a_kept_token_is_given_to_the_same_identity_only(app: App, portal: Caller) -> None:
    def token(name: str, **more: Any) -> str:
        return str(app.service.issue(portal, asked("margin", **as_customer(name), **more))["tokenId"])

    assert token("john") == token("john")
    assert len({token("john"), token("jane"), token("john", lifetimeMinutes=50)}) == 3
    assert app.generated() == 3


def test_a_kept_token_does_not_outlive_the_document_that_granted_it(app: App, portal: Caller) -> None:
    first = app.service.issue(portal, asked("sales"))
    app.documents.put(granting(), "2")
    assert app.service.issue(portal, asked("sales"))["tokenId"] != first["tokenId"]
    app.documents.put(granting(FOR_EVERYBODY | {"reports": ["margin"]}), "3")
    assert isinstance(refused(app, portal, asked("sales")), NotAllowed)


def test_a_kept_token_is_given_out_for_the_first_half_of_its_life(app: App, portal: Caller) -> None:
    first = app.service.issue(portal, asked("sales"))
    app.later = timedelta(minutes=29)
    assert app.service.issue(portal, asked("sales"))["tokenId"] == first["tokenId"]
    app.later = timedelta(minutes=31)
    assert app.service.issue(portal, asked("sales"))["tokenId"] != first["tokenId"]


def test_a_token_is_made_with_an_entra_token_that_lives_long_enough(app: App, portal: Caller) -> None:
    app.service.issue(portal, asked("margin", **as_customer("john")))
    app.later = timedelta(minutes=14)
    app.service.issue(portal, asked("margin", **as_customer("jane")))
    assert app.token_requests() == 1
    app.later = timedelta(minutes=16)
    app.service.issue(portal, asked("margin", **as_customer("jack")))
    assert app.token_requests() == 2


def test_what_is_known_about_a_report_is_five_minutes_old_at_most(app: App, portal: Caller) -> None:
    app.service.issue(portal, asked("sales"))
    app.later = timedelta(minutes=4, seconds=50)
    app.service.issue(portal, asked("sales"))
    assert app.reads() == 2
    app.cloud.change(reports={OVERVIEW: {"name": "Renamed"}})
    app.later = timedelta(minutes=5, seconds=1)
    assert app.service.issue(portal, asked("sales"))["reports"][0]["name"] == "Renamed"
    assert app.reads() == 4


def test_a_kept_token_is_not_given_out_once_its_model_requires_an_identity(app: App, portal: Caller) -> None:
    app.service.issue(portal, asked("sales"))
    app.cloud.change(datasets={SALES: {"roles": ["Customer"]}})
    app.later = timedelta(minutes=5, seconds=1)
    assert isinstance(refused(app, portal, asked("sales")), InvalidRequest)


def test_a_model_that_changed_meanwhile_is_looked_at_once_more(app: App) -> None:
    user = app.user()
    app.service.issue(user, asked("margin"))
    app.cloud.change(datasets={MARGIN: {"roles": []}})
    answer = app.service.issue(user, asked("margin", lifetimeMinutes=29))
    assert app.minted(answer)["identities"] == []
    app.cloud.change(datasets={MARGIN: {"roles": ["Employee"]}})
    answer = app.service.issue(user, asked("margin", lifetimeMinutes=28))
    assert app.minted(answer)["identities"][0]["username"] == ANA.object_id
    assert app.generated() == 5


def test_a_refusal_that_another_look_does_not_explain_is_passed_on_once(app: App, portal: Caller) -> None:
    message = f"Creating embed token for accessing dataset {MARGIN} shouldn't have effective identity"
    body = {"error": {"code": "InvalidRequest", "message": message}}
    app.cloud.fault(POWER_BI, GENERATE, status=400, body=body, times=5)
    refusal = refused(app, portal, asked("margin", **as_customer()))
    assert isinstance(refusal, InvalidRequest)
    assert message in refusal.detail
    assert app.generated() == 1


def test_a_role_that_the_model_lacks_is_told_in_power_bis_words(app: App, portal: Caller) -> None:
    app.documents.put(granting(FOR_EVERYBODY | {"identity": {"username": "request", "roles": ["Nosuch"]}}))
    refusal = refused(app, portal, asked("margin", **as_customer()))
    assert isinstance(refusal, InvalidRequest)
    assert "Nosuch" in refusal.detail


def test_a_granted_report_that_power_bi_does_not_find_is_named(app: App, portal: Caller) -> None:
    app.cloud.change(reports={OVERVIEW: None})
    refusal = refused(app, portal, asked("sales"))
    assert isinstance(refusal, Unknown)
    assert "'sales'" in refusal.detail
    assert "embed.yaml needs mending" in refusal.detail


def test_a_missing_role_of_our_own_is_the_operators_business(app: App, portal: Caller) -> None:
    app.cloud.fault(POWER_BI, "/reports/", status=401, headers={"X-PowerBI-Error-Info": "GroupNotAccessible"})
    refusal = refused(app, portal, asked("sales"))
    assert isinstance(refusal, Misconfigured)
    assert "role Member" in refusal.detail


def test_power_bis_throttle_is_passed_on_and_kept(app: App, portal: Caller) -> None:
    app.cloud.fault(POWER_BI, GENERATE, status=429, headers={"Retry-After": "90"}, body={"message": "slow down"})
    for _ in range(3):
        refusal = refused(app, portal, asked("sales"))
        assert isinstance(refusal, Throttled)
        assert 80 < refusal.retry_after <= 90
    assert app.generated() == 1
    app.later = timedelta(seconds=91)
    assert app.service.issue(portal, asked("sales"))["token"]


def test_a_kept_token_is_given_out_while_power_bi_throttles(app: App, portal: Caller) -> None:
    first = app.service.issue(portal, asked("sales"))
    app.cloud.fault(POWER_BI, ".", status=429, headers={"Retry-After": "90"}, times=9)
    assert isinstance(refused(app, portal, asked("margin", **as_customer())), Throttled)
    assert app.service.issue(portal, asked("sales"))["tokenId"] == first["tokenId"]


def test_a_server_error_is_unavailable_and_nothing_is_kept_of_it(app: App, portal: Caller) -> None:
    app.cloud.fault(POWER_BI, GENERATE, status=500, body="An error has occurred")
    assert isinstance(refused(app, portal, asked("sales")), Unavailable)
    assert app.service.issue(portal, asked("sales"))["token"]


@pytest.mark.parametrize("drop", ["before", "after"])
def test_a_broken_connection_is_tried_once_more(app: App, portal: Caller, drop: str) -> None:
    app.cloud.fault(POWER_BI, GENERATE, drop=drop)
    answer = app.service.issue(portal, asked("sales"))
    assert app.minted(answer)
    assert app.generated() == 2


def test_an_expired_token_of_our_own_is_renewed_once(app: App, portal: Caller) -> None:
    body = {"error": {"code": "TokenExpired", "message": "Access token has expired, resubmit with a new access token"}}
    app.cloud.fault(POWER_BI, GENERATE, status=403, body=body)
    assert app.service.issue(portal, asked("sales"))["token"]
    assert (app.token_requests(), app.generated()) == (2, 2)


@pytest.mark.parametrize("minutes", [-1, 63])
def test_a_token_that_is_dead_or_outlives_its_grant_is_not_handed_out(app: App, portal: Caller, minutes: int) -> None:
    expiration = to_text(utc_now() + timedelta(minutes=minutes))
    odd = {"token": "odd", "tokenId": "0b6f0f1e-0000-4000-8000-000000000000", "expiration": expiration}
    app.cloud.fault(POWER_BI, GENERATE, status=200, body=odd)
    assert isinstance(refused(app, portal, asked("sales")), Unavailable)
    assert app.service.issue(portal, asked("sales"))["tokenId"] != odd["tokenId"], "nothing of it is kept"


def test_neither_token_nor_customer_is_logged(app: App, portal: Caller, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    answer = app.service.issue(portal, asked("margin", **as_customer("john@customer.example")))
    refused(app, portal, asked("margin", accessLevel="Edit", **as_customer("john@customer.example")))
    said = "\n".join(record.getMessage() for record in caplog.records)
    assert answer["tokenId"] in said, "a token can be found in the log, by its id"
    assert "embed.issue" in said
    assert answer["token"] not in said
    assert "john@customer.example" not in said


def test_what_power_bi_is_sent_keeps_to_its_contract(app: App, portal: Caller) -> None:
    wide = FOR_EVERYBODY | {"accessLevels": ["Edit"], "saveAsWorkspaces": [WORKSPACE]}
    datasets = [{"datasetId": SALES, "xmla": "readOnly"}]
    composite = {"workspaceId": WORKSPACE, "reportId": OVERVIEW, "datasets": datasets}
    app.documents.put(granting(wide, sales=composite))
    identity = {"username": "john", "roles": ["Customer"], "customData": "x"}
    request = asked("margin", "sales", "invoice", accessLevel="Edit", saveAs=[WORKSPACE], identity=identity)
    app.service.issue(portal, request)
    calls = app.cloud.calls(host=POWER_BI)
    assert {call["method"] for call in calls} == {"GET", "POST"}
    for call in calls:
        path = call["path"].removeprefix("/v1.0/myorg")
        assert check_request(call["method"], path, call["query"], call["body"]) == []
        assert call["notes"] == []
