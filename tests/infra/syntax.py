"""Bicep's grammar, and the plain values of what is written in it. Nothing is evaluated here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import tree_sitter
import tree_sitter_bicep
from tree_sitter import Node

_PARSER = tree_sitter.Parser(tree_sitter.Language(tree_sitter_bicep.language()))
_ESCAPES = {"\\'": "'", "\\n": "\n", "\\t": "\t", "\\\\": "\\", "\\$": "$"}


@dataclass(frozen=True)
class Expression:
    """What has to be computed: a call, a name, a condition, a text with `${…}`."""

    text: str
    node: Node = field(compare=False, repr=False)


@dataclass(frozen=True)
class Loop:
    """`[for each in over: body]`, `if (condition)` or not."""

    over: Any
    body: Any
    condition: str = ""


def parse(text: str) -> Node:
    return _PARSER.parse(text.encode()).root_node


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


def value_of(node: Node) -> Any:  # noqa: PLR0911 - one line for each kind of value
    """A plain value; what has to be computed stays an Expression."""
    if node.type == "parenthesized_expression":
        return value_of(node.named_children[0])
    if node.type == "string":
        return Expression(text_of(node), node) if _computed(node) else "".join(_pieces(node))
    if node.type == "number":
        return int(text_of(node))
    if node.type == "boolean":
        return text_of(node) == "true"
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
    return Expression(text_of(node), node)


def _loop(node: Node) -> Loop:
    parts = [child for child in node.named_children if child.type not in ("comment", "for_loop_parameters")]
    over, body = (parts[-2], parts[-1])
    condition = text_of(body.named_children[0]) if body.type == "if_statement" else ""
    return Loop(value_of(over), value_of(body), condition)


def _pairs(node: Node) -> Iterator[tuple[str, Any]]:
    for child in node.named_children:
        if child.type == "object_property":
            name, value = child.named_children[0], child.named_children[-1]
            yield ("".join(_pieces(name)) if name.type == "string" else text_of(name)), value_of(value)


def _pieces(node: Node) -> Iterator[str]:
    for child in node.named_children:
        yield _ESCAPES.get(text_of(child), text_of(child)) if child.type == "escape_sequence" else text_of(child)


def _computed(node: Node) -> bool:
    return any(child.type == "interpolation" for child in node.children)


def is_fault(node: Node) -> bool:
    """Also where the grammar takes `[f(x)]` for two elements: write it in another way."""
    split = node.type == "array" and any(
        one.type == "identifier" and two.type == "parenthesized_expression"
        for one, two in zip(node.children, node.children[1:], strict=False)
    )
    return node.type == "ERROR" or node.is_missing or split


def fault(node: Node) -> str:
    return f"line {node.start_point.row + 1}: {text_of(node)[:60]!r}"


def text_of(node: Node) -> str:
    return (node.text or b"").decode()
