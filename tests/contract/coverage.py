"""Which operations of Power BI our client can send: found in its source, so that a new one can't be overlooked."""

from __future__ import annotations

import ast
import importlib
import inspect
import itertools
import pkgutil
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import shared
import shared.powerbi
from emulator.powerbi.operation import BASE
from emulator.powerbi.service import OPERATIONS

LIST = "operations that our client sends"
"""The name of the test property that carries the coverage list to the end of the run."""
_WIDTH, _NO_BREAK = 150, "\0"
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_SHARED = Path(shared.__path__[0])
_CLIENT = Path(shared.powerbi.__path__[0])


@dataclass(frozen=True)
class CallSite:
    """A line of our source that sends something."""

    place: str
    """File and line."""
    method: str
    operation: re.Pattern[str]
    """Our name for the operation; a part that is only known at run time matches anything."""


@dataclass(frozen=True)
class Exchange:
    """One request that a function of the client made, and what came back."""

    function: str
    operation: str
    method: str
    path: str
    status: int
    request_faults: tuple[str, ...]
    answer_faults: tuple[str, ...]

    @property
    def emulated(self) -> str:
        """The emulator's name of the operation, which is the contract's; empty where it has none."""
        return next((name for name, pattern in _EMULATED[self.method] if pattern.fullmatch(self.path)), "")


def client_functions() -> dict[str, Callable[..., Any]]:
    """The public functions of our client that take a transport, as `module.function`."""
    modules = [
        importlib.import_module(f"{shared.powerbi.__name__}.{found.name}")
        for found in pkgutil.iter_modules(shared.powerbi.__path__)
    ]
    return {
        f"{module.__name__.rpartition('.')[2]}.{name}": function
        for module in modules
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__
        and not name.startswith("_")
        and "transport" in inspect.signature(function).parameters
    }


def call_sites() -> list[CallSite]:
    """Every line of the client that names an operation and an HTTP method together."""
    return [site for file in sorted(_CLIENT.glob("*.py")) for site in _sites_in(file)]


def call_sites_elsewhere() -> list[CallSite]:
    """Lines of the app outside the client that send something to Power BI all the same."""
    files = [file for file in sorted(_SHARED.rglob("*.py")) if _CLIENT not in file.parents]
    return [site for file in files for site in _sites_in(file)]


def _sites_in(file: Path) -> Iterator[CallSite]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
            for name, method in itertools.pairwise(arguments):
                operation = _operation(name)
                if operation and isinstance(method, ast.Constant) and method.value in _METHODS:
                    yield CallSite(f"{file.relative_to(_SHARED.parent)}:{node.lineno}", str(method.value), operation)


def _operation(name: ast.expr) -> re.Pattern[str] | None:
    """A pattern for a text such as "groups.list" or f"{kind}.list"."""
    parts = name.values if isinstance(name, ast.JoinedStr) else [name]
    texts = [re.escape(part.value) if _is_text(part) else r"\w+" for part in parts]  # type: ignore[attr-defined]
    if not any(_is_text(part) for part in parts):
        return None
    return re.compile("".join(texts)) if r"\." in "".join(texts) else None


def _is_text(part: ast.expr) -> bool:
    return isinstance(part, ast.Constant) and isinstance(part.value, str)


def _emulated() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    found: dict[str, list[tuple[str, re.Pattern[str]]]] = {method: [] for method in _METHODS}
    for operation in sorted(OPERATIONS, key=lambda operation: operation.path.count("{")):
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(BASE + operation.path))
        found[operation.method].append((operation.name, re.compile(pattern, re.IGNORECASE)))
    return found


_EMULATED = _emulated()


def listed(exchanges: Iterable[Exchange]) -> list[str]:
    """The coverage list: a line for each operation of ours, then what the emulator has beyond."""
    by_operation: dict[tuple[str, str], list[Exchange]] = {}
    for exchange in exchanges:
        by_operation.setdefault((exchange.operation, exchange.emulated), []).append(exchange)
    lines = [f"{'our operation':<28} {'emulated as':<75} {'requests':>8} {'answers':>8}"]
    for (operation, emulated), made in sorted(by_operation.items()):
        verdicts = [_verdict(made, "request_faults"), _verdict(made, "answer_faults")]
        lines.append(f"{operation:<28} {emulated or 'NOT EMULATED':<75} {verdicts[0]:>8} {verdicts[1]:>8}")
    used = {emulated for _, emulated in by_operation}
    beyond = sorted(operation.name for operation in OPERATIONS if operation.name not in used)
    lines.append(f"{len(by_operation)} operations sent; {len(beyond)} more are emulated:")
    unbroken = ", ".join(name.replace(" ", _NO_BREAK) for name in beyond)
    return lines + [line.replace(_NO_BREAK, " ") for line in textwrap.wrap(unbroken, _WIDTH, break_on_hyphens=False)]


def _verdict(made: Iterable[Exchange], faults: str) -> str:
    made = list(made)
    wrong = sum(1 for exchange in made if getattr(exchange, faults))
    return f"{wrong} wrong" if wrong else f"{len(made)} ok"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the list at the end of a run that made it (a hook, which `tests/conftest.py` takes in)."""
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    found = next((value for report in reports for name, value in report.user_properties if name == LIST), None)
    if found is not None:
        terminalreporter.section(LIST)
        for line in str(found).splitlines():
            terminalreporter.write_line(line)
