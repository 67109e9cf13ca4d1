"""Numbers sorted into bins by edges of float64, those on an edge where scikit-learn has them."""

from __future__ import annotations

from typing import Any

import numpy as np
from skl2onnx.operator_converters.common import concatenate_variables

from spark_infer.backends.sklearn.converters.nodes import DOUBLE, Nodes


def convert_binarizer(scope: Any, operator: Any, container: Any) -> None:
    """Convert a Binarizer: 1 above its threshold, 0 at it and below."""
    nodes = Nodes(scope, operator, container)
    rows = nodes.cast(concatenate_variables(scope, operator.inputs, container), DOUBLE)
    threshold = nodes.constant(np.array(operator.raw_operator.threshold, np.float64))
    nodes.answer(0, nodes.cast(nodes.add("Greater", rows, threshold), DOUBLE))


def convert_bins(scope: Any, operator: Any, container: Any) -> None:
    """Convert a KBinsDiscretizer: the number of inner edges that are not above a number."""
    bins, nodes = operator.raw_operator, Nodes(scope, operator, container)
    rows = nodes.cast(concatenate_variables(scope, operator.inputs, container), DOUBLE)
    found = []
    for place, (edges, count) in enumerate(zip(bins.bin_edges_, bins.n_bins_, strict=True)):
        column = nodes.add("Gather", rows, nodes.constant(np.array([place])), axis=1)
        inner = nodes.constant(np.append(edges[1:-1], np.inf).reshape(1, -1).astype(np.float64))
        reached = nodes.cast(nodes.add("GreaterOrEqual", column, inner), DOUBLE)
        number = nodes.add("ReduceSum", reached, nodes.constant(np.array([1])), keepdims=1)
        if bins.encode != "ordinal":
            each = nodes.constant(np.arange(count, dtype=np.float64).reshape(1, -1))
            number = nodes.cast(nodes.add("Equal", number, each), DOUBLE)
        found.append(number)
    nodes.answer(0, nodes.add("Concat", *found, axis=1))
