"""PSI and KS against values that were computed by hand, and by numpy from all values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_infer.bundle.profile import Distribution, ks, psi
from spark_infer.errors import SignatureError


def of(values: Any, nulls: int = 0, cuts: Any = None) -> Distribution:
    return Distribution.of(np.asarray(values, np.float64), nulls, cuts)


def pair(before: Any, now: Any, nulls: tuple[int, int] = (0, 0)) -> tuple[Distribution, ...]:
    reference = of(before, nulls[0])
    return reference, of(now, nulls[1], reference.cuts)


def test_psi_by_hand() -> None:
    # Two values, 75 and 25 of 100 before, 50 and 50 now: bins below 0, of 0, of 1, above 1.
    reference, current = pair([0] * 75 + [1] * 25, [0] * 50 + [1] * 50)
    by_hand = (0.5 - 0.75) * math.log(0.5 / 0.75) + (0.5 - 0.25) * math.log(0.5 / 0.25)
    assert psi(reference, current) == pytest.approx(by_hand)
    assert by_hand == pytest.approx(0.274653, abs=1e-6)
    assert psi(reference, reference) == 0.0


def test_an_empty_bin_counts_as_one_of_ten_thousand_rows() -> None:
    reference, current = pair([5.0] * 10, [4.0] * 10)
    assert psi(reference, current) == pytest.approx(2 * (1 - 1e-4) * math.log(1e4))
    assert ks(reference, current) == 1.0


@pytest.mark.parametrize("moved", [6.0, 4.0, 5.0000001, -1e300, 1e300])
def test_a_constant_that_moves_either_way_is_seen(moved: float) -> None:
    reference, current = pair([5.0] * 10, [moved] * 10)
    assert psi(reference, current) == pytest.approx(2 * (1 - 1e-4) * math.log(1e4))
    assert ks(reference, current) == 1.0


def test_nulls_and_nan_are_a_bin_of_psi_and_none_of_ks() -> None:
    reference = of([1.0, 2.0] * 45, 10)
    current = of([1.0, 2.0] * 40 + [math.nan] * 5 + [math.inf] * 5, 10, reference.cuts)
    assert (current.nulls, current.not_finite, current.num_values) == (10, 10, 80)
    by_hand = 2 * (0.4 - 0.45) * math.log(0.4 / 0.45) + (0.2 - 0.1) * math.log(0.2 / 0.1)
    assert psi(reference, current) == pytest.approx(by_hand)
    assert ks(reference, current) == 0.0


def test_psi_of_many_values_has_tenths() -> None:
    values = np.arange(1000.0)
    reference, current = pair(values, values[500:])
    # Five of ten bins are empty now, the others are twice as full.
    by_hand = 5 * (1e-4 - 0.1) * math.log(1e-4 / 0.1) + 5 * (0.2 - 0.1) * math.log(2)
    assert psi(reference, current) == pytest.approx(by_hand)


def test_labels_are_bins_of_their_own() -> None:
    before, now = [0, 1, 2, 2], [0, 0, 1, 2]
    cuts = [0.5, 1.5]
    reference, current = of(before, cuts=cuts), of(now, cuts=cuts)
    by_hand = (0.5 - 0.25) * math.log(2) + (0.25 - 0.5) * math.log(0.5)
    assert psi(reference, current, by_label=True) == pytest.approx(by_hand)


def exact_ks(one: Any, other: Any) -> float:
    """The distance of all values, not only of those at cut points."""
    places = np.concatenate([one, other])
    shares = (np.searchsorted(np.sort(side), places, "right") / len(side) for side in (one, other))
    first, second = shares
    return float(np.max(np.abs(first - second)))


numbers = st.lists(st.integers(-50, 50), min_size=1, max_size=300)


@given(numbers, numbers)
def test_ks_is_at_most_a_bin_below_that_of_all_values(before: list[int], now: list[int]) -> None:
    reference, current = pair(before, now)
    found, exact = ks(reference, current), exact_ks(before, now)
    assert found is not None
    bins = (np.array(side.counts) / side.num_values for side in (reference, current))
    assert found <= exact + 1e-12
    assert exact - found <= max(map(np.max, bins)) + 1e-12
    if len(set(before)) < 50 and len(reference.cuts) == len(set(before)) + 1:
        inside = [value for value in now if value in set(before)]
        if len(inside) == len(now):
            assert found == pytest.approx(exact)


@given(numbers, numbers)
def test_psi_is_not_negative_and_zero_of_the_same(before: list[int], now: list[int]) -> None:
    reference, current = pair(before, now)
    found = psi(reference, current)
    assert found is not None
    assert found >= 0
    assert psi(reference, of(before, cuts=reference.cuts)) == 0.0


def test_samples_of_one_distribution_are_near() -> None:
    random = np.random.default_rng(0)
    reference, current = pair(random.normal(size=20_000), random.normal(size=20_000))
    found, distance = psi(reference, current), ks(reference, current)
    assert found is not None
    assert distance is not None
    assert found < 0.01
    assert distance < 0.02
    moved = of(random.normal(0.5, size=20_000), cuts=reference.cuts)
    # Phi(0.25) - Phi(-0.25), and the symmetric divergence 0.5 ** 2 of two normal distributions.
    assert ks(reference, moved) == pytest.approx(0.1974, abs=0.02)
    assert psi(reference, moved) == pytest.approx(0.25, abs=0.03)


def test_without_rows_both_are_undefined() -> None:
    reference, current = pair([1.0, 2.0], [])
    assert psi(reference, current) is None
    assert ks(reference, current) is None
    nulls = of([], 5, reference.cuts)
    assert ks(reference, nulls) is None
    missing = psi(reference, nulls)
    assert missing is not None
    assert missing > 1


def test_other_cut_points_are_no_comparison() -> None:
    with pytest.raises(SignatureError, match="other cut points"):
        psi(of([1.0]), of([2.0]))
