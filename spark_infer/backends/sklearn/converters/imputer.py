"""Missing numbers filled in, without a cut to float32."""

from __future__ import annotations

from typing import Any

import numpy as np
from skl2onnx.common.data_types import DoubleTensorType
from skl2onnx.operator_converters.common import concatenate_variables
from skl2onnx.operator_converters.imputer_op import convert_sklearn_imputer

from spark_infer.backends.sklearn.converters.nodes import Nodes


def convert_imputer(scope: Any, operator: Any, container: Any) -> None:
    """Convert a SimpleImputer: here where it fills in float64, and else as skl2onnx does."""
    imputer = operator.raw_operator
    is_wide = all(isinstance(value.type, DoubleTensorType) for value in operator.inputs)
    if not is_wide or imputer.missing_values is not np.nan or imputer.add_indicator:
        convert_sklearn_imputer(scope, operator, container)
        return
    nodes = Nodes(scope, operator, container)
    rows = concatenate_variables(scope, operator.inputs, container)
    filled = nodes.constant(imputer.statistics_.reshape(1, -1).astype(np.float64))
    nodes.answer(0, nodes.add("Where", nodes.add("IsNaN", rows), filled, rows))
