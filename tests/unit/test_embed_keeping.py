"""Which kept token is whose, and until when it may be handed out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.auth.callers import Caller
from shared.embed.service import Minted, cache_key, renew_after
from shared.powerbi.embed_tokens import EffectiveIdentity, EmbedToken, EmbedTokenOrder

NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
IDENTITY = EffectiveIdentity("john", ("Customer",), "north", datasets=("d1",), reports=("r2",))
ORDER = EmbedTokenOrder(("r1",), {"d1": None}, (IDENTITY,), (), edit=False, lifetime_minutes=60)
CALLER = Caller("application", "app", "tenant", "object", frozenset(), frozenset(), {})


def key(
    order: EmbedTokenOrder = ORDER, client: str = "portal", caller: Caller = CALLER, us: str = "embed", etag: str = "1"
) -> str:
    return cache_key(client, caller, us, etag, order)


def test_equal_wishes_have_one_key() -> None:
    assert key() == key(replace(ORDER))


@pytest.mark.parametrize(
    "change",
    [
        {"reports": ("r1", "r2")},
        {"datasets": {"d1": "ReadOnly"}},
        {"datasets": {"d1": None, "d2": None}},
        {"identities": ()},
        {"identities": (replace(IDENTITY, username="jane"),)},
        {"identities": (replace(IDENTITY, roles=("Employee",)),)},
        {"identities": (replace(IDENTITY, custom_data="south"),)},
        {"identities": (replace(IDENTITY, datasets=()),)},
        {"identities": (replace(IDENTITY, reports=()),)},
        {"target_workspaces": ("w1",)},
        {"edit": True},
        {"lifetime_minutes": 59},
    ],
)
def test_whatever_a_token_allows_or_as_whom_is_in_the_key(change: dict[str, object]) -> None:
    assert key(replace(ORDER, **change)) != key()  # type: ignore[arg-type]


def test_whoever_asks_and_by_which_document_is_in_the_key() -> None:
    others = [
        key(client="other"),
        key(caller=replace(CALLER, kind="delegated")),
        key(caller=replace(CALLER, client_id="app2")),
        key(us="embed2"),
        key(etag="2"),
    ]
    assert len({key(), *others}) == 6


@pytest.mark.parametrize(("life", "renew"), [(60, 50), (45, 35), (30, 20), (29, 19 + 1 / 3), (15, 10), (3, 2)])
def test_a_token_is_renewed_ten_minutes_before_its_end_or_at_two_thirds_of_a_short_life(
    life: float, renew: float
) -> None:
    assert renew_after(NOON, NOON + timedelta(minutes=life)) == NOON + timedelta(minutes=renew)


@pytest.mark.parametrize(
    ("life", "age", "serves"),
    [
        (60, 0, True),
        (60, 30, True),
        (60, 30.1, False),
        (60, 61, False),
        (15, 7, True),
        (15, 8, False),
        (60, -1, True),
        (60, -3, False),  # our clock was set back: nothing is known about its age
    ],
)
def test_a_kept_token_serves_for_the_first_half_of_its_life(life: float, age: float, serves: bool) -> None:
    ends = NOON + timedelta(minutes=life)
    minted = Minted(EmbedToken("t", "id", ends), NOON, renew_after(NOON, ends))
    assert minted.serves(NOON + timedelta(minutes=age)) is serves


def test_a_token_does_not_show_in_a_representation() -> None:
    assert "opaque" not in repr(Minted(EmbedToken("opaque", "id", NOON), NOON, NOON))
