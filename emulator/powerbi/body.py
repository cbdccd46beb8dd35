"""Reading a request's body as the service does: names in any case, undeclared fields ignored, wrong types refused.

JSON, or a posted form: what a form can't say (objects, and so lists of them) arrives empty, as it does there.

A shape is the name of a JSON type, a tuple of allowed words, a list with the shape of its items, or a dict of fields.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

from emulator.http import Call, Json
from emulator.powerbi import answers

Shape = str | tuple[str, ...] | list[Any] | dict[str, Any]
_TYPES: dict[str, tuple[type, ...]] = {"string": (str,), "boolean": (bool,), "integer": (int,), "any": (object,)}
_FORM = "application/x-www-form-urlencoded"
_TRUTH = {"true": True, "false": False}


def read(call: Call, shape: dict[str, Any], *, required: bool) -> Json:
    """The declared fields of the body, under their declared names; empty if there is none and none is needed.

    What is ignored goes to `call.notes`. Refused: no content type (415), not JSON or a value of a wrong kind (400).
    """
    if not call.body:
        if required:
            raise answers.invalid("The request body is missing")
        return {}
    return dict(_fit(_parsed(call, shape), shape, "", call.notes))


def _parsed(call: Call, shape: dict[str, Any]) -> Any:
    kind = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not kind:
        raise answers.unsupported_media(
            "The request contains an entity body but no Content-Type header. "
            "The inferred media type 'application/octet-stream' is not supported for this resource."
        )
    if kind == _FORM:
        return _from_form(call, shape)
    if "json" not in kind:
        raise answers.unsupported_media(f"The request entity's media type '{kind}' is not supported for this resource.")
    try:
        return json.loads(call.body.decode("utf-8-sig"))
    except ValueError as fault:
        raise answers.invalid("The request body is not valid JSON") from fault


def _from_form(call: Call, shape: dict[str, Any]) -> Json:
    """The form's fields, each read as its shape wants it."""
    fields = parse_qs(call.body.decode(errors="replace"), keep_blank_values=True)
    shapes = {name.lower(): part for name, part in shape.items()}
    return {name: _from_texts(texts, shapes.get(name.lower(), "string")) for name, texts in fields.items()}


def _from_texts(texts: list[str], shape: Shape) -> Any:
    if isinstance(shape, list):
        return [_from_texts([text], shape[0]) for text in texts]
    if isinstance(shape, dict):
        return {}
    text = texts[-1]
    if shape == "boolean":
        return _TRUTH.get(text.lower(), text)
    return int(text) if shape == "integer" and text.lstrip("-").isdecimal() else text


def _fit(value: Any, shape: Shape, place: str, notes: list[str]) -> Any:
    if isinstance(shape, dict):
        return _fit_object(value, shape, place, notes)
    if isinstance(shape, list):
        if not isinstance(value, list):
            raise _misfit(place)
        return [_fit(item, shape[0], f"{place}[{at}]", notes) for at, item in enumerate(value)]
    if isinstance(shape, tuple):
        return _fit_word(value, shape, place)
    if not isinstance(value, _TYPES[shape]) or (shape == "integer" and isinstance(value, bool)):
        raise _misfit(place)
    return value


def _fit_object(value: Any, shape: dict[str, Any], place: str, notes: list[str]) -> Json:
    if not isinstance(value, dict):
        raise _misfit(place or "the body")
    declared = {name.lower(): name for name in shape}
    found: Json = {}
    for given, item in value.items():
        path = f"{place}.{given}" if place else str(given)
        name = declared.get(given.lower())
        if name is None:
            notes.append(f"ignored undeclared field {path}")
        elif item is not None:
            found[name] = _fit(item, shape[name], path, notes)
    return found


def _fit_word(value: Any, words: tuple[str, ...], place: str) -> str:
    """Words are compared without case, as the service's own samples mix them."""
    known = {word.lower(): word for word in words}
    if not isinstance(value, str) or value.lower() not in known:
        raise _misfit(place)
    return known[value.lower()]


def _misfit(place: str) -> Exception:
    return answers.invalid(f"Parameter {place} is missing or invalid")
