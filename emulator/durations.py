"""ISO 8601 durations, as the control API and the switches write them."""

from __future__ import annotations

import re
from datetime import timedelta

_FORM = re.compile(
    r"P(?:(?P<days>\d+)D)?(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)


def parse_duration(text: object) -> timedelta:
    """`PT2H`, `P1DT30M`, `PT0.5S`; raises ValueError for anything else, months and years included."""
    found = _FORM.fullmatch(text) if isinstance(text, str) else None
    if found is None or not any(found.groupdict().values()):
        raise ValueError(f"{text!r} is not an ISO 8601 duration such as PT2H or P1DT30M")
    try:
        return timedelta(**{unit: float(amount) for unit, amount in found.groupdict().items() if amount})
    except OverflowError:
        raise ValueError(f"{text} is too long") from None
