"""Rows a second over time."""

from __future__ import annotations

from typing import Any

import pytest

from spark_infer.report.page.throughput import throughput


def points(*pairs: tuple[float, int]) -> list[dict[str, Any]]:
    return [{"seconds": seconds, "rows": rows} for seconds, rows in pairs]


def test_steady_rows_are_columns_of_one_height() -> None:
    found = throughput(points(*((float(at), at * 100) for at in range(1, 11))))
    assert found is not None
    assert found.seconds == 10
    assert found.fastest == pytest.approx(100)
    assert found.shares == pytest.approx([1.0] * 40)


def test_twice_as_fast_in_the_second_half() -> None:
    found = throughput(points((5, 50), (6, 70), (7, 90), (8, 110), (10, 150)))
    assert found is not None
    assert found.fastest == pytest.approx(20)
    assert found.shares == pytest.approx([0.5] * 20 + [1.0] * 20)


@pytest.mark.parametrize(
    "found",
    [
        [],
        points((1, 1), (2, 2)),
        points((5, 1), (4, 2), (6, 3), (7, 4), (8, 5)),
        points((1, 5), (2, 4), (3, 6), (4, 7), (5, 8)),
        points(*((0, 1),) * 5),
        points(*((float(at), 0) for at in range(1, 7))),
    ],
)
def test_too_few_or_odd_points_tell_nothing(found: list[dict[str, Any]]) -> None:
    assert throughput(found) is None
