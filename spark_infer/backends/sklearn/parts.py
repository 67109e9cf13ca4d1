"""The estimators that an estimator is made of."""

from __future__ import annotations

from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

_NONE = (type, FunctionType, ModuleType)


def parts_of(estimator: Any) -> Iterator[Any]:
    """Yield an estimator and those within it, at any depth; of a forest its trees too."""
    seen: set[int] = set()
    waiting = [estimator]
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, BaseEstimator):
            yield part
        waiting += reversed(_held_by(part))


def _held_by(part: Any) -> list[Any]:
    if isinstance(part, dict):
        return list(part.values())
    if isinstance(part, (list, tuple)):
        return list(part)
    if isinstance(part, np.ndarray):
        return part.ravel().tolist() if part.dtype == object else []
    if isinstance(part, _NONE) or not hasattr(part, "__dict__"):
        return []
    # Not only estimators hold some: what calibrates others keeps them in objects of another kind.
    return list(vars(part).values())
