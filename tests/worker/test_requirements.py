"""What the app imports, anywhere in its source, comes with `requirements.txt` alone."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.worker.deployment import PROJECT, required_distributions, requirements

SOURCES = [PROJECT / "function_app.py", *sorted((PROJECT / "shared").rglob("*.py"))]


def _required_modules() -> set[str]:
    """Files below site-packages that the requirements and their own requirements bring, as module names."""
    found: set[str] = set()
    for distribution in required_distributions(requirements()).values():
        for file in distribution.files or ():
            parts = file.with_suffix("").parts
            if file.suffix in (".py", ".so") and ".." not in parts:
                names = parts[:-1] if parts[-1] == "__init__" else (*parts[:-1], parts[-1].partition(".")[0])
                found |= {".".join(names[:length]) for length in range(1, len(names) + 1)}
    return found


def _imports(source: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, node.module or ""


def test_every_import_of_the_app_is_required() -> None:
    known = _required_modules()
    strange = [
        f"{source.relative_to(PROJECT)}:{line} imports {name}"
        for source in SOURCES
        for line, name in _imports(source)
        if name.partition(".")[0] not in sys.stdlib_module_names | {"shared", "__future__"} and name not in known
    ]
    assert strange == []


@pytest.mark.parametrize("module", ["aiohttp", "trustme", "pytest", "hypothesis", "pandas"])
def test_what_only_the_emulator_and_the_tests_need_is_not_required(module: str) -> None:
    assert module not in _required_modules()


def test_what_requirements_bring_is_found_through_all_levels() -> None:
    assert {"msal", "azure.identity", "cryptography", "azure.core", "charset_normalizer"} <= _required_modules()
