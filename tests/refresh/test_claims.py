"""Two workers at one dataset, and workers that die or are late between the claim and the request id."""

from __future__ import annotations

from tests.doubles.clock import HOUR, MINUTE, SECOND
from tests.doubles.taps import crash
from tests.refresh import world as fates
from tests.refresh.moves import about_to_start, audited, call_of_a_start, calls_of_a_start, only, started


def test_a_run_that_is_cancelled_while_it_is_claimed_is_never_started() -> None:
    for number in range(1, len(calls_of_a_start()) + 1):
        h, interference = about_to_start()
        id = only(h).id
        interference.arm({(number, False): lambda h=h, id=id: h.engine().cancel(id)})  # type: ignore[misc]
        h.deliver(h.queue.sent[0])
        h.settle()
        assert h.run(id).final
        assert h.world.truly_covered("a")
        assert h.world.harm == []


def test_keys_that_another_worker_wrote_for_the_same_run_cover_nothing() -> None:
    """Two looks start the same run; the slower one read more, after the faster one's POST, and loses the claim."""
    h, interference = about_to_start()
    [message] = h.queue.sent
    twin = message.twin()

    def faster() -> None:
        h.queue.sent.append(twin)
        h.deliver(twin)

    interference.arm({(call_of_a_start("blob runs put"), False): faster})
    h.deliver(message)
    assert len(h.world.ours()) == 1
    assert len([name for name in h.blobs.blobs if "/landings/" in name]) == 2
    flight = h.head().flight
    assert flight is not None
    assert h.store.keys(flight.entry.run_id, flight.claim) == {event.key for event in h.delivered}


def test_a_worker_that_dies_right_after_the_claim_holds_the_dataset_up_for_no_longer_than_promised() -> None:
    h, interference = about_to_start()
    interference.arm({(call_of_a_start("blob runs put") + 1, True): crash})
    h.deliver(h.queue.sent[0])
    h.settle()
    assert h.world.truly_covered("a")
    assert started(h)[0] <= 2 + 1.5 + 10 + 5 + 4


def test_a_worker_that_is_too_late_for_its_post_does_not_send_it() -> None:
    h, interference = about_to_start()
    interference.arm({(call_of_a_start("audit record"), True): lambda: h.clock.advance(31 * SECOND)})
    h.deliver(h.queue.sent[0])
    assert (h.world.calls["start"], audited(h)) == (0, ["unknown"])
    h.settle()
    assert h.world.truly_covered("a")


def test_a_request_id_that_comes_when_the_claim_is_another_ones_is_dropped() -> None:
    h, interference = about_to_start()
    h.world.fates.append(fates.DROPPED)
    h.world.lasts = HOUR
    interference.arm({(call_of_a_start("powerbi start"), True): lambda: h.pass_time(30 * MINUTE)})
    h.deliver(h.queue.sent[0])
    flight = h.head().flight
    assert flight is not None
    assert flight.request_id == "r2"
    h.settle()
    assert [run.request_id for run in h.all_runs()] == ["r2"]
