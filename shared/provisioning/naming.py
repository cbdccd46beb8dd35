"""Naming rules are regular expressions from outside: they are run on short texts only, and tame ones only. Pure."""

from __future__ import annotations

import re

LONGEST_RULE = 500
SHORTEST_NAME, LONGEST_NAME = 3, 200

_REPEAT = re.compile(r"[*+]|\{\d*,\d*\}")


def rule_fault(rule: str) -> str:
    """What is wrong with a naming rule, or empty.

    A repeated group that itself repeats without bound, `(a+)+`, may take longer than the universe lasts on thirty
    characters, so it is refused wherever the two occur, also where it would happen to be harmless.
    """
    if len(rule) > LONGEST_RULE:
        return f"Must have at most {LONGEST_RULE} characters."
    try:
        re.compile(rule)
    except (re.error, RecursionError, OverflowError) as error:
        return f"Not a regular expression: {error}."
    if _repeats_repeats(rule):
        return "A group that is repeated must not hold a repetition: (…+)+ may never end. Write it without nesting."
    return ""


def matches(rule: str, name: str) -> bool:
    """Whether the whole name follows the rule; one that is too long does not."""
    return len(name) <= LONGEST_NAME and re.fullmatch(rule, name) is not None


def _repeats_repeats(rule: str) -> bool:
    """Scans the text: for each open group, whether a repetition without bound stood in it."""
    open_groups = [False]
    at = 0
    while at < len(rule):
        if rule[at] == "\\":
            at += 2
            continue
        if rule[at] == "[":
            at = _after_class(rule, at)
            continue
        if rule[at] == "(":
            open_groups.append(False)
        elif rule[at] == ")" and len(open_groups) > 1:
            inner = open_groups.pop()
            if inner and _REPEAT.match(rule, at + 1):
                return True
            open_groups[-1] |= inner
        elif (found := _REPEAT.match(rule, at)) and _unbounded(found.group()):
            open_groups[-1] = True
        at += 1
    return False


def _unbounded(repeat: str) -> bool:
    return repeat in "*+" or repeat.endswith(",}")


def _after_class(rule: str, at: int) -> int:
    """The place behind a character class that begins at `at`; a bracket that stands first in it belongs to it."""
    end = at + 1
    if rule[end : end + 1] == "^":
        end += 1
    if rule[end : end + 1] == "]":
        end += 1
    while end < len(rule) and rule[end] != "]":
        end += 2 if rule[end] == "\\" else 1
    return end + 1
