"""How the operator's documents are read: all that is wrong is told at once, whatever kind of fault it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from pydantic import BaseModel

from shared.errors import Fault, InvalidRequest
from shared.validation.reporting import check
from shared.validation.yaml_text import parse_yaml

M = TypeVar("M", bound=BaseModel)

_TOLD = 3


def _nothing(_: object) -> Iterable[Fault]:
    return ()


def read_document(
    name: str,
    model: type[M],
    raw: bytes,
    *,
    in_data: Callable[[object], Iterable[Fault]] = _nothing,
    in_document: Callable[[M], Iterable[Fault]] = _nothing,
) -> M:
    """The YAML as a `model`, or InvalidRequest with every fault of form and of meaning.

    in_data       contradictions that can be found in plain values, also where their form is faulty elsewhere
    in_document   those that need the document, so that its form comes first
    """
    data = parse_yaml(raw)
    try:
        document, faults = check(model, data), list[Fault]()
    except InvalidRequest as error:
        document, faults = None, list(error.faults)
    faults.extend(in_data(data))
    if document is not None:
        faults.extend(in_document(document))
        if not faults:
            return document
    first = "; ".join(f"{fault.path}: {fault.message.rstrip('.')}" for fault in faults[:_TOLD])
    more = f"; and {len(faults) - _TOLD} more" if len(faults) > _TOLD else ""
    raise InvalidRequest(f"{name} is not valid: {first}{more}.", faults=faults)
