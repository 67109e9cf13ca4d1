"""How far a step is, in numbers and in words."""

from __future__ import annotations

import pytest

pytest.importorskip("pyspark")

from spark_infer.warehouse.progress import Progress


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (Progress(step="check", seconds=12.4), "check: 12 s so far"),
        (
            Progress(step="check", seconds=1, tasks=3, of_tasks=1_200),
            "check: 1 s so far, 3 of 1,200 tasks",
        ),
        (Progress(step="score", seconds=2, rows=0), "score: 2 s so far, 0 rows"),
        (
            Progress(step="score", seconds=30, rows=60_000, tasks=1, of_tasks=4),
            "score: 30 s so far, 60,000 rows, 2,000 rows/s, 25%, about 1:30 left, 1 of 4 tasks",
        ),
        (
            # What the filter leaves out is read as well: the share is that of rows read.
            Progress(step="score", seconds=60, rows=10, num_read=90_000, of_read=6_660_000),
            "score: 60 s so far, 10 rows, 0 rows/s, 1%, about 1:13:00 left",
        ),
        (
            Progress(step="score", seconds=1, rows=5, num_read=12, of_read=10),
            "score: 1 s so far, 5 rows, 5 rows/s, 100%, about 0:00 left",
        ),
    ],
)
def test_words(progress: Progress, text: str) -> None:
    assert str(progress) == text


def test_what_nobody_knows_is_none() -> None:
    begun = Progress(step="score", seconds=0, rows=0, of_read=0)
    assert (begun.share, begun.rows_per_second, begun.seconds_left) == (None, None, None)
    other = Progress(step="gate", seconds=3, tasks=1, of_tasks=2)
    assert (other.share, other.seconds_left) == (None, None)
