"""Parts of estimators that skl2onnx writes in float32, written as scikit-learn computes them."""

from __future__ import annotations

from spark_infer.backends.sklearn.converters.table import CONVERTERS, SHAPES

__all__ = ["CONVERTERS", "SHAPES"]
