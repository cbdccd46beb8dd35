"""What contradicts itself in `refresh.yaml`: names that stand nowhere, datasets that depend on themselves. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from shared.errors import Fault
from shared.refresh.patterns import parse_path, placeholders


def contradictions(data: object) -> Iterator[Fault]:
    """What no field shows by itself. Works on the raw data, so that it also finds these in a document with other
    faults.
    """
    datasets = _map(_map(data).get("datasets"))
    notifications = _map(_map(data).get("notifications"))
    yield from _doubled(datasets)
    for alias, dataset in datasets.items():
        yield from _strangers(f"datasets.{alias}.dependsOn", _map(dataset).get("dependsOn"), datasets, "datasets")
        yield from _strangers(f"datasets.{alias}.notify", _map(dataset).get("notify"), notifications, "notifications")
    yield from _cycles(datasets)
    for number, rule in enumerate(_list(_map(data).get("rules"))):
        yield from _rule_faults(f"rules[{number}]", _map(rule), datasets)


def _doubled(datasets: Mapping[str, Any]) -> Iterator[Fault]:
    first: dict[str, str] = {}
    for alias, dataset in datasets.items():
        dataset_id = str(_map(dataset).get("datasetId", "")).lower()
        if dataset_id and dataset_id in first:
            yield Fault(f"datasets.{alias}.datasetId", f"The same dataset as {first[dataset_id]}: keep one alias.")
        first.setdefault(dataset_id, alias)


def _strangers(path: str, names: object, known: Mapping[str, Any], where: str) -> Iterator[Fault]:
    for number, name in enumerate(_list(names)):
        if isinstance(name, str) and name not in known:
            yield Fault(f"{path}[{number}]", f"No such name under {where}.")


def _cycles(datasets: Mapping[str, Any]) -> Iterator[Fault]:
    """Peel off whatever depends on nothing that is left; what can't be peeled depends on itself in the end."""
    left = {
        alias: {name for name in _list(_map(dataset).get("dependsOn")) if isinstance(name, str) and name in datasets}
        for alias, dataset in datasets.items()
    }
    while free := {alias for alias, needs in left.items() if not needs & left.keys()}:
        left = {alias: needs for alias, needs in left.items() if alias not in free}
    # what merely hangs on a cycle is not its fault
    while idle := left.keys() - {name for needs in left.values() for name in needs}:
        left = {alias: needs for alias, needs in left.items() if alias not in idle}
    for alias in left:
        yield Fault(f"datasets.{alias}.dependsOn", f"Depends on itself: {', '.join(sorted(left))} form a circle.")


def _rule_faults(path: str, rule: Mapping[str, Any], datasets: Mapping[str, Any]) -> Iterator[Fault]:
    alias = rule.get("refresh")
    if isinstance(alias, str) and alias not in datasets:
        yield Fault(f"{path}.refresh", "No such alias under datasets.")
    try:
        captured = set(parse_path(str(rule.get("path", ""))).names)
    except ValueError:
        return
    for number, item in enumerate(_list(rule.get("objects"))):
        for part in ("table", "partition"):
            if missing := _used(_map(item).get(part)) - captured:
                names = ", ".join(f"{{{name}}}" for name in sorted(missing))
                yield Fault(f"{path}.objects[{number}].{part}", f"The path does not capture {names}.")


def _used(template: object) -> set[str]:
    try:
        return placeholders(template) if isinstance(template, str) else set()
    except ValueError:
        return set()


def _map(value: object) -> Mapping[str, Any]:
    return {str(name): entry for name, entry in value.items()} if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
