"""The platform library's own converters, so that what the app gets and gives is turned as it is in the cloud."""

from __future__ import annotations

from typing import Any

import azure.functions as func
from azure.functions import meta

_registry: Any = func.get_binding_registry


def converter(binding: str) -> Any:
    """The converter of a binding type such as `httpTrigger`; None if the library has none."""
    return _registry().get(binding)


def datum(value: Any, kind: str) -> meta.Datum:
    """A value as the host sends it to the worker: `kind` is string, bytes, json, int or http."""
    return meta.Datum(value, kind)
