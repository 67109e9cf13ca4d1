"""A booster of XGBoost: as its user gave it, and as a bundle holds it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xgboost

from spark_infer.backends.backend import Array
from spark_infer.backends.boosters.backend import Booster
from spark_infer.backends.boosters.features import Features
from spark_infer.backends.boosters.task import Kind, Task
from spark_infer.backends.boosters.xgb.document import Document

_CLASSES = ("binary:logistic", "multi:softprob", "multi:softmax")


def task_of(document: Document) -> Task:
    """Return what a booster predicts."""
    kind: Kind = "classes" if document.objective in _CLASSES else "number"
    if document.objective == "binary:logistic" and document.width > 1:
        kind = "targets"
    return Task(kind, document.objective, document.width, "float32")


class XgbBooster(Booster):
    """A booster that a bundle holds.

    Args:
        document: The checked document.
        threads: CPU threads of one batch; None for as many as there are cores.
    """

    dtype = "float32"

    def __init__(self, document: Document, threads: int | None) -> None:
        self.features = Features.of(document.num_features, document.names)
        self.task = task_of(document)
        self._splits = document.splits
        self._booster = xgboost.Booster(model_file=bytearray(document.to_bytes()))
        self._booster.set_param({"nthread": threads or 0})
        # What is computed in place differs in the last digit for dart, and is not there for
        # gblinear.
        self._in_place = document.booster == "gbtree"

    def predict(self, rows: Array, *, raw: bool) -> Array:
        """Return the predictions for rows."""
        if self._in_place:
            kind = "margin" if raw else "value"
            found = self._booster.inplace_predict(rows, predict_type=kind, strict_shape=True)
        else:
            found = self._booster.predict(
                _matrix(rows, self._booster), output_margin=raw, strict_shape=True
            )
        return np.asarray(found)

    def thresholds(self) -> Mapping[int, Array]:
        """Return the numbers at which trees split."""
        return self._splits


class XgbOriginal(Booster):
    """A booster that goes on living elsewhere, run as XGBoost's users run it.

    Args:
        booster: The booster. It is not changed.
        document: What is stored of it.
        features: Its features, with the values of categories.
        rounds: How many rounds of boosting count; 0 for all.
    """

    dtype = "float32"

    def __init__(
        self, booster: xgboost.Booster, document: Document, features: Features, rounds: int
    ) -> None:
        self.features = features
        self.task = task_of(document)
        self._splits = document.splits
        self._booster = booster
        if self.task.objective == "multi:softprob":
            # One that answers with the likeliest class is asked for all probabilities.
            self._booster = booster.copy()
            self._booster.set_param({"objective": "multi:softprob"})
        self._rounds = rounds
        self._in_place = document.booster == "gbtree"

    def predict(self, rows: Array, *, raw: bool) -> Array:
        """Return the predictions for rows."""
        if self._in_place and np.isinf(rows).any():
            # A matrix of the library takes no infinity, what is computed in place does.
            found = self._booster.inplace_predict(
                rows,
                predict_type="margin" if raw else "value",
                iteration_range=(0, self._rounds),
                strict_shape=True,
            )
            return np.asarray(found)
        return np.asarray(
            self._booster.predict(
                _matrix(rows, self._booster),
                output_margin=raw,
                iteration_range=(0, self._rounds),
                strict_shape=True,
            )
        )

    def thresholds(self) -> Mapping[int, Array]:
        """Return the numbers at which trees split."""
        return self._splits


def _matrix(rows: Array, booster: xgboost.Booster) -> xgboost.DMatrix:
    return xgboost.DMatrix(
        rows,
        feature_names=booster.feature_names,
        feature_types=booster.feature_types,
        enable_categorical=True,
    )
