"""A booster as a backend."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import numpy as np

from spark_infer.backends.backend import Array
from spark_infer.backends.boosters.features import Features
from spark_infer.backends.boosters.task import (
    LABEL,
    MARGIN,
    PROBABILITY,
    Task,
    label_of,
    of_both_classes,
)
from spark_infer.backends.host import HostBackend
from spark_infer.bundle import Signature


class Booster(ABC):
    """A booster as its library has it.

    Attributes:
        dtype: Type of the numbers that the library computes with.
        features: What it takes.
        task: What it predicts.
    """

    dtype: ClassVar[str]
    features: Features
    task: Task

    @abstractmethod
    def predict(self, rows: Array, *, raw: bool) -> Array:
        """Return the predictions for rows, shape (rows, ``task.width``).

        Args:
            rows: Shape (rows, features), of ``dtype`` and in C order; NaN is missing.
            raw: Whether margins are wanted: what the objective makes predictions of.
        """

    def thresholds(self) -> Mapping[int, Array]:
        """Return the numbers at which trees split, by the feature's position."""
        return {}


class BoosterBackend(HostBackend):
    """Runs a booster on the tensors of a signature, side by side.

    Ids of a vocabulary that are below zero are missing values.
    """

    def __init__(self, booster: Booster, signature: Signature) -> None:
        self._booster = booster
        self._dtype = np.dtype(booster.dtype)
        self._names = [item.tensor_name for item in signature.inputs]
        self._has_ids = [item.vocabulary is not None for item in signature.inputs]
        self._outputs = [
            (booster.task.tensor(output), output.tensor_shape) for output in signature.outputs
        ]

    def run(self, tensors: Mapping[str, Array]) -> Sequence[Array]:
        """Run one batch."""
        rows = self._side_by_side([tensors[name] for name in self._names])
        done: dict[bool, Array] = {}

        def predicted(*, raw: bool) -> Array:
            if raw not in done:
                done[raw] = self._booster.predict(rows, raw=raw)
            return done[raw]

        return [_output(name, shape, predicted) for name, shape in self._outputs]

    def _side_by_side(self, arrays: Sequence[Array]) -> Array:
        num_rows = len(arrays[0])
        flat = [array.reshape(num_rows, -1) for array in arrays]
        if len(flat) == 1 and not self._has_ids[0]:
            # Arrow's own memory, where the types are the same.
            return np.ascontiguousarray(flat[0], self._dtype)
        rows = np.empty((num_rows, sum(array.shape[1] for array in flat)), self._dtype)
        start = 0
        for array, has_ids in zip(flat, self._has_ids, strict=True):
            part = rows[:, start : start + array.shape[1]]
            part[:] = array
            if has_ids:
                part[array < 0] = np.nan
            start += array.shape[1]
        return rows


def _output(name: str, shape: tuple[int, ...], predicted: Callable[..., Array]) -> Array:
    if name == LABEL:
        return label_of(predicted(raw=False))
    found = predicted(raw=name == MARGIN)
    if found.shape[1] == 1:
        is_pair = name == PROBABILITY and shape == (2,)
        return of_both_classes(found) if is_pair else found[:, 0]
    return found
