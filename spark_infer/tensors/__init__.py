"""Arrow columns to dense and padded arrays, and output arrays back to Arrow columns."""

from __future__ import annotations

from spark_infer.tensors.decode import Decoded, Decoder
from spark_infer.tensors.dense import Dense
from spark_infer.tensors.encode import encode
from spark_infer.tensors.ragged import Ragged
from spark_infer.tensors.schema import check_schema, output_schema, packed_name
from spark_infer.tensors.types import arrow_dtype, type_problem

__all__ = [
    "Decoded",
    "Decoder",
    "Dense",
    "Ragged",
    "arrow_dtype",
    "check_schema",
    "encode",
    "output_schema",
    "packed_name",
    "type_problem",
]
