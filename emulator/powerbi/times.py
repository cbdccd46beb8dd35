"""Times and durations as Power BI and the emulator's state write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_HOURS_MINUTES_SECONDS = re.compile(r"(\d{1,3}):([0-5]\d):([0-5]\d)")


def clock_duration(text: str) -> timedelta:
    """A duration written `HH:MM:SS`, as the enhanced refresh takes it; raises ValueError."""
    matched = _HOURS_MINUTES_SECONDS.fullmatch(text)
    if matched is None:
        raise ValueError(f"{text!r} is not of the form HH:MM:SS")
    hours, minutes, seconds = (int(part) for part in matched.groups())
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def stored(moment: datetime) -> str:
    """How the emulator's state keeps a moment: nothing is lost."""
    return moment.astimezone(UTC).isoformat()


def moment(text: str) -> datetime:
    """A moment from the state; a time without an offset is UTC; raises ValueError."""
    parsed = datetime.fromisoformat(text)
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def wire(at: datetime, *, zone: bool = True) -> str:
    """A moment as Power BI answers it, to the millisecond; refresh details leave out the `Z`."""
    text = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}"
    return text + "Z" if zone else text


def wire_seconds(at: datetime) -> str:
    """A moment to the second, as in an embed token's expiration."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
