"""Rows under a name that SQL can say."""

from __future__ import annotations

import uuid

from pyspark.sql import DataFrame


class View:
    """A temporary view of rows, for a while.

    Args:
        rows: The rows.
    """

    def __init__(self, rows: DataFrame) -> None:
        self._rows = rows
        self._name = f"spark_infer_{uuid.uuid4().hex}"

    def __enter__(self) -> str:
        self._rows.createOrReplaceTempView(self._name)
        return self._name

    def __exit__(self, *error: object) -> None:
        self._rows.sparkSession.catalog.dropTempView(self._name)
