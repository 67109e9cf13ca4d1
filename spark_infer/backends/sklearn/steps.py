"""In which type an estimator is to be computed.

scikit-learn computes in float64. In float32 a smooth answer is a little off, and one that jumps may
be any other: behind a scaler, numbers that lie on a split of a tree fall to its other side.
"""

from __future__ import annotations

from typing import Any

from spark_infer.backends.sklearn.parts import parts_of

_EXACT = frozenset(
    {
        "Binarizer",
        "HistGradientBoostingClassifier",
        "HistGradientBoostingRegressor",
        "KBinsDiscretizer",
    }
)
"""Parts that compare numbers of float64, and have a converter here that does. Most trees compare
what they have cut to float32."""
_NEAR = frozenset(
    {
        "KNeighborsClassifier",
        "KNeighborsRegressor",
        "QuantileTransformer",
        "RadiusNeighborsClassifier",
        "RadiusNeighborsRegressor",
    }
)
"""Parts of which a graph of skl2onnx may take another one of two that are alike."""


def needs_sample(estimator: Any) -> bool:
    """Return whether only rows of the user tell that a graph answers as the estimator does."""
    return any(type(part).__name__ in _NEAR for part in parts_of(estimator))


def has_steps(estimator: Any) -> bool:
    """Return whether what float32 rounds may change an answer by any amount."""
    parts = list(parts_of(estimator))
    if any(type(part).__name__ in _EXACT | _NEAR for part in parts):
        return True
    return any(hasattr(part, "tree_") for part in parts) and any(
        hasattr(part, "transform") for part in parts
    )
