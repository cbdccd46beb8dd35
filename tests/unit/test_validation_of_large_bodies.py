"""A body of 1 MiB that is wrong in every line costs no more than one that is wrong in a hundred places."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from pydantic import BaseModel

from shared.errors import InvalidRequest
from shared.provisioning.request import ProvisioningRequest
from shared.validation import check, parse_json, reporting
from shared.validation.allowed_names import allowed_names
from shared.validation.places import MOST_FAULTS


def test_only_as_many_faults_are_worked_out_as_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[object] = []

    def counted(model: type[BaseModel], loc: Sequence[str | int]) -> list[str]:
        looked_at.append(loc)
        return allowed_names(model, loc)

    monkeypatch.setattr(reporting, "allowed_names", counted)
    entry = {"principalType": "User", "principal": "ana@contoso.com", "role": "Viewer"}
    surplus = {f"field{number}": 1 for number in range(50_000)}
    body = {
        "operation": "provision",
        "project": "FIN-X",
        "environments": [{"name": "dev"}],
        "access": [entry | surplus],
    }
    with pytest.raises(InvalidRequest) as refused:
        check(ProvisioningRequest, body)
    assert len(refused.value.faults) == MOST_FAULTS
    assert refused.value.detail.endswith("(and 99 more at least)")
    assert len(looked_at) <= MOST_FAULTS + 1


@pytest.mark.parametrize(
    ("items", "told"), [(100, "(and 99 more)"), (101, "(and 99 more at least)"), (50_000, "(and 99 more at least)")]
)
def test_the_detail_says_whether_there_are_more_than_are_told(items: int, told: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_json(b'{"a":[' + b",".join([b"NaN"] * items) + b"]}")
    assert len(refused.value.faults) == MOST_FAULTS
    assert refused.value.detail.endswith(told)
