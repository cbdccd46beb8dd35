"""Microsoft's powerbi-client in a real browser: whose rows are seen, for how long, and what is said when it ends."""

from __future__ import annotations

import json
import time
from itertools import pairwise

import pytest
from playwright.sync_api import Error, Route

from tests.browser.conftest import Visit
from tests.browser.world import Customer
from tests.cloud import Cloud, Json

ANA, BEN = "customer-1042", "customer-2077"
NEVER_SERVED = "customer-3001"
"""For whom the app has kept no token from another test."""


def test_a_customer_sees_its_report_as_itself(portal: str, visit: Visit) -> None:
    customer = visit(portal)
    customer.sign_in(ANA)
    customer.wait_for("rendered")
    assert (customer.shown("username"), customer.shown("roles")) == (ANA, "Customer")
    assert set(customer.report.locator("#rows td:first-child").all_inner_texts()) == {ANA}
    sums, figures = (customer.report.locator(part).all_inner_texts() for part in ("#sum td", "#figures strong"))
    assert sums == ["Total", "", *figures[:2]]
    assert customer.report.locator("#chart .month").all_text_contents()[0] == "Jun 26"
    ask = "async () => (await (await fetch('/embed-token', {method: 'POST', body: '{}'})).json()).expiration"
    assert customer.shown("expiration") == customer.page.evaluate(ask)
    assert customer.in_library("getPages") == ["Margin by customer"]
    assert customer.complaints == []
    customer.picture("report-of-a-customer")


def test_two_customers_see_their_own_rows_and_never_each_others_token(portal: str, visit: Visit) -> None:
    ana, ben = visit(portal), visit(portal)
    for customer, name in ((ana, ANA), (ben, BEN)):
        customer.sign_in(name)
        customer.wait_for("rendered")
    assert [one.shown("username") for one in (ana, ben)] == [ANA, BEN]
    assert ana.report.locator("#figures").inner_text() != ben.report.locator("#figures").inner_text()
    for one, other, other_name in ((ana, ben, BEN), (ben, ana, ANA)):
        assert one.token().startswith("H4sI")
        assert other.token() not in one.everything()
        assert other_name not in one.report.locator("body").inner_html()
    ben.picture("report-of-another-customer")


def test_a_page_that_asks_for_another_customer_gets_its_own_all_the_same(portal: str, visit: Visit) -> None:
    ben = visit(portal)
    ben.sign_in(BEN)
    ben.wait_for("rendered")
    body = json.dumps({"identity": {"username": ANA}, "customer": ANA})
    script = "async ([url, body]) => (await (await fetch(url, {method: 'POST', body})).json()).token"
    assert ben.page.evaluate(script, [f"/embed-token?customer={ANA}", body]) == ben.token()
    assert ben.shown("username") == BEN


def test_the_token_is_renewed_before_it_ends_and_the_report_goes_on(
    hosted: Cloud, short_portal: str, visit: Visit
) -> None:
    hosted.change(switches={"embedTokenLife": "PT6S"})
    customer = visit(short_portal)
    customer.sign_in(ANA)
    customer.wait_for("rendered")
    first, first_end = customer.token(), customer.shown("expiration")
    wait_until_ended(hosted, first)
    assert customer.body_state() == "rendered"
    assert customer.shown("expiration") > first_end
    assert customer.token() != first
    loads, renewals = customer.counts()
    assert (loads, renewals != "0") == ("1", True)
    assert len(hosted.calls(path="/reportEmbed")) == 1
    assert customer.complaints == []
    customer.picture("renewed-without-a-reload")


def wait_until_ended(cloud: Cloud, token: str) -> None:
    """Until Power BI says of this token that it has expired."""
    seed = cloud.described["seed"]
    report = seed["reports"]["Margin by customer"]
    asked = {"page": "reportEmbed", "tokenType": "1", "groupId": seed["workspaces"]["Sales Analytics"]}
    url, headers = f"https://app.powerbi.com/_emulator/reports/{report}", {"Authorization": f"EmbedToken {token}"}
    deadline = time.monotonic() + 15
    with cloud.session() as session:
        while time.monotonic() < deadline:
            answer = session.get(url, params={**asked, "addressReportId": report}, headers=headers, timeout=10)
            if answer.json().get("message") == "TokenExpired":
                return
            time.sleep(0.2)
    pytest.fail("the token did not end")


def test_a_report_that_can_not_be_renewed_says_so_and_then_that_it_has_ended(
    hosted: Cloud, short_portal: str, visit: Visit
) -> None:
    hosted.change(switches={"embedTokenLife": "PT5S"})
    customer = visit(short_portal)
    customer.sign_in(BEN)
    customer.wait_for("rendered")
    customer.context.route("**/embed-token", lambda route: route.fulfill(status=503, json={"error": "We are busy."}))
    customer.wait_for("renewalFailing")
    assert customer.status() == "We are busy. Trying again."
    customer.wait_for("failed")
    assert "could not be renewed in time" in customer.status()
    assert customer.page.is_visible("#again")
    assert "TokenExpired 403" in customer.status()
    assert "has expired" in customer.shown("notice")
    customer.picture("ended")


def test_when_the_session_has_ended_the_customer_is_told_to_sign_in_again(portal: str, visit: Visit) -> None:
    customer = visit(portal)
    customer.page.clock.install()
    customer.sign_in(ANA)
    customer.wait_for("rendered")
    customer.context.clear_cookies()
    customer.page.clock.fast_forward("51:00")
    customer.wait_for("failed")
    assert customer.status() == "Your session has ended. Please sign in again."


def test_a_page_that_is_told_to_renew_at_once_does_not_ask_in_a_loop(portal: str, visit: Visit) -> None:
    customer, asked = visit(portal), list[float]()

    def answer(route: Route) -> None:
        asked.append(time.monotonic())
        fetched = route.fetch()
        route.fulfill(response=fetched, json={**fetched.json(), "renewInSeconds": 0})

    customer.context.route("**/embed-token", answer)
    customer.sign_in(ANA)
    customer.page.wait_for_selector('body[data-renewals="2"]')
    assert min(later - earlier for earlier, later in pairwise(asked)) > 0.9


def served_instead(customer: Customer, **changed: str) -> None:
    """The portal's back end answers as before, but for this."""

    def answer(route: Route) -> None:
        fetched = route.fetch()
        route.fulfill(response=fetched, json={**fetched.json(), **changed})

    customer.context.route("**/embed-token", answer)


def powerbi_token(cloud: Cloud, body: Json) -> str:
    """An embed token straight from Power BI, as an application that bypasses our API would get it."""
    known = cloud.described["clients"]["embed"]
    with cloud.session() as session:
        form = {
            "grant_type": "client_credentials",
            "client_id": known["clientId"],
            "client_secret": known["clientSecret"],
            "scope": "https://analysis.windows.net/powerbi/api/.default",
        }
        entra = f"https://login.microsoftonline.com/{cloud.tenant_id}/oauth2/v2.0/token"
        access = session.post(entra, data=form, timeout=30).json()["access_token"]
        url, headers = "https://api.powerbi.com/v1.0/myorg/GenerateToken", {"Authorization": f"Bearer {access}"}
        return str(session.post(url, json=body, headers=headers, timeout=30).json()["token"])


def sales_token(cloud: Cloud) -> str:
    """A good token, for another report."""
    seed = cloud.described["seed"]
    reports, datasets = [{"id": seed["reports"]["Sales overview"]}], [{"id": seed["datasets"]["Sales"]}]
    return powerbi_token(cloud, {"reports": reports, "datasets": datasets})


def expired_token(cloud: Cloud) -> str:
    """One that has ended before anybody could have opened it: it is made for less than a second."""
    cloud.change(switches={"embedTokenLife": "PT0.001S"})
    return sales_token(cloud)


FOREIGN = {
    "of another report": (sales_token, "LoadReportFailed 403", "was not made for this report"),
    "expired": (expired_token, "TokenExpired 403", "has expired"),
    "no token at all": (lambda _: "H4sIAAAA", "LoadReportFailed 403", "is not an embed token"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_token_that_does_not_open_the_report_is_refused_in_words(
    hosted: Cloud, portal: str, visit: Visit, kind: str
) -> None:
    make, code, words = FOREIGN[kind]
    customer = visit(portal)
    served_instead(customer, token=make(hosted))
    customer.sign_in(ANA)
    customer.wait_for("failed")
    assert code in customer.status()
    assert words in customer.status()
    assert words in customer.shown("notice")
    assert customer.report.locator("#rows td").count() == 0


def test_a_foreign_token_does_not_take_the_place_of_a_good_one(hosted: Cloud, portal: str, visit: Visit) -> None:
    customer = visit(portal)
    customer.sign_in(ANA)
    customer.wait_for("rendered")
    refusal = customer.in_library("setAccessToken", sales_token(hosted))
    assert refusal["message"] == "LoadReportFailed"
    assert "was not made for this report" in refusal["detailedMessage"]
    assert customer.counts() == ("1", "0")
    assert customer.shown("username") == ANA


def test_a_paginated_report_is_embedded_on_a_page_of_its_own(hosted: Cloud, portal: str, visit: Visit) -> None:
    invoice = hosted.described["seed"]["reports"]["Invoice"]
    token = powerbi_token(hosted, {"reports": [{"id": invoice}]})
    workspace = hosted.described["seed"]["workspaces"]["Sales Analytics"]
    url = f"https://app.powerbi.com/rdlEmbed?reportId={invoice}&groupId={workspace}"
    customer = visit(portal)
    served_instead(customer, token=token, reportId=invoice, embedUrl=url)
    customer.sign_in(ANA)
    customer.wait_for("rendered")
    assert (customer.shown("name"), customer.shown("username")) == ("Invoice", "none")


def test_the_portal_says_in_words_that_the_service_is_away(hosted: Cloud, portal: str, visit: Visit) -> None:
    hosted.fault("api.powerbi.com", ".*/GenerateToken", status=503, times=20)
    customer = visit(portal)
    customer.sign_in(NEVER_SERVED)
    customer.wait_for("failed")
    assert customer.status().startswith("The report service is busy. Please try again in a minute. (Reference ")


@pytest.mark.parametrize("url", ["https://www.example.com/", "http://www.example.com/", "https://203.0.113.7/"])
def test_the_browser_reaches_nothing_but_the_emulated_cloud(portal: str, visit: Visit, url: str) -> None:
    customer = visit(portal)
    with pytest.raises(Error, match=r"ERR_TUNNEL_CONNECTION_FAILED|ERR_HTTP_RESPONSE_CODE_FAILURE|405"):
        answer = customer.page.goto(url)
        assert answer is not None
        raise Error(str(answer.status))
