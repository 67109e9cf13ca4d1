"""The profile of a bundle: distributions of rows that it is given, and of what it predicts."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from spark_infer.bundle import Bundle
from spark_infer.bundle.profile import Distribution, Profile
from spark_infer.bundle.profile.columns import label_cuts, number_columns, number_outputs
from spark_infer.engine.predictor import Predictor
from spark_infer.errors import SignatureError
from spark_infer.model import load_model
from spark_infer.tensors.numbers import as_numbers, is_number


def profile_of(
    rows: pa.RecordBatch | pa.Table, allow_modules: Sequence[str], bundle: Bundle
) -> Profile:
    """Predict rows, and return the distributions of what goes in and what comes out.

    Args:
        rows: Rows with the signature's columns.
        allow_modules: Import paths that the bundle may load code from.
        bundle: The bundle.

    Raises:
        SignatureError: There are no rows, or they do not fit the signature.
    """
    if not rows.num_rows:
        raise SignatureError("profile has no rows; give rows such as those of the training")
    predictor = Predictor(load_model(bundle, allow_modules=allow_modules), bundle)
    predicted = predictor.predict(rows)
    inputs = {
        name: _distribution(rows.column(name), dtype)
        for name, dtype in number_columns(bundle.signature).items()
        if is_number(rows.column(name).type)
    }
    outputs = {}
    for name, output in number_outputs(bundle.signature).items():
        column = predicted.column(name)
        if output.labels is None:
            outputs[name] = _distribution(column, output.dtype)
        else:
            places = pc.index_in(column, value_set=pa.array(output.labels, column.type))
            outputs[name] = _distribution(places, "float64", label_cuts(len(output.labels)))
    return Profile(inputs=inputs, outputs=outputs)


def _distribution(
    column: pa.Array | pa.ChunkedArray, dtype: str, cuts: Sequence[float] | None = None
) -> Distribution:
    values, is_null = as_numbers(column, dtype)
    return Distribution.of(values[~is_null], int(is_null.sum()), cuts)
