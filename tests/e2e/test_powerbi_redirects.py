"""A redirect would send a call, and the token with it, where nobody has looked at it: it is not followed."""

from __future__ import annotations

import pytest

from shared.errors import Unavailable
from shared.powerbi.guardrails import NOTHING
from shared.powerbi.transport import Transport, path_of
from tests.cloud import Cloud
from tests.e2e.stage import Stage
from tests.seeded import ANALYTICS, MARGIN, POWER_BI

REFRESHES = path_of("groups", ANALYTICS, "datasets", MARGIN, "refreshes")


@pytest.mark.parametrize("status", [302, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_redirect_is_an_outage_and_nothing_is_sent_on(cloud: Cloud, method: str, status: int) -> None:
    stage = Stage(cloud)
    transport = Transport(stage.settings.cloud, stage.tokens, stage.now)
    elsewhere = f"https://{POWER_BI}/v1.0/myorg/groups"
    cloud.fault(POWER_BI, "/refreshes$", status=status, headers={"Location": elsewhere})
    with pytest.raises(Unavailable, match="redirect"):
        transport.call("refreshes.any", method, REFRESHES, identity="operations", target=NOTHING)
    assert [call["path"].rpartition("/")[2] for call in stage.sent()] == ["refreshes"]
