"""Names of a classifier's classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def labels_of(model: Any) -> Sequence[str] | None:
    """Return the names of the classes of a model of scikit-learn's kind; None if it has none."""
    try:
        classes = model.classes_
    except AttributeError:
        return None
    names = [*classes]
    return [*map(str, names)] if all(isinstance(name, str) for name in names) else None
