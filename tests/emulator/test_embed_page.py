"""What an embed URL leads to: which token opens which report, as whom, and in which words it is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from emulator.embed_page.service import EmbedPage
from emulator.http import Answer, Call
from tests.emulator.powerbi_driver import (
    INVOICE,
    MARGIN_MODEL,
    MARGIN_REPORT,
    REFERENCE,
    SALES,
    SALES_MODEL,
    SALES_REPORT,
    TOKEN_LIFE,
    Driver,
)

TROUBLESHOOTING = "https://learn.microsoft.com/power-bi/developer/embedded/embedded-troubleshoot"
NOBODY_SAID = "no source gives the words for this refusal"
SOMETHING = "0d0e0a0d-0000-4000-8000-00000000dead"


@pytest.fixture
def driver() -> Driver:
    return Driver()


def mint(driver: Driver, report: str, dataset: str = "", **identity: Any) -> str:
    """A token for the report, for an identity if one is given."""
    body: dict[str, Any] = {"reports": [{"id": report}], "datasets": [{"id": dataset}] if dataset else []}
    if identity:
        body["identities"] = [{**identity, "datasets": [dataset]} if dataset else {**identity, "reports": [report]}]
    reply = driver.call("POST", "/GenerateToken", body, who="embed")
    assert reply.status == 200, reply
    return str(reply.body["token"])


def margin_token(driver: Driver, username: str = "customer-1042", role: str = "Customer") -> str:
    return mint(driver, MARGIN_REPORT, MARGIN_MODEL, username=username, roles=[role])


def ask(driver: Driver, token: str, report: str = MARGIN_REPORT, **query: str) -> Answer:
    """What the page asks when powerbi-client tells it to load this report."""
    page = EmbedPage(driver.service, now=lambda: driver.clock.now().timestamp())
    asked = {"page": "reportEmbed", "tokenType": "1", "groupId": SALES, "addressReportId": report, **query}
    headers = {"authorization": f"EmbedToken {token}"}
    answer = page.handle(Call("GET", "app.powerbi.com", f"/_emulator/reports/{report}", asked, headers))
    return Answer(answer.status, json.loads(answer.payload()), answer.headers)


def test_the_page_loads_nothing_from_elsewhere_and_may_be_embedded_by_any_site(driver: Driver) -> None:
    for path in ("/reportEmbed", "/rdlEmbed"):
        answer = EmbedPage(driver.service).handle(Call("GET", "app.powerbi.com", path, {}, {}))
        assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'")
        assert "http" not in policy
        assert "frame-ancestors" not in policy
        assert "X-Frame-Options" not in answer.headers
        assert b"//" not in answer.payload()


def test_a_token_opens_its_report_as_the_identity_that_it_was_made_with(driver: Driver) -> None:
    answer = ask(driver, margin_token(driver))
    assert answer.status == 200
    assert answer.body["name"] == "Margin by customer"
    assert answer.body["identity"] == {"username": "customer-1042", "roles": ["Customer"], "customData": None}
    assert answer.body["secondsLeft"] == TOKEN_LIFE.total_seconds()
    assert answer.body["pages"] == [{"name": "ReportSection", "displayName": "Margin by customer"}]


@pytest.mark.parametrize("username", ["customer-1042", "customer-2077", "somebody-new"])
def test_a_customer_sees_its_own_rows_only(driver: Driver, username: str) -> None:
    rows = ask(driver, margin_token(driver, username)).body["rows"]
    assert rows
    assert {row["customer"] for row in rows} == {username}


def test_an_employee_sees_the_rows_of_all_customers(driver: Driver) -> None:
    rows = ask(driver, margin_token(driver, "ana", "Employee")).body["rows"]
    assert len({row["customer"] for row in rows}) > 1


def test_a_report_without_row_level_security_is_opened_without_an_identity(driver: Driver) -> None:
    answer = ask(driver, mint(driver, SALES_REPORT, SALES_MODEL), SALES_REPORT)
    assert (answer.status, answer.body["identity"]) == (200, None)


def test_a_paginated_report_has_a_page_of_its_own(driver: Driver) -> None:
    token = mint(driver, INVOICE, username="customer-1042")
    answer = ask(driver, token, INVOICE, page="rdlEmbed")
    assert (answer.status, answer.body["identity"]["username"], answer.body["pages"]) == (200, "customer-1042", [])
    assert ask(driver, token, INVOICE, page="reportEmbed").status == 404


REFUSED = [
    ("a report that the token does not name", {"report": SALES_REPORT}, 403, "LoadReportFailed"),
    ("a report that there is not", {"report": SOMETHING}, 404, "LoadReportFailed"),
    ("the embed URL of another report", {"addressReportId": SALES_REPORT}, 404, "LoadReportFailed"),
    ("a report id that is none", {"report": "margin"}, 500, "LoadReportFailed"),
    ("another workspace", {"groupId": REFERENCE}, 401, "PowerBINotAuthorizedException"),
    ("the token type of Entra tokens", {"tokenType": "0"}, 403, "LoadReportFailed"),
]


@pytest.mark.documented(TROUBLESHOOTING)
@pytest.mark.parametrize(
    ("how", "status", "message"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_a_token_opens_nothing_else(driver: Driver, how: dict[str, str], status: int, message: str) -> None:
    answer = ask(driver, margin_token(driver), **how)
    assert (answer.status, answer.body["message"], answer.body["errorCode"]) == (status, message, str(status))
    assert answer.body["detailedMessage"].endswith(".")


@pytest.mark.documented(TROUBLESHOOTING)
def test_an_expired_token_is_refused_as_such(driver: Driver) -> None:
    token = margin_token(driver)
    driver.clock.advance(TOKEN_LIFE)
    answer = ask(driver, token)
    assert (answer.status, answer.body["message"], answer.body["errorCode"]) == (403, "TokenExpired", "403")


@pytest.mark.assumed(NOBODY_SAID)
@pytest.mark.parametrize("token", ["", "eyJhbGciOiJub25lIn0.e30.", "H4sIAAAA"])
def test_what_is_no_embed_token_opens_nothing(driver: Driver, token: str) -> None:
    answer = ask(driver, token)
    assert (answer.status, answer.body["message"]) == (403, "LoadReportFailed")


@pytest.mark.assumed(NOBODY_SAID)
def test_a_token_of_another_power_bi_opens_nothing(driver: Driver) -> None:
    answer = ask(driver, margin_token(Driver()))
    assert (answer.status, answer.body["message"]) == (403, "LoadReportFailed")
    assert "not made by this emulator" in answer.body["detailedMessage"]
