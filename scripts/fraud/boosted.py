"""Boosted trees of XGBoost over the same features as the networks.

As for these, for how long they are fitted is chosen on the past.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import xgboost

from fraud.evaluation.metrics import average_precision
from fraud.features import SCALARS
from fraud.fit import Rows

_OPTIONS = {
    "objective": "binary:logistic",
    "eval_metric": "aucpr",
    "max_depth": 4,
    "eta": 0.05,
    "min_child_weight": 5,
    "subsample": 0.8,
    "colsample_bytree": 0.8,
    "tree_method": "hist",
    "nthread": 1,
}
_MOST_ROUNDS = 600
_PATIENCE = 60


def choose_rounds(train: Rows, validation: Rows, seed: int) -> tuple[int, float]:
    """Return the number of rounds with the best average precision on later rows, and that."""
    booster = xgboost.train(
        _OPTIONS | {"seed": seed},
        _matrix(train),
        _MOST_ROUNDS,
        evals=[(_matrix(validation), "later")],
        early_stopping_rounds=_PATIENCE,
        verbose_eval=False,
    )
    rounds = booster.best_iteration + 1
    scores = booster.predict(_matrix(validation), iteration_range=(0, rounds))
    return rounds, average_precision(validation.labels, scores)


def fit_booster(rows: Rows, rounds: int, seed: int) -> xgboost.Booster:
    """Fit a new booster for a fixed number of rounds."""
    return xgboost.train(_OPTIONS | {"seed": seed}, _matrix(rows), rounds)


def _matrix(rows: Rows) -> xgboost.DMatrix:
    values: npt.NDArray[np.float32] = rows.tensors(slice(None))[0].numpy()
    return xgboost.DMatrix(values, label=rows.labels, feature_names=[*SCALARS])
