"""What importing the app costs decides how long a caller waits for the first answer of a new instance."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]
HEAVY = (
    "msal",
    "requests",
    "jwt",
    "cryptography",
    "pydantic",
    "yaml",
    "azure.identity",
    "azure.keyvault",
    "azure.core",
)


def _run(script: str) -> str:
    command = [sys.executable, "-c", script]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True, timeout=60).stdout


def test_importing_the_app_imports_nothing_that_health_does_not_need() -> None:
    loaded = _run("import function_app, sys; print(*sys.modules, sep='\\n')").splitlines()
    assert "function_app" in loaded
    assert [name for name in HEAVY if name in loaded] == []


def test_health_answers_without_any_environment_and_without_loading_anything_heavy() -> None:
    script = """
import azure.functions as func, function_app, os, sys
os.environ.clear()
answer = function_app.health(func.HttpRequest(method="GET", url="/api/health", body=b""))
print(answer.status_code, *sys.modules, sep="\\n")
"""
    status, *loaded = _run(script).splitlines()
    assert status == "200"
    assert [name for name in HEAVY if name in loaded] == []


def test_every_function_is_indexed_without_an_environment() -> None:
    script = """
import os; os.environ.clear()
import function_app
print(*sorted(function.get_function_name() for function in function_app.app.get_functions()), sep="\\n")
"""
    assert {"health", "readiness", "openapi", "embed-tokens"} <= set(_run(script).splitlines())
