"""No wider than the grant: what is asked of Power BI, for whatever a caller asks of us."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.embed.documents import EmbedDocument, Grant, GrantIdentity
from shared.embed.grants import covering, decide
from shared.embed.identity import OpenDataset, OpenReport
from shared.embed.request import EmbedTokenRequest
from shared.errors import InvalidRequest, NotAllowed, RequestFault
from shared.powerbi.embed_tokens import EffectiveIdentity, EmbedTokenOrder
from shared.validation import check

Json = dict[str, Any]

PORTAL, OTHER = "50000000-0000-4000-8000-000000000001", "50000000-0000-4000-8000-000000000002"
WORKSPACE, ARCHIVE = "d4000000-0000-4000-8000-000000000001", "d4000000-0000-4000-8000-000000000002"
REPORT_IDS = {alias: f"f6000000-0000-4000-8000-00000000000{number}" for number, alias in enumerate("abcd")}
MARGIN, SALES = "e5000000-0000-4000-8000-000000000001", "e5000000-0000-4000-8000-000000000002"


@dataclass(frozen=True)
class Who:
    """A verified caller, as far as grants look at it."""

    kind: str = "application"
    client_id: str = PORTAL
    claims: Mapping[str, object] = field(default_factory=dict)


def document(*grants: Json, others: Sequence[Json] = ()) -> EmbedDocument:
    clients: Json = {"portal": {"appIds": [PORTAL], "grants": list(grants)}}
    if others:
        clients["other"] = {"appIds": [OTHER], "grants": list(others)}
    reports = {alias: {"workspaceId": WORKSPACE, "reportId": id_} for alias, id_ in REPORT_IDS.items()}
    return check(EmbedDocument, {"reports": reports, "clients": clients})


def grant(**changes: Any) -> Json:
    identity = {"username": "request", "roles": ["Customer"], "customData": "request"}
    return {"caller": "application", "reports": ["a"], "identity": identity, **changes}


def asked(*reports: str, **more: Any) -> EmbedTokenRequest:
    return check(EmbedTokenRequest, {"reports": list(reports or ("a",)), **more})


def dataset(id_: str = MARGIN, identity: bool = True, roles: bool = True) -> OpenDataset:
    return OpenDataset(id_, None, identity, roles)


def report(alias: str = "a", *datasets: OpenDataset, paginated: bool = False) -> OpenReport:
    bound = datasets[0].id if datasets else ""
    return OpenReport(alias, REPORT_IDS[alias], WORKSPACE, bound, alias, "https://embed", paginated, datasets)


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


# Whatever the documents and the caller say: an independent statement of the rules, held against the real decision.

ROLES = ["Customer", "Employee", "Auditor"]


def subset(*of: str, least: int = 0) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(of), unique=True, min_size=least, max_size=len(of))


def identities(kind: str) -> st.SearchStrategy[object]:
    open_source = "request" if kind == "application" else "claim:oid"
    sources = st.sampled_from([open_source, "fixed:someone"])
    given_ = st.fixed_dictionaries({"username": sources, "roles": subset(*ROLES)}, optional={"customData": sources})
    return st.sampled_from([None, "none"]) | given_


@st.composite
def grants(draw: st.DrawFn) -> Json:
    kind = draw(st.sampled_from(["application", "delegated"]))
    return {
        "caller": kind,
        "reports": draw(subset(*"abcd", least=1)),
        "accessLevels": draw(subset("View", "Edit", least=1)),
        "saveAsWorkspaces": draw(subset(WORKSPACE, ARCHIVE)),
        "maxLifetimeMinutes": draw(st.sampled_from([10, 60])),
        "identity": draw(identities(kind)),
    }


requests = st.fixed_dictionaries(
    {"reports": subset(*"abcd", least=1)},
    optional={
        "accessLevel": st.sampled_from(["View", "Edit"]),
        "saveAs": subset(WORKSPACE, ARCHIVE),
        "lifetimeMinutes": st.sampled_from([5, 10, 11, 60, 61]),
        "identity": st.fixed_dictionaries(
            {},
            optional={
                "username": st.just("john"),
                "roles": subset(*ROLES, least=1),
                "customData": st.just("x"),
            },
        ),
    },
)
callers = st.builds(
    Who,
    kind=st.sampled_from(["application", "delegated"]),
    client_id=st.sampled_from([PORTAL, OTHER]),
    claims=st.sampled_from([{}, {"oid": "ana"}, {"oid": ["ana"]}]),
)
facts = st.fixed_dictionaries(
    {
        alias: st.tuples(
            st.booleans(), st.lists(st.tuples(st.sampled_from([MARGIN, SALES]), st.booleans()), max_size=2)
        )
        for alias in "abcd"
    }
)


@settings(max_examples=300, deadline=None)
@given(st.lists(grants(), min_size=1, max_size=3), st.lists(grants(), max_size=1), callers, requests, facts)
def test_whatever_is_ordered_is_within_one_grant_of_the_caller(
    ours: list[Json], others: list[Json], who: Who, wanted: Json, known: Json
) -> None:
    granting, request = document(*ours, others=others), check(EmbedTokenRequest, wanted)
    needs = {id_: identity for _, parts in known.values() for id_, identity in parts}
    opened = [
        report(
            alias, *(dataset(id_, needs[id_], needs[id_]) for id_ in dict(known[alias][1])), paginated=known[alias][0]
        )
        for alias in request.reports
    ]
    try:
        order = decide(covering(granting, who, request), who, request, opened)
    except RequestFault:
        order = None
    owned = granting.client_of(who.client_id)
    candidates = owned[1].grants if owned else []
    if order is None:
        assert not any(_would_serve(candidate, who, request, opened) for candidate in candidates)
    else:
        assert any(_within(order, candidate, who, request, opened) for candidate in candidates)


def _within(
    order: EmbedTokenOrder, grant_: Grant, who: Who, request: EmbedTokenRequest, opened: Sequence[OpenReport]
) -> bool:
    required = {part.id for known in opened for part in known.datasets if part.identity_required}
    paginated = {known.report_id for known in opened if known.paginated}
    covered = {id_ for identity in order.identities for id_ in identity.datasets}
    readers = {id_ for identity in order.identities for id_ in identity.reports}
    return (
        grant_.caller == who.kind
        and {REPORT_IDS[alias] for alias in request.reports} == set(order.reports)
        and set(request.reports) <= set(grant_.reports)
        and ("Edit" if order.edit else "View") in grant_.access_levels
        and order.edit == (request.access_level == "Edit")
        and set(order.target_workspaces) == set(request.save_as) <= set(grant_.save_as_workspaces)
        and order.lifetime_minutes <= grant_.max_lifetime_minutes
        and order.lifetime_minutes <= (request.lifetime_minutes or 60)
        and covered == required
        and (readers == paginated or (grant_.identity == "none" and not readers))
        and all(_identity_within(identity, grant_.identity, who, request) for identity in order.identities)
    )


def _identity_within(identity: EffectiveIdentity, granted: object, who: Who, request: EmbedTokenRequest) -> bool:
    if not isinstance(granted, GrantIdentity):
        return False
    wanted = request.identity
    texts = {"request": wanted and wanted.username, "claim:oid": who.claims.get("oid"), "fixed:someone": "someone"}
    data: dict[str | None, object] = {None: None, **dict(texts.items()), "request": wanted and wanted.custom_data}
    return (
        identity.username == texts[granted.username]
        and identity.custom_data in (data[granted.custom_data], None)
        and set(identity.roles) <= set(granted.roles)
        and (not (wanted and wanted.roles) or set(identity.roles) <= set(wanted.roles))
        and (bool(identity.roles) or not identity.datasets)
    )


def _would_serve(grant_: Grant, who: Who, request: EmbedTokenRequest, opened: Sequence[OpenReport]) -> bool:
    """A request so plain that a refusal would be a mistake: all within the grant, and the identity told in full."""
    wanted, granted = request.identity, grant_.identity
    required = any(part.identity_required for known in opened for part in known.datasets)
    paginated = any(known.paginated for known in opened)
    plain = (
        grant_.caller == who.kind
        and set(request.reports) <= set(grant_.reports)
        and request.access_level in grant_.access_levels
        and set(request.save_as) <= set(grant_.save_as_workspaces)
        and (request.lifetime_minutes or 1) <= grant_.max_lifetime_minutes
    )
    if not plain:
        return False
    if not required and not paginated:
        return wanted is None
    if not isinstance(granted, GrantIdentity):
        return granted == "none" and not required and wanted is None
    return (
        granted.username == "fixed:someone"
        and granted.custom_data is None
        and wanted is None
        and len(granted.roles) == 1
    )
