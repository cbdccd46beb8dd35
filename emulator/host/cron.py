"""NCRONTAB, the cron of Azure Functions: second, minute, hour, day, month, weekday; five fields mean second 0.

Own parser, since cron libraries differ from NCRONTAB in two points: seconds come first, and a day has to fit both the
day of the month and the weekday. Source: Microsoft Learn, "Timer trigger for Azure Functions", NCRONTAB expressions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

_MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october")
_WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_LONGEST_GAP = 366 * 41
"""Days: 29 February on a given weekday can be 40 years away (over 2100, which is no leap year)."""
_ITEM = re.compile(r"(?:(?P<all>\*)|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>\d+))?")


@dataclass(frozen=True)
class _Field:
    name: str
    least: int
    most: int
    names: tuple[str, ...] = ()
    first_name: int = 0


_FIELDS = (
    _Field("second", 0, 59),
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day", 1, 31),
    _Field("month", 1, 12, (*_MONTHS, "november", "december"), 1),
    _Field("weekday", 0, 6, _WEEKDAYS, 0),
)


class Schedule:
    """A parsed NCRONTAB expression, in UTC; ValueError says what is wrong with it."""

    def __init__(self, text: str) -> None:
        tokens = text.split()
        if len(tokens) == 5:
            tokens = ["0", *tokens]
        if len(tokens) != 6:
            raise ValueError(f"{text!r} is not a schedule of six fields (second minute hour day month weekday)")
        values = [_values(token, field) for token, field in zip(tokens, _FIELDS, strict=True)]
        self._seconds, self._minutes, self._hours, self._days, self._months, self._weekdays = values
        self.text = text
        self.after(datetime(2000, 1, 1, tzinfo=UTC))  # a date that never comes is a fault of the schedule

    def after(self, moment: datetime) -> datetime:
        """The first occurrence later than `moment`, in UTC."""
        start = moment.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)
        day, since = start.date(), (start.hour, start.minute, start.second)
        for _ in range(_LONGEST_GAP):
            if self._has_day(day) and (found := self._time_from(*since)) is not None:
                return datetime.combine(day, found, UTC)
            day, since = day + timedelta(days=1), (0, 0, 0)
        raise ValueError(f"{self.text!r} names a date that never comes")

    def is_denser_than_a_minute(self, moment: datetime) -> bool:
        """Whether the two occurrences after `moment` are less than a minute apart."""
        first = self.after(moment)
        return self.after(first) - first < timedelta(minutes=1)

    def _has_day(self, day: date) -> bool:
        return day.month in self._months and day.day in self._days and day.isoweekday() % 7 in self._weekdays

    def _time_from(self, hour: int, minute: int, second: int) -> time | None:
        """The first time of day that is not before this one."""
        for each in (value for value in self._hours if value >= hour):
            for other in (value for value in self._minutes if each > hour or value >= minute):
                exact = (each, other) == (hour, minute)
                found = next((value for value in self._seconds if not exact or value >= second), None)
                if found is not None:
                    return time(each, other, found)
        return None


def _values(token: str, field: _Field) -> tuple[int, ...]:
    """All values of a field, such as `1,5-10/2`, in order."""
    found: set[int] = set()
    for item in token.split(","):
        matched = _ITEM.fullmatch(item)
        if matched is None:
            raise ValueError(f"{item!r} is not a {field.name} of a schedule")
        found.update(_range(matched, field))
    return tuple(sorted(found))


def _range(matched: re.Match[str], field: _Field) -> range:
    if matched["all"]:
        first, last = field.least, field.most
    else:
        first = _number(matched["first"], field)
        last = _number(matched["last"], field) if matched["last"] else field.most if matched["step"] else first
    step = int(matched["step"] or 1)
    if step < 1 or first > last:
        raise ValueError(f"{matched[0]!r} is not a range of a schedule's {field.name}s")
    return range(first, last + 1, step)


def _number(text: str, field: _Field) -> int:
    if text.isascii() and text.isdigit():
        number = int(text)
    else:
        at = [index for index, name in enumerate(field.names) if len(text) >= 3 and name.startswith(text.lower())]
        number = at[0] + field.first_name if at else -1
    if not field.least <= number <= field.most:
        raise ValueError(f"{text!r} is not a {field.name} from {field.least} to {field.most}")
    return number
