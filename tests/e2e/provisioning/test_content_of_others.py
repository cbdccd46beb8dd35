"""Undo deletes no workspace into which somebody has put something, whatever kind of thing it is."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.e2e.provisioning.stage import PORTAL, ProvisioningStage, provision


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        ("datasets", {"name": "Mine"}),
        ("reports", {"name": "Mine"}),
        ("dashboards", {"displayName": "Mine"}),
        ("dataflows", {"name": "Mine"}),
    ],
)
def test_what_somebody_else_has_made_is_left(stage: ProvisioningStage, kind: str, named: dict[str, Any]) -> None:
    stage.cloud.change(switches={"capacityAssignment": "PT10M"})
    accepted = stage.submit(provision(environments="prod"))
    stage.deliver()
    workspace_id = stage.workspace("FIN-Margin-PROD")["id"]
    stage.cloud.change(**{kind: {str(uuid.uuid4()): {**named, "workspaceId": workspace_id}}})
    stage.provisioning.cancel(PORTAL, accepted["id"])
    stage.settle()
    assert [each["status"] for each in stage.document(accepted["id"])["cleanup"]] == ["left"]
    assert stage.workspace("FIN-Margin-PROD")["id"] == workspace_id
