"""What a workflow costs in storage operations: a change that costs more has to say so here."""

from __future__ import annotations

from tests.workflow.costs import operations_of_a_clean_run, table_operations


def test_a_step_costs_its_announcement_one_look_at_the_head_and_its_outcome() -> None:
    step = operations_of_a_clean_run()["step"]
    assert dict(step) == {
        "table workflows insert": 1,
        "table workflows get": 1,
        "table workflows replace": 1,
        "audit record": 1,
    }
    assert table_operations(step) == 3


def test_an_acceptance_costs_seven_table_operations_a_blob_and_a_message() -> None:
    accepted = operations_of_a_clean_run()["acceptance"]
    assert (table_operations(accepted), sum(accepted.values())) == (7, 9)


def test_a_run_costs_twelve_table_operations_beside_its_steps() -> None:
    assert table_operations(operations_of_a_clean_run()["run"]) == 12
