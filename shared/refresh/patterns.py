"""Paths with wildcards: `*` within a segment, `**` for any segments, `{name}` for exactly one. Pure.

A blob's name comes from whoever may write into the landing zone, so it is matched without backtracking: the time grows
with the length of the name, whatever is in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

LONGEST_PATTERN = 512
MOST_SEGMENTS = 32
ANY = "**"

_CAPTURE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]{0,39})\}")


@dataclass(frozen=True)
class PathPattern:
    """A pattern that has been understood: runs of segments, with any segments (`**`) between one and the next."""

    text: str
    runs: tuple[tuple[str, ...], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """What it captures."""
        return tuple(name for run in self.runs for segment in run if (name := captured_name(segment)))

    def match(self, path: str) -> Mapping[str, str] | None:
        """The captured segments by name; None if the path does not match."""
        segments = path.split("/")
        first, *others = self.runs
        if not _fits(first, segments, 0):
            return None
        captured = dict(_captures(first, segments, 0))
        if not others:
            return captured if len(first) == len(segments) else None
        *middle, last = others
        tail = len(segments) - max(len(last), 1)  # `a/**` is what lies in a, and not a itself
        at = len(first)
        for run in middle:
            found = next((start for start in range(at, tail - len(run) + 1) if _fits(run, segments, start)), None)
            if found is None:
                return None
            captured.update(_captures(run, segments, found))
            at = found + len(run)
        if tail < at or not _fits(last, segments, tail):
            return None
        captured.update(_captures(last, segments, tail))
        return captured


def parse_path(text: str) -> PathPattern:
    """The pattern, or ValueError with a sentence that says what is wrong with it."""
    if len(text) > LONGEST_PATTERN or text.count("/") >= MOST_SEGMENTS:
        raise ValueError(f"At most {LONGEST_PATTERN} characters and {MOST_SEGMENTS} segments are allowed.")
    segments = text.split("/")
    if len(segments) < 2:
        raise ValueError("Must be container/path, as in landing/sales/*.parquet.")
    for segment in segments:
        _check_segment(segment)
    pattern = PathPattern(text, tuple(_runs(segments)))
    _check_captures(pattern)
    return pattern


def captured_name(segment: str) -> str:
    """`year` for the segment `{year}`; empty for any other."""
    found = _CAPTURE.fullmatch(segment)
    return found[1] if found else ""


def placeholders(template: str) -> set[str]:
    """The names in a text like `Sales-{year}`; ValueError for a brace that belongs to none."""
    if set("{}") & set(_CAPTURE.sub("", template)):
        raise ValueError("A brace without its partner, or a name of other characters than letters, digits and _.")
    return set(_CAPTURE.findall(template))


def filled(template: str, captured: Mapping[str, str]) -> str:
    """The text with every `{name}` replaced, once: what was captured is never read as a template."""
    return _CAPTURE.sub(lambda found: captured[found[1]], template)


def _check_segment(segment: str) -> None:
    if not segment:
        raise ValueError("An empty segment: remove the slash at the beginning or end, or one of two in a row.")
    if ANY in segment and segment != ANY:
        raise ValueError("`**` must stand alone between slashes; within a segment write `*`.")
    if set("{}") & set(segment) and not captured_name(segment):
        raise ValueError("`{name}` must be a whole segment: a letter, then letters, digits and _.")


def _check_captures(pattern: PathPattern) -> None:
    names = pattern.names
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"Each name may be captured only once; doubled: {', '.join(doubled)}.")
    if any(captured_name(segment) for run in pattern.runs[1:-1] for segment in run):
        raise ValueError("`{name}` must not stand between two `**`: which segment is meant would be a guess.")


def _runs(segments: Sequence[str]) -> Iterator[tuple[str, ...]]:
    run: list[str] = []
    for number, segment in enumerate(segments):
        if segment != ANY:
            run.append(segment)
        elif not number or segments[number - 1] != ANY:
            yield tuple(run)
            run = []
    yield tuple(run)


def _fits(run: Sequence[str], segments: Sequence[str], start: int) -> bool:
    """Whether the run stands there."""
    if start < 0 or start + len(run) > len(segments):
        return False
    return all(_segment_fits(wanted, segments[start + number]) for number, wanted in enumerate(run))


def _segment_fits(wanted: str, segment: str) -> bool:
    """`*` is any text, none as well; what stands between two stars is taken where it comes first."""
    if captured_name(wanted):
        return bool(segment)
    head, *rest = wanted.split("*")
    if not rest:
        return wanted == segment
    *middle, tail = rest
    if len(segment) < len(head) + len(tail) or not (segment.startswith(head) and segment.endswith(tail)):
        return False
    at, end = len(head), len(segment) - len(tail)
    for part in middle:
        found = segment.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def _captures(run: Sequence[str], segments: Sequence[str], start: int) -> Iterator[tuple[str, str]]:
    for number, wanted in enumerate(run):
        if name := captured_name(wanted):
            yield name, segments[start + number]
