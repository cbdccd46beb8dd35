"""Naming rules are regular expressions from outside: they are run on short texts only, and tame ones only. Pure."""

from __future__ import annotations

import re

LONGEST_RULE = 500
SHORTEST_NAME, LONGEST_NAME = 3, 200
MOST_WAYS = 10_000_000
"""How many ways there may be to try a name, at most: some tenths of a second where none of them fits."""

NESTED = (
    "A group that is repeated must hold neither a repetition nor alternatives: (…+)+ and (…|…)+ may never end. "
    "Write it without nesting, and [AB] for (A|B)."
)
MANIFOLD = "Too many repetitions: a name could be tried in millions of ways. Use fewer, or small bounds as in {1,20}."

_PARTS = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^]\\])*\]"  # an escape or a class: whatever stands in it repeats nothing
    r"|(?P<opens>\(\??)|(?P<closes>\))|(?P<either>\|)"
    r"|(?P<repeat>[*+?]|\{(?P<least>\d*),(?P<most>\d*)\}|\{\d+\})[?+]?",  # the last: lazy or possessive
    re.DOTALL,
)


def rule_fault(rule: str) -> str:
    """What is wrong with a naming rule, or empty.

    A repeated group that itself may be read in several ways, `(a+)+`, may take longer than the universe lasts on thirty
    characters, so it is refused wherever the two occur, also where it would happen to be harmless.
    """
    if len(rule) > LONGEST_RULE:
        return f"Must have at most {LONGEST_RULE} characters."
    try:
        compiled = re.compile(rule)
    except (re.error, RecursionError, OverflowError) as error:
        return f"Not a regular expression: {error}."
    if compiled.flags & re.VERBOSE:
        return "Must be written without the flag x: what is a comment can't be told from what is not."
    return _too_wild(rule)


def matches(rule: str, name: str) -> bool:
    """Whether the whole name follows the rule; one that is too long does not."""
    return len(name) <= LONGEST_NAME and re.fullmatch(rule, name) is not None


def _too_wild(rule: str) -> str:
    """Scans the text: for each open group, whether it may be read in several ways; and how many ways there are."""
    ways, open_groups = 1, [False]
    closed_at, closed_varies = -1, False
    for part in _PARTS.finditer(rule):
        if part["opens"]:
            open_groups.append(False)
        elif part["closes"]:
            closed_at, closed_varies = part.end(), open_groups.pop()
            open_groups[-1] |= closed_varies
        elif part["either"] or part["repeat"]:
            if part["repeat"] not in (None, "?") and part.start() == closed_at and closed_varies:
                return NESTED
            width = _width(part)
            open_groups[-1] |= width > 1
            ways *= width
    return MANIFOLD if ways > MOST_WAYS else ""


def _width(part: re.Match[str]) -> int:
    """In how many ways one repetition, or `|`, may be read in the longest name."""
    if part["repeat"] in (None, "?"):
        return 2
    if part["repeat"] in ("*", "+"):
        return LONGEST_NAME
    if part["least"] is None:  # {4}
        return 1
    return max(1, min(int(part["most"] or LONGEST_NAME), LONGEST_NAME) - int(part["least"] or 0) + 1)
