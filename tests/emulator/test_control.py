"""The control API: faults, the list of requests, state, clock, odd tokens, reset."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest
import requests

from emulator.seed import ALL_ROLES, API_APP_ID, DATASETS, TENANT_ID, WORKSPACES
from tests.cloud import Cloud

API = "https://api.powerbi.com/v1.0/myorg"
SALES, WORKSPACE = DATASETS[1].id, WORKSPACES[0].id
Json = dict[str, Any]


def _control(cloud: Cloud, method: str, path: str, **options: Any) -> requests.Response:
    """Without the demand that it succeeds."""
    return requests.request(method, f"{cloud.described['controlUrl']}/_emulator/{path}", timeout=10, **options)


@pytest.fixture
def client(cloud: Cloud) -> requests.Session:
    """A client of Power BI, signed in as the app's operations identity."""
    known = cloud.described["clients"]["operations"]
    session = cloud.session()
    form = {
        "grant_type": "client_credentials",
        "client_id": known["clientId"],
        "client_secret": known["clientSecret"],
        "scope": "https://analysis.windows.net/powerbi/api/.default",
    }
    token = session.post(f"https://login.microsoftonline.com/{TENANT_ID}/oauth2/v2.0/token", data=form, timeout=10)
    session.headers["Authorization"] = f"Bearer {token.json()['access_token']}"
    return session


def _refresh(client: requests.Session, timeout: float = 10) -> requests.Response:
    url = f"{API}/groups/{WORKSPACE}/datasets/{SALES}/refreshes"
    return client.post(url, json={"notifyOption": "NoNotification"}, timeout=timeout)


def _history(client: requests.Session) -> list[Json]:
    url = f"{API}/groups/{WORKSPACE}/datasets/{SALES}/refreshes"
    found: list[Json] = client.get(url, timeout=10).json()["value"]
    return found


# --- faults


def test_a_fault_answers_in_place_of_the_service_as_often_as_it_is_told(cloud: Cloud, client: requests.Session) -> None:
    cloud.fault("api.powerbi.com", "/groups$", skip=1, times=2, status=429, headers={"Retry-After": "7"}, body={"a": 1})
    answers = [client.get(f"{API}/groups", timeout=10) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 429, 429, 200]
    assert (answers[1].headers["Retry-After"], answers[1].json()) == ("7", {"a": 1})
    assert answers[1].headers["RequestId"]  # as every answer of Power BI has


def test_a_fault_strikes_only_what_it_matches(cloud: Cloud, client: requests.Session) -> None:
    fault = cloud.fault("api.powerbi.com", "/refreshes", method="POST", status=500)
    assert client.get(f"{API}/groups", timeout=10).status_code == 200
    assert _history(client) == []
    cloud.control("DELETE", f"faults/{fault}")
    assert _refresh(client).status_code == 202
    assert _control(cloud, "DELETE", f"faults/{fault}").status_code == 404


def test_a_connection_dropped_before_the_effect_leaves_nothing_done(cloud: Cloud, client: requests.Session) -> None:
    cloud.fault("api.powerbi.com", "/refreshes", method="POST", drop="before")
    with pytest.raises(requests.ConnectionError):
        _refresh(client)
    assert _history(client) == []


def test_a_connection_dropped_after_the_effect_has_it_done(cloud: Cloud, client: requests.Session) -> None:
    cloud.fault("api.powerbi.com", "/refreshes", method="POST", drop="after")
    with pytest.raises(requests.ConnectionError):
        _refresh(client)
    assert len(_history(client)) == 1
    [call] = cloud.calls(path="/refreshes", method="POST")
    assert call["status"] is None


@pytest.mark.parametrize(("when", "done_at_once"), [("before", False), ("after", True)])
def test_a_slow_answer_may_come_before_or_after_the_effect(
    cloud: Cloud, client: requests.Session, when: str, done_at_once: bool
) -> None:
    cloud.fault("api.powerbi.com", "/refreshes", method="POST", delaySeconds=0.6, delayWhen=when)
    with pytest.raises(requests.Timeout):
        _refresh(client, timeout=0.2)
    assert bool(_history(client)) is done_at_once
    deadline = time.monotonic() + 10
    while not _history(client):
        assert time.monotonic() < deadline, "the effect comes late, but it comes"


def test_entra_and_the_vault_can_fail_as_well(cloud: Cloud) -> None:
    cloud.fault("login.microsoftonline.com", "/token", status=503, headers={"Retry-After": "3"}, body="busy")
    cloud.fault(r".*\.vault\.azure\.net", "/secrets/", status=500)
    with cloud.session() as session:
        entra = session.post(f"https://login.microsoftonline.com/{TENANT_ID}/oauth2/v2.0/token", timeout=10)
        vault = session.get(f"{cloud.settings['KEY_VAULT_URL']}secrets/any", timeout=10)
    assert (entra.status_code, entra.headers["Retry-After"], entra.text) == (503, "3", "busy")
    assert vault.status_code == 500


def test_a_fault_may_look_at_the_body(cloud: Cloud) -> None:
    embed = cloud.described["clients"]["embed"]["clientId"]
    match = {"host": "login.microsoftonline.com", "body": embed}
    cloud.control("POST", "faults", {"match": match, "times": 100, "status": 500})
    assert cloud.caller_token("operator")
    with pytest.raises(AssertionError):
        cloud.caller_token("embed")


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({}, "needs a status, drop or delaySeconds"),
        ({"status": 500, "drop": "after"}, "not both"),
        ({"drop": "sometimes"}, "drop is"),
        ({"status": 99}, "status is a number"),
        ({"status": "500"}, "status is a number"),
        ({"status": 500, "times": 0}, "times is a number"),
        ({"status": 500, "match": {"path": "("}}, "not a regular expression"),
        ({"status": 500, "match": {"hots": "x"}}, "'hots'"),
        ({"statuss": 500}, "'statuss'"),
        ({"body": "x", "drop": "before"}, "need a status"),
        ([], "JSON object"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused_with_a_sentence(cloud: Cloud, fault: object, reason: str) -> None:
    answer = _control(cloud, "POST", "faults", json=fault)
    assert answer.status_code == 400
    assert reason in answer.json()["error"]["message"]


# --- requests


def test_requests_are_listed_without_secrets(cloud: Cloud, client: requests.Session) -> None:
    _refresh(client)
    client.get(f"{API}/groups?$top=5", timeout=10)
    token, refresh, groups = cloud.control("GET", "requests")["value"]
    assert token["body"]["client_secret"] == "[redacted]"
    assert token["host"] == "login.microsoftonline.com"
    assert refresh["body"] == {"notifyOption": "NoNotification"}
    assert refresh["headers"]["authorization"] == "[redacted]"
    assert (groups["method"], groups["path"], groups["query"]) == ("GET", "/v1.0/myorg/groups", {"$top": "5"})
    assert (groups["status"], groups["clientId"]) == (200, cloud.described["clients"]["operations"]["clientId"])
    assert cloud.described["clients"]["operations"]["clientSecret"] not in str([token, refresh, groups])


def test_the_request_id_is_the_one_that_the_client_was_told(cloud: Cloud, client: requests.Session) -> None:
    answer = client.get(f"{API}/groups", timeout=10)
    assert cloud.control("GET", "requests")["value"][-1]["requestId"] == answer.headers["RequestId"]


def test_numbers_go_on_over_a_reset(cloud: Cloud, client: requests.Session) -> None:
    last = cloud.control("GET", "requests")["value"][-1]["seq"]
    cloud.reset()
    assert cloud.control("GET", "requests")["value"] == []
    client.get(f"{API}/groups", timeout=10)
    [call] = cloud.control("GET", f"requests?since={last}")["value"]
    assert call["seq"] == last + 1
    assert cloud.control("GET", f"requests?since={call['seq']}")["value"] == []
    assert _control(cloud, "GET", "requests?since=yesterday").status_code == 400


# --- state, clock, reset


def test_state_shows_no_secret(cloud: Cloud) -> None:
    state = str(cloud.state())
    assert not [client for client in cloud.described["clients"].values() if client["clientSecret"] in state]
    assert not [password for password in cloud.described["people"].values() if password in state]


@pytest.mark.parametrize(
    ("patch", "reason"),
    [
        ({"datasetz": {}}, "no map 'datasetz'"),
        ({"switches": {"gravity": False}}, "no switch 'gravity'"),
        ({"switches": {"accessTokenLifetime": "an hour"}}, "accessTokenLifetime"),
        ({"switches": {"accessTokenAcceptedVersion": 3}}, "accessTokenAcceptedVersion"),
        ({"users": {"ana@contoso.com": {"mfa": True}}}, "'mfa'"),
        ({"users": {"ana@contoso.com": 1}}, "is an object"),
        ({"applications": {"x": {"certificates": {"one": "no"}}}}, "not a certificate"),
        ({"applications": {"x": {"secrets": {"one": {}}}}}, "needs value"),
        ({"secrets": {"new-one": {"enabled": True}}}, "There is no secret"),
        ({"vaultRoles": {"x": "king"}}, "vaultRoles/x"),
        ({"datasets": 7}, "is a map"),
        ([], "JSON object"),
        ({"users": {"ana@contoso.com": {"locked": True}}, "datasets": {SALES: 5}}, "object"),
        ({"datasets": {SALES: {"name": "Other"}}, "users": {"ana@contoso.com": {"locked": 1}}}, "locked"),
        ({"datasets": {SALES: {"name": "Other"}}, "vaultRoles": {"x": 1}}, "vaultRoles/x"),
    ],
)
def test_a_patch_that_names_what_is_not_there_is_refused_and_changes_nothing(
    cloud: Cloud, patch: object, reason: str
) -> None:
    before = cloud.state()
    answer = _control(cloud, "PATCH", "state", json=patch)
    assert answer.status_code == 400
    assert reason in answer.json()["error"]["message"]
    assert cloud.state() == before


def test_a_patch_merges_into_every_service(cloud: Cloud) -> None:
    cloud.change(
        datasets={SALES: {"nextOutcome": "Failed"}},
        users={"ana@contoso.com": {"mfaRequired": True}},
        secrets={"operations-webhook-url": {"value": "https://hooks.contoso.com/1"}},
    )
    state = cloud.state()
    assert state["datasets"][SALES]["nextOutcome"] == "Failed"
    assert state["datasets"][SALES]["name"] == "Sales"
    assert state["users"]["ana@contoso.com"]["mfaRequired"] is True
    assert state["secrets"]["operations-webhook-url"]["enabled"] is True


def test_reset_brings_everything_back(cloud: Cloud) -> None:
    before = cloud.state()
    cloud.change(switches={"idtyp": True}, users={"ana@contoso.com": {"locked": True}})
    cloud.control("POST", "secrets/embed/rotate")
    cloud.control("POST", "clock", {"advance": "P1D"})
    cloud.fault(".*", ".*", status=500)
    cloud.reset()
    after = cloud.state()
    assert {name: after[name] for name in ("users", "switches", "applications", "faults")} == {
        name: before[name] for name in ("users", "switches", "applications", "faults")
    }
    assert cloud.control("GET", "clock")["now"][:13] == time.strftime("%Y-%m-%dT%H", time.gmtime())


def test_an_empty_tenant_has_no_content_but_the_same_callers(cloud: Cloud, client: requests.Session) -> None:
    cloud.control("POST", "reset", {"seed": "empty"})
    assert client.get(f"{API}/groups", timeout=10).json()["value"] == []
    assert cloud.caller_token("operator")
    assert _control(cloud, "POST", "reset", json={"seed": "full"}).status_code == 400


def test_the_clock_moves_power_bi_and_not_the_tokens(cloud: Cloud, client: requests.Session) -> None:
    cloud.change(datasets={SALES: {"refreshDuration": "PT10M"}})
    _refresh(client)
    assert _history(client)[0]["status"] == "Unknown"
    cloud.control("POST", "clock", {"advance": "PT2H"})
    assert _history(client)[0]["status"] == "Completed"  # and the token, made for an hour, is still good


@pytest.mark.parametrize("advance", [None, "2 hours", "PT", "P", "-PT1H", 3600, "P99999999999D", "P9999999D"])
def test_the_clock_takes_only_durations(cloud: Cloud, advance: object) -> None:
    assert _control(cloud, "POST", "clock", json={"advance": advance}).status_code == 400


def test_somebody_else_refreshes(cloud: Cloud, client: requests.Session) -> None:
    request_id = cloud.control("POST", f"refreshes/{WORKSPACE}/{SALES}")["requestId"]
    assert [refresh["requestId"] for refresh in _history(client)] == [request_id]
    assert _control(cloud, "POST", f"refreshes/{WORKSPACE}/{WORKSPACE}").status_code in (400, 404)


# --- odd tokens


def _verified(cloud: Cloud, token: str) -> Json:
    keys = jwt.PyJWKClient(f"https://login.microsoftonline.com/{TENANT_ID}/discovery/v2.0/keys")
    key = keys.get_signing_key_from_jwt(token).key
    claims: Json = jwt.decode(token, key, algorithms=["RS256"], audience=API_APP_ID)
    return claims


def test_an_odd_token_is_a_good_one_but_for_what_is_asked(cloud: Cloud) -> None:
    usual = _verified(cloud, cloud.odd_token())
    assert usual["roles"] == list(ALL_ROLES)
    odd = cloud.odd_token(claims={"roles": None, "tid": "another"}, header={"kid": None, "cty": "x"})
    claims = jwt.decode(odd, options={"verify_signature": False})
    assert "roles" not in claims and claims["tid"] == "another"
    assert jwt.get_unverified_header(odd) == {"typ": "JWT", "alg": "RS256", "cty": "x"}


def test_an_odd_token_may_be_another_clients_or_a_persons(cloud: Cloud) -> None:
    assert _verified(cloud, cloud.odd_token(client="customer-portal"))["roles"] == ["Embed.Issue"]
    person = _verified(cloud, cloud.odd_token(delegated=True, user="ben@contoso.com"))
    assert person["preferred_username"] == "ben@contoso.com"
    assert "Embed.Issue" in person["scp"].split()


@pytest.mark.parametrize(("sign", "algorithm"), [("wrongKey", "RS256"), ("none", "none"), ("hs256", "HS256")])
def test_a_forged_token_does_not_verify(cloud: Cloud, sign: str, algorithm: str) -> None:
    token = cloud.odd_token(sign)
    assert jwt.get_unverified_header(token)["alg"] == algorithm
    with pytest.raises(jwt.InvalidTokenError):
        _verified(cloud, token)


@pytest.mark.parametrize(
    "wanted", [{"sign": "twice"}, {"claims": []}, {"client": "x"}, {"delegated": True, "user": "x"}, {"other": 1}]
)
def test_a_token_that_cannot_be_made_is_refused(cloud: Cloud, wanted: Json) -> None:
    assert _control(cloud, "POST", "tokens", json=wanted).status_code == 400


# --- the control API itself


@pytest.mark.parametrize(("method", "path"), [("GET", "nothing"), ("PUT", "state"), ("POST", "secrets/embed/eat")])
def test_unknown_routes_say_so(cloud: Cloud, method: str, path: str) -> None:
    answer = _control(cloud, method, path)
    assert answer.status_code == 501
    assert path in answer.text


def test_pages_of_other_sites_cannot_steer_it_by_a_name_that_leads_here(cloud: Cloud) -> None:
    answer = _control(cloud, "POST", "reset", headers={"Host": "rebound.example.com"})
    assert answer.status_code == 400


def test_a_body_that_is_not_json_is_refused(cloud: Cloud) -> None:
    assert _control(cloud, "POST", "clock", data=b"{").status_code == 400
    assert _control(cloud, "POST", "secrets/embed/rotate", json={"keepOld": "yes"}).status_code == 400
    assert _control(cloud, "POST", "secrets/nobody-knows/rotate").status_code == 404
