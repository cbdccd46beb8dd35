"""Reads Bicep with a real grammar into plain values, for the rules of this folder. Nothing is evaluated here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tree_sitter
import tree_sitter_bicep
from tree_sitter import Node

_PARSER = tree_sitter.Parser(tree_sitter.Language(tree_sitter_bicep.language()))
_VALUES = ("object", "for_statement", "if_statement")
_ESCAPES = {"\\'": "'", "\\n": "\n", "\\t": "\t", "\\\\": "\\", "\\$": "$"}


@dataclass(frozen=True)
class Expression:
    """What has to be computed: a call, a name, a condition, a text with `${…}`."""

    text: str
    node: Node = field(compare=False, repr=False)

    def calls(self) -> set[str]:
        """Functions that it calls."""
        return {_text(node.children[0]) for node in walk(self.node) if node.type == "call_expression"}


@dataclass(frozen=True)
class Loop:
    """`[for each in over: body]`, `if (condition)` or not."""

    over: Any
    body: Any
    condition: str = ""


@dataclass(frozen=True)
class Parameter:
    name: str
    type: str
    default: Any
    has_default: bool
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
    resources: dict[str, Resource] = field(default_factory=dict)
    modules: dict[str, Module] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    described_outputs: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    """Every name that an expression of the file refers to."""
    loaded: list[str] = field(default_factory=list)
    """Files that it takes in as text."""
    assigned: list[str] = field(default_factory=list)
    """What a parameter file gives; the values are among `variables`."""

    @property
    def declared(self) -> set[str]:
        return {*self.parameters, *self.variables, *self.resources, *self.modules}


def read(path: Path, text: str | None = None) -> Template:
    """The file, or the `text` that stands for it. What does not parse is in `faults`."""
    text = path.read_text(encoding="utf-8") if text is None else text
    assigned = re.findall(r"(?m)^param (\w+) =", text)
    if assigned:  # a parameter file: the grammar knows templates only
        text = re.sub(r"(?m)^param (\w+) =", r"var \1 =", text)
    root = _PARSER.parse(text.encode()).root_node
    template = Template(path.name, text, [_fault(node) for node in walk(root) if _is_fault(node)])
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


def walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from walk(child)


def texts(value: Any) -> Iterator[str]:
    """Every text within a value, expressions as they are written."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield str(key)
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif isinstance(value, Loop):
        yield from texts(value.body)
    elif isinstance(value, Expression):
        yield value.text
    elif isinstance(value, str):
        yield value


def _declare(template: Template, node: Node, decorators: dict[str, Any]) -> None:
    if node.type == "parameter_declaration":
        values = node.children[3:]
        default = value_of(values[-1]) if len(values) > 1 else None
        name = _text(node.children[1])
        template.parameters[name] = Parameter(name, _text(node.children[2]), default, len(values) > 1, decorators)
    elif node.type == "variable_declaration":
        template.variables[_text(node.children[1])] = value_of(node.children[-1])
    elif node.type == "output_declaration":
        template.outputs[_text(node.children[1])] = value_of(node.children[-1])
        if "description" in decorators:
            template.described_outputs.add(_text(node.children[1]))
    elif node.type == "resource_declaration":
        resource = _resource(node)
        template.resources[resource.symbol] = resource
    elif node.type == "module_declaration":
        body, condition, _ = _unwrapped(node.children[-1])
        symbol = _text(node.children[1])
        module = Module(symbol, str(value_of(node.children[2])), body.get("params", {}), body, condition)
        template.modules[symbol] = module


def _resource(node: Node) -> Resource:
    kind, _, version = str(value_of(node.children[2])).partition("@")
    existing = any(_text(child) == "existing" for child in node.children)
    body, condition, over = _unwrapped(node.children[-1])
    return Resource(_text(node.children[1]), kind, version, existing, body, condition, over)


def _unwrapped(node: Node) -> tuple[dict[str, Any], str, Any]:
    value, condition, over = value_of(node), "", None
    if isinstance(value, Loop):
        value, condition, over = value.body, value.condition, value.over
    elif node.type == "if_statement":
        condition = _text(node.named_children[0])
    return (value if isinstance(value, dict) else {}), condition, over


def _decorators(node: Node) -> dict[str, Any]:
    calls = [
        child
        for child in walk(node)
        if child.type == "call_expression" and child.parent and child.parent.type == "decorator"
    ]
    return {
        _text(call.children[0]): next((value_of(each) for each in call.children[1].named_children), True)
        for call in calls
    }


def value_of(node: Node) -> Any:  # noqa: PLR0911 - one line for each kind of value
    """A plain value; what has to be computed stays an Expression."""
    if node.type == "parenthesized_expression":
        return value_of(node.named_children[0])
    if node.type == "string":
        return Expression(_text(node), node) if _computed(node) else "".join(_pieces(node))
    if node.type == "number":
        return int(_text(node))
    if node.type == "boolean":
        return _text(node) == "true"
    if node.type == "null":
        return None
    if node.type == "array":
        return [value_of(child) for child in node.named_children if child.type != "comment"]
    if node.type == "object":
        return dict(_pairs(node))
    if node.type == "if_statement":
        return value_of(node.named_children[-1])
    if node.type == "for_statement":
        return _loop(node)
    return Expression(_text(node), node)


def _loop(node: Node) -> Loop:
    parts = [child for child in node.named_children if child.type not in ("comment", "for_loop_parameters")]
    over, body = (parts[-2], parts[-1])
    condition = _text(body.named_children[0]) if body.type == "if_statement" else ""
    return Loop(value_of(over), value_of(body), condition)


def _pairs(node: Node) -> Iterator[tuple[str, Any]]:
    for child in node.named_children:
        if child.type == "object_property":
            name, value = child.named_children[0], child.named_children[-1]
            yield ("".join(_pieces(name)) if name.type == "string" else _text(name)), value_of(value)


def _pieces(node: Node) -> Iterator[str]:
    for child in node.named_children:
        yield _ESCAPES.get(_text(child), _text(child)) if child.type == "escape_sequence" else _text(child)


def _computed(node: Node) -> bool:
    return any(child.type == "interpolation" for child in node.children)


def _names(root: Node) -> Iterator[str]:
    """Names that are referred to: not those of declarations, properties, functions, decorators or loop variables."""
    local = set()
    for node in walk(root):
        if node.type in ("loop_variable", "loop_enumerator"):
            local.add(_text(node))
        elif node.type == "for_statement" and node.named_children[0].type == "identifier":
            local.add(_text(node.named_children[0]))
        elif node.type == "lambda_expression":
            local |= {_text(name) for name in walk(node.children[0]) if name.type == "identifier"}
    for node in walk(root):
        if node.type == "identifier" and _is_reference(node) and _text(node) not in local:
            yield _text(node)


def _is_reference(node: Node) -> bool:
    parent = node.parent
    if parent is None or (parent.type.endswith("_declaration") and parent.children[1] == node):
        return False
    if parent.type == "object_property":
        return parent.named_children[0] != node
    if parent.type == "call_expression":
        return parent.children[0] != node
    return parent.type not in ("lambda_expression",) or parent.children[0] != node


def _is_fault(node: Node) -> bool:
    """Also where the grammar takes `[f(x)]` for two elements: write it in another way."""
    split = node.type == "array" and any(
        one.type == "identifier" and two.type == "parenthesized_expression"
        for one, two in zip(node.children, node.children[1:], strict=False)
    )
    return node.type == "ERROR" or node.is_missing or split


def _fault(node: Node) -> str:
    return f"line {node.start_point.row + 1}: {_text(node)[:60]!r}"


def _text(node: Node) -> str:
    return (node.text or b"").decode()
