"""Features: which Spark SQL expressions a bundle may carry, checked without Spark.

A bundle's features run inside Spark with the rights of the job that uses it, and a bundle may come
from anyone. So the language is closed: ``tokens`` and ``grammar`` accept a small part of Spark
SQL, ``functions`` lists the functions, and what is not understood is refused. The grammar is
written here, and no general SQL parser is used, because those read many dialects, rename what they
read and learn new syntax with every version: all the wrong ways for a check. When the features
are used, Spark's own reading of them is checked too, by ``spark_infer.spark.features.expressions``.
"""

from __future__ import annotations

from spark_infer.bundle.features.check import check_features, refused
from spark_infer.bundle.features.functions import (
    AGGREGATES,
    CONVERT_TIMES,
    FUNCTIONS,
    MAKE_TEXT,
    NEED_ARGUMENTS,
    SESSION_NAMES,
    TAKE_FORMAT,
    WINDOW_ONLY,
    not_listed,
)
from spark_infer.bundle.features.grammar import check_expression
from spark_infer.bundle.features.moments import is_moment, is_time_of_day
from spark_infer.bundle.features.tokens import Refused, check_text

__all__ = [
    "AGGREGATES",
    "CONVERT_TIMES",
    "FUNCTIONS",
    "MAKE_TEXT",
    "NEED_ARGUMENTS",
    "SESSION_NAMES",
    "TAKE_FORMAT",
    "WINDOW_ONLY",
    "Refused",
    "check_expression",
    "check_features",
    "check_text",
    "is_moment",
    "is_time_of_day",
    "not_listed",
    "refused",
]
