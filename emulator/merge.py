"""JSON merge patch, and the check that a patch names only what is there."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from typing import Any


def merge_patch(target: Any, patch: Any) -> Any:
    """What `patch` makes of `target`, as RFC 7396 says: null removes, objects merge, all else replaces."""
    if not isinstance(patch, dict):
        return deepcopy(patch)
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def refuse_unknown(names: Iterable[str], known: Iterable[str], what: str) -> None:
    """Raises ValueError that names the first of `names` which is not `known`, and what there is instead."""
    there = sorted(known)
    for name in names:
        if name not in there:
            raise ValueError(f"There is no {what} '{name}'; there are: {', '.join(there)}")
