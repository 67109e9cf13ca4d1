"""A column on its way from the JVM to Python."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import Column
from pyspark.sql import functions as F

from spark_infer.spark.wire.source import SPARK_4


@dataclass(frozen=True)
class WireColumn:
    """One of the columns that a predictor reads.

    Attributes:
        values: Its values.
        mask: Where they are null, when pandas would not tell; None when it does.
        packed_as: Spark's type of the array in which scalar columns are packed; None when none are.
        is_pair: Whether the values are structs of the values and the mask.
    """

    values: Column
    mask: Column | None = None
    packed_as: str | None = None
    is_pair: bool = False

    def as_argument(self) -> WireColumn:
        """Return it as an argument of a scalar Python function.

        There whole-stage code generation should compute what is packed, in a projection below the
        function's operator, so that its source columns need not pass through that. As a plain
        argument that operator computes it: over a Parquet scan of thirty floats the query takes
        half as long again (Spark 4.3). Spark 4 moves an expression that ``nullif`` repeats into
        such a projection; Spark 3.5 would compute it twice.
        """
        if self.packed_as is None or self.is_pair or not SPARK_4:
            return self
        # None of both is ever empty, so that nullif changes nothing.
        values = F.nullif(self.values, F.array().cast(self.packed_as))
        mask = None if self.mask is None else F.nullif(self.mask, F.lit(""))
        return WireColumn(values, mask, self.packed_as)
