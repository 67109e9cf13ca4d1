"""Rows that have left the source are deleted, kept or marked."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.one_spark
LEFT = ["1 1 0 8 EU", "3 3 0 9 EU"]
MARKED = "id, day(day), score, gone_at IS NOT NULL"


def incremental(gone: str | None, by: str = "content") -> dict[str, Any]:
    return {"incremental": {"by": by} | ({} if gone is None else {"gone": gone})}


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize("by", ["content", "full"])
def test_they_are_deleted(job: Any, by: str) -> None:
    job.run(**incremental(None, by))
    job.transactions(*LEFT)
    job.run(**incremental(None, by))
    assert job.rows() == [(1, 8, 1.0), (3, 9, 3.0)]
    job.transactions("1 1 0 8 EU", "4 4 0 9 EU")
    job.run(**incremental("delete", by))
    assert job.rows() == [(1, 8, 1.0), (4, 9, 4.0)]


@pytest.mark.nightly
@pytest.mark.parametrize("by", ["content", "full"])
def test_they_are_kept(job: Any, by: str) -> None:
    job.run(**incremental("keep", by))
    job.transactions("1 5 0 8 EU", "3 3 0 9 EU")
    scored = 1 if by == "content" else 2
    assert job.counts(**incremental("keep", by)) == (scored, 2 - scored, 3 - scored, 3)
    assert job.rows() == [(1, 8, 5.0), (2, 8, 2.0), (3, 9, 3.0)]


def test_they_are_marked_once_and_lose_the_mark_when_they_come_back(job: Any) -> None:
    job.run(**incremental("mark"))
    assert {row[3] for row in job.rows(MARKED)} == {False}
    job.transactions(*LEFT)
    assert job.counts(**incremental("mark")) == (0, 2, 3, 3)
    assert job.rows(MARKED) == [(1, 8, 1.0, False), (2, 8, 2.0, True), (3, 9, 3.0, False)]
    marks = job.rows("id, gone_at")
    job.run(**incremental("mark"))
    assert job.rows("id, gone_at") == marks
    job.transactions(*LEFT, "2 2 0 8 EU")
    assert job.counts(**incremental("mark"))[:2] == (1, 2)
    assert {row[3] for row in job.rows(MARKED)} == {False}


@pytest.mark.nightly
def test_a_day_of_which_all_rows_left_is_kept_where_the_run_is_about_it(job: Any) -> None:
    changes = {"source": {"table": "store.tx", "filter": "day <= DATE'2018-08-09'"}}
    job.run(**changes, **incremental("keep"))
    job.transactions("3 3 0 9 EU")
    job.run(**changes, **incremental("keep"))
    assert job.rows() == [(1, 8, 1.0), (2, 8, 2.0), (3, 9, 3.0)]


@pytest.mark.nightly
def test_rows_that_the_run_is_not_about_are_not_marked(job: Any) -> None:
    job.run(**incremental("mark"))
    job.transactions("1 1 0 8 EU")
    job.run(source={"table": "store.tx", "filter": "day = :date"}, **incremental("mark"))
    marks = [(1, 8, 1.0, False), (2, 8, 2.0, True), (3, 9, 3.0, False)]
    assert job.rows(MARKED) == marks


@pytest.mark.nightly
def test_what_was_rejected_is_not_kept(job: Any) -> None:
    batch = {"max_rejected_share": 1}
    job.transactions("1 1 0 8 EU", "2 NULL 0 8 EU")
    job.run(batch=batch, **incremental("keep"))
    job.transactions("1 1 0 8 EU")
    assert job.counts(**incremental("keep")) == (0, 1, 1, 1)


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize("gone", ["mark", "keep"])
def test_rows_that_have_moved_to_another_partition_have_not_left(job: Any, gone: str) -> None:
    job.run(**incremental(gone))
    job.transactions("1 1 0 9 EU", "3 3 0 9 EU")
    # Row 2 has left as well, and its day with it, of which the run is not: there it stays.
    job.run(source={"table": "store.tx", "filter": "day <= DATE'2018-08-09'"}, **incremental(gone))
    assert job.rows() == [(1, 9, 1.0), (2, 8, 2.0), (3, 9, 3.0)]
    job.run(source={"table": "store.tx", "filter": "day <= DATE'2018-08-09'"}, **incremental(gone))
    assert job.rows() == [(1, 9, 1.0), (2, 8, 2.0), (3, 9, 3.0)]
