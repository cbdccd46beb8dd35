"""What makes a token worth believing: who signed it, for whom, when, and that all of it agrees."""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from shared.errors import Unauthenticated
from tests.unit.caller_tokens import (
    API,
    API_URI,
    CLIENT,
    KEY,
    NOW,
    SECOND_TENANT,
    SECONDS,
    STRANGE_KEY,
    STRANGE_TENANT,
    TENANT,
    Json,
    OneKey,
    accepted,
    of_application,
    token,
    verify,
)


@pytest.mark.parametrize(("seconds", "good"), [(0, True), (119, True), (120, False), (7200, False)])
def test_a_token_is_good_until_two_minutes_after_its_end(seconds: int, good: bool) -> None:
    sent = token(of_application(exp=SECONDS))
    assert accepted(sent, NOW + timedelta(seconds=seconds)) is good


@pytest.mark.parametrize("claim", ["nbf", "iat"])
@pytest.mark.parametrize(("seconds", "good"), [(0, True), (120, True), (121, False)])
def test_a_token_is_good_from_two_minutes_before_its_beginning(claim: str, seconds: int, good: bool) -> None:
    assert accepted(token(of_application(**{claim: SECONDS + seconds}))) is good


def test_a_refusal_says_whether_the_time_is_over_or_has_not_begun() -> None:
    with pytest.raises(Unauthenticated, match="expired"):
        verify(token(of_application(exp=SECONDS - 600)))
    with pytest.raises(Unauthenticated, match="not valid yet"):
        verify(token(of_application(nbf=SECONDS + 600)))


@pytest.mark.parametrize("audience", ["api://another", API_URI.upper(), CLIENT, API_URI + "/", "", [API], 1])
def test_a_token_for_another_audience_is_refused(audience: object) -> None:
    with pytest.raises(Unauthenticated):
        verify(token(of_application(aud=audience)))


def test_the_refusal_names_the_audience_to_ask_for() -> None:
    with pytest.raises(Unauthenticated, match=API_URI):
        verify(token(of_application(aud="api://another")))


def test_a_token_of_another_tenant_is_refused_before_any_key_is_asked_for() -> None:
    keys = OneKey()
    claims = of_application(tid=STRANGE_TENANT, iss=f"https://login.microsoftonline.com/{STRANGE_TENANT}/v2.0")
    with pytest.raises(Unauthenticated, match="tenant"):
        verify(token(claims), keys=keys)
    assert keys.asked == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"tid": SECOND_TENANT},
        {"iss": f"https://login.microsoftonline.com/{SECOND_TENANT}/v2.0"},
        {"iss": f"https://login.microsoftonline.com/{TENANT}/v2.0/"},
        {"iss": f"https://login.microsoftonline.us/{TENANT}/v2.0"},
        {"iss": f"https://evil.example/{TENANT}/v2.0"},
        {"iss": f"https://sts.windows.net/{TENANT}/"},
        {"ver": "1.0"},
        {"ver": "1.0", "appid": CLIENT},
        {"ver": "3.0"},
        {"ver": 2.0},
        {"iss": [f"https://login.microsoftonline.com/{TENANT}/v2.0"]},
    ],
)
def test_issuer_tenant_and_version_have_to_agree(changes: Json) -> None:
    with pytest.raises(Unauthenticated):
        verify(token(of_application(**changes)))


@pytest.mark.parametrize("claim", ["aud", "exp", "nbf", "iat", "azp", "oid", "sub", "tid", "ver", "iss"])
def test_every_claim_that_entra_always_sends_is_required(claim: str) -> None:
    with pytest.raises(Unauthenticated):
        verify(token(of_application(**{claim: None})))


def test_a_key_that_the_tenant_does_not_publish_is_refused() -> None:
    with pytest.raises(Unauthenticated, match="key"):
        verify(token(of_application(), {"kid": "key-2"}))


def test_a_signature_by_another_key_is_refused() -> None:
    def strange(signed: bytes) -> bytes:
        return STRANGE_KEY.sign(signed, padding.PKCS1v15(), hashes.SHA256())

    with pytest.raises(Unauthenticated, match="signature"):
        verify(token(of_application(), sign=strange))


def test_an_unsigned_token_is_refused_before_any_key_is_asked_for() -> None:
    keys = OneKey()
    for algorithm in ("none", "None", "NONE", ""):
        with pytest.raises(Unauthenticated):
            verify(token(of_application(), {"alg": algorithm}, sign=lambda _: b"x"), keys=keys)
    unsigned = token(of_application(), {"alg": "none"}).rpartition(".")[0] + "."
    with pytest.raises(Unauthenticated):
        verify(unsigned, keys=keys)
    assert keys.asked == 0


def test_a_token_signed_with_the_public_key_as_a_shared_secret_is_refused() -> None:
    keys = OneKey()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    public = KEY.public_key().public_bytes(serialization.Encoding.PEM, form)
    sent = token(of_application(), {"alg": "HS256"}, sign=lambda signed: hmac.digest(public, signed, hashlib.sha256))
    with pytest.raises(Unauthenticated, match="RS256"):
        verify(sent, keys=keys)
    assert keys.asked == 0


@pytest.mark.parametrize(
    "header",
    [
        {"kid": None},
        {"kid": ""},
        {"kid": 7},
        {"alg": "RS512"},
        {"alg": ["RS256"]},
        {"crit": ["exp"]},
        {"jku": "https://evil.example/keys"},
        {"x5u": "https://evil.example/certificate"},
        {"jwk": {"kty": "RSA"}},
        {"x5c": ["…"]},
        {"b64": False, "crit": ["b64"]},
    ],
)
def test_headers_that_would_change_how_a_token_is_checked_are_refused(header: Json) -> None:
    keys = OneKey()
    with pytest.raises(Unauthenticated):
        verify(token(of_application(), header), keys=keys)
    assert keys.asked == 0
