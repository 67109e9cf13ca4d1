"""A booster of LightGBM: as its user gave it, and as a bundle holds it."""

from __future__ import annotations

from collections.abc import Mapping

import lightgbm
import numpy as np

from spark_infer.backends.backend import Array
from spark_infer.backends.boosters.backend import Booster
from spark_infer.backends.boosters.features import Features
from spark_infer.backends.boosters.lgbm.document import Document
from spark_infer.backends.boosters.task import Kind, Task

CUSTOM = "a function as its objective"


class LgbmBooster(Booster):
    """A booster of LightGBM.

    Args:
        booster: The booster. It is not changed.
        document: What is stored of it.
        features: Its features.
        threads: CPU threads of one batch; None for as many as there are cores.
    """

    dtype = "float64"

    def __init__(
        self,
        booster: lightgbm.Booster,
        document: Document,
        features: Features,
        threads: int | None = None,
    ) -> None:
        self.features = features
        kind: Kind = (
            "classes" if document.has_classes else "number" if document.objective else "raw"
        )
        self.task = Task(kind, document.objective or CUSTOM, document.width, "float64")
        self._booster = booster
        self._splits = document.splits
        self._threads = threads or 0

    @classmethod
    def load(cls, document: Document, threads: int | None) -> LgbmBooster:
        """Return the booster of a checked document."""
        features = Features.of(len(document.names), document.names)
        booster = lightgbm.Booster(model_str=document.text)
        return cls(booster, document, features, threads)

    def predict(self, rows: Array, *, raw: bool) -> Array:
        """Return the predictions for rows."""
        found = self._booster.predict(
            rows,
            # An objective that LightGBM does not know has nothing but margins, of which it warns.
            raw_score=raw or self.task.kind == "raw",
            num_threads=self._threads,
        )
        return np.asarray(found).reshape(len(rows), self.task.width)

    def thresholds(self) -> Mapping[int, Array]:
        """Return the numbers at which trees split."""
        return self._splits
