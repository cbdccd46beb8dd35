"""How long Entra asks us to wait, in both forms of the header."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from shared.auth.entra_http import Reply

NOW = datetime(2026, 11, 3, 9, 30, tzinfo=UTC)


def pause(value: str | None) -> float | None:
    headers = CaseInsensitiveDict({} if value is None else {"retry-after": value})
    return Reply(429, "", headers).retry_after(NOW)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("17", 17.0),
        ("0", 0.0),
        ("99999999999", 3600.0),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(hours=1), usegmt=True), 1.0),
        (format_datetime(NOW + timedelta(days=9), usegmt=True), 3600.0),
        ("soon", None),
        ("²", None),
        ("-5", None),
    ],
)
def test_the_pause_is_read_in_seconds_and_as_a_date(value: str | None, seconds: float | None) -> None:
    assert pause(value) == seconds


@given(st.text())
def test_nothing_in_the_header_breaks_it(value: str) -> None:
    seconds = pause(value)
    assert seconds is None or 0 <= seconds <= 3600


def test_a_reply_is_not_printed_with_its_body() -> None:
    assert "access" not in repr(Reply(200, "access", {"set-cookie": "access"}))
