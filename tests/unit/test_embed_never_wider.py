"""No wider than the grant, whatever document and caller say: the rules, stated a second time, judge the decision."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.embed.documents import Grant, GrantIdentity
from shared.embed.grants import covering, decide
from shared.embed.identity import OpenReport
from shared.embed.request import EmbedTokenRequest
from shared.errors import RequestFault
from shared.powerbi.embed_tokens import EffectiveIdentity, EmbedTokenOrder
from shared.validation import check
from tests.unit.embed_samples import (
    ARCHIVE,
    MARGIN,
    OTHER,
    PORTAL,
    REPORT_IDS,
    SALES,
    WORKSPACE,
    Json,
    Who,
    dataset,
    document,
    report,
)

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
