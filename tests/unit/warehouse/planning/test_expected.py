"""What a run would take, by earlier runs and by a sample."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

pytest.importorskip("pyspark")

from spark_infer.metrics import Metrics
from spark_infer.report import RunReport
from spark_infer.warehouse.planning.expected import by_runs, by_sample
from tests.unit.report.reports import full_report


def ran(score: float, rows: int, read: int = 0, digest: str = "a", check: float = 1.0) -> RunReport:
    changes: dict[str, Any] = {
        "seconds": {"check": check, "score": score},
        "rows_in": rows,
        "rows_per_second": rows / score,
        "bundle": {"digest": digest},
        "batches": {"num_read": read},
    }
    return full_report(**changes)


def test_rows_take_what_rows_have_taken() -> None:
    found = by_runs([ran(10, 1000), ran(20, 1000), ran(40, 1000, check=3)], "a", 500, is_read=False)
    assert found is not None
    assert (found.seconds, found.rows_per_second) == (11.0, 50.0)
    assert found.taken_from == "as the last 3 runs"


def test_rows_that_a_filter_leaves_out_are_read_all_the_same() -> None:
    earlier = [ran(10, 10, read=1000)]
    read = by_runs(earlier, "a", 2000, is_read=True)
    scored = by_runs(earlier, "a", 20, is_read=False)
    assert read is not None
    assert scored is not None
    assert (read.seconds, scored.seconds) == (21.0, 21.0)
    assert read.taken_from == "as the last 1 run"


def test_without_a_number_of_rows_it_takes_what_it_took() -> None:
    found = by_runs([ran(10, 1000), ran(14, 1000)], "a", None, is_read=False)
    assert found is not None
    assert found.seconds == 13.0


def test_runs_of_the_same_bundle_count() -> None:
    earlier = [ran(1, 1000, digest="b"), ran(10, 1000)]
    same, other = (by_runs(earlier, digest, 1000, is_read=False) for digest in ("a", "c"))
    assert same is not None
    assert other is not None
    assert (same.rows_per_second, same.taken_from) == (100.0, "as the last 1 run")
    assert (other.rows_per_second, other.taken_from) == (
        550.0,
        "as the last 2 runs of another bundle",
    )


def test_no_more_than_five_count() -> None:
    found = by_runs([*[ran(10, 1000)] * 5, ran(1, 10**6)], "a", 1000, is_read=False)
    assert found is not None
    assert found.taken_from == "as the last 5 runs"


@pytest.mark.parametrize("earlier", [[], [full_report(rows_per_second=None)]])
def test_runs_that_tell_nothing(earlier: list[RunReport]) -> None:
    assert by_runs(earlier, "a", 10, is_read=False) is None


def test_a_sample_tells_for_all_tasks_at_once() -> None:
    counted = Metrics(num_rows=100)
    counted.seconds = Counter({"wait": 1, "assemble": 1, "run": 2, "unpack": 1, "load": 50})
    found = by_sample(counted, 4, 8_000)
    assert found is not None
    assert (found.rows_per_second, found.seconds) == (80.0, 100.0)
    assert "for 4 tasks at once" in found.taken_from
    unknown = by_sample(counted, 1, None)
    assert unknown is not None
    assert (unknown.seconds, unknown.rows_per_second) == (None, 20.0)
    assert by_sample(Metrics(), 4, 10) is None
