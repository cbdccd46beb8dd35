"""Which tokens are believed, and what their callers may do. Keys are made here and nothing is sent."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from hypothesis import given
from hypothesis import strategies as st

from shared.auth.bearer import parse
from shared.auth.callers import Caller, Callers
from shared.errors import NotAllowed, Unauthenticated
from shared.settings import CLOUDS, CallerSettings

TENANT = "0b7c3f1e-5f5b-4d6f-8a53-31a8a4d3c001"
SECOND_TENANT = "0b7c3f1e-5f5b-4d6f-8a53-31a8a4d3c002"
STRANGE_TENANT = "0b7c3f1e-5f5b-4d6f-8a53-31a8a4d3c003"
API = "5d1f0a52-52a1-4d2c-9c6e-9b6a4a1be001"
API_URI = "api://powerbi-automation"
CLIENT = "5d1f0a52-52a1-4d2c-9c6e-9b6a4a1be002"
PRINCIPAL = "5d1f0a52-52a1-4d2c-9c6e-9b6a4a1be003"
USER = "5d1f0a52-52a1-4d2c-9c6e-9b6a4a1be004"
NOW = datetime(2026, 11, 3, 9, 30, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
ROLE = "Embed.Issue"

Json = dict[str, Any]

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
STRANGE_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class OneKey:
    """The tenants publish one key; it counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def key(self, tenant: str, key_id: str) -> rsa.RSAPublicKey | None:
        self.asked += 1
        return KEY.public_key() if tenant in {TENANT, SECOND_TENANT} and key_id == "key-1" else None


def encoded(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def rs256(signed: bytes) -> bytes:
    return KEY.sign(signed, padding.PKCS1v15(), hashes.SHA256())


def token(claims: Json, header: Json | None = None, sign: Callable[[bytes], bytes] = rs256) -> str:
    full = {"typ": "JWT", "alg": "RS256", "kid": "key-1", **(header or {})}
    signed = f"{encoded({name: value for name, value in full.items() if value is not None})}.{encoded(claims)}"
    return f"{signed}.{encoded(sign(signed.encode()))}"


def of_application(**changes: object) -> Json:
    """The claims of an app-only v2 token; None takes a claim away."""
    claims = {
        "aud": API,
        "iss": f"https://login.microsoftonline.com/{TENANT}/v2.0",
        "iat": SECONDS - 300,
        "nbf": SECONDS - 300,
        "exp": SECONDS + 3600,
        "azp": CLIENT,
        "azpacr": "1",
        "oid": PRINCIPAL,
        "sub": PRINCIPAL,
        "tid": TENANT,
        "ver": "2.0",
        "roles": [ROLE],
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not None}


def of_application_v1(**changes: object) -> Json:
    first = {"aud": API_URI, "iss": f"https://sts.windows.net/{TENANT}/", "appid": CLIENT, "azp": None, "ver": "1.0"}
    return of_application(**{**first, **changes})


def of_user(**changes: object) -> Json:
    return of_application(**{"oid": USER, "sub": "pairwise", "scp": f"openid {ROLE}", **changes})


def verify(sent: str, role: str = ROLE, now: datetime = NOW, keys: OneKey | None = None) -> Caller:
    settings = CallerSettings(frozenset({API_URI, API}), frozenset({TENANT, SECOND_TENANT}), CLOUDS["public"])
    return Callers(settings, keys or OneKey(), lambda: now).verify(f"Bearer {sent}", role)


def test_an_application_with_the_role_is_let_in() -> None:
    caller = verify(token(of_application()))
    assert (caller.kind, caller.client_id, caller.tenant_id) == ("application", CLIENT, TENANT)
    assert (caller.object_id, caller.roles, caller.scopes) == (PRINCIPAL, frozenset({ROLE}), frozenset())


def test_a_v1_token_names_its_client_in_another_claim_and_carries_the_uri() -> None:
    assert verify(token(of_application_v1())).client_id == CLIENT
    assert verify(token(of_application_v1(aud=API))).client_id == CLIENT


def test_a_user_with_scope_and_role_is_let_in() -> None:
    caller = verify(token(of_user()))
    assert (caller.kind, caller.client_id, caller.object_id) == ("delegated", CLIENT, USER)
    assert caller.scopes == {"openid", ROLE}


def test_guids_are_compared_in_lower_case() -> None:
    caller = verify(token(of_application(aud=API.upper(), azp=CLIENT.upper(), oid=PRINCIPAL.upper(), idtyp="app")))
    assert (caller.client_id, caller.object_id) == (CLIENT, PRINCIPAL)


def test_claims_can_be_read_and_not_changed_nor_printed() -> None:
    caller = verify(token(of_user(email="ana@contoso.com")))
    assert caller.claims["email"] == "ana@contoso.com"
    with pytest.raises(TypeError):
        caller.claims["email"] = "ben@contoso.com"  # type: ignore[index]
    assert "ana@contoso.com" not in repr(caller)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwYXNz",
        "Bearer not-a-token",
        "Bearer a.b",
        "Bearer a.b.c.d",
        "Bearer a.b.c.d.e",
        "Bearer ....",
        f"bearer {encoded([])}.{encoded({})}.{encoded(b'x')}",
        "Bearer " + "[" * 100,
        f"Bearer {encoded(b'[' * 9000)}.{encoded({})}.{encoded(b'x')}",
    ],
)
def test_what_is_no_bearer_token_is_refused(header: str | None) -> None:
    settings = CallerSettings(frozenset({API}), frozenset({TENANT}), CLOUDS["public"])
    with pytest.raises(Unauthenticated):
        Callers(settings, OneKey(), lambda: NOW).verify(header, ROLE)


def test_two_schemes_or_two_tokens_in_one_header_are_refused() -> None:
    good = token(of_application())
    for sent in (f"{good} {good}", f"{good}, Bearer {good}", f"{good},{good}", f" {good}", f"{good} ", f"{good}\n"):
        with pytest.raises(Unauthenticated):
            verify(sent)


def test_the_scheme_is_written_in_any_case() -> None:
    settings = CallerSettings(frozenset({API}), frozenset({TENANT}), CLOUDS["public"])
    callers = Callers(settings, OneKey(), lambda: NOW)
    assert callers.verify(f"bEARER {token(of_application())}", ROLE).client_id == CLIENT


def test_a_token_over_16_kib_is_refused_without_being_read() -> None:
    keys = OneKey()
    with pytest.raises(Unauthenticated, match="too long"):
        verify(token(of_application(groups=["x" * 16 * 1024])), keys=keys)
    assert keys.asked == 0


@pytest.mark.parametrize(
    ("seconds", "good"),
    [(-121, False), (-120, False), (-119, True), (0, True)],
)
def test_a_token_is_good_until_two_minutes_after_its_end(seconds: int, good: bool) -> None:
    sent = token(of_application(exp=SECONDS + seconds))
    if good:
        verify(sent)
        return
    with pytest.raises(Unauthenticated, match="expired"):
        verify(sent)


@pytest.mark.parametrize("claim", ["nbf", "iat"])
@pytest.mark.parametrize(("seconds", "good"), [(0, True), (120, True), (121, False)])
def test_a_token_is_good_from_two_minutes_before_its_beginning(claim: str, seconds: int, good: bool) -> None:
    sent = token(of_application(**{claim: SECONDS + seconds}))
    if good:
        verify(sent)
        return
    with pytest.raises(Unauthenticated, match="not valid yet"):
        verify(sent)


@pytest.mark.parametrize("audience", ["api://another", API_URI.upper(), CLIENT, API_URI + "/", "", None, [API], 1])
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
        {"ver": None},
        {"tid": None},
        {"iss": None},
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


def test_an_application_without_the_role_is_told_which() -> None:
    for roles in (None, [], ["Refresh.Read"], ["embed.issue"]):
        with pytest.raises(NotAllowed, match=r"'Embed\.Issue'.*5d1f0a52"):
            verify(token(of_application(roles=roles)))


def test_a_scope_alone_is_not_enough_and_the_refusal_says_what_the_user_lacks() -> None:
    with pytest.raises(NotAllowed) as refusal:
        verify(token(of_user(roles=None)))
    assert "assigned to the user" in refusal.value.detail
    assert "scope" not in refusal.value.detail


def test_a_role_alone_is_not_enough_for_a_user_and_the_refusal_says_what_the_client_lacks() -> None:
    with pytest.raises(NotAllowed) as refusal:
        verify(token(of_user(scp="openid Refresh.Read")))
    assert "scope 'Embed.Issue'" in refusal.value.detail
    assert "assigned to the user" not in refusal.value.detail


def test_a_user_who_lacks_both_is_told_both() -> None:
    with pytest.raises(NotAllowed, match=r"scope 'Embed.Issue'.* and the app role 'Embed.Issue'"):
        verify(token(of_user(scp="", roles=[])))


@pytest.mark.parametrize(
    "claims",
    [
        of_application(roles=ROLE),
        of_application(roles={ROLE: True}),
        of_application(roles=[ROLE, 7]),
        of_user(scp=[ROLE]),
        of_user(scp=None, idtyp="user"),
        of_user(scp=None),
        of_user(idtyp="app"),
        of_application(idtyp=["app"]),
        of_application(exp=True),
        of_application(exp=str(SECONDS + 3600)),
        of_application(exp=float("inf")),
        of_application(exp=10**400),
        of_application(iat=float("nan")),
        of_application(oid=""),
        of_application(azp=["a"]),
        of_application(azp=None, appid=CLIENT),
    ],
)
def test_claims_of_the_wrong_type_or_in_contradiction_are_refused(claims: Json) -> None:
    with pytest.raises(Unauthenticated):
        verify(token(claims))


def test_an_application_marked_as_such_needs_no_equal_subject() -> None:
    assert verify(token(of_application(idtyp="app", sub="other"))).kind == "application"


GOOD = token(of_application())
POSITIONS = st.integers(0, len(GOOD) - 1)
LETTERS = st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ ")


@given(POSITIONS, LETTERS)
def test_a_token_with_any_character_changed_is_refused(position: int, letter: str) -> None:
    changed = GOOD[:position] + letter + GOOD[position + 1 :]
    if changed == GOOD:
        verify(changed)
        return
    with pytest.raises(Unauthenticated):
        verify(changed)


def test_the_unused_bits_of_the_last_character_can_not_be_changed() -> None:
    for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_":
        if letter != GOOD[-1]:
            with pytest.raises(Unauthenticated):
                verify(GOOD[:-1] + letter)
    twin = chr(ord(GOOD[-1]) + 1)  # stands for the same bytes: the lowest four bits say nothing
    assert base64.urlsafe_b64decode(GOOD.rpartition(".")[2][:-1] + twin + "==") == base64.urlsafe_b64decode(
        GOOD.rpartition(".")[2] + "=="
    )
    with pytest.raises(Unauthenticated, match="damaged"):
        parse(f"Bearer {GOOD[:-1]}{twin}")


@given(st.sampled_from([0, 1, 2]), st.integers(0, 2**11), st.integers(1, 255))
def test_a_token_with_any_byte_of_a_part_flipped_is_refused(part: int, position: int, flip: int) -> None:
    parts = GOOD.split(".")
    raw = bytearray(base64.urlsafe_b64decode(parts[part] + "=="))
    raw[position % len(raw)] ^= flip
    parts[part] = encoded(bytes(raw))
    with pytest.raises(Unauthenticated):
        verify(".".join(parts))


@given(st.binary(max_size=300))
def test_no_bytes_in_a_header_break_it(sent: bytes) -> None:
    with pytest.raises(Unauthenticated):
        verify(sent.decode("latin-1"))


def test_no_refusal_repeats_the_token() -> None:
    for sent in (token(of_application(aud="api://another")), token(of_application(), {"kid": "key-2"}), GOOD[:-4]):
        with pytest.raises(Unauthenticated) as refusal:
            verify(sent)
        assert sent.split(".")[1] not in refusal.value.detail


def test_time_passes_by_the_clock_that_was_given() -> None:
    with pytest.raises(Unauthenticated, match="expired"):
        verify(GOOD, now=NOW + timedelta(hours=2))
