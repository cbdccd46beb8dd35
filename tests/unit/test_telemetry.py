"""Every log record leaves as one line of JSON, with the correlation id of its work."""

from __future__ import annotations

import json
import logging
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import telemetry
from shared.errors import Evidence, NotAllowed, SettingsInvalid, Throttled
from tests.unit.log_lines import Lines, fail


# --- the line -------------------------------------------------------------------------------------------------------
def test_a_record_of_any_library_becomes_one_line_of_json(lines: Lines) -> None:
    logging.getLogger("azure.storage").warning("retry %d of %s\nsoon", 1, "two")
    line = lines.only()
    assert line.pop("time").endswith("Z")
    assert line == {"level": "warning", "logger": "azure.storage", "message": "retry 1 of two\nsoon"}


def test_libraries_speak_only_of_trouble(lines: Lines) -> None:
    for name in ("azure.core", "msal.application", "urllib3.connectionpool"):
        logging.getLogger(name).info("chatter")
    assert lines.all() == []


def test_an_event_has_its_fields_and_leaves_out_the_empty_ones(lines: Lines) -> None:
    telemetry.event(
        "refresh", "ok", target="sales", milliseconds=1.5, attempts=2, when=datetime(2026, 1, 2, tzinfo=UTC)
    )
    line = lines.only()
    del line["time"]
    assert line == {
        "level": "info",
        "logger": "app",
        "operation": "refresh",
        "outcome": "ok",
        "target": "sales",
        "milliseconds": 1.5,
        "attempts": 2,
        "when": "2026-01-02T00:00:00Z",
    }


def test_fields_can_not_pose_as_the_lines_own(lines: Lines) -> None:
    telemetry.event("x", "ok", time="never", logger="mine", exception="none")
    line = lines.only()
    assert (line["time_"], line["logger_"], line["exception_"], line["logger"]) == ("never", "mine", "none", "app")


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("%d files", ("many",)),
        ("%s", ()),
        ("%s", ("a", "b")),
        ("%(name)s", ({"other": 1},)),
        ("100%", ("x",)),
        ({"a": 1}, ()),
    ],
)
def test_a_logging_call_with_wrong_arguments_is_a_line_all_the_same(lines: Lines, message: Any, arguments: Any) -> None:
    logging.getLogger("lib").error(message, *arguments)
    assert lines.only()["level"] == "error"


def test_objects_whose_own_text_fails_do_not_break_the_work(lines: Lines) -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise RuntimeError

        __repr__ = __str__

    logging.getLogger("lib").error("%s", Broken())
    telemetry.event("x", "ok", thing=Broken(), deep={Broken(): [Broken()]})
    try:
        fail(Broken())
    except Broken:
        logging.getLogger("lib").exception("failed")
    assert len(lines.all()) == 3


def test_odd_values_are_bounded_and_plain(lines: Lines) -> None:
    loop: list[object] = []
    loop.append(loop)
    telemetry.event("x", "ok", loop=loop, big=10**5000, nan=float("nan"), long="x" * 20_000, many=list(range(5000)))
    line = lines.only()
    assert len(json.dumps(line)) < 20_000
    assert line["nan"] == "nan"


def test_an_exception_is_in_the_line_with_its_trace(lines: Lines) -> None:
    try:
        fail(KeyError("what\nwas missing"))
    except KeyError:
        logging.getLogger("lib").exception("failed", stack_info=True)
    line = lines.only()
    assert "KeyError" in line["exception"]
    assert "test_telemetry.py" in line["exception"]


def test_warnings_are_lines_too(lines: Lines) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)  # pytest records warnings itself
        logging.captureWarnings(True)
        warnings.warn("old thing", DeprecationWarning, stacklevel=1)
    assert "old thing" in lines.only()["message"]


@given(st.text())
def test_every_message_is_one_line_that_parses(attached: Lines, text: str) -> None:
    attached.clear()
    logging.getLogger("lib").error("%s", text)
    assert len(attached.text().splitlines()) == 1
    assert attached.text().isascii()
    assert attached.only()["level"] == "error"


def test_installing_twice_changes_nothing(lines: Lines) -> None:
    telemetry.install()
    telemetry.install()
    logging.getLogger("lib").error("once")
    assert lines.only()["message"] == "once"


# --- the correlation id ---------------------------------------------------------------------------------------------
def test_lines_carry_the_correlation_id_of_the_work(lines: Lines) -> None:
    with telemetry.correlation("outer"):
        with telemetry.correlation("inner"):
            logging.getLogger("azure").error("x")
        telemetry.event("y", "ok")
        assert telemetry.correlation_id() == "outer"
    logging.getLogger("lib").error("z")
    assert [line.get("correlationId") for line in lines.all()] == ["inner", "outer", None]


def test_threads_do_not_mix_their_correlation_ids(lines: Lines) -> None:
    meet = threading.Barrier(8)

    def work(name: str) -> None:
        with telemetry.correlation(name):
            for number in range(20):
                meet.wait(10)
                telemetry.event("work", "ok", target=name, number=number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, [f"id-{number}" for number in range(8)]))
    found = lines.all()
    assert len(found) == 160
    assert all(line["correlationId"] == line["target"] for line in found)


# --- timed ----------------------------------------------------------------------------------------------------------
def test_timed_work_is_one_line_with_what_was_learned(lines: Lines) -> None:
    with telemetry.timed("mint", "report") as fields:
        fields["requestId"] = "r1"
    line = lines.only()
    assert (line["operation"], line["target"], line["outcome"], line["requestId"]) == ("mint", "report", "ok", "r1")
    assert line["milliseconds"] >= 0


def test_an_error_raised_on_purpose_gives_outcome_and_evidence_without_a_trace(lines: Lines) -> None:
    evidence = Evidence(operation="Groups_GetGroups", status=429, code="TooMany", message="slow", request_id="r2")
    with pytest.raises(Throttled), telemetry.timed("list"):
        raise Throttled("Wait.", evidence=evidence)
    line = lines.only()
    assert (line["level"], line["outcome"], line["message"], line["requestId"]) == (
        "warning",
        "throttled",
        "Wait.",
        "r2",
    )
    assert line["upstreamCode"] == "TooMany"
    assert "exception" not in line


def test_the_outcome_is_the_errors_class_in_words(lines: Lines) -> None:
    for error in (SettingsInvalid("x"), NotAllowed("y")):
        with pytest.raises(type(error)), telemetry.timed("call"):
            raise error
    assert [(line["outcome"], line["level"]) for line in lines.all()] == [
        ("settings invalid", "warning"),
        ("not allowed", "info"),
    ]


def test_an_unexpected_error_is_logged_with_its_trace(lines: Lines) -> None:
    with pytest.raises(ZeroDivisionError), telemetry.timed("call"):
        divmod(1, 0)
    line = lines.only()
    assert (line["level"], line["outcome"]) == ("error", "zero division error")
    assert "Traceback" in line["exception"]
