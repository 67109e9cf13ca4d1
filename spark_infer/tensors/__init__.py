"""Arrow columns to dense and padded arrays, and output arrays back to Arrow columns."""

from __future__ import annotations

from spark_infer.tensors.arrow.casts import type_problem
from spark_infer.tensors.arrow.schema import check_schema, output_schema, packed_name
from spark_infer.tensors.arrow.types import arrow_dtype
from spark_infer.tensors.buckets import Cut, PadRule, cut_batches, length_order
from spark_infer.tensors.collected import Collected
from spark_infer.tensors.decode import Decoded, Decoder
from spark_infer.tensors.encode import encode
from spark_infer.tensors.hashing import row_hashes
from spark_infer.tensors.inputs.dense import Dense
from spark_infer.tensors.inputs.ragged import Ragged
from spark_infer.tensors.inputs.transformed import Transformed, Transformer, TransformFailed
from spark_infer.tensors.rows import Rows

__all__ = [
    "Collected",
    "Cut",
    "Decoded",
    "Decoder",
    "Dense",
    "PadRule",
    "Ragged",
    "Rows",
    "TransformFailed",
    "Transformed",
    "Transformer",
    "arrow_dtype",
    "check_schema",
    "cut_batches",
    "encode",
    "length_order",
    "output_schema",
    "packed_name",
    "row_hashes",
    "type_problem",
]
