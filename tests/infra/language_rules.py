"""What a compiler and its linter would say: names agree, modules get what they declare, parameter files fit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.infra.bicep import Module, Parameter, Template
from tests.infra.estate import INFRA, Estate, beside
from tests.infra.syntax import Expression, texts

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
_PLAIN = r"(string|int|bool)(\[\])?|object"
_KNOWN_BEFORE = "(?:id|name|type|apiVersion|bicep)"
_PYTHON: dict[str, type[Any]] = {"string": str, "int": int, "bool": bool, "object": dict}


def parses(estate: Estate) -> Iterator[str]:
    """Every file parses with the grammar."""
    for template in (*estate.templates.values(), *estate.stages.values()):
        for fault in template.faults:
            yield f"{template.name} {fault}"


def names_agree(estate: Estate) -> Iterator[str]:
    """Every name that is used is declared, and whatever is declared or imported is used."""
    for path, template in {**estate.templates, **estate.stages}.items():
        for name in sorted(template.used - template.declared):
            yield f"{path}: {name} is not declared"
        declared = {*template.parameters, *template.variables, *template.imports}
        for name in sorted(declared - template.used - template.exported - set(template.assigned)):
            yield f"{path}: {name} is not used"


def imports_are_there(estate: Estate) -> Iterator[str]:
    """Whatever is imported is exported where it comes from."""
    for path, template in estate.templates.items():
        for file, name in template.imports.values():
            found = estate.templates.get(beside(path, file))
            if found is None or name not in {"*", *found.exported}:
                yield f"{path}: {file} exports no {name}"
        for parameter in template.parameters.values():
            if not re.fullmatch(r"(string|int|bool)(\[\])?|object", parameter.type) and not estate.shape(
                parameter.type
            ):
                yield f"{path}: {parameter.name} is of no known shape"


def modules_fit(estate: Estate) -> Iterator[str]:
    """A module's file exists, gets the parameters that it declares, and is asked only for outputs that it has."""
    used = {"main.bicep"}
    for path, module, file in estate.modules():
        used.add(file)
        template = estate.templates.get(file)
        if template is None:
            yield f"{module.symbol}: there is no {module.path}"
            continue
        yield from _parameters_fit(module.symbol, template, set(module.params))
        for output in sorted(set(_asked(module, estate.templates[path])) - set(template.outputs)):
            yield f"{file} has no output {output}"
    for path, template in estate.templates.items():
        used |= {beside(path, file) for file, _ in template.imports.values()}
    for path in sorted(set(estate.templates) - used):
        yield f"{path} is used by nobody"


def _asked(module: Module, user: Template) -> list[str]:
    return re.findall(rf"\b{module.symbol}!?\.outputs\.(\w+)", user.text)


def _parameters_fit(symbol: str, template: Template, given: set[str]) -> Iterator[str]:
    required = {name for name, each in template.parameters.items() if not each.optional}
    for name in sorted(required - given):
        yield f"{symbol}: parameter {name} is missing"
    for name in sorted(given - set(template.parameters)):
        yield f"{symbol}: {template.name} has no parameter {name}"


def what_may_not_be_there_is_asked_with_care(estate: Estate) -> Iterator[str]:
    """What has a condition is asked by `!` (where the condition holds), what has none is not: the compiler warns."""
    for path, template in estate.templates.items():
        conditions = {name: each.condition for name, each in template.modules.items()}
        conditions |= {name: each.condition for name, each in template.resources.items() if not each.over}
        for name, condition in conditions.items():
            asked = set(re.findall(rf"\b{name}(!?)\.(?!{_KNOWN_BEFORE}\b)\w+", template.text))
            if condition and "" in asked:
                yield f"{path}: {name} may not be there"
            if not condition and "!" in asked:
                yield f"{path}: {name} is always there"
        for name, each in template.resources.items():
            if each.over and each.condition and re.search(rf"\b{name}\[", template.text):
                yield f"{path}: one of {name} may not be there"


def dependencies_are_needed(estate: Estate) -> Iterator[str]:
    """`dependsOn` names nothing that is waited for anyway, be it by way of others: the linter refuses that."""
    for path, template in estate.templates.items():
        bodies = {name: each.body for name, each in template.modules.items()}
        bodies |= {name: each.body for name, each in template.resources.items()}
        follows = {name: _mentioned(body, set(bodies)) - {name} for name, body in bodies.items()}
        for name, body in bodies.items():
            for other in body.get("dependsOn", []):
                if other.text in _reached(name, follows):
                    yield f"{path}: {name} waits for {other.text} anyway"


def _mentioned(body: dict[str, Any], symbols: set[str]) -> set[str]:
    plain = {key: value for key, value in body.items() if key != "dependsOn"}
    return {name for text in texts(plain) for name in re.findall(r"[A-Za-z]\w*", text) if name in symbols}


def _reached(start: str, follows: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    left = list(follows[start])
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left.extend(follows[name])
    return found


def deployments_do_not_meet(estate: Estate) -> Iterator[str]:
    """Where another environment deploys too (subscription, somebody else's group), names tell them apart."""
    for module in estate.main.modules.values():
        scope, name = module.body.get("scope"), module.body["name"]
        own = isinstance(scope, Expression) and scope.text == "group"
        if not own and "${environmentName}" not in (name.text if isinstance(name, Expression) else name):
            yield f"main.bicep: {module.symbol} is named as in other environments"


def stages_fit(estate: Estate) -> Iterator[str]:
    """A parameter file gives all that has no default, nothing unknown, and only values that are allowed."""
    for stage, file in estate.stages.items():
        yield from _parameters_fit(stage, estate.main, set(file.assigned))
        for name, value in estate.given(stage).items():
            if name in file.assigned and name in estate.main.parameters:
                yield from (f"{stage}: {fault}" for fault in _misfits(estate, estate.main.parameters[name], value))


def _misfits(estate: Estate, parameter: Parameter, value: Any) -> Iterator[str]:
    shape = estate.shape(parameter.type)
    if shape and not parameter.type.endswith("[]"):
        for name in sorted({name for name, each in shape.items() if not each.optional} - set(value)):
            yield f"{parameter.name} lacks {name}"
        for name, item in value.items():
            if name not in shape:
                yield f"{parameter.name} has no {name}"
            else:
                yield from (f"{parameter.name}.{fault}" for fault in _misfits(estate, shape[name], item))
    elif fault := _misfit(parameter, value):
        yield f"{parameter.name} {fault}"


def _misfit(parameter: Parameter, value: Any) -> str:
    limits, allowed = parameter.decorators, _allowed(parameter)
    if allowed:
        return "" if value in allowed else f"must be one of {allowed}"
    wanted: type[Any] = _PYTHON.get(parameter.type, list)
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        return f"is no {parameter.type}"
    size: int = value if isinstance(value, int) else len(value)
    if size < limits.get("minLength", limits.get("minValue", size)):
        return "is too small"
    return "is too large" if size > limits.get("maxLength", limits.get("maxValue", size)) else ""


def _allowed(parameter: Parameter) -> list[Any]:
    """`@allowed([…])`, or `'one' | 'other'`."""
    choices = parameter.type.split(" | ") if " | " in parameter.type else []
    return parameter.decorators.get("allowed") or [int(one) if one.isdigit() else one.strip("'") for one in choices]


def described(estate: Estate) -> Iterator[str]:
    """Every parameter, property, output and export says what it is; values are bounded, so that a slip is refused."""
    for path, template in estate.templates.items():
        shapes = {f"{shape}.{name}": each for shape, all_of in template.types.items() for name, each in all_of.items()}
        for name, parameter in {**template.parameters, **shapes}.items():
            if not parameter.decorators.get("description"):
                yield f"{path}: {name} is not described"
            if not _bounded(estate, parameter):
                yield f"{path}: {name} is not bounded"
        for name in sorted({*template.outputs, *template.exported} - template.described):
            yield f"{path}: {name} is not described"
        if not template.text.startswith("metadata description = "):
            yield f"{path} does not begin with what it is"


def _bounded(estate: Estate, parameter: Parameter) -> bool:
    """A text that may be empty, and a list that may, needs no least length."""
    limits, empty = set(parameter.decorators), "empty" in str(parameter.decorators.get("description"))
    if parameter.type in ("bool", "object", "storageEndpoints") or _allowed(parameter):
        return True
    if estate.shape(parameter.type) and not parameter.type.endswith("[]"):
        return True
    if parameter.type == "int":
        return {"minValue", "maxValue"} <= limits
    return "maxLength" in limits and ("minLength" in limits or empty or parameter.type.endswith("[]"))


def files_are_there(estate: Estate) -> Iterator[str]:
    """Every text that a template takes in lies where it says."""
    for path, template in estate.templates.items():
        for loaded in template.loaded:
            if not (INFRA / beside(path, loaded)).is_file():
                yield f"{path}: there is no {loaded}"


def versions_published(estate: Estate) -> Iterator[str]:
    """API versions are those that Microsoft's own modules use: a version that a compiler does not know is a warning."""
    for path, template in estate.templates.items():
        for resource in template.resources.values():
            storage = resource.type.startswith("Microsoft.Storage/storageAccounts")
            wanted = STORAGE_VERSION if storage else PUBLISHED.get(resource.type)
            if resource.version != wanted:
                yield f"{path}: {resource.symbol} is {resource.type}@{resource.version}, not {wanted}"
