"""Route templates of ASP.NET Core: `items/{id:guid}`, `{page?}`, `{page=1}`, `{*rest}`, `v{major}.{minor}`.

Source: Microsoft Learn, "Routing in ASP.NET Core", route templates; the matching follows its TemplateMatcher.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from emulator.host.constraints import Constraint, constraint


@dataclass(frozen=True)
class Parameter:
    """`{name}` of a template with what is said about it."""

    name: str
    optional: bool
    default: str | None
    catch_all: bool
    constraints: tuple[Constraint, ...]

    @property
    def may_be_absent(self) -> bool:
        return self.optional or self.catch_all or self.default is not None


@dataclass(frozen=True)
class Segment:
    """What stands between two slashes: literals (text) and parameters, in turn."""

    parts: tuple[str | Parameter, ...]

    @property
    def alone(self) -> Parameter | None:
        """The parameter, if it is all there is."""
        only = self.parts[0] if len(self.parts) == 1 else None
        return only if isinstance(only, Parameter) else None

    def match(self, text: str) -> Mapping[str, str] | None:
        pattern = "".join(
            f"(?P<p{at}>.+)" if isinstance(part, Parameter) else re.escape(part) for at, part in enumerate(self.parts)
        )
        matched = re.fullmatch(pattern, text, re.IGNORECASE | re.DOTALL)
        if matched is None:
            return None
        return {part.name: matched[f"p{at}"] for at, part in enumerate(self.parts) if isinstance(part, Parameter)}


class Template:
    """A parsed route template; ValueError says what is wrong with it."""

    def __init__(self, text: str) -> None:
        self.text = text
        pieces = list(_split(text, "/")) if text else []
        if any(not piece for piece in pieces):
            raise ValueError(f"the route {text!r} starts or ends with a slash, or has two in a row")
        self.segments = tuple(_segment(piece) for piece in pieces)
        self._parameters = {part.name.lower(): part for part in self._all()}
        self._check()

    def match(self, segments: list[str]) -> dict[str, str] | None:
        """The route's values for the (decoded) segments of a path, or None. What is optional and absent has none."""
        values: dict[str, str] = {}
        for at, segment in enumerate(self.segments):
            parameter = segment.alone
            if parameter is not None and parameter.catch_all:
                values[parameter.name] = "/".join(segments[at:])
                break
            if at >= len(segments):
                if parameter is None or not parameter.may_be_absent:
                    return None
                continue
            found = segment.match(segments[at])
            if found is None:
                return None
            values.update(found)
        else:
            if len(segments) > len(self.segments):
                return None
        return self._constrained(values)

    def _constrained(self, values: dict[str, str]) -> dict[str, str] | None:
        for parameter in self._parameters.values():
            if not values.get(parameter.name):
                values.pop(parameter.name, None)
                if parameter.default is not None:
                    values[parameter.name] = parameter.default
            value = values.get(parameter.name)
            if value is not None and not all(test(value) for test in parameter.constraints):
                return None
        return values

    def _all(self) -> Iterator[Parameter]:
        return (part for segment in self.segments for part in segment.parts if isinstance(part, Parameter))

    def _check(self) -> None:
        if len(self._parameters) < len(list(self._all())):
            raise ValueError(f"the route {self.text!r} has a parameter twice")
        mixed = [part for segment in self.segments if segment.alone is None for part in segment.parts]
        if any(isinstance(part, Parameter) and part.may_be_absent for part in mixed):
            raise ValueError(f"the route {self.text!r} has an optional parameter beside other text in a segment")
        if any(segment.alone is not None and segment.alone.catch_all for segment in self.segments[:-1]):
            raise ValueError(f"the route {self.text!r} goes on after a catch-all parameter")


def path_segments(raw_path: str) -> list[str]:
    """The segments of a request's path, decoded; an encoded slash stays as it is and a slash at the end counts not."""
    path = raw_path.removeprefix("/")
    pieces = path.removesuffix("/").split("/") if path else []
    return [unquote(re.sub("%2f", "%252F", piece, flags=re.IGNORECASE)) for piece in pieces]


def _split(text: str, separator: str) -> Iterator[str]:
    """Split where the separator is outside braces and parentheses (a regex may hold any character)."""
    depth, start = 0, 0
    for at, character in enumerate(text):
        if character in "{(":
            depth += 1
        elif character in "})":
            depth -= 1
        elif character == separator and depth == 0:
            yield text[start:at]
            start = at + 1
    yield text[start:]


def _segment(text: str) -> Segment:
    parts: list[str | Parameter] = []
    at = 0
    while at < len(text):
        if text[at] == "}":
            raise ValueError(f"the route segment {text!r} has a closing brace too many")
        if text[at] == "{":
            end = _closing(text, at)
            if parts and isinstance(parts[-1], Parameter):
                raise ValueError(f"the route segment {text!r} has two parameters side by side")
            parts.append(_parameter(text[at + 1 : end]))
            at = end + 1
            continue
        end = min((found for found in (text.find("{", at), text.find("}", at)) if found >= 0), default=len(text))
        parts.append(text[at:end])
        at = end
    return Segment(tuple(parts))


def _closing(text: str, start: int) -> int:
    depth = 0
    for at in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if depth == 0:
            return at
    raise ValueError(f"the route segment {text!r} has an opening brace without a closing one")


def _parameter(text: str) -> Parameter:
    """What stands between braces; in a regex, braces are doubled."""
    matched = re.fullmatch(r"(\*{0,2})(\w+)(.*)", text, re.DOTALL)
    if matched is None:
        raise ValueError(f"{{{text}}} is not a route parameter")
    stars, name, rest = matched[1], matched[2], matched[3]
    optional = rest.endswith("?")
    rest = rest.removesuffix("?")
    constraints, default = _tail(rest, text)
    if optional and (default is not None or stars):
        raise ValueError(f"the route parameter {{{text}}} can't be optional and have a default or be a catch-all")
    return Parameter(name, optional, default, bool(stars), constraints)


def _tail(rest: str, text: str) -> tuple[tuple[Constraint, ...], str | None]:
    """`:int:min(1)=5` taken apart."""
    before, *after = list(_split(rest, "="))
    if before and not before.startswith(":"):
        raise ValueError(f"{{{text}}} is not a route parameter")
    written = [part.replace("{{", "{").replace("}}", "}") for part in _split(before, ":") if part]
    return tuple(constraint(part) for part in written), "=".join(after) if after else None
