"""The deployment that tests of the workflow engine hold in their hands."""

from __future__ import annotations

import pytest

from tests.workflow.harness import Harness


@pytest.fixture
def h() -> Harness:
    """A deployment in memory."""
    return Harness()
