"""Rules that would keep a worker busy for ever are refused when the policy is read, not when a request comes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml

from shared.provisioning.naming import LONGEST_NAME, matches, rule_fault


@pytest.mark.parametrize(
    "rule",
    [
        "([A-Z]{1,4}){1,20}-DEV",  # bounds do not help where both are wide
        "(a?){30}a{30}",
        "(?:AB|A|B)+-DEV",
        "(?P<part>[A-Z]-?){2,}",
        "(?x)( [A-Z]+ # (\n )+",
        "[A-Z]+[A-Z0-9]+[A-Z0-9-]+[A-Z0-9]*-DEV",  # not nested, and still tried in a billion ways
    ],
)
def test_a_rule_that_may_be_read_in_very_many_ways_is_refused(rule: str) -> None:
    assert rule_fault(rule)


@pytest.mark.parametrize(
    "rule",
    [
        "^[A-Z]{2,4}-[A-Za-z0-9-]+-(?:DEV|TEST|PROD)$",
        "[A-Z]{2,4}(?:-[A-Z]+)?-[A-Za-z0-9]+-DEV",
        "(?:[A-Z]{2}-)+DEV",
        "(?:[A-Z0-9]){3,60}-DEV",
        r"[A-Z]+?-[a-z]++-DEV",
        "a{x}|{}",  # braces that repeat nothing
    ],
)
def test_a_rule_that_ends_soon_is_accepted(rule: str) -> None:
    assert rule_fault(rule) == ""
    for name in ("A" * (LONGEST_NAME - 1) + "!", "A-" * (LONGEST_NAME // 2), "aA0-" * (LONGEST_NAME // 4)):
        began = time.monotonic()
        matches(rule, name)
        assert time.monotonic() - began < 1


def test_the_sample_follows_its_own_advice() -> None:
    rule = yaml.safe_load((Path(__file__).parents[2] / "config/policy.yaml").read_text())["naming"]
    assert rule_fault(rule) == ""
    assert matches(rule, "FIN-Margin-DEV") and not matches(rule, "FIN-Margin-STAGE")
