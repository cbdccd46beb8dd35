"""Who is let in: applications by their roles, people by scope and role, and what is told of them."""

from __future__ import annotations

import pytest

from shared.errors import NotAllowed, Unauthenticated
from tests.unit.caller_tokens import (
    API,
    CLIENT,
    PRINCIPAL,
    ROLE,
    SECONDS,
    TENANT,
    USER,
    Json,
    of_application,
    of_application_v1,
    of_user,
    token,
    verify,
)


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
