"""The map in shared/ names every module and package that stands at its top, and none that is gone."""

from __future__ import annotations

import pkgutil
import re

import shared

NAMES_BEGIN = 20
"""The column; what a line says of them comes after two spaces, or on the next line."""


def test_the_map_is_complete_and_true() -> None:
    there = {module.name for module in pkgutil.iter_modules(shared.__path__)} - {"wiring"}
    lines = [line for line in (shared.__doc__ or "").splitlines() if line.startswith("    ")]
    entries = [re.split(" {2,}", line[NAMES_BEGIN:])[0] for line in lines if line[NAMES_BEGIN] != " "]
    named = [name for entry in entries for name in entry.split(", ")]
    assert sorted(named) == sorted(there)
