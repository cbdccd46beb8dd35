"""Callers' tokens from the emulated Entra, verified with the keys that it publishes."""

from __future__ import annotations

import os
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from shared.auth.callers import Caller, Callers
from shared.auth.signing_keys import SigningKeys
from shared.errors import NotAllowed, Retryable, Throttled, Unauthenticated, Unavailable
from shared.settings import CallerSettings
from shared.times import utc_now
from tests.cloud import Cloud
from tests.seeded import ENTRA
from tests.waiting import eventually

KEYS_PATH = "discovery/v2.0/keys"
ROLE = "Embed.Issue"


class Door:
    """The caller's side of the app as wiring builds it, with a clock that can be moved for the keys alone: tokens are
    verified by the real time.
    """

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.later = timedelta(0)
        settings = CallerSettings.from_env(os.environ)
        self.callers = Callers(settings, SigningKeys(settings, self._now), utc_now)

    def _now(self) -> datetime:
        return utc_now() + self.later

    def verify(self, token: str, role: str = ROLE) -> Caller:
        return self.callers.verify(f"Bearer {token}", role)

    def key_requests(self) -> int:
        return len(self.cloud.calls(host=ENTRA, path=KEYS_PATH))


@pytest.fixture
def door(cloud: Cloud) -> Door:
    return Door(cloud)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("idtyp", [True, False])
def test_applications_are_let_in_with_tokens_of_either_version(door: Door, version: int, idtyp: bool) -> None:
    door.cloud.change(switches={"accessTokenAcceptedVersion": version, "idtyp": idtyp})
    caller = door.verify(door.cloud.caller_token("customer-portal"))
    assert caller.kind == "application"
    assert caller.client_id == door.cloud.described["clients"]["customer-portal"]["clientId"]
    assert caller.tenant_id == door.cloud.tenant_id
    assert caller.roles == frozenset({ROLE})


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("idtyp", [True, False])
def test_users_are_let_in_with_tokens_of_either_version(door: Door, version: int, idtyp: bool) -> None:
    door.cloud.change(switches={"accessTokenAcceptedVersion": version, "idtyp": idtyp})
    caller = door.verify(door.cloud.user_token("ana@contoso.com"))
    assert caller.kind == "delegated"
    assert ROLE in caller.scopes & caller.roles


def test_a_user_without_the_role_is_refused_in_spite_of_the_scope(door: Door) -> None:
    with pytest.raises(NotAllowed, match="assigned to the user"):
        door.verify(door.cloud.user_token("ben@contoso.com"))


def test_an_application_without_the_role_is_refused(door: Door) -> None:
    for client in ("nobody", "auditor"):
        with pytest.raises(NotAllowed, match=ROLE):
            door.verify(door.cloud.caller_token(client))


@pytest.mark.parametrize("sign", ["wrongKey", "none", "hs256"])
def test_tokens_that_the_tenant_did_not_sign_are_refused(door: Door, sign: str) -> None:
    with pytest.raises(Unauthenticated):
        door.verify(door.cloud.odd_token(sign=sign))


def test_a_token_for_power_bi_is_no_token_for_us(door: Door) -> None:
    power_bi = door.cloud.odd_token(claims={"aud": "https://analysis.windows.net/powerbi/api"})
    with pytest.raises(Unauthenticated, match="audience"):
        door.verify(power_bi)


def test_threads_that_start_cold_read_the_keys_once(door: Door) -> None:
    sent = door.cloud.caller_token("customer-portal")
    together = threading.Barrier(32)

    def enter() -> Caller:
        together.wait(20)
        return door.verify(sent)

    with ThreadPoolExecutor(32) as pool:
        assert all(future.result(30).roles for future in [pool.submit(enter) for _ in range(32)])
    assert door.key_requests() == 1


def test_keys_are_read_once_a_day(door: Door) -> None:
    sent = door.cloud.caller_token("customer-portal")
    for hours, requests in ((0, 1), (23, 1), (25, 2), (48, 2)):
        door.later = timedelta(hours=hours)
        door.verify(sent)
        assert door.key_requests() == requests


def test_made_up_key_ids_cause_no_traffic(door: Door) -> None:
    door.verify(door.cloud.caller_token("customer-portal"))
    strange = door.cloud.odd_token(header={"kid": "made-up"})
    for seconds in range(0, 180, 2):
        door.later = timedelta(seconds=seconds)
        with pytest.raises(Unauthenticated, match="key"):
            door.verify(strange)
    assert door.key_requests() == 3


def test_tokens_of_other_tenants_cause_no_traffic(door: Door) -> None:
    tenant = str(uuid.uuid4())
    claims = {"tid": tenant, "iss": f"https://login.microsoftonline.com/{tenant}/v2.0"}
    with pytest.raises(Unauthenticated, match="tenant"):
        door.verify(door.cloud.odd_token(claims=claims))
    assert door.key_requests() == 0


def test_a_new_key_is_found_within_a_minute_while_the_old_one_still_serves(door: Door) -> None:
    old = door.cloud.caller_token("customer-portal")
    door.verify(old)
    door.cloud.control("POST", "keys/rotate", {"keepOld": True})
    new = door.cloud.caller_token("customer-portal")
    with pytest.raises(Unauthenticated):
        door.verify(new)
    door.later = timedelta(seconds=61)
    assert door.verify(new).roles
    assert door.verify(old).roles


def test_a_withdrawn_key_is_refused_as_soon_as_the_keys_are_read_again(door: Door) -> None:
    old = door.cloud.caller_token("customer-portal")
    door.verify(old)
    door.cloud.control("POST", "keys/rotate", {"keepOld": False})
    door.later = timedelta(seconds=61)
    door.verify(door.cloud.caller_token("customer-portal"))
    with pytest.raises(Unauthenticated):
        door.verify(old)


def test_with_entra_away_from_the_start_nobody_can_be_told_apart(door: Door) -> None:
    sent = door.cloud.caller_token("customer-portal")
    door.cloud.fault(ENTRA, KEYS_PATH, times=1000, drop="before")
    for _ in range(20):
        with pytest.raises(Unavailable):
            door.verify(sent)
    assert door.key_requests() <= 2  # the connection is tried a second time
    door.cloud.control("DELETE", "faults")
    door.later = timedelta(seconds=6)
    assert door.verify(sent).roles


def test_entra_is_not_asked_for_keys_before_it_allows(door: Door) -> None:
    sent = door.cloud.caller_token("customer-portal")
    door.cloud.fault(ENTRA, KEYS_PATH, status=429, headers={"Retry-After": "30"})
    for seconds in (0, 10, 29):
        door.later = timedelta(seconds=seconds)
        with pytest.raises(Throttled):
            door.verify(sent)
    assert door.key_requests() == 1
    door.later = timedelta(seconds=31)
    assert door.verify(sent).roles


def test_with_entra_away_the_keys_in_hand_serve_for_a_week(door: Door) -> None:
    sent = door.cloud.caller_token("customer-portal")
    door.verify(sent)
    door.cloud.fault(ENTRA, KEYS_PATH, times=1000, status=503)
    for days in (2, 6):
        door.later = timedelta(days=days)
        for _ in range(20):
            assert door.verify(sent).roles
    assert door.key_requests() == 3
    door.later = timedelta(days=7, minutes=5)
    with pytest.raises(Unavailable):
        door.verify(sent)


def test_nobody_waits_for_newer_keys_while_the_old_ones_serve(door: Door) -> None:
    sent = door.cloud.caller_token("customer-portal")
    door.verify(sent)
    door.later = timedelta(days=2)
    door.cloud.fault(ENTRA, KEYS_PATH, delaySeconds=2)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(door.verify, sent)
        eventually(lambda: door.key_requests() == 2)
        began = time.perf_counter()
        assert door.verify(sent).roles
        assert time.perf_counter() - began < 0.1
        assert reading.result(20).roles


@pytest.mark.parametrize("change", [{"use": "enc"}, {"use": None}, {"kty": "EC"}, {"kid": ""}])
def test_only_keys_for_signatures_are_taken(door: Door, change: dict[str, object]) -> None:
    sent = door.cloud.caller_token("customer-portal")
    with door.cloud.session() as session:
        published = session.get(f"https://{ENTRA}/{door.cloud.tenant_id}/{KEYS_PATH}", timeout=10).json()["keys"]
    door.cloud.fault(ENTRA, KEYS_PATH, status=200, body={"keys": [{**key, **change} for key in published]})
    with pytest.raises(Unavailable):
        door.verify(sent)


def test_keys_are_taken_from_nowhere_else(door: Door) -> None:
    sent = door.cloud.caller_token("customer-portal")
    elsewhere = {"Location": "https://login.microsoftonline.us/common/discovery/v2.0/keys"}
    door.cloud.fault(ENTRA, KEYS_PATH, status=302, headers=elsewhere)
    with pytest.raises(Unavailable):
        door.verify(sent)
    assert not door.cloud.calls(host="login.microsoftonline.us")


def test_an_unknown_key_with_entra_away_is_no_verdict(door: Door) -> None:
    door.verify(door.cloud.caller_token("customer-portal"))
    door.cloud.fault(ENTRA, KEYS_PATH, times=1000, status=503)
    door.later = timedelta(minutes=2)
    with pytest.raises(Unavailable):
        door.verify(door.cloud.odd_token(header={"kid": "made-up"}))


@pytest.mark.parametrize(
    "answer",
    [
        "<html>sign in</html>",
        {"keys": []},
        {"keys": "none"},
        {"keys": [{"kty": "oct", "use": "sig", "kid": "k", "k": "c2VjcmV0"}]},
        {"keys": [{"kty": "RSA", "use": "enc", "kid": "k", "n": "AQAB", "e": "AQAB"}]},
        {"keys": [{"kty": "RSA", "use": "sig", "kid": "k", "n": "AQAB", "e": "AQAB"}]},
        {"keys": [{"kty": "RSA", "use": "sig", "kid": "k", "n": 7, "e": None}]},
        {"keys": [None, 7]},
        [],
    ],
)
def test_a_list_without_a_usable_key_is_no_list(door: Door, answer: object) -> None:
    sent = door.cloud.caller_token("customer-portal")
    door.cloud.fault(ENTRA, KEYS_PATH, status=200, body=answer)
    with pytest.raises(Retryable):
        door.verify(sent)
    door.later = timedelta(seconds=6)
    assert door.verify(sent).roles
