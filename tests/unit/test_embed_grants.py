"""No wider than the grant, rule by rule: what is asked of Power BI, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from shared.embed.grants import covering, decide
from shared.embed.identity import OpenReport
from shared.embed.request import EmbedTokenRequest
from shared.errors import InvalidRequest, NotAllowed
from shared.powerbi.embed_tokens import EffectiveIdentity, EmbedTokenOrder
from shared.validation import check
from tests.unit.embed_samples import (
    ARCHIVE,
    MARGIN,
    REPORT_IDS,
    SALES,
    WORKSPACE,
    Json,
    Who,
    asked,
    dataset,
    document,
    grant,
    report,
)

SECURED = report("a", dataset())
OPEN = report("a", dataset(identity=False, roles=False))
PAGINATED = report("a", paginated=True)
JOHN = {"username": "john"}


def ordered(
    grants: Json | Sequence[Json],
    request: EmbedTokenRequest,
    *opened: OpenReport,
    who: Who | None = None,
) -> EmbedTokenOrder:
    who = who or Who()
    grants = [grants] if isinstance(grants, dict) else grants
    covered = covering(document(*grants), who, request)
    return decide(covered, who, request, opened or (SECURED,))


def test_a_request_within_the_grant_is_ordered_as_asked() -> None:
    order = ordered(grant(), asked(identity={"username": "john", "roles": ["Customer"], "customData": "x"}))
    assert order == EmbedTokenOrder(
        reports=(REPORT_IDS["a"],),
        datasets={MARGIN: None},
        identities=(EffectiveIdentity("john", ("Customer",), "x", datasets=(MARGIN,)),),
        target_workspaces=(),
        edit=False,
        lifetime_minutes=60,
    )


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({"reports": ["a", "b"]}, "reports[1]"),
        ({"accessLevel": "Edit"}, "accessLevel"),
        ({"saveAs": [WORKSPACE]}, "saveAs[0]"),
        ({"lifetimeMinutes": 61}, "lifetimeMinutes"),
        ({"identity": {"username": "john", "roles": ["Customer", "Employee"]}}, "identity.roles[1]"),
    ],
)
def test_one_thing_more_than_granted_is_refused_and_named(more: Json, path: str) -> None:
    with pytest.raises(NotAllowed) as refusal:
        ordered(grant(), check(EmbedTokenRequest, {"reports": ["a"], "identity": JOHN, **more}))
    assert [fault.path for fault in refusal.value.faults] == [path]


def test_an_unknown_alias_is_refused_in_the_words_of_one_that_is_not_granted() -> None:
    words = []
    for alias in ("b", "x"):
        with pytest.raises(NotAllowed) as refusal:
            ordered(grant(), asked(alias))
        words.append((refusal.value.detail.replace(f"'{alias}'", "?"), [f.path for f in refusal.value.faults]))
    assert words[0] == words[1]


@pytest.mark.parametrize("source", ["claim:oid", "fixed:someone"])
def test_a_username_that_the_grant_does_not_leave_open_is_refused(source: str) -> None:
    kind = "delegated" if source.startswith("claim") else "application"
    granted = grant(caller=kind, identity={"username": source})
    with pytest.raises(NotAllowed) as refusal:
        ordered(granted, asked(identity=JOHN), who=Who(kind, claims={"oid": "me"}))
    assert [fault.path for fault in refusal.value.faults] == ["identity.username"]


@pytest.mark.parametrize("custom_data", [None, "fixed:x"])
def test_custom_data_that_the_grant_does_not_leave_open_is_refused(custom_data: str | None) -> None:
    granted = grant(identity={"username": "request", "customData": custom_data, "roles": ["Customer"]})
    with pytest.raises(NotAllowed, match="custom data"):
        ordered(granted, asked(identity={"username": "john", "customData": "y"}))


def test_an_application_is_never_served_by_a_delegated_grant_nor_a_user_by_an_applications() -> None:
    for_user = grant(caller="delegated", identity={"username": "claim:oid", "roles": ["Customer"]})
    with pytest.raises(NotAllowed):
        ordered(for_user, asked(), who=Who("application", claims={"oid": "me"}))
    with pytest.raises(NotAllowed):
        ordered(grant(), asked(identity=JOHN), who=Who("delegated", claims={"oid": "me"}))


def test_a_client_is_never_served_by_another_clients_grant_nor_told_of_it() -> None:
    request = asked("b", identity=JOHN)
    covered = document(grant(), others=[grant(reports=["a", "b"])])
    with pytest.raises(NotAllowed) as refusal:
        covering(covered, Who(), request)
    assert "other" not in refusal.value.detail
    with pytest.raises(NotAllowed):
        covering(covered, Who(client_id="50000000-0000-4000-8000-000000000009"), request)


def test_two_grants_are_not_added_up() -> None:
    both = [grant(), grant(reports=["b"], accessLevels=["Edit"])]
    for request in (asked("a", "b", identity=JOHN), asked("a", accessLevel="Edit", identity=JOHN)):
        with pytest.raises(NotAllowed):
            ordered(both, request)


def test_the_nearest_grant_explains_the_refusal() -> None:
    far = grant(reports=["c"], maxLifetimeMinutes=5)
    with pytest.raises(NotAllowed) as refusal:
        ordered([far, grant()], asked("a", accessLevel="Edit", lifetimeMinutes=30, identity=JOHN))
    assert [fault.path for fault in refusal.value.faults] == ["accessLevel"]


def test_the_first_grant_in_the_documents_order_that_covers_everything_is_used() -> None:
    grants = [grant(reports=["b"]), grant(maxLifetimeMinutes=30), grant(maxLifetimeMinutes=60)]
    assert ordered(grants, asked(identity=JOHN)).lifetime_minutes == 30
    assert ordered(grants, asked(identity=JOHN, lifetimeMinutes=40)).lifetime_minutes == 40


def test_a_later_grant_serves_where_the_first_turns_out_to_lack_an_identity() -> None:
    grants = [grant(identity="none"), grant(identity={"username": "fixed:someone", "roles": ["Customer"]})]
    assert [identity.username for identity in ordered(grants, asked()).identities] == ["someone"]


def test_a_dataset_that_requires_an_identity_gets_no_token_without_one() -> None:
    for identity in ("none", None):
        with pytest.raises(NotAllowed, match="requires an identity"):
            ordered(grant(identity=identity), asked())


def test_a_required_identity_that_the_request_must_give_and_does_not_is_a_bad_request() -> None:
    for more in ({}, {"identity": {"roles": ["Customer"]}}):
        with pytest.raises(InvalidRequest) as refusal:
            ordered(grant(), asked(**more))
        assert [fault.path for fault in refusal.value.faults] == ["identity.username"]


@pytest.mark.parametrize("identity", [grant()["identity"], "none", None])
def test_an_identity_where_no_dataset_requires_one_is_a_bad_request(identity: object) -> None:
    with pytest.raises(InvalidRequest, match="No report that is asked for takes an identity"):
        ordered(grant(identity=identity), asked(identity=JOHN), OPEN)


@pytest.mark.parametrize("kind", ["application", "delegated"])
def test_the_grants_own_identity_is_not_sent_where_no_dataset_requires_one(kind: str) -> None:
    source = "fixed:someone" if kind == "application" else "claim:oid"
    granted = grant(caller=kind, identity={"username": source, "roles": ["Customer", "Employee"]})
    assert ordered(granted, asked(), OPEN, who=Who(kind)).identities == ()


def test_only_datasets_that_require_an_identity_get_it() -> None:
    both = report("a", dataset(MARGIN), dataset(SALES, identity=False, roles=False))
    order = ordered(grant(), asked(identity=JOHN), both)
    assert set(order.datasets) == {MARGIN, SALES}
    assert [identity.datasets for identity in order.identities] == [(MARGIN,)]


def test_omitted_roles_are_the_grants_only_role_and_must_be_named_where_it_has_several() -> None:
    assert ordered(grant(), asked(identity=JOHN)).identities[0].roles == ("Customer",)
    several = grant(identity={"username": "request", "roles": ["Customer", "Employee"]})
    with pytest.raises(InvalidRequest) as refusal:
        ordered(several, asked(identity=JOHN))
    assert [fault.path for fault in refusal.value.faults] == ["identity.roles"]


def test_a_model_that_requires_roles_is_refused_where_the_grant_has_none() -> None:
    no_role = grant(identity={"username": "request"})
    with pytest.raises(NotAllowed, match="requires a role"):
        ordered(no_role, asked(identity=JOHN))
    without = report("a", dataset(roles=False))
    assert ordered(no_role, asked(identity=JOHN), without).identities[0].roles == ()


def test_a_username_comes_from_the_verified_token() -> None:
    granted = grant(caller="delegated", identity={"username": "claim:oid", "roles": ["Customer"]})
    order = ordered(granted, asked(), who=Who("delegated", claims={"oid": "ana"}))
    assert order.identities[0].username == "ana"


@pytest.mark.parametrize("claim", [None, "", ["ana"], True, 7, {"a": "b"}, "ana ruiz", "ana\n", "é", "x" * 257])
def test_a_claim_that_is_missing_or_no_fit_text_is_refused(claim: object) -> None:
    granted = grant(caller="delegated", identity={"username": "claim:oid", "roles": ["Customer"]})
    claims = {} if claim is None else {"oid": claim}
    with pytest.raises(NotAllowed):
        ordered(granted, asked(), who=Who("delegated", claims=claims))


def test_a_missing_claim_for_custom_data_is_refused_rather_than_left_out() -> None:
    identity = {"username": "claim:oid", "customData": "claim:region", "roles": ["Customer"]}
    granted = grant(caller="delegated", identity=identity)
    with pytest.raises(NotAllowed, match="region"):
        ordered(granted, asked(), who=Who("delegated", claims={"oid": "ana"}))


def test_a_paginated_report_needs_an_identity_or_an_explicit_none() -> None:
    with pytest.raises(NotAllowed, match="identity: none"):
        ordered(grant(identity=None), asked(), PAGINATED)
    assert ordered(grant(identity="none"), asked(), PAGINATED).identities == ()
    order = ordered(grant(), asked(identity=JOHN), PAGINATED)
    assert order.identities == (EffectiveIdentity("john", reports=(REPORT_IDS["a"],)),)
    assert order.datasets == {}


def test_roles_for_a_paginated_report_alone_are_a_bad_request() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        ordered(grant(), asked(identity={"username": "john", "roles": ["Customer"]}), PAGINATED)
    assert [fault.path for fault in refusal.value.faults] == ["identity.roles"]


def test_more_datasets_than_power_bi_takes_are_a_bad_request() -> None:
    ids = [f"e5000000-0000-4000-8000-0000000001{number:02}" for number in range(51)]
    many = report("a", *(dataset(id_, identity=False) for id_ in ids))
    with pytest.raises(InvalidRequest, match="fewer reports"):
        ordered(grant(), asked(), many)


def test_save_as_and_edit_are_given_only_when_asked_for() -> None:
    wide = grant(accessLevels=["View", "Edit"], saveAsWorkspaces=[WORKSPACE, ARCHIVE])
    narrow = ordered(wide, asked(identity=JOHN))
    assert (narrow.edit, narrow.target_workspaces) == (False, ())
    full = ordered(wide, asked(identity=JOHN, accessLevel="Edit", saveAs=[ARCHIVE]))
    assert (full.edit, full.target_workspaces) == (True, (ARCHIVE,))
