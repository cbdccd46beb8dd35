"""The two spellings of a duration: .NET's TimeSpan in host.json, ISO 8601 on our command line."""

from __future__ import annotations

import re
from datetime import timedelta

_CLOCK = r"(?P<hours>\d\d):(?P<minutes>\d\d):(?P<seconds>\d\d)"
_TIMESPAN = re.compile(rf"(?:(?P<days>\d{{1,8}})\.)?{_CLOCK}(?P<part>\.\d{{1,7}})?")
_ISO_TIME = r"(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?"
_ISO = re.compile(rf"P(?:(?P<days>\d+)D)?(?:T{_ISO_TIME})?")


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


def iso_duration(text: str) -> timedelta:
    """`PT10M` and the like; ValueError otherwise."""
    matched = _ISO.fullmatch(text)
    if not matched or not any(matched.groupdict().values()):
        raise ValueError(f"{text!r} is not an ISO 8601 duration such as PT10M")
    return timedelta(**{name: float(value) for name, value in matched.groupdict().items() if value})
