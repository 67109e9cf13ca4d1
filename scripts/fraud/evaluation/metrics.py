"""The measures of the fraud case.

Definitions: Fraud Detection Handbook, on threshold-free and on precision top-k metrics. Tied
scores count as one threshold, so no measure depends on the order of the rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import sklearn.metrics

Array = npt.NDArray[Any]


def roc_auc(labels: Array, scores: Array) -> float:
    """Return the chance that a fraud scores above a genuine transaction; a tie counts half.

    Raises:
        ValueError: There is only one class, or a score is missing.
    """
    return float(sklearn.metrics.roc_auc_score(*_checked(labels, scores)))


def average_precision(labels: Array, scores: Array) -> float:
    """Return the sum of precision times the step in recall, over all thresholds.

    Raises:
        ValueError: There is only one class, or a score is missing.
    """
    return float(sklearn.metrics.average_precision_score(*_checked(labels, scores)))


def card_precision(
    days: Array, customers: Array, labels: Array, scores: Array, *, k: int = 100
) -> float:
    """Return the share of frauds among the ``k`` cards that look worst, mean over the days.

    A card's score is its highest of the day. A card that was caught (among the ``k`` on a day on
    which it had a fraud) is blocked: it leaves the ranking of later days. Cards that tie at the
    end of the ranking are taken in the order of their numbers.

    Raises:
        ValueError: There is only one class, a score is missing, or a day has fewer than ``k``
            cards.
    """
    labels, scores = _checked(labels, scores)
    caught: Array = np.array([], customers.dtype)
    precisions = []
    for day in np.unique(days):
        rows = (days == day) & ~np.isin(customers, caught)
        cards, group = np.unique(customers[rows], return_inverse=True)
        if len(cards) < k:
            raise ValueError(f"{day} has {len(cards)} cards to rank, fewer than k={k}")
        worst = np.full(len(cards), -np.inf)
        np.maximum.at(worst, group, scores[rows])
        has_fraud = np.zeros(len(cards), np.bool_)
        np.logical_or.at(has_fraud, group, labels[rows])
        top = np.argsort(-worst, kind="stable")[:k]
        hits = top[has_fraud[top]]
        precisions.append(len(hits) / k)
        caught = np.concatenate([caught, cards[hits]])
    return float(np.mean(precisions))


def _checked(labels: Array, scores: Array) -> tuple[Array, Array]:
    labels = np.asarray(labels).astype(np.bool_)
    scores = np.asarray(scores, np.float64)
    if np.isnan(scores).any():
        raise ValueError(f"{int(np.isnan(scores).sum())} rows have no score")
    if labels.all() or not labels.any():
        raise ValueError("the labels hold one class only; the measures need both")
    return labels, scores
