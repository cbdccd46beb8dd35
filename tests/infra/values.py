"""Computes what a Bicep file says without deploying it: the names it makes, what a parameter file gives."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from tree_sitter import Node

from tests.infra.syntax import Expression, Loop, text_of, value_of

UNIQUE = "a1b2c3d4e5f6g"
"""As long as what `uniqueString` gives: 13 characters."""


class Unknown(Exception):
    """Only Azure knows it."""


def compute(value: Any, known: Mapping[str, Any]) -> Any:
    """The value with its expressions computed from the names in `known`. Raises Unknown."""
    if isinstance(value, dict):
        return {key: compute(item, known) for key, item in value.items()}
    if isinstance(value, list):
        return [compute(item, known) for item in value]
    if isinstance(value, Loop):
        raise Unknown("a loop")
    return _of(value.node, known) if isinstance(value, Expression) else value


def _of(node: Node, known: Mapping[str, Any]) -> Any:  # noqa: PLR0911 - one line for each kind of expression
    if node.type == "identifier":
        if text_of(node) not in known:
            raise Unknown(text_of(node))
        return compute(known[text_of(node)], known)
    if node.type == "string":
        return "".join(_piece(child, known) for child in node.named_children)
    if node.type == "call_expression":
        return _called(text_of(node.children[0]), node.children[1].named_children, known)
    if node.type == "ternary_expression":
        condition, yes, no = (node.child_by_field_name(name) for name in ("condition", "consequence", "alternative"))
        assert condition and yes and no
        return _of(yes if _of(condition, known) else no, known)
    if node.type in ("member_expression", "subscript_expression"):
        return _part(node, known)
    if node.type == "binary_expression" and node.children[1].type == "==":
        return _of(node.children[0], known) == _of(node.children[2], known)
    plain = value_of(node)
    if isinstance(plain, Expression):
        raise Unknown(text_of(node))
    return compute(plain, known)


def _part(node: Node, known: Mapping[str, Any]) -> Any:
    whole, last = _of(node.children[0], known), node.named_children[-1]
    key = _of(last, known) if node.type == "subscript_expression" else text_of(last)
    try:
        return whole[key]
    except (KeyError, IndexError, TypeError):
        raise Unknown(text_of(node)) from None


def _piece(node: Node, known: Mapping[str, Any]) -> str:
    if node.type == "interpolation":
        return str(_of(node.named_children[0], known))
    return text_of(node)[1:] if node.type == "escape_sequence" else text_of(node)


def _called(name: str, arguments: list[Node], known: Mapping[str, Any]) -> Any:
    if name == "uniqueString":
        return UNIQUE
    if name == "map":
        return _mapped(arguments, known)
    given = [_of(each, known) for each in arguments]
    if name not in _FUNCTIONS:
        raise Unknown(name)
    return _FUNCTIONS[name](*given)


def _mapped(arguments: list[Node], known: Mapping[str, Any]) -> list[Any]:
    over, body = _of(arguments[0], known), arguments[1]
    variable = re.split(r"\W", text_of(body))[0]
    return [_of(body.named_children[-1], {**known, variable: each}) for each in over]


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "concat": lambda *lists: [each for part in lists for each in part],
    "empty": lambda value: not value,
    "join": lambda texts, between: between.join(texts),
    "readEnvironmentVariable": lambda _, default="": default,
    "replace": lambda text, old, new: text.replace(old, new),
    "take": lambda text, count: text[:count],
    "toLower": str.lower,
}
