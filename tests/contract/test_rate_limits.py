"""The emulator throttles each operation by the numbers that Microsoft publishes for it, and no other."""

from __future__ import annotations

import json
from typing import Any

from emulator.powerbi.limits import PUBLISHED
from tests.contract.facts import FACTS


def test_every_published_number_holds_and_no_other() -> None:
    operations: dict[str, dict[str, Any]] = json.loads(FACTS.read_text(encoding="utf-8"))["operations"]
    published = {name: declared["limits"] for name, declared in operations.items() if "limits" in declared}
    emulated = {
        name: [{part: limit[part] for part in ("calls", "seconds")} for limit in limits]
        for name, limits in PUBLISHED.items()
    }
    assert len(published) > 20
    assert emulated == published
