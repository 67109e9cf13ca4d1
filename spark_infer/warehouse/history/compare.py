"""Whether two predictions of one row are the same."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import BinaryType, BooleanType, NumericType, StringType

from spark_infer.backends import ModelOptions
from spark_infer.bundle import Bundle, Output
from spark_infer.bundle.files.examples import EXAMPLES_FILE, Examples
from spark_infer.engine.proof.proof import TOLERANCE
from spark_infer.engine.proof.yardstick import Yardstick
from spark_infer.spark.wire import quoted

_COARSE = 0.05
"""How far answers of a GPU, or of numbers with fewer digits, may be apart."""


def tolerance_of(bundle: Bundle, options: ModelOptions) -> float:
    """Return how far two answers may be apart, as a share: as when the bundle was proven.

    Raises:
        BundleError: What the bundle keeps of that is damaged.
    """
    known = TOLERANCE
    if EXAMPLES_FILE in bundle.files:
        known = Examples.read(bundle.path, bundle.signature).tolerance
    is_coarse = options.device != "cpu" or options.precision != "float32"
    return max(known, _COARSE) if is_coarse else known


def differences(
    outputs: Sequence[Output],
    before: Mapping[str, Any],
    now: Mapping[str, Any],
    tolerance: float,
) -> list[str]:
    """Return in words in which outputs two predictions differ; none where they are the same.

    Args:
        outputs: What the model gives.
        before: Values by output, as Spark returns them.
        now: The same.
        tolerance: See ``tolerance_of``.
    """
    found = []
    for output in outputs:
        one, other = before[output.name], now[output.name]
        if output.labels is not None or one is None or other is None:
            if one != other:
                found.append(f"{output.name} is {plain(other)} and was {plain(one)}")
            continue
        a, b = (np.asarray(value, output.dtype) for value in (one, other))
        if a.shape != b.shape:
            found.append(f"{output.name} has shape {b.shape} and had {a.shape}")
            continue
        yardstick = Yardstick.of([[a]], [output], tolerance)
        if apart := yardstick.difference([a], [b], [output]):
            name, was, is_ = apart
            found.append(f"{name} is {is_} and was {was}")
    return found


def collectable(rows: DataFrame, outputs: Sequence[str], others: Sequence[str]) -> DataFrame:
    """Return some columns of rows, as Python can hold and compare them.

    It has no days before the year 1 or after 9999, shows a time in the zone of its machine, and
    takes no NaN in a list for another one.

    Args:
        rows: The rows.
        outputs: Names of columns of numbers and labels.
        others: Names of further columns, of which all but numbers and texts come as text.
    """
    known = (BinaryType, BooleanType, NumericType, StringType)
    names = dict.fromkeys([*outputs, *others])
    # The rows may spell them otherwise.
    found = rows.select(*(F.col(quoted(name)).alias(name) for name in names))
    return found.select(
        *(
            F.col(quoted(name))
            if name in outputs or isinstance(kind, known)
            else F.col(quoted(name)).cast("string").alias(name)
            for name, kind in ((field.name, field.dataType) for field in found.schema.fields)
        )
    )


def plain(value: Any) -> Any:
    """Return a value of Spark as JSON data."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value if isinstance(value, bool | int | float | str | None) else str(value)
