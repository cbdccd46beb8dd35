"""NCRONTAB: six fields, seconds first, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.host.cron import Schedule

START = datetime(2026, 11, 22, 1, 2, 3, 500, tzinfo=UTC)  # a Sunday


@pytest.mark.parametrize(
    ("text", "following"),
    [
        ("0 */5 * * * *", "2026-11-22T01:05:00"),
        ("*/5 * * * *", "2026-11-22T01:05:00"),  # five fields: classic cron
        ("* * * * * *", "2026-11-22T01:02:04"),
        ("5/20 * * * * *", "2026-11-22T01:02:05"),
        ("3 2 1 * * *", "2026-11-23T01:02:03"),
        ("0 0 9-17/4 * * *", "2026-11-22T09:00:00"),
        ("30 0 9 * * Mon-Fri", "2026-11-23T09:00:30"),
        ("0 0 0 1 jan,July *", "2027-01-01T00:00:00"),
        ("0 0 0 31 * *", "2026-12-31T00:00:00"),
        ("0 0 0 13 * FRIDAY", "2027-08-13T00:00:00"),  # both: day of month and weekday
        ("0 0 0 29 2 *", "2028-02-29T00:00:00"),
        ("0 0 0 * * 0", "2026-11-29T00:00:00"),
    ],
)
def test_the_next_occurrence(text: str, following: str) -> None:
    assert Schedule(text).after(START) == datetime.fromisoformat(following).replace(tzinfo=UTC)


def test_an_occurrence_is_strictly_later_and_in_utc_whatever_the_zone_of_the_moment() -> None:
    noon = Schedule("0 0 12 * * *")
    east = datetime.fromisoformat("2026-11-22T13:00:00+01:00")
    assert noon.after(east) == datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert noon.after(east - timedelta(microseconds=1)) == datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("* * * *", "six fields"),
        ("01:00:00", "six fields"),
        ("60 * * * * *", "'60' is not a second"),
        ("* * 24 * * *", "'24' is not a hour"),
        ("* * * 0 * *", "'0' is not a day"),
        ("* * * * 13 *", "'13' is not a month"),
        ("* * * * * 7", "'7' is not a weekday"),
        ("* * * * * Fr", "'Fr' is not a weekday"),
        ("* * * * feb-jan *", "not a range"),
        ("*/0 * * * * *", "not a range"),
        ("1,,2 * * * * *", "'' is not a second"),
        ("?  * * * * *", "'?' is not a second"),
        ("0 0 0 30 2 *", "never comes"),
    ],
)
def test_a_wrong_schedule_says_what_is_wrong(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why.replace("?", r"\?")):
        Schedule(text)


@pytest.mark.parametrize(("text", "denser"), [("*/30 * * * * *", True), ("0 * * * * *", False), ("0 0 9 * * *", False)])
def test_monitoring_is_only_for_a_minute_and_more(text: str, denser: bool) -> None:
    assert Schedule(text).is_denser_than_a_minute(START) is denser


sets = st.tuples(
    st.sets(st.integers(0, 59), min_size=1, max_size=3),
    st.sets(st.integers(0, 59), min_size=1, max_size=3),
    st.sets(st.integers(0, 23), min_size=1, max_size=2),
    st.sets(st.integers(0, 6), min_size=1, max_size=3),
)


earliest, latest = (datetime(year, 1, 1) for year in (2024, 2030))  # noqa: DTZ001  hypothesis adds the zone
moments = st.datetimes(earliest, latest, timezones=st.just(UTC))


@settings(max_examples=60, deadline=None)
@given(sets, moments)
def test_nothing_between_a_moment_and_its_next_occurrence_fits(
    fields: tuple[set[int], set[int], set[int], set[int]], moment: datetime
) -> None:
    seconds, minutes, hours, weekdays = fields
    written = [",".join(str(value) for value in values) for values in fields]
    schedule = Schedule(f"{written[0]} {written[1]} {written[2]} * * {written[3]}")
    days = (moment.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=day) for day in range(9))
    occurrences = sorted(
        day + timedelta(hours=hour, minutes=minute, seconds=second)
        for day in days
        if day.isoweekday() % 7 in weekdays
        for hour in hours
        for minute in minutes
        for second in seconds
    )
    assert schedule.after(moment) == next(each for each in occurrences if each > moment)
