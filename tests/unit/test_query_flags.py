"""A parameter that changes what a request does is taken as it is written, or the request is refused."""

from __future__ import annotations

import azure.functions as func
import pytest

from shared import web
from shared.errors import InvalidRequest


def dry_run(**parameters: str) -> bool:
    url = "https://localhost/api/provisioning-requests"
    return web.flag(func.HttpRequest("POST", url, params=parameters, body=b""), "dryRun")


@pytest.mark.parametrize(
    ("parameters", "expected"), [({}, False), ({"dryRun": "true"}, True), ({"dryRun": "false"}, False)]
)
def test_true_false_or_nothing_is_understood(parameters: dict[str, str], expected: bool) -> None:
    assert dry_run(**parameters) is expected


@pytest.mark.parametrize("value", ["", "True", "1", "true,true", " true"])
def test_anything_else_is_refused(value: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        dry_run(dryRun=value)
    assert [fault.path for fault in refused.value.faults] == ["dryRun"]


@pytest.mark.parametrize("name", ["dryrun", "dry_run", "DRYRUN", "dryRun "])
def test_a_misspelt_dry_run_is_not_carried_out_for_real(name: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        dry_run(**{name: "true"})
    assert [(fault.path, fault.message) for fault in refused.value.faults] == [
        (name, "Unknown parameter. Allowed here: dryRun.")
    ]
