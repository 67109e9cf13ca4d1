"""Ids of runs: their order, and the time that they tell."""

from __future__ import annotations

import datetime as dt

from spark_infer.warehouse.run_id import EXAMPLE, RUN_ID, begun_at, new_run_id

THEN = dt.datetime(2018, 8, 8, 4, tzinfo=dt.timezone.utc)


def test_an_id_tells_when_its_run_began() -> None:
    for micros in (0, 7, 999_999):
        begun = THEN + dt.timedelta(microseconds=micros)
        run_id = new_run_id(begun)
        assert RUN_ID.fullmatch(run_id)
        assert begun_at(run_id) == begun
    assert begun_at(EXAMPLE) == THEN


def test_ids_sort_as_their_runs_began_within_a_second_too() -> None:
    begun = [THEN + dt.timedelta(microseconds=7**n) for n in range(12)]
    made = [new_run_id(at) for at in begun]
    assert sorted(made) == made


def test_runs_that_begin_together_have_ids_of_their_own() -> None:
    assert len({new_run_id(THEN) for _ in range(100)}) == 100
