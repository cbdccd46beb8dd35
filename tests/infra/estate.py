"""All of infra/ as it was read, with a file's text replaced where a test breaks it on purpose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from posixpath import dirname, join, normpath
from typing import Any

from tests.infra.bicep import Module, Parameter, Resource, Template, read
from tests.infra.values import Unknown, compute

PROJECT = Path(__file__).parents[2]
INFRA = PROJECT / "infra"
STAGES = ("dev", "test", "prod")


@dataclass(frozen=True)
class Estate:
    """Templates by their path below infra/."""

    templates: dict[str, Template]
    stages: dict[str, Template]

    @property
    def main(self) -> Template:
        return self.templates["main.bicep"]

    def resources(self, *types: str) -> Iterator[tuple[str, Resource]]:
        """What is deployed (not what only has to exist), with its place; of all types if none is given."""
        for path, template in self.templates.items():
            for resource in template.resources.values():
                if not resource.existing and (not types or resource.type in types):
                    yield f"{path}: {resource.symbol}", resource

    def one(self, type: str) -> Resource:
        [(_, resource)] = self.resources(type)
        return resource

    def module(self, path: str) -> Template:
        return self.templates[f"modules/{path}.bicep"]

    def modules(self) -> Iterator[tuple[str, Module, str]]:
        """Every use of a module: the file that uses it, the use, the file that is used."""
        for path, template in self.templates.items():
            for module in template.modules.values():
                yield path, module, beside(path, module.path)

    def uses(self, path: str) -> list[Module]:
        return [module for _, module, used in self.modules() if used == f"modules/{path}.bicep"]

    def value(self, variable: str) -> Any:
        """What contents.bicep says, computed."""
        variables = self.templates["contents.bicep"].variables
        return compute(variables[variable], variables)

    def shape(self, type: str) -> dict[str, Parameter]:
        """The properties of one of the shapes of types.bicep, by its name as it is written anywhere; none of others."""
        return self.templates["types.bicep"].types.get(type.removesuffix("[]").rpartition(".")[2], {})

    def given(self, stage: str) -> dict[str, Any]:
        """What a stage's parameter file gives when the environment says nothing, and the defaults for the rest."""
        defaults = {name: each.default for name, each in self.main.parameters.items() if each.optional}
        file = self.stages[stage]
        values = {name: compute(file.variables[name], file.variables) for name in file.assigned}
        return {**defaults, **values}


def beside(path: str, written: str) -> str:
    """The file that a file names, as a path below infra/."""
    return normpath(join(dirname(path), written))


@cache
def estate() -> Estate:
    """As it is in this repository."""
    return changed({})


def changed(texts: dict[str, str]) -> Estate:
    """With these files' texts (by path below infra/) instead of those on disk."""
    paths = [*sorted(INFRA.glob("*.bicep")), *sorted((INFRA / "modules").glob("*.bicep"))]
    names = [path.relative_to(INFRA).as_posix() for path in paths]
    return Estate(
        {name: _read(path, texts.get(name)) for name, path in zip(names, paths, strict=True)},
        {stage: _read(INFRA / f"{stage}.bicepparam", texts.get(f"{stage}.bicepparam")) for stage in STAGES},
    )


@cache
def _read(path: Path, text: str | None) -> Template:
    return read(path, text)


def broken(path: str, old: str, new: str) -> Estate:
    """With one piece of a file's text replaced, which has to be there."""
    text = (INFRA / path).read_text(encoding="utf-8")
    assert old in text, f"{old!r} is not in {path}: what this test breaks has moved"
    return changed({path: text.replace(old, new)})


def known(value: Any, names: dict[str, Any]) -> Any:
    """The value computed, or None where only Azure knows it."""
    try:
        return compute(value, names)
    except Unknown:
        return None
