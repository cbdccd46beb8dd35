"""Pydantic's findings as sentences that say where and what to do, all at once, without repeating what was sent."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from shared.errors import Fault
from shared.validation.allowed_names import allowed_names
from shared.validation.places import MOST_FAULTS, Place, path_of, refusal, refuse

M = TypeVar("M", bound=BaseModel)

_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'")

_SENTENCES: dict[str, str | Callable[[Mapping[str, Any]], str]] = {
    "missing": "Required, and missing.",
    "string_type": "Must be text.",
    "int_type": "Must be a whole number.",
    "int_from_float": "Must be a whole number.",
    "float_type": "Must be a number.",
    "bool_type": "Must be true or false.",
    "list_type": "Must be a list: [ … ].",
    "tuple_type": "Must be a list: [ … ].",
    "set_type": "Must be a list: [ … ].",
    "frozen_set_type": "Must be a list: [ … ].",
    "dict_type": "Must be an object with named fields.",
    "model_type": "Must be an object with named fields.",
    "none_required": "Must be null, or be left out.",
    "literal_error": lambda context: _one_of(context["expected"]),
    "enum": lambda context: _one_of(context["expected"]),
    "union_tag_invalid": lambda context: _one_of(context["expected_tags"]),
    "union_tag_not_found": "Required, and missing.",
    "too_short": lambda context: f"Must have at least {_items(context['min_length'])}.",
    "too_long": lambda context: f"Must have at most {_items(context['max_length'])}.",
    "string_too_short": lambda context: f"Must have at least {_items(context['min_length'], 'character')}.",
    "string_too_long": lambda context: f"Must have at most {_items(context['max_length'], 'character')}.",
    "string_pattern_mismatch": lambda context: f"Must match {context['pattern']}",
    "greater_than": lambda context: f"Must be more than {context['gt']}.",
    "greater_than_equal": lambda context: f"Must be {context['ge']} or more.",
    "less_than": lambda context: f"Must be less than {context['lt']}.",
    "less_than_equal": lambda context: f"Must be {context['le']} or less.",
    "value_error": lambda context: str(context["error"]),
    "assertion_error": lambda context: str(context["error"]),
}


def check(model: type[M], data: object) -> M:
    """The data (plain values, as `parse_json` and `parse_yaml` give them) as a `model`.

    Raises InvalidRequest with every fault (at most 100), each with the place and what is allowed there.
    """
    try:
        # as JSON, because only there does pydantic's strict mode take a list for a tuple or text for an enumeration
        return model.model_validate_json(json.dumps(data, allow_nan=False), by_alias=True, by_name=False)
    except ValidationError as error:
        raise refusal(_faults(model, data, error)) from None
    except (TypeError, ValueError, RecursionError):
        raise refuse("Holds something other than text, numbers, true, false, null, lists and objects.") from None


def _faults(model: type[BaseModel], data: object, error: ValidationError) -> list[Fault]:
    """One fault for each place; the alternatives of a union are told together. More than are told are not looked at:
    a body of 1 MiB may hold a hundred thousand of them.
    """
    told: dict[str, list[str]] = {}
    for finding in error.errors(include_url=False):
        if len(told) > MOST_FAULTS:
            break
        messages = told.setdefault(path_of(_place(data, finding)), [])
        message = _sentence(model, finding)
        if message not in messages:
            messages.append(message)
    return [Fault(path, " Or: ".join(messages)) for path, messages in told.items()]


def _place(data: object, finding: ErrorDetails) -> Place:
    """The finding's place in the data: pydantic also names the alternative of a union, which is no place."""
    place: list[str | int] = []
    for part in finding["loc"]:
        if (isinstance(data, dict) and part in data) or (isinstance(data, list) and isinstance(part, int)):
            data = data[part]  # type: ignore[index]
            place.append(part)
    if finding["type"] == "missing":
        place.append(finding["loc"][-1])
    if finding["type"].startswith("union_tag"):
        place.append(_QUOTED.findall(finding["ctx"]["discriminator"])[-1])  # with an alias: 'name' | 'alias'
    return tuple(place)


def _sentence(model: type[BaseModel], finding: ErrorDetails) -> str:
    kind, context = finding["type"], finding.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_field(model, finding["loc"][:-1])
    sentence = _SENTENCES.get(kind, f"{finding['msg'].rstrip('.')}.")
    if kind == "string_type" and isinstance(finding["input"], int | float):
        return "Must be text: put it into quotes."
    return sentence if isinstance(sentence, str) else sentence(context)


def _one_of(expected: str) -> str:
    """Pydantic's `'View', 'Edit' or 'Own'` as `Must be one of: View, Edit, Own.`"""
    names = _QUOTED.findall(expected) or [expected]
    return f"Must be one of: {', '.join(names)}." if len(names) > 1 else f"Must be {names[0]}."


def _items(number: int, noun: str = "item") -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _unknown_field(model: type[BaseModel], holder: Sequence[str | int]) -> str:
    names = allowed_names(model, holder)
    return f"Unknown field. Allowed here: {', '.join(names)}." if names else "Unknown field. None is allowed here."
