"""What a compiler would say: names agree, modules get what they declare, parameter files fit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.infra.bicep import Parameter, Template
from tests.infra.estate import INFRA, Estate

PUBLISHED = {
    "Microsoft.Authorization/roleAssignments": "2022-04-01",
    "Microsoft.EventGrid/systemTopics": "2025-02-15",
    "Microsoft.EventGrid/systemTopics/eventSubscriptions": "2025-02-15",
    "Microsoft.EventGrid/topics": "2025-02-15",
    "Microsoft.Insights/actionGroups": "2023-01-01",
    "Microsoft.Insights/components": "2020-02-02",
    "Microsoft.Insights/diagnosticSettings": "2021-05-01-preview",
    "Microsoft.Insights/metricAlerts": "2018-03-01",
    "Microsoft.Insights/scheduledQueryRules": "2023-12-01",
    "Microsoft.Insights/workbooks": "2023-06-01",
    "Microsoft.KeyVault/vaults": "2024-11-01",
    "Microsoft.ManagedIdentity/userAssignedIdentities": "2024-11-30",
    "Microsoft.Network/networkSecurityGroups": "2025-05-01",
    "Microsoft.Network/privateDnsZones": "2024-06-01",
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks": "2024-06-01",
    "Microsoft.Network/privateEndpoints": "2025-05-01",
    "Microsoft.Network/privateEndpoints/privateDnsZoneGroups": "2025-05-01",
    "Microsoft.Network/virtualNetworks": "2025-05-01",
    "Microsoft.Network/virtualNetworks/subnets": "2025-05-01",
    "Microsoft.OperationalInsights/workspaces": "2025-07-01",
    "Microsoft.Resources/resourceGroups": "2024-11-01",
    "Microsoft.Web/serverfarms": "2024-11-01",
    "Microsoft.Web/sites": "2024-11-01",
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies": "2024-11-01",
    "Microsoft.Web/sites/config": "2024-11-01",
}
"""Type and the version that Microsoft's own modules use; all of Microsoft.Storage has one."""
STORAGE_VERSION = "2025-01-01"


def parses(estate: Estate) -> Iterator[str]:
    """Every file parses with the grammar."""
    for template in (*estate.templates.values(), *estate.stages.values()):
        for fault in template.faults:
            yield f"{template.name} {fault}"


def names_agree(estate: Estate) -> Iterator[str]:
    """Every name that is used is declared, and every parameter and variable is used."""
    for path, template in estate.templates.items():
        for name in sorted(template.used - template.declared):
            yield f"{path}: {name} is not declared"
        for name in sorted({*template.parameters, *template.variables} - template.used):
            yield f"{path}: {name} is not used"
    for stage, template in estate.stages.items():
        for name in sorted(template.used - template.declared):
            yield f"{stage}: {name} is not declared"
        for name in sorted(set(template.variables) - set(template.assigned) - template.used):
            yield f"{stage}: {name} is not used"


def modules_fit(estate: Estate) -> Iterator[str]:
    """A module's file exists, gets the parameters that it declares, and is asked only for outputs that it has."""
    for module in estate.main.modules.values():
        template = estate.templates.get(module.path)
        if template is None:
            yield f"{module.symbol}: there is no {module.path}"
            continue
        yield from _parameters_fit(module.symbol, template, set(module.params))
        for output in set(re.findall(rf"\b{module.symbol}!?\.outputs\.(\w+)", estate.main.text)) - set(
            template.outputs
        ):
            yield f"{module.path} has no output {output}"
    used = {module.path for module in estate.main.modules.values()}
    for path in sorted(set(estate.templates) - used - {"main.bicep"}):
        yield f"{path} is used by nobody"


def _parameters_fit(symbol: str, template: Template, given: set[str]) -> Iterator[str]:
    required = {name for name, each in template.parameters.items() if not each.has_default}
    for name in sorted(required - given):
        yield f"{symbol}: parameter {name} is missing"
    for name in sorted(given - set(template.parameters)):
        yield f"{symbol}: {template.name} has no parameter {name}"


def stages_fit(estate: Estate) -> Iterator[str]:
    """A parameter file gives all that has no default, nothing unknown, and only values that are allowed."""
    for stage, file in estate.stages.items():
        yield from _parameters_fit(stage, estate.main, set(file.assigned))
        for name, value in estate.given(stage).items():
            if name in file.assigned and name in estate.main.parameters:
                yield from (f"{stage}: {name} {fault}" for fault in _misfits(estate.main.parameters[name], value))


def _misfits(parameter: Parameter, value: Any) -> Iterator[str]:
    wanted: type[Any] = {"string": str, "int": int, "bool": bool, "object": dict}.get(parameter.type, list)
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        yield f"is no {parameter.type}"
        return
    limits = parameter.decorators
    if "allowed" in limits and value not in limits["allowed"]:
        yield f"must be one of {limits['allowed']}"
    size: int = value if isinstance(value, int) else len(value)
    if size < limits.get("minLength", limits.get("minValue", size)):
        yield "is too small"
    if size > limits.get("maxLength", limits.get("maxValue", size)):
        yield "is too large"


def described(estate: Estate) -> Iterator[str]:
    """Every parameter and output says what it is; main's parameters are bounded, so that a slip is refused at once."""
    for path, template in estate.templates.items():
        for name, parameter in template.parameters.items():
            if not parameter.decorators.get("description"):
                yield f"{path}: parameter {name} is not described"
            if path == "main.bicep" and not _bounded(parameter):
                yield f"{path}: parameter {name} is not bounded"
        for name in sorted(set(template.outputs) - template.described_outputs):
            yield f"{path}: output {name} is not described"
        if not template.text.startswith("metadata description = "):
            yield f"{path} does not begin with what it is"


def _bounded(parameter: Parameter) -> bool:
    """An optional text, empty by default, needs no least length."""
    limits = set(parameter.decorators)
    if parameter.type in ("bool", "object") or "allowed" in limits:
        return True
    if parameter.type == "int":
        return {"minValue", "maxValue"} <= limits
    if parameter.type == "string":
        return "maxLength" in limits and ("minLength" in limits or parameter.default == "")
    return "maxLength" in limits


def files_are_there(estate: Estate) -> Iterator[str]:
    """Every text that a template takes in lies where it says."""
    for path, template in estate.templates.items():
        for loaded in template.loaded:
            if not ((INFRA / path).parent / loaded).resolve().is_file():
                yield f"{path}: there is no {loaded}"


def versions_published(estate: Estate) -> Iterator[str]:
    """API versions are those that Microsoft's own modules use: a version that a compiler does not know is a warning."""
    for path, template in estate.templates.items():
        for resource in template.resources.values():
            storage = resource.type.startswith("Microsoft.Storage/storageAccounts")
            wanted = STORAGE_VERSION if storage else PUBLISHED.get(resource.type)
            if resource.version != wanted:
                yield f"{path}: {resource.symbol} is {resource.type}@{resource.version}, not {wanted}"
