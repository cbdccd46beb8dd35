""".NET's TimeSpan, in which host.json gives durations."""

from __future__ import annotations

import re
from datetime import timedelta

_CLOCK = r"(?P<hours>\d\d):(?P<minutes>\d\d):(?P<seconds>\d\d)"
_TIMESPAN = re.compile(rf"(?:(?P<days>\d{{1,8}})\.)?{_CLOCK}(?P<part>\.\d{{1,7}})?")


def timespan(text: str) -> timedelta:
    """`[days.]hh:mm:ss[.fraction]`; ValueError otherwise.

    Stricter than .NET on purpose: there `"60"` is read as sixty days, without a word.
    """
    matched = _TIMESPAN.fullmatch(text)
    if not matched:
        raise ValueError(f"{text!r} is not a time span of the form hh:mm:ss")
    hours, minutes, seconds = (int(matched[name]) for name in ("hours", "minutes", "seconds"))
    if hours > 23 or minutes > 59 or seconds > 59:
        raise ValueError(f"{text!r} is not a time span: hours end at 23, minutes and seconds at 59")
    part = float(matched["part"] or 0)
    return timedelta(days=int(matched["days"] or 0), hours=hours, minutes=minutes, seconds=seconds + part)
