"""The sample portal's own rules, tried by somebody who means no good; neither a browser nor a cloud is needed."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from types import ModuleType

import pytest
import requests

from emulator.demo.site import PORTAL, portal_running

NOWHERE = {
    "PORTAL_API": "http://127.0.0.1:9/api",
    "PORTAL_TENANT_ID": "3b6f2f0e-8d4c-4b6a-9a51-6c1f0e7d2a90",
    "PORTAL_CLIENT_ID": "550ae5f4-9716-4042-b182-4e5f60718205",
    "PORTAL_CLIENT_SECRET": "none",
    "PORTAL_SCOPE": "api://powerbi-automation/.default",
    **dict.fromkeys(("https_proxy", "HTTPS_PROXY"), "http://127.0.0.1:9"),
    **dict.fromkeys(("no_proxy", "NO_PROXY"), "127.0.0.1,localhost"),
}


@pytest.fixture(scope="module")
def portal() -> Iterator[str]:
    """A portal whose API, Entra and proxy don't answer."""
    with portal_running(NOWHERE) as address:
        yield address


@pytest.fixture
def browser(portal: str) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Origin"] = portal
        yield session


def sign_in(browser: requests.Session, portal: str, customer: str = "customer-1042") -> requests.Response:
    return browser.post(f"{portal}/sign-in", data={"customer": customer}, allow_redirects=False, timeout=10)


def test_the_session_is_out_of_reach_of_scripts_and_of_other_sites(browser: requests.Session, portal: str) -> None:
    answer = sign_in(browser, portal)
    assert answer.status_code == 303
    cookie = answer.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Strict"} <= set(cookie.split("; "))
    assert "customer" not in cookie.partition("=")[2]


def test_a_new_session_is_begun_at_each_signing_in(browser: requests.Session, portal: str) -> None:
    browser.cookies.set("portal-session", "planted-by-somebody", domain="127.0.0.1")
    numbers = [_session_of(sign_in(browser, portal)) for _ in range(2)]
    assert len({"planted-by-somebody", *numbers}) == 3
    browser.cookies.clear()
    browser.cookies.set("portal-session", numbers[0])
    assert browser.post(f"{portal}/embed-token", timeout=10).status_code == 401


def _session_of(answer: requests.Response) -> str:
    return answer.headers["Set-Cookie"].partition("=")[2].partition(";")[0]


def test_behind_tls_the_session_is_sent_over_tls_alone_and_only_the_portals_address_counts() -> None:
    public = "https://portal.contoso.com"
    with portal_running({**NOWHERE, "PORTAL_URL": public}) as inside, requests.Session() as session:
        session.trust_env = False
        session.headers.update({"Host": "portal.contoso.com", "Origin": public})
        answer = sign_in(session, inside)
        assert answer.headers["Set-Cookie"].startswith("__Host-portal-session=")
        assert {"Secure", "HttpOnly", "SameSite=Strict", "Path=/"} <= set(answer.headers["Set-Cookie"].split("; "))
        assert "Strict-Transport-Security" in answer.headers
        session.headers["Origin"] = "http://portal.contoso.com"
        assert sign_in(session, inside).status_code == 403


def test_a_name_that_somebody_points_at_the_portal_shows_nothing(browser: requests.Session, portal: str) -> None:
    port = portal.rpartition(":")[2]
    browser.headers.update({"Host": f"evil.example:{port}", "Origin": f"http://evil.example:{port}"})
    assert browser.get(portal, timeout=10).status_code == 421
    assert sign_in(browser, portal).status_code == 403


def test_a_session_ends_however_busy_it_is(sessions: ModuleType) -> None:
    now = [0.0]
    kept = sessions.Sessions(clock=lambda: now[0])
    number = kept.begin("customer-1042")
    now[0] = sessions.LIFETIME - 1
    assert kept.customer(number) == "customer-1042"
    now[0] = sessions.LIFETIME
    assert kept.customer(number) == ""


def test_the_oldest_session_gives_way(sessions: ModuleType) -> None:
    kept = sessions.Sessions()
    first, *_, last = [kept.begin("customer-1042") for _ in range(sessions.MOST + 1)]
    assert (kept.customer(first), kept.customer(last)) == ("", "customer-1042")


@pytest.fixture(scope="module")
def sessions() -> ModuleType:
    """A module of the sample, which is a folder of scripts and no package."""
    spec = importlib.util.spec_from_file_location("portal_sessions", PORTAL.with_name("sessions.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_nobody_who_is_not_signed_in_gets_a_token(browser: requests.Session, portal: str) -> None:
    browser.cookies.set("portal-session", "guessed")
    answer = browser.post(f"{portal}/embed-token", timeout=10)
    assert (answer.status_code, answer.json()) == (401, {"error": "Your session has ended. Please sign in again."})


def test_a_session_ends_with_signing_out(browser: requests.Session, portal: str) -> None:
    sign_in(browser, portal)
    kept = browser.cookies.get_dict()
    browser.post(f"{portal}/sign-out", allow_redirects=False, timeout=10)
    browser.cookies.update(kept)
    assert browser.post(f"{portal}/embed-token", timeout=10).status_code == 401


@pytest.mark.parametrize("origin", ["https://evil.example", "null", ""])
def test_another_site_can_post_nothing(browser: requests.Session, portal: str, origin: str) -> None:
    sign_in(browser, portal)
    browser.headers["Origin"] = origin
    for path in ("sign-in", "sign-out", "embed-token"):
        assert browser.post(f"{portal}/{path}", data={"customer": "customer-2077"}, timeout=10).status_code == 403


def test_somebody_who_is_no_customer_is_turned_away(browser: requests.Session, portal: str) -> None:
    answer = sign_in(browser, portal, "customer-9999")
    assert (answer.status_code, answer.json()) == (403, {"error": "This is no customer of ours."})
    assert "Set-Cookie" not in answer.headers


def test_a_body_that_is_too_large_is_not_read(browser: requests.Session, portal: str) -> None:
    assert browser.post(f"{portal}/sign-in", data=b"x" * 5000, timeout=10).status_code == 413


@pytest.mark.parametrize("path", ["portal.py", "..%2Fportal.py", "static/report.html", "../portal.py", ".env"])
def test_only_what_is_listed_is_served(browser: requests.Session, portal: str, path: str) -> None:
    assert browser.get(f"{portal}/{path}", timeout=10).status_code == 404


def test_a_page_shows_power_bi_inside_and_is_shown_inside_nobody(browser: requests.Session, portal: str) -> None:
    policy = browser.get(portal, timeout=10).headers["Content-Security-Policy"].split("; ")
    assert {"default-src 'none'", "frame-src https://app.powerbi.com", "frame-ancestors 'none'"} <= set(policy)


def test_when_entra_is_away_the_customer_hears_a_sentence_and_no_cause(browser: requests.Session, portal: str) -> None:
    sign_in(browser, portal)
    answer = browser.post(f"{portal}/embed-token", timeout=30)
    assert answer.status_code == 503
    assert answer.json() == {"error": "The portal can't sign in to Entra just now. Please try again in a minute."}
