"""What readiness says about documents that are in force."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from shared.errors import Misconfigured
from shared.readiness.checks import checks
from shared.refresh.documents import RefreshDocument, read_refresh_document
from shared.storage.documents import DocumentState

SINCE = datetime(2026, 11, 2, 10, tzinfo=UTC)
DATASET = "workspaceId: d4000000-0000-4000-8000-000000000001, datasetId: e5000000-0000-4000-8000-00000000000"


def evidence(document: RefreshDocument | None, states: Sequence[DocumentState]) -> str:
    services = SimpleNamespace(
        settings=SimpleNamespace(identities={}),
        document_names=("refresh.yaml",),
        documents=SimpleNamespace(states=lambda: list(states)),
        refresh_document=lambda: document,
    )
    [check] = [check for check in checks(services) if check.name == "document refresh.yaml"]
    return check.run()


def in_force(fault: str = "", since: datetime | None = SINCE) -> list[DocumentState]:
    return [DocumentState("refresh.yaml", "1", since, fault)]


def test_what_a_document_asks_for_and_this_version_does_not_do_is_named() -> None:
    text = f"datasets: {{a: {{{DATASET}1}}, b: {{{DATASET}2, dependsOn: [a], critical: true}}}}\nrules: []\n"
    said = evidence(read_refresh_document(text.encode()), in_force())
    assert "In force since 2026-11-02T10:00:00Z." in said
    assert "not in effect in this version" in said
    assert "datasets.b.dependsOn" in said
    assert "datasets.b.critical" in said


def test_a_plain_document_is_in_force_and_nothing_else_is_said() -> None:
    said = evidence(read_refresh_document(f"datasets: {{a: {{{DATASET}1}}}}\nrules: []\n".encode()), in_force())
    assert said == "In force since 2026-11-02T10:00:00Z."


@pytest.mark.parametrize("states", [in_force("datasets.a: Unknown field."), in_force(since=None)], ids=["bad", "none"])
def test_a_document_that_is_not_in_force_fails_the_check(states: list[DocumentState]) -> None:
    with pytest.raises(Misconfigured):
        evidence(None, states)
