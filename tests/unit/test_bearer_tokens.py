"""What stands in an Authorization header, down to its last bit: one bearer token, whole and unaltered, or a refusal."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.auth.bearer import parse
from shared.errors import Unauthenticated
from tests.unit.caller_tokens import (
    CLIENT,
    ROLE,
    OneKey,
    door,
    encoded,
    of_application,
    token,
    verify,
)

GOOD = token(of_application())
POSITIONS = st.integers(0, len(GOOD) - 1)
LETTERS = st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ ")


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
    with pytest.raises(Unauthenticated):
        door().verify(header, ROLE)


def test_two_schemes_or_two_tokens_in_one_header_are_refused() -> None:
    good = token(of_application())
    for sent in (f"{good} {good}", f"{good}, Bearer {good}", f"{good},{good}", f" {good}", f"{good} ", f"{good}\n"):
        with pytest.raises(Unauthenticated):
            verify(sent)


def test_the_scheme_is_written_in_any_case() -> None:
    assert door().verify(f"bEARER {token(of_application())}", ROLE).client_id == CLIENT


def test_a_token_over_16_kib_is_refused_without_being_read() -> None:
    keys = OneKey()
    with pytest.raises(Unauthenticated, match="too long"):
        verify(token(of_application(groups=["x" * 16 * 1024])), keys=keys)
    assert keys.asked == 0


@given(st.binary(max_size=300))
def test_no_bytes_in_a_header_break_it(sent: bytes) -> None:
    with pytest.raises(Unauthenticated):
        verify(sent.decode("latin-1"))


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


def test_no_refusal_repeats_the_token() -> None:
    for sent in (token(of_application(aud="api://another")), token(of_application(), {"kid": "key-2"}), GOOD[:-4]):
        with pytest.raises(Unauthenticated) as refusal:
            verify(sent)
        assert sent.split(".")[1] not in refusal.value.detail
