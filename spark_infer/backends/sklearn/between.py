"""Rows between those of a sample: where an estimator that jumps has its steps."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.types as pat

from spark_infer.backends.backend import Array

_SEED = 20_180_808
_NUM_ROWS = 2048


def rows_between(sample: pa.RecordBatch | pa.Table) -> pa.Table:
    """Return rows whose every column has a value of the sample, or a number between two of them.

    A tree splits halfway between values that it was trained on, so rows of those never lie on a
    split, and new ones do where a column has few decimals.
    """
    random = np.random.default_rng(_SEED)
    columns = []
    for column in pa.table(sample).itercolumns():
        values = column.combine_chunks()
        if pat.is_floating(values.type) or pat.is_integer(values.type):
            between = pa.array(_between(values.drop_null().to_numpy()), values.type)
            values = pa.concat_arrays([values, between])
        columns.append(values.take(pa.array(random.integers(0, len(values), _NUM_ROWS))))
    return pa.table(columns, schema=sample.schema)


def _between(values: Array) -> Array:
    known = np.unique(values[np.isfinite(values)])
    half = known[:-1] + (known[1:] - known[:-1]) / 2
    found: Array = half.astype(values.dtype)
    return found
