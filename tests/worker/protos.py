"""A stand-in for the protobuf classes that the platform hands to Microsoft's worker library.

The library only makes these objects and reads their fields, so classes that keep their keyword arguments will do.
Standard library only: it runs in the worker's process.
"""

from __future__ import annotations

from typing import Any


class Message:
    """Keeps its keyword arguments; a field that was not set reads None."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)

    def __getattr__(self, name: str) -> Any:
        if name[:1].isupper() or name.startswith("__"):
            raise AttributeError(name)
        return None

    def WhichOneof(self, _: str) -> str | None:  # noqa: N802 - protobuf's name
        """The field that is set; of a ParameterBinding the one beside `name`."""
        return next((name for name, value in self.__dict__.items() if name != "name" and value is not None), None)


class StatusResult(Message):
    """How something ended."""

    Failure, Success = 0, 1


class BindingInfo(Message):
    """A binding's type and direction. (`in` is a keyword, so it is set below.)"""

    undefined = 0
    out, inout = 1, 2


setattr(BindingInfo, "in", 0)


class _SameSite:
    Lax, Strict, ExplicitNone = 1, 2, 3


setattr(_SameSite, "None", 0)


class RpcHttpCookie(Message):
    """A cookie of an answer."""

    SameSite = _SameSite


_OTHERS = (
    *("WorkerInitResponse", "WorkerMetadata", "FunctionMetadataResponse", "FunctionLoadResponse"),
    *("InvocationResponse", "RpcFunctionMetadata", "RpcException", "RpcRetryOptions", "RpcHttp", "TypedData"),
    *("ParameterBinding", "NullableString", "NullableBool", "NullableDouble", "NullableTimestamp"),
    "FunctionEnvironmentReloadResponse",
)


class Protos:
    """What the library takes for the generated module."""


for _class in (StatusResult, BindingInfo, RpcHttpCookie, *(type(name, (Message,), {}) for name in _OTHERS)):
    setattr(Protos, _class.__name__, _class)
