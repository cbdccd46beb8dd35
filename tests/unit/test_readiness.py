"""The readiness report: what each check found, within a time, once a minute."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

from shared.errors import Evidence, Misconfigured
from shared.readiness.report import Check, Readiness, Skipped
from tests.doubles.clock import DAY, MINUTE, SECOND, Clock


def raises(error: BaseException) -> Callable[[], str]:
    def run() -> str:
        raise error

    return run


def entries(readiness: Readiness) -> list[dict[str, Any]]:
    return cast(list[dict[str, Any]], readiness.report()["checks"])


def test_each_check_is_reported_in_its_order_with_evidence_and_time() -> None:
    readiness = Readiness([Check("vault", lambda: "read", "…"), Check("storage", lambda: "found", "…")], Clock())
    report = readiness.report()
    assert report["status"] == "ready"
    assert [(entry["name"], entry["status"], entry["evidence"]) for entry in entries(readiness)] == [
        ("vault", "passed", "read"),
        ("storage", "passed", "found"),
    ]
    assert all(entry["remedy"] == "" and isinstance(entry["ms"], int) for entry in entries(readiness))


def test_an_error_of_ours_is_told_with_the_remedy() -> None:
    error = Misconfigured("The secret has expired.", evidence=Evidence(request_id="id-1"))
    readiness = Readiness([Check("entra", raises(error), "Make a new secret.")], Clock())
    assert readiness.report()["status"] == "notReady"
    (entry,) = entries(readiness)
    assert (entry["status"], entry["remedy"]) == ("failed", "Make a new secret.")
    assert entry["evidence"] == "The secret has expired. (request id-1)"


def test_of_an_unexpected_error_only_the_class_is_told() -> None:
    readiness = Readiness([Check("odd", raises(RuntimeError("inner workings")), "Look at the log.")], Clock())
    (entry,) = entries(readiness)
    assert entry["status"] == "failed"
    assert "RuntimeError" in entry["evidence"]
    assert "inner workings" not in entry["evidence"]


def test_a_check_that_ends_its_thread_does_not_break_the_report() -> None:
    readiness = Readiness([Check("odd", raises(SystemExit(1)), ""), Check("fine", lambda: "yes", "")], Clock())
    assert [entry["status"] for entry in entries(readiness)] == ["failed", "passed"]


def test_a_check_that_does_not_apply_is_skipped_and_fails_nothing() -> None:
    readiness = Readiness([Check("admin", raises(Skipped("Governance is off.")), "…")], Clock())
    assert readiness.report()["status"] == "ready"
    (entry,) = entries(readiness)
    assert (entry["status"], entry["evidence"], entry["remedy"]) == ("skipped", "Governance is off.", "")


def test_the_report_is_kept_for_a_minute() -> None:
    clock, runs = Clock(), iter(range(9))
    readiness = Readiness([Check("counted", lambda: str(next(runs)), "")], clock)
    assert entries(readiness)[0]["evidence"] == "0"
    clock.advance(59 * SECOND)
    assert entries(readiness)[0]["evidence"] == "0"
    clock.advance(SECOND)
    assert entries(readiness)[0]["evidence"] == "1"


def test_a_clock_that_is_set_back_does_not_keep_a_report_for_ever() -> None:
    clock, runs = Clock(), iter(range(9))
    readiness = Readiness([Check("counted", lambda: str(next(runs)), "")], clock)
    readiness.report()
    clock.advance(-DAY)
    assert entries(readiness)[0]["evidence"] == "1"


def test_a_reader_can_not_change_what_others_get() -> None:
    readiness = Readiness([Check("a", lambda: "yes", "")], Clock())
    entries(readiness)[0]["status"] = "failed"
    assert readiness.report()["status"] == "ready"


def test_checks_run_side_by_side() -> None:
    together = threading.Barrier(4)

    def meets() -> str:
        together.wait(5)
        return "met"

    readiness = Readiness([Check(str(number), meets, "") for number in range(4)], Clock())
    assert readiness.report()["status"] == "ready"


def test_no_more_checks_run_at_once_than_allowed() -> None:
    lock, running, most = threading.Lock(), [0], [0]

    def counted() -> str:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        threading.Event().wait(0.01)
        with lock:
            running[0] -= 1
        return ""

    readiness = Readiness([Check(str(number), counted, "") for number in range(9)], Clock(), at_once=3)
    assert len(entries(readiness)) == 9
    assert most[0] <= 3


def test_a_check_that_hangs_is_given_up_and_not_started_again_until_it_ends() -> None:
    clock, release, started = Clock(), threading.Event(), [0]

    def hangs() -> str:
        started[0] += 1
        release.wait(30)
        return "at last"

    readiness = Readiness(
        [Check("slow", hangs, "Look at the network."), Check("quick", lambda: "yes", "")], clock, seconds_each=0.05
    )
    slow, quick = entries(readiness)
    assert (slow["status"], slow["remedy"], quick["status"]) == ("failed", "Look at the network.", "passed")
    assert quick["ms"] < 50
    clock.advance(MINUTE)
    assert entries(readiness)[0]["status"] == "failed"
    assert started[0] == 1
    release.set()


def test_many_callers_share_one_run() -> None:
    runs, begun = [0], threading.Barrier(8)

    def counted() -> str:
        runs[0] += 1
        threading.Event().wait(0.05)
        return ""

    readiness = Readiness([Check("counted", counted, "")], Clock())

    def report() -> object:
        begun.wait(5)
        return readiness.report()["status"]

    with ThreadPoolExecutor(8) as pool:
        assert [future.result(10) for future in [pool.submit(report) for _ in range(8)]] == ["ready"] * 8
    assert runs[0] == 1


def test_evidence_never_shows_a_secret() -> None:
    readiness = Readiness([Check("leaky", lambda: "AccountKey=c2VjcmV0LXNlY3JldA==", "")], Clock())
    assert "c2VjcmV0" not in entries(readiness)[0]["evidence"]
