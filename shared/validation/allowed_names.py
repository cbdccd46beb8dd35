"""Which names may stand at a place of a model: so that a fault about an unknown field says what is known there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, RootModel


def allowed_names(model: type[BaseModel], loc: Sequence[str | int]) -> list[str]:
    """The fields, as they are written, of whatever documents `model` allows at `loc`.

    `loc` is a place as pydantic names it: besides keys and indexes it may hold the alternative of a union.
    """
    kinds = [*_alternatives(model)]
    for part in loc:
        below = [inner for kind in kinds for inner in _inside(kind, part)]
        kinds = below or [kind for kind in kinds if _is_called(kind, part)] or kinds
    return list(dict.fromkeys(name for kind in kinds if _is_model(kind) for name in _fields(kind)))


def _alternatives(annotation: Any) -> Iterator[Any]:
    """A union's members; anything else is its own only alternative."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _alternatives(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for alternative in get_args(annotation):
            yield from _alternatives(alternative)
    elif isinstance(annotation, type) and issubclass(annotation, RootModel):
        yield from _alternatives(annotation.model_fields["root"].annotation)
    else:
        yield annotation


def _inside(kind: Any, part: str | int) -> Iterator[Any]:
    """What stands under this name or number in something of this kind."""
    origin, arguments = get_origin(kind), get_args(kind)
    if _is_model(kind):
        fields = _fields(kind)
        if isinstance(part, str) and part in fields:
            yield from _alternatives(fields[part])
    elif isinstance(origin, type) and arguments and issubclass(origin, Mapping) == isinstance(part, str):
        yield from _alternatives(arguments[-1] if isinstance(part, str) else arguments[0])


def _is_called(kind: Any, part: str | int) -> bool:
    """Whether a union knows this model as `part`: by its class, or by the tag that it carries."""
    tags = [get_args(kind) for kind in _fields(kind).values() if get_origin(kind) is Literal] if _is_model(kind) else []
    return part == getattr(kind, "__name__", "") or any(part in values for values in tags)


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    """Annotations by the names that are written."""
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
