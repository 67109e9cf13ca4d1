from __future__ import annotations

import math

import pytest

from scripts.benchmarks.comparison.figure import Figure, spread, verdict


def figure(before: list[float], after: list[float]) -> Figure:
    return Figure(benchmark="b", name="f", before=before, after=after, at_most=False)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([2.0, 2.0, 2.0], [2.0, 2.0, 2.0], "same"),
        # The larger spread is 1.1, whichever side has it.
        ([2.0, 2.0, 2.2], [1.8, 1.8, 1.8], "slower"),
        ([2.0, 2.0, 2.2], [1.83, 1.83, 1.83], "same"),
        ([2.0, 2.0, 2.0], [1.7, 1.8, 1.87], "slower"),
        ([2.0, 2.0, 2.0], [1.8, 1.9, 1.98], "same"),
        ([2.0, 2.0, 2.2], [2.21, 2.21, 2.21], "faster"),
        ([2.0, 2.0, 2.2], [2.19, 2.19, 2.19], "same"),
        # One odd round is neither a change nor does it hide that it is noisy.
        ([2.0, 2.0, 2.0], [2.0, 1.0, 2.0], "same"),
        ([2.0, 2.0, 2.0], [1.2, 1.2, 2.4], "same"),
        # Without any noise a hundredth counts, and less does not.
        ([1.0, 1.0, 1.0], [0.995, 0.995, 0.995], "same"),
        ([1.0, 1.0, 1.0], [0.98, 0.98, 0.98], "slower"),
        ([1.0, 1.0, 1.0], [1.02, 1.02, 1.02], "faster"),
        # A share may be zero.
        ([0.9, 0.9, 0.9], [0.0, 0.0, 0.0], "slower"),
        ([0.0, 0.0, 0.0], [0.9, 0.9, 0.9], "faster"),
        ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0], "same"),
        ([0.9, 0.9, 0.9], [0.0, 0.0, 0.9], "same"),
    ],
)
def test_medians_have_to_differ_by_more_than_either_side_spreads(
    before: list[float], after: list[float], expected: str
) -> None:
    assert verdict(before, after) == expected
    assert figure(before, after).verdict == expected
    other = {"slower": "faster", "faster": "slower", "same": "same"}[expected]
    assert verdict(after, before) == other
    assert verdict(before, after, at_most=True) == other


def test_what_one_side_lacks_has_no_verdict() -> None:
    assert figure([1.0], []).verdict == "only before"
    assert figure([], [1.0]).verdict == "only after"


def test_change_and_spread_are_ratios() -> None:
    assert figure([1.0, 2.0, 9.0], [4.0, 3.0, 1.0]).change == 1.5
    assert figure([0.0], [0.0]).change == 1.0
    assert figure([0.0], [2.0]).change == math.inf
    assert spread([2.0, 3.0, 2.5]) == 1.5
    assert spread([0.0, 0.0]) == 1.0
    assert spread([0.0, 1.0]) == math.inf
