"""A token is asked for once, kept, and replaced in time, however many threads want it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from shared.auth import tokens
from shared.auth.tokens import AccessToken
from shared.errors import Misconfigured, Unavailable
from shared.times import utc_now
from tests.e2e.app_tokens.stage import MINTING, TOKEN_PATH, TokenStage
from tests.seeded import ENTRA


def test_a_token_is_for_power_bi_and_for_the_identity_that_was_asked_for(app: TokenStage) -> None:
    token = app.tokens.token("embed")
    assert token.identity == "embed"
    assert timedelta(minutes=55) < token.expires_at - utc_now() <= timedelta(hours=1)
    [call] = app.cloud.calls(host=ENTRA, path=TOKEN_PATH, method="POST")
    assert call["body"]["scope"] == "https://analysis.windows.net/powerbi/api/.default"
    assert call["body"]["client_id"] == app.client_id("embed")
    assert app.tokens.token("operations").value != token.value


def test_sixty_four_threads_that_start_cold_make_one_request(app: TokenStage) -> None:
    together = threading.Barrier(64)

    def ask() -> AccessToken:
        together.wait(20)
        return app.tokens.token("embed")

    with ThreadPoolExecutor(64) as pool:
        got = {future.result(30).value for future in [pool.submit(ask) for _ in range(64)]}
    assert len(got) == 1
    assert app.token_requests() == 1
    assert app.vault_reads() == 1


def test_a_token_in_hand_is_given_without_waiting_for_anybody(app: TokenStage) -> None:
    first = app.tokens.token("embed")
    app.cloud.fault(ENTRA, TOKEN_PATH, delaySeconds=2)
    with ThreadPoolExecutor(1) as pool:
        renewing = pool.submit(app.tokens.renewed, first)
        app.await_token_requests(2)
        began = time.perf_counter()
        assert app.tokens.token("embed").value == first.value
        assert time.perf_counter() - began < 0.1
        assert renewing.result(20).value != first.value


def test_waiting_for_another_thread_ends_with_unavailable(app: TokenStage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "PATIENCE", 0.2)
    app.cloud.fault(ENTRA, TOKEN_PATH, delaySeconds=2)
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(app.tokens.token, "embed")
        app.await_token_requests(1)
        error = app.refusal()
        assert isinstance(error, Unavailable)
        assert error.retry_after > 0
        assert asking.result(20).value


def test_a_higher_floor_brings_a_new_token_and_a_lower_one_does_not(app: TokenStage) -> None:
    first = app.tokens.token("embed", floor=MINTING)
    app.later = timedelta(minutes=20)
    assert app.tokens.token("embed") == first
    second = app.tokens.token("embed", floor=MINTING)
    assert second.value != first.value
    assert second.expires_at - app.now() >= MINTING
    assert app.tokens.token("embed") == second
    assert app.token_requests() == 2


def test_a_token_is_replaced_five_minutes_before_its_end(app: TokenStage) -> None:
    first = app.tokens.token("embed")
    app.later = timedelta(minutes=54)
    assert app.tokens.token("embed") == first
    app.later = timedelta(minutes=56)
    assert app.tokens.token("embed").value != first.value


def test_tokens_shorter_than_the_floor_are_used_until_half_of_their_life(
    app: TokenStage, log: Callable[[], str]
) -> None:
    app.cloud.change(switches={"accessTokenLifetime": "PT20M"})
    first = app.tokens.token("embed", floor=MINTING)
    for minutes in range(10):
        app.later = timedelta(minutes=minutes)
        assert app.tokens.token("embed", floor=MINTING) == first
    app.later = timedelta(minutes=11)
    assert app.tokens.token("embed", floor=MINTING).value != first.value
    assert app.token_requests() == 2
    assert log().count("entra.shortToken") == 1


def test_a_refused_token_is_replaced_once_for_all_who_had_it(app: TokenStage) -> None:
    refused = app.tokens.token("embed")
    with ThreadPoolExecutor(16) as pool:
        renewed = {future.result(30).value for future in [pool.submit(app.tokens.renewed, refused) for _ in range(16)]}
    assert len(renewed) == 1
    assert refused.value not in renewed
    assert app.token_requests() == 2


def test_renewals_in_a_row_do_not_become_a_loop(app: TokenStage) -> None:
    token = app.tokens.token("embed")
    token = app.tokens.renewed(token)
    for _ in range(20):
        assert app.tokens.renewed(token) == token
    assert app.token_requests() == 2
    app.later = timedelta(seconds=31)
    assert app.tokens.renewed(token).value != token.value


def test_nobody_waits_for_a_new_token_while_the_old_one_still_serves_a_call(app: TokenStage) -> None:
    first = app.tokens.token("embed")
    app.later = timedelta(minutes=56)
    app.cloud.fault(ENTRA, TOKEN_PATH, delaySeconds=2)
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(app.tokens.token, "embed")
        app.await_token_requests(2)
        began = time.perf_counter()
        assert app.tokens.token("embed") == first
        assert time.perf_counter() - began < 0.1
        assert asking.result(20).value != first.value


def test_an_identity_that_is_not_set_up_is_named(app: TokenStage) -> None:
    error = app.refusal("unheard-of")
    assert isinstance(error, Misconfigured)
    assert "unheard-of" in error.detail
