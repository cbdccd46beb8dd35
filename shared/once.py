"""What an object builds when it is first asked for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

Built = TypeVar("Built")

_building = threading.RLock()  # one for all: what is built asks for other such things while it is being built


class once(Generic[Built]):  # noqa: N801 - used like `property`
    """A property that is built on first use, by one thread: two token caches would mean two requests to Entra.

    Afterwards the value lies in the object itself, where it is found without asking here. A builder that raises keeps
    nothing.
    """

    def __init__(self, build: Callable[[Any], Built]) -> None:
        self._build = build
        self._name = build.__name__
        self.__doc__ = build.__doc__

    @overload
    def __get__(self, owner: None, kind: type) -> once[Built]: ...
    @overload
    def __get__(self, owner: object, kind: type) -> Built: ...
    def __get__(self, owner: object | None, kind: type) -> once[Built] | Built:
        if owner is None:
            return self
        with _building:
            kept = vars(owner)
            if self._name not in kept:
                kept[self._name] = self._build(owner)
            built: Built = kept[self._name]
            return built
