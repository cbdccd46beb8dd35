"""The planner: what is wanted is what comes out, nothing is taken before all is given, and no more is touched."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.provisioning.orders import Order
from shared.provisioning.planner import (
    GIVES,
    TAKES,
    AccessChange,
    AccessFound,
    AccessWanted,
    Found,
    FoundWorkspace,
    owners,
    plan,
    plan_access,
)
from shared.provisioning.principals import ADMIN, ROLES, Grant, Principal, principal_of

OWN = Principal("App", "own")
ANA, BEN = Principal("User", "ana@contoso.com"), Principal("User", "ben@contoso.com")
GROUP = Principal("Group", "g")

people = st.sampled_from(
    [Principal(kind, f"{kind}{number}") for kind in ("User", "Group", "App") for number in range(3)]
    + [Principal("App", "App0", "profile"), OWN]
)
roles = st.sampled_from(ROLES)
members = st.dictionaries(people, roles, max_size=8)


@st.composite
def cases(draw: st.DrawFn) -> tuple[AccessWanted, AccessFound]:
    granted = draw(st.dictionaries(people, roles, max_size=6))
    wanted = AccessWanted(
        grants=[Grant(principal, role) for principal, role in granted.items()],
        own=OWN,
        revocations=draw(st.lists(people, unique=True, max_size=3)),
        exact=draw(st.booleans()),
        required_owners=draw(st.integers(0, 2)),
        max_admins=draw(st.integers(1, 6)),
    )
    others = draw(st.integers(0, 2))
    return wanted, AccessFound({**draw(members), OWN: ADMIN}, others, draw(st.integers(0, others)))


def applied(changes: tuple[AccessChange, ...], found: AccessFound) -> AccessFound:
    after = dict(found.roles)
    for change in changes:
        if change.action in GIVES or change.action == "lower":
            after[change.principal] = change.role
        elif change.action == "remove":
            del after[change.principal]
    return AccessFound(after, found.other_admins, found.other_owners)


@given(cases())
@settings(max_examples=400, deadline=None)
def test_applying_the_plan_gives_what_is_wanted_and_planning_again_nothing(
    case: tuple[AccessWanted, AccessFound],
) -> None:
    wanted, found = case
    changes = plan_access(wanted, found)
    after = applied(changes, found)
    refused = {change.principal for change in changes if change.action == "refuse"}
    for grant in wanted.grants:
        assert grant.principal in refused or after.roles[grant.principal] == grant.role
    granted = {grant.principal for grant in wanted.grants}
    for principal in wanted.revocations:
        assert principal in refused | granted or principal not in after.roles
    if wanted.exact:
        assert set(after.roles) <= granted | refused | {OWN}
    again = plan_access(wanted, after)
    assert {change.action for change in again} <= {"keep", "refuse"}


@given(cases())
@settings(max_examples=400, deadline=None)
def test_nothing_is_taken_before_everything_is_given(case: tuple[AccessWanted, AccessFound]) -> None:
    actions = [change.action for change in plan_access(*case)]
    taken = [number for number, action in enumerate(actions) if action in TAKES]
    given_ = [number for number, action in enumerate(actions) if action in GIVES]
    assert not taken or not given_ or max(given_) < min(taken)


@given(cases())
@settings(max_examples=400, deadline=None)
def test_nobody_else_is_touched_and_never_ourselves(case: tuple[AccessWanted, AccessFound]) -> None:
    wanted, found = case
    named = {grant.principal for grant in wanted.grants} | set(wanted.revocations)
    touched = {change.principal for change in plan_access(wanted, found) if change.action in GIVES | TAKES}
    assert OWN not in touched
    assert wanted.exact or touched <= named


@given(cases())
@settings(max_examples=400, deadline=None)
def test_the_plan_never_takes_the_last_owners(case: tuple[AccessWanted, AccessFound]) -> None:
    wanted, found = case
    changes = plan_access(wanted, found)
    gives = tuple(change for change in changes if change.action in GIVES)
    before = owners(applied(gives, found), OWN)
    after = owners(applied(changes, found), OWN)
    assert after >= min(before, wanted.required_owners)


@given(cases())
@settings(max_examples=400, deadline=None)
def test_no_new_admin_beyond_what_the_policy_allows(case: tuple[AccessWanted, AccessFound]) -> None:
    wanted, found = case
    changes = plan_access(wanted, found)
    new = [change for change in changes if change.action in GIVES and change.role == ADMIN]
    kept_for_owners = any(change.action == "refuse" and "fewer owners" in change.reason for change in changes)
    after = applied(changes, found)
    admins = sum(role == ADMIN for principal, role in after.roles.items() if principal != OWN) + found.other_admins
    assert not new or kept_for_owners or admins <= wanted.max_admins


def test_every_reason_is_a_sentence() -> None:
    wanted = AccessWanted([Grant(ANA, ADMIN), Grant(BEN, "Viewer")], OWN, exact=True, required_owners=1)
    changes = plan_access(wanted, AccessFound({BEN: "Member", GROUP: "Viewer", OWN: ADMIN}))
    assert [(change.action, change.principal) for change in changes] == [
        ("grant", ANA),
        ("lower", BEN),
        ("remove", GROUP),
    ]
    assert all(change.reason.endswith(".") for change in changes)


def test_a_key_stands_for_one_principal() -> None:
    for principal in (ANA, GROUP, Principal("App", "id", "profile")):
        assert principal_of(principal.key) == principal


def order(**fields: object) -> Order:
    return Order("provision", "dev", "FIN-X-DEV", **{"capacity_name": "shared", **fields})  # type: ignore[arg-type]


def test_a_workspace_that_is_as_it_should_be_needs_nothing() -> None:
    found = Found(FoundWorkspace("w", "FIN-X-DEV"), ours=True, access=AccessFound({ANA: ADMIN}))
    assert plan(order(grants=(Grant(ANA, ADMIN),), storage_format="Small"), found, OWN) == ()


def test_a_stranger_is_refused_unless_it_is_to_be_adopted() -> None:
    found = Found(FoundWorkspace("w", "FIN-X-DEV", "c1"))
    assert [each.action for each in plan(order(), found, OWN)] == ["refuse"]
    steps = plan(order(adopt=True, storage_format="Large", capacity_id="c2"), found, OWN)
    assert [(each.step, each.action) for each in steps] == [
        ("workspace", "adopt"),
        ("capacity", "assign"),
        ("storageFormat", "set"),
    ]


def test_access_to_an_environment_that_is_not_there_is_refused_only_where_it_was_named() -> None:
    grants = (Grant(ANA, "Viewer"),)
    named = Order("grantAccess", "dev", "FIN-X-DEV", grants=grants)
    assert [each.action for each in plan(named, Found(), OWN)] == ["refuse"]
    assert plan(Order("grantAccess", "dev", "FIN-X-DEV", grants=grants, named=False), Found(), OWN) == ()
