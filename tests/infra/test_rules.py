"""The infrastructure keeps our rules, and each rule catches what it is there for: broken on purpose, on copies."""

from __future__ import annotations

import inspect
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from tests.infra import language_rules, safety_rules
from tests.infra.estate import INFRA, STAGES, Estate, broken, estate

Rule = Callable[[Estate], Iterator[str]]


def rules_of(module: ModuleType) -> dict[str, Rule]:
    """Public functions of the whole infrastructure that yield what is wrong."""
    return {
        name: rule
        for name, rule in inspect.getmembers(module, inspect.isgeneratorfunction)
        if rule.__module__ == module.__name__ and not name.startswith("_")
    }


RULES = rules_of(language_rules) | rules_of(safety_rules)
BREAKS: dict[str, list[list[str]]] = yaml.safe_load((Path(__file__).parent / "breaks.yaml").read_text())


@pytest.mark.parametrize("name", RULES)
def test_the_infrastructure_keeps_the_rule(name: str) -> None:
    assert list(RULES[name](estate())) == []


@pytest.mark.parametrize(
    ("name", "path", "old", "new", "said"),
    [
        pytest.param(name, *each, id=f"{name}-{number}")
        for name, all_of in BREAKS.items()
        for number, each in enumerate(all_of)
    ],
)
def test_the_rule_catches(name: str, path: str, old: str, new: str, said: str) -> None:
    assert said in "\n".join(RULES[name](broken(path, old, new)))


def test_every_rule_has_been_seen_to_catch_something() -> None:
    assert set(RULES) == set(BREAKS)


def compiler_says(*command: str) -> list[str]:
    """Warnings and errors; a failure that says nothing is one too."""
    program = shutil.which("bicep")
    if program is None:
        pytest.skip("no Bicep compiler on the path")
    done = subprocess.run([program, *command], cwd=INFRA, capture_output=True, text=True, check=False, timeout=100)
    said = [line for line in (done.stdout + done.stderr).splitlines() if "Warning" in line or "Error" in line]
    return said or ([f"exit code {done.returncode}"] if done.returncode else [])


def test_the_compiler_has_nothing_to_say(tmp_path: Path) -> None:
    assert compiler_says("build", "main.bicep", "--outfile", str(tmp_path / "main.json")) == []
    assert compiler_says("lint", "main.bicep") == []


@pytest.mark.parametrize("stage", STAGES)
def test_the_compiler_takes_the_parameters(stage: str, tmp_path: Path) -> None:
    parameters = str(tmp_path / "parameters.json")
    assert compiler_says("build-params", f"{stage}.bicepparam", "--outfile", parameters) == []
