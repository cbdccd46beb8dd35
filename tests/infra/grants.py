"""Who may do what, and where: the role assignments of the templates as a table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from tests.infra.bicep import Resource, Template
from tests.infra.estate import Estate
from tests.infra.safety_rules import ROLES
from tests.infra.syntax import Expression

WHO = {
    "appPrincipalId": "app",
    "readerPrincipalId": "app",
    "topicPrincipalId": "Event Grid",
    "people.operatorsGroupId": "operators",
    "people.deployerPrincipalId": "deployer",
}
WHERE = {
    "account": "storage account",
    "workedQueue": "each queue with a function, and its poison queue",
    "toldQueue": "queue operations-events",
    "table": "each table",
    "vault": "key vault",
    "component": "Application Insights",
    "landing": "landing container",
    "topic": "custom Event Grid topic",
    "dataLanded": "queue data-landed",
    "deadLetters": "container dead-letters",
    "config": "container config",
    "readable": "containers config-accepted, rejected and dead-letters",
}


class Grant(NamedTuple):
    """One row of the role table."""

    who: str
    role: str
    where: str


def grants(estate: Estate) -> set[Grant]:
    return {
        _grant(template, resource)
        for template in estate.templates.values()
        for resource in template.resources.values()
        if resource.type == "Microsoft.Authorization/roleAssignments"
    }


def _grant(template: Template, resource: Resource) -> Grant:
    principal, scope = _text(resource.properties["principalId"]), _text(resource.body["scope"])
    [variable] = re.findall(r"(\w+)\)$", _text(resource.properties["roleDefinitionId"]))
    return Grant(WHO[principal], ROLES[template.variables[variable]], WHERE[scope.split("[")[0]])


def told(markdown: str) -> Iterator[Grant]:
    """The rows of the role table that people read."""
    for who, role, where in re.findall(
        r"(?m)^\| (\w[\w ]*) \| ((?:Storage|Key|Monitoring|EventGrid) [\w ]+) \| ([^|]+) \|", markdown
    ):
        yield Grant(who, role, where.strip())


def _text(value: object) -> str:
    return value.text if isinstance(value, Expression) else str(value)
