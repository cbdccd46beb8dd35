"""Logging as it is once the app has installed its own form of it; the refresh service over a stand-in."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from shared import redaction, telemetry
from tests.unit.log_lines import Lines
from tests.unit.refresh_service import World

LIBRARIES = ("app", "azure", "msal", "urllib3", "requests")


@pytest.fixture(scope="module")
def attached() -> Iterator[Lines]:
    """The platform's handler, for all tests of a module; afterwards logging is as it was."""
    factory, root = logging.getLogRecordFactory(), logging.getLogger()
    levels = {name: logging.getLogger(name).level for name in ("", *LIBRARIES)}
    handler = Lines()
    telemetry.install()
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    logging.setLogRecordFactory(factory)
    logging.captureWarnings(False)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


@pytest.fixture
def lines(attached: Lines) -> Lines:
    """What is logged from here on."""
    attached.clear()
    return attached


@pytest.fixture
def no_known_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """No secret is known, and none stays known afterwards."""
    monkeypatch.setattr(redaction, "_known", redaction._KnownSecrets())


@pytest.fixture
def world() -> World:
    """The refresh service over an engine that only notes what it is told."""
    return World()
