"""What a page shows of a distribution."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_infer.report.page.distributions import shown
from tests.unit.report.reports import column


def test_bars_have_one_width_whatever_the_counted_bins_had() -> None:
    uniform = np.linspace(0, 1, 10_001)
    found = shown(column("a", uniform**2, uniform))
    assert found.before == pytest.approx([1 / 32] * 32, abs=2e-3)
    edges = np.arange(33) / 32
    assert found.now == pytest.approx(np.diff(np.sqrt(edges)), abs=0.02)
    assert (found.low, found.high, found.texts) == ("0", "1", ())


def test_what_lies_far_outside_counts_to_the_ends() -> None:
    values = np.linspace(10, 20, 1_000)
    found = shown(column("a", [*values, -1e9, 1e9, 1e9], values))
    assert (found.low[:2], found.high[:2]) == ("≤ ", "≥ ")
    assert sum(found.now) == pytest.approx(1)
    assert found.now[0] > found.now[1]
    assert found.now[-1] > found.now[-2]


def test_a_run_whose_values_are_all_elsewhere_is_shown_where_they_are() -> None:
    found = shown(column("a", np.linspace(2, 3, 500), np.linspace(0, 1, 500)))
    assert (found.low, found.high) == ("0", "3")
    assert sum(found.now[:21]) == 0
    assert found.before is not None
    assert sum(found.before[11:]) == pytest.approx(0)


def test_few_values_are_told_one_by_one() -> None:
    found = shown(column("a", [0, 0, 1, 7], [0, 1, 1, 1]))
    assert list(found.texts) == ["up to 0", "up to 1", "above 1"]
    assert found.now == [0.5, 0.25, 0.25]
    assert found.before == [0.25, 0.75, 0.0]


def test_labels_stand_for_themselves() -> None:
    found = shown(column("a", [0, 2, 2], None, labels=["no", "perhaps", "yes"]))
    assert list(found.texts) == ["no", "perhaps", "yes"]
    assert found.now == pytest.approx([1 / 3, 0, 2 / 3])
    assert found.before is None


@pytest.mark.parametrize("values", [[], [np.nan, np.inf], [5.0], [5.0] * 9, [-0.0, 0.0]])
def test_columns_with_nothing_to_draw_are_shown(values: list[float]) -> None:
    for found in (shown(column("a", values)), shown(column("a", values, values))):
        assert sum(found.now) == pytest.approx(1 if np.isfinite(values).any() else 0)


NUMBERS = st.lists(st.floats(width=32, allow_nan=False), max_size=80)


@given(NUMBERS, NUMBERS)
def test_shares_add_up(now: list[float], before: list[float]) -> None:
    found = shown(column("a", now, before))
    assert found.before is not None
    for values, shares in ((now, found.now), (before, found.before)):
        assert all(-1e-9 <= share <= 1 + 1e-9 for share in shares)
        assert sum(shares) == pytest.approx(1 if np.isfinite(values).any() else 0)
