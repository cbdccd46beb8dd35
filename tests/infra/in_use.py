"""What the app uses, found in its code: triggers, names of queues, tables and containers, settings."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from shared.errors import SettingsInvalid
from shared.settings import Settings
from tests.infra.estate import PROJECT

_DOORS = ("Table", "BatchTable", "Queue", "Container", "table", "queue", "container")
_READ = """
import function_app, json
print(json.dumps([json.loads(each.get_dict_repr()) if isinstance(each.get_dict_repr(), str) else
                  {"name": each.get_function_name(), **each.get_dict_repr()}
                  for each in function_app.app.get_functions()], default=str))
"""


@cache
def functions() -> dict[str, dict[str, Any]]:
    """The app's functions by name, each with its trigger, as the host indexes them (in a process of its own)."""
    command = [sys.executable, "-c", _READ]
    said = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True, timeout=60).stdout
    found = {}
    for function in json.loads(said):
        [trigger] = [each for each in function["bindings"] if "Trigger" in str(each["type"])]
        found[str(function["name"])] = trigger
    return found


def trigger_queues() -> set[str]:
    return {str(each["queueName"]) for each in functions().values() if each["type"] == "queueTrigger"}


def storage_names() -> dict[str, set[str]]:
    """Names by kind (table, queue, container) that the wiring and the storage modules open."""
    names: dict[str, set[str]] = {"table": set(), "queue": set(), "container": set()}
    for kind, name in _opened():
        names[kind].add(name)
    names["queue"] |= trigger_queues()
    return names


def _opened() -> Iterator[tuple[str, str]]:
    for file in [PROJECT / "shared/wiring.py", *sorted((PROJECT / "shared/storage").glob("*.py"))]:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        constants = dict(_constants(tree))
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign | ast.GeneratorExp | ast.ListComp):
                yield from _over(node)
            if isinstance(node, ast.Call) and (kind := _kind(node.func)):
                for argument in node.args:
                    yield from ((kind, name) for name in _texts(argument, constants))
    yield from _document_containers()


def _over(node: ast.AST) -> Iterator[tuple[str, str]]:
    """`Table(…, name) for name in ("a", "b")`."""
    for each in ast.walk(node):
        if isinstance(each, ast.GeneratorExp | ast.ListComp) and isinstance(each.elt, ast.Call):
            kind = _kind(each.elt.func)
            if kind:
                yield from ((kind, name) for name in _texts(each.generators[0].iter, {}))


def _document_containers() -> Iterator[tuple[str, str]]:
    from shared.storage import document_blobs

    yield from (("container", name) for name in (document_blobs.PROPOSED, document_blobs.ACCEPTED))


def _kind(called: ast.expr) -> str:
    name = called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else ""
    return name.removeprefix("Batch").lower() if name in _DOORS else ""


def _texts(value: ast.expr, constants: Mapping[str, str]) -> Iterator[str]:
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value
    elif isinstance(value, ast.Name) and value.id in constants:
        yield constants[value.id]
    elif isinstance(value, ast.Tuple | ast.List):
        for element in value.elts:
            yield from _texts(element, constants)


def _constants(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in tree.body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Constant)
        ):
            yield node.targets[0].id, str(node.value.value)


class _Asked(dict[str, str]):
    """An environment that remembers what it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def get(self, key: str, default: Any = "") -> Any:
        self.names.add(key)
        return default


def settings_read() -> set[str]:
    """Names of settings that the app asks its environment for."""
    asked = _Asked()
    try:
        Settings.from_env(asked)
    except SettingsInvalid as invalid:
        asked.names |= {fault.path for fault in invalid.faults}
    return asked.names


def roles_asked_for() -> set[str]:
    """App roles that a route asks of its caller."""
    found = set()
    for file in [PROJECT / "function_app.py", *sorted((PROJECT / "shared").rglob("*.py"))]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "role" and isinstance(node.value, ast.Constant):
                found.add(str(node.value.value))
    return {role for role in found if "." in role}
