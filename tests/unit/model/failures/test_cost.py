from __future__ import annotations

import math

import numpy as np
import pytest

from spark_infer.model.failures.cost import RerunCost


def cost_of(num_rows: int, num_at_fault: int, row_seconds: float, run_seconds: float) -> RerunCost:
    cost = RerunCost()
    cost.count_rows(num_rows)
    for _ in range(num_at_fault):
        cost.count_failed_run(1000, 1000 * row_seconds)
        cost.count_failed_run(1, run_seconds)
    return cost


def test_without_rows_at_fault_there_is_no_limit() -> None:
    cost = RerunCost()
    assert cost.max_rows() is None
    cost.count_rows(1000)
    assert cost.max_rows() is None
    cost.count_failed_run(1000, 1.0)
    assert cost.max_rows() is None


@pytest.mark.parametrize("share", [1e-5, 1e-4, 1e-2])
def test_the_limit_is_where_both_costs_together_are_least(share: float) -> None:
    row_seconds, run_seconds = 2e-5, 5e-5
    num_rows = 1_000_000
    found = cost_of(num_rows, round(share * num_rows), row_seconds, run_seconds).max_rows()
    sizes = np.arange(1, 20_000)
    total = 1.5 * share * sizes * row_seconds + run_seconds / sizes
    assert found is not None
    assert found == pytest.approx(sizes[np.argmin(total)], rel=0.05, abs=1)


def test_rarer_faults_and_cheaper_failures_allow_more_rows() -> None:
    base = cost_of(100_000, 10, 2e-5, 5e-5).max_rows()
    assert base is not None
    assert math.isclose(cost_of(400_000, 10, 2e-5, 5e-5).max_rows() or 0, 2 * base, rel_tol=0.05)
    assert (cost_of(100_000, 10, 2e-6, 5e-5).max_rows() or 0) > 2 * base
    assert cost_of(1, 10, 1.0, 1e-9).max_rows() == 1


def test_rows_at_fault_are_forgotten_among_many_that_are_sound() -> None:
    cost = cost_of(10_000, 1_000, 2e-5, 5e-5)
    before = cost.max_rows()
    for _ in range(100):
        cost.count_rows(10_000)
    # All of a million rows as one would have raised the limit by ten only.
    assert before is not None
    assert (cost.max_rows() or 0) > 20 * before


def test_failures_that_take_no_time_set_no_limit() -> None:
    cost = RerunCost()
    cost.count_rows(10)
    cost.count_failed_run(1, 0.0)
    assert cost.max_rows() is None
