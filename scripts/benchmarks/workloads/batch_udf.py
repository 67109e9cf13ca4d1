"""The small network in pyspark's ``predict_batch_udf``."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from pyspark.ml.functions import predict_batch_udf
from pyspark.sql import Column
from pyspark.sql.types import FloatType

from benchmarks.workloads.small_network import NUM_FEATURES, one_thread_network


def batch_udf(batch_rows: int) -> Callable[..., Column]:
    """Return the function of ``array(...)`` of the thirty columns.

    An array is its only way to take them as one tensor.
    """
    return predict_batch_udf(
        make_predict,
        return_type=FloatType(),
        batch_size=batch_rows,
        input_tensor_shapes=[[NUM_FEATURES]],
    )


def make_predict() -> Callable[[np.ndarray], np.ndarray]:
    """Load the network once for each worker."""
    model = one_thread_network()

    def predict(features: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return model(torch.from_numpy(np.ascontiguousarray(features))).numpy()[:, 0]

    return predict
