from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scripts.fraud.evaluation.metrics import average_precision, card_precision, roc_auc

# Few distinct scores, so that ties are common.
labeled = st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=30)


def arrays(rows: list[tuple[bool, int]]) -> tuple[np.ndarray, np.ndarray]:
    labels, scores = (np.array(column) for column in zip(*rows, strict=True))
    assume(labels.any() and not labels.all())
    return labels, scores / 5


@given(labeled)
def test_roc_auc_is_the_share_of_pairs_in_order(rows: list[tuple[bool, int]]) -> None:
    labels, scores = arrays(rows)
    pairs = [
        1.0 if fraud > genuine else 0.5 if fraud == genuine else 0.0
        for fraud in scores[labels]
        for genuine in scores[~labels]
    ]
    assert roc_auc(labels, scores) == pytest.approx(np.mean(pairs))


@given(labeled)
def test_average_precision_is_the_sum_over_thresholds(rows: list[tuple[bool, int]]) -> None:
    labels, scores = arrays(rows)
    expected, recall_before = 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        alerted = scores >= threshold
        recall = labels[alerted].sum() / labels.sum()
        expected += labels[alerted].mean() * (recall - recall_before)
        recall_before = recall
    assert average_precision(labels, scores) == pytest.approx(expected)


@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.integers(1, 6), st.booleans(), st.integers(0, 99)),
        min_size=8,
        max_size=60,
    ),
    st.integers(1, 2),
)
def test_card_precision_follows_its_definition(
    rows: list[tuple[int, int, bool, int]], k: int
) -> None:
    caught: set[int] = set()
    precisions = []
    for day in sorted({row[0] for row in rows}):
        best: dict[int, float] = {}
        frauds = set()
        for _, card, fraud, score in (r for r in rows if r[0] == day and r[1] not in caught):
            best[card] = max(best.get(card, -1.0), score / 100)
            if fraud:
                frauds.add(card)
        assume(len(best) >= k)
        top = sorted(best, key=lambda card: (-best[card], card))[:k]
        precisions.append(len(frauds.intersection(top)) / k)
        caught |= frauds.intersection(top)
    days, cards, labels, scores = (np.array(column) for column in zip(*rows, strict=True))
    assume(labels.any() and not labels.all())
    assert card_precision(days, cards, labels, scores / 100, k=k) == pytest.approx(
        np.mean(precisions)
    )


def test_a_caught_card_leaves_the_ranking() -> None:
    days = np.array([1, 1, 2, 2, 2])
    cards = np.array([7, 8, 7, 8, 9])
    labels = np.array([1, 0, 1, 0, 1])
    scores = np.array([0.9, 0.1, 0.9, 0.2, 0.3])
    # Day 1 catches card 7; on day 2 card 9 comes first, though 7 scores higher.
    assert card_precision(days, cards, labels, scores, k=1) == 1.0


def test_one_class_is_refused() -> None:
    with pytest.raises(ValueError, match="one class"):
        roc_auc(np.zeros(3), np.arange(3))


def test_a_missing_score_is_refused() -> None:
    with pytest.raises(ValueError, match="1 rows have no score"):
        average_precision(np.array([0, 1]), np.array([0.5, np.nan]))


def test_too_few_cards_are_refused() -> None:
    with pytest.raises(ValueError, match="fewer than k=3"):
        card_precision(np.ones(2), np.arange(2), np.array([0, 1]), np.array([0.1, 0.2]), k=3)
