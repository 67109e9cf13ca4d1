"""Single values of Spark's plan as Arrow arrays of one element."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.types as pat

from spark_infer.spark.scan.refused import NotDirect


def value(given: Any, kind: pa.DataType) -> pa.Array:
    """Return what Spark's plan holds for a literal or a partition, as an array of one element.

    An array and no scalar, since a scalar travels as a Python object, and Python has no dates
    before the year 1.

    Args:
        given: Spark's internal value, as py4j hands it over.
        kind: The Arrow type of its column.

    Raises:
        NotDirect: Its type is none of those of partitions.
    """
    if given is None:
        return pa.nulls(1, kind)
    if pat.is_string(kind):
        try:
            return pa.array([bytes(given.getBytes()).decode()], kind)
        except UnicodeDecodeError:
            raise NotDirect("a constant is text that is no UTF-8") from None
    if pat.is_decimal(kind):
        return pa.array([Decimal(str(given.toString()))], kind)
    if pat.is_date32(kind):
        return pa.array([given], pa.int32()).view(kind)
    if pat.is_timestamp(kind):
        return pa.array([given], pa.int64()).view(kind)
    if pat.is_boolean(kind) or pat.is_integer(kind) or pat.is_floating(kind):
        return pa.array([given], kind)
    raise NotDirect(f"a constant is of type {kind}")
