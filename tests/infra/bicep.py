"""Reads a Bicep file into what it declares, for the rules of this folder. Nothing is evaluated here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tree_sitter import Node

from tests.infra.syntax import Loop, fault, is_fault, parse, text_of, value_of, walk


@dataclass(frozen=True)
class Parameter:
    """What is given to a template, or a property of a shape of such a thing."""

    name: str
    type: str
    default: Any
    optional: bool
    decorators: dict[str, Any]


@dataclass(frozen=True)
class Resource:
    """One resource, or one for each of a loop. `body` holds values, lists, dicts, Expressions and Loops."""

    symbol: str
    type: str
    version: str
    existing: bool
    body: dict[str, Any]
    condition: str
    over: Any

    @property
    def properties(self) -> dict[str, Any]:
        found = self.body.get("properties", {})
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True)
class Module:
    """`path` as it is written: relative to the file that uses it."""

    symbol: str
    path: str
    params: dict[str, Any]
    body: dict[str, Any]
    condition: str


@dataclass
class Template:
    """One file."""

    name: str
    text: str
    faults: list[str]
    parameters: dict[str, Parameter] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)
    types: dict[str, dict[str, Parameter]] = field(default_factory=dict)
    """Shapes: their properties by name."""
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Name here: the file that it comes from, as it is written, and its name there (`*` for all of the file)."""
    resources: dict[str, Resource] = field(default_factory=dict)
    modules: dict[str, Module] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    described: set[str] = field(default_factory=set)
    """Outputs, shapes and exported variables that say what they are."""
    exported: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    """Every name that an expression or a type of the file refers to."""
    loaded: list[str] = field(default_factory=list)
    """Files that it takes in as text."""
    assigned: list[str] = field(default_factory=list)
    """What a parameter file gives; the values are among `variables`."""

    @property
    def declared(self) -> set[str]:
        return {*self.parameters, *self.variables, *self.types, *self.imports, *self.resources, *self.modules}


def read(path: Path, text: str | None = None) -> Template:
    """The file, or the `text` that stands for it. What does not parse is in `faults`."""
    text = path.read_text(encoding="utf-8") if text is None else text
    assigned = re.findall(r"(?m)^param (\w+) =", text)
    if assigned:  # a parameter file: the grammar knows templates only
        text = re.sub(r"(?m)^param (\w+) =", r"var \1 =", text)
    root = parse(text)
    template = Template(path.name, text, [fault(node) for node in walk(root) if is_fault(node)])
    decorators: dict[str, Any] = {}
    for node in root.children:
        if node.type == "decorators":
            decorators = _decorators(node)
        elif node.type != "comment":
            _declare(template, node, decorators)
            decorators = {}
    template.used = set(_names(root))
    template.assigned = assigned
    template.loaded = re.findall(r"load(?:Text|Json)Content\('([^']+)'\)", text)
    return template


def _declare(template: Template, node: Node, decorators: dict[str, Any]) -> None:
    if node.type == "import_functionality":
        template.imports.update(_imported(node))
        return
    if not node.type.endswith("_declaration"):
        return
    name = text_of(node.children[1])
    template.described |= {name} if "description" in decorators else set()
    template.exported |= {name} if "export" in decorators else set()
    if node.type == "parameter_declaration":
        values = node.children[3:]
        default = value_of(values[-1]) if values else None
        template.parameters[name] = Parameter(name, text_of(node.children[2]), default, bool(values), decorators)
    elif node.type == "variable_declaration":
        template.variables[name] = value_of(node.children[-1])
    elif node.type == "type_declaration":
        template.types[name] = dict(_properties(node.children[-1]))
    elif node.type == "output_declaration":
        template.outputs[name] = value_of(node.children[-1])
    elif node.type == "resource_declaration":
        template.resources[name] = _resource(name, node)
    elif node.type == "module_declaration":
        body, condition, _ = _unwrapped(node.children[-1])
        template.modules[name] = Module(name, str(value_of(node.children[2])), body.get("params", {}), body, condition)


def _imported(node: Node) -> Iterator[tuple[str, tuple[str, str]]]:
    file = str(value_of(node.children[-1]))
    names = [text_of(child) for child in node.children if child.type == "identifier"]
    if any(child.type == "*" for child in node.children):
        yield names[0], (file, "*")
    else:
        yield from ((name, (file, name)) for name in names)


def _properties(shape: Node) -> Iterator[tuple[str, Parameter]]:
    decorators: dict[str, Any] = {}
    for child in shape.named_children:
        if child.type == "decorators":
            decorators = _decorators(child)
        elif child.type == "object_property":
            name, type = text_of(child.named_children[0]), text_of(child.named_children[-1])
            yield name, Parameter(name, type.removesuffix("?"), None, type.endswith("?"), decorators)
            decorators = {}


def _resource(symbol: str, node: Node) -> Resource:
    kind, _, version = str(value_of(node.children[2])).partition("@")
    existing = any(text_of(child) == "existing" for child in node.children)
    body, condition, over = _unwrapped(node.children[-1])
    return Resource(symbol, kind, version, existing, body, condition, over)


def _unwrapped(node: Node) -> tuple[dict[str, Any], str, Any]:
    value, condition, over = value_of(node), "", None
    if isinstance(value, Loop):
        value, condition, over = value.body, value.condition, value.over
    elif node.type == "if_statement":
        condition = text_of(node.named_children[0])
    return (value if isinstance(value, dict) else {}), condition, over


def _decorators(node: Node) -> dict[str, Any]:
    calls = [
        child
        for child in walk(node)
        if child.type == "call_expression" and child.parent and child.parent.type == "decorator"
    ]
    return {
        text_of(call.children[0]): next((value_of(each) for each in call.children[1].named_children), True)
        for call in calls
    }


def _names(root: Node) -> Iterator[str]:
    """Names that are referred to: not those of declarations, properties, functions, decorators or loop variables."""
    local = set()
    for node in walk(root):
        if node.type in ("loop_variable", "loop_enumerator"):
            local.add(text_of(node))
        elif node.type == "for_statement" and node.named_children[0].type == "identifier":
            local.add(text_of(node.named_children[0]))
        elif node.type == "lambda_expression":
            local |= {text_of(name) for name in walk(node.children[0]) if name.type == "identifier"}
    for node in walk(root):
        if node.type == "identifier" and _is_reference(node) and text_of(node) not in local:
            yield text_of(node)


def _is_reference(node: Node) -> bool:
    parent = node.parent
    if parent is None or (parent.type.endswith("_declaration") and parent.children[1] == node):
        return False
    if parent.type == "object_property":
        return parent.named_children[0] != node
    if parent.type == "call_expression":
        return parent.children[0] != node
    if parent.type == "import_functionality":
        return False
    return parent.type != "lambda_expression" or parent.children[0] != node
