"""`%NAME%` in a trigger's properties stands for the app setting of that name."""

from __future__ import annotations

import re
from collections.abc import Mapping

_SETTING = re.compile(r"%([^%]+)%")


def resolve(text: str, environment: Mapping[str, str]) -> str:
    """`text` with each `%SETTING%` replaced; ValueError names one that is missing."""
    missing = [name for name in _SETTING.findall(text) if name not in environment]
    if missing:
        raise ValueError(f"{text!r} names the setting {missing[0]}, which is missing")
    return _SETTING.sub(lambda matched: environment[matched[1]], text)
