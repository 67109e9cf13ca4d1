"""What is measured of the staged rows, all of it by one query."""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql.types import BooleanType

from spark_infer.bundle import Output
from spark_infer.bundle.profile import Distribution
from spark_infer.bundle.profile.distribution import NUM_BINS, with_ends
from spark_infer.errors import ConfigError
from spark_infer.spark.driver.settings import with_setting
from spark_infer.spark.failures import spark_failures
from spark_infer.spark.names import unused
from spark_infer.spark.wire import quoted
from spark_infer.spark.wire.casts import literal
from spark_infer.warehouse.parameters.binding import sql_with

ROWS = "count(1)"
_ACCURACY = 10_000
_ADAPTIVE = "spark.sql.adaptive.enabled"
"""A query of aggregates has one row at its end, and planning it anew takes a fifth of its time."""


class Measures:
    """Collects aggregates, and computes them together.

    Args:
        rows: The rows, or others of their schema.
        outputs: Outputs that are single numbers or labels, by name.
        values: The job's parameters, as ``with_session_zone`` returned them.
    """

    def __init__(
        self, rows: DataFrame, outputs: Mapping[str, Output], values: Mapping[str, Any]
    ) -> None:
        self._rows = rows
        self._values = values
        names = unused(rows.columns, len(outputs))
        self._finite = dict(zip(outputs, map(quoted, names), strict=True))
        """The column of each output's finite numbers."""
        self._numbers = {name: _number(output) for name, output in outputs.items()}
        self._asked: dict[str, str] = {ROWS: "m0"}
        self._found: Mapping[str, Any] = {}

    def ask(self, *texts: str) -> None:
        """Have aggregates computed."""
        for text in texts:
            self._asked.setdefault(text, f"m{len(self._asked)}")

    def compute(self) -> None:
        """Compute what was asked for.

        Raises:
            WarehouseError: A query fails, such as by a cast in an expression of the user.
        """
        self._found = self._query(self._asked)

    def __getitem__(self, text: str) -> Any:
        """Return what an aggregate came to."""
        return self._found[self._asked[text]]

    def check_expression(self, expression: str, *, where: str) -> None:
        """Prove that an expression of the user is an aggregate that is true or not.

        Raises:
            ConfigError: It is more or less, or does not fit the columns or parameters.
        """
        spark = self._rows.sparkSession
        known = ", ".join(self._rows.columns)
        with spark_failures(
            f"{where} ({expression})",
            f"it is over all rows, such as min(score) >= 0; columns: {known}",
            ConfigError,
        ):
            # As a text of its own: pasted into a query, it could be the rest of one.
            spark._jsparkSession.sessionState().sqlParser().parseExpression(expression)
            one = f"(\n{expression}\n)"
            # In another expression it cannot be one that makes rows, such as explode.
            found = self._selected({one: "m0", f"{one} IS NULL": "m1", ROWS: "m2"}).schema
        if not isinstance(found.fields[0].dataType, BooleanType):
            kind = found.fields[0].dataType.simpleString()
            raise ConfigError(
                f"{where} ({expression}) must be true or not, and is {kind}; compare it with "
                "something, such as min(score) >= 0"
            )

    def nulls(self, name: str) -> str:
        """Return the aggregate of the rows without a value."""
        return _number_of(f"{quoted(name)} IS NULL")

    def not_finite(self, name: str) -> str:
        """Return that of the rows with NaN or an infinite value."""
        return _number_of(f"{quoted(name)} IS NOT NULL AND {self._finite[name]} IS NULL")

    def nan(self, name: str) -> str:
        """Return that of the rows with NaN."""
        return _number_of(f"isnan({self._numbers[name]})")

    def least(self, name: str) -> str:
        """Return that of the smallest finite value."""
        return f"min({self._finite[name]})"

    def most(self, name: str) -> str:
        """Return that of the largest."""
        return f"max({self._finite[name]})"

    def above(self, name: str, threshold: float) -> str:
        """Return that of the rows above a threshold, which NaN is not."""
        number = self._numbers[name]
        return _number_of(f"{number} > {_double(threshold)} AND NOT isnan({number})")

    def ask_distribution(self, name: str, cuts: Sequence[float]) -> None:
        """Have an output's distribution computed."""
        self.ask(self.nulls(name), self.not_finite(name), self.least(name), self.most(name))
        self.ask(self._mean(name), *(self._below(name, cut) for cut in cuts))

    def distribution(self, name: str, cuts: Sequence[float]) -> Distribution:
        """Return it."""
        rows, nulls, odd = self[ROWS], self[self.nulls(name)], self[self.not_finite(name)]
        below = [0, *(self[self._below(name, cut)] for cut in cuts), rows - nulls - odd]
        mean = self[self._mean(name)]
        return Distribution(
            rows=rows,
            nulls=nulls,
            not_finite=odd,
            minimum=self[self.least(name)],
            maximum=self[self.most(name)],
            mean=mean if mean is None or math.isfinite(mean) else None,
            cuts=tuple(cuts),
            counts=tuple(np.diff(below).tolist()),
        )

    def cut_points(self, names: Sequence[str]) -> dict[str, list[float]]:
        """Return cut points for some outputs, by a query of its own: of values that have none."""
        steps = ", ".join(f"{step / NUM_BINS}D" for step in range(NUM_BINS + 1))
        texts = {
            f"approx_percentile({self._finite[name]}, array({steps}), {_ACCURACY})": f"m{at}"
            for at, name in enumerate(names)
        }
        found = self._query(texts) if texts else {}
        return {name: with_ends(found[f"m{at}"] or []) for at, name in enumerate(names)}

    def _mean(self, name: str) -> str:
        return f"avg({self._finite[name]})"

    def _below(self, name: str, cut: float) -> str:
        return _number_of(f"{self._finite[name]} <= {_double(cut)}")

    def _query(self, texts: Mapping[str, str]) -> dict[str, Any]:
        with with_setting(self._rows.sparkSession, _ADAPTIVE, "false"):
            found = self._selected(texts).first()
        assert found is not None
        return found.asDict()

    def _selected(self, texts: Mapping[str, str]) -> DataFrame:
        spark = self._rows.sparkSession
        view = f"spark_infer_{uuid.uuid4().hex}"
        finite = "".join(
            f", CASE WHEN abs({number}) < double('infinity') THEN {number} END AS "
            f"{self._finite[name]}"
            for name, number in self._numbers.items()
        )
        asked = ", ".join(f"{text} AS {alias}" for text, alias in texts.items())
        self._rows.createOrReplaceTempView(view)
        try:
            query = f"SELECT {asked} FROM (SELECT *{finite} FROM {view}) AS staged"
            return sql_with(spark, query, self._values)
        finally:
            spark.catalog.dropTempView(view)


def _number(output: Output) -> str:
    """Return an output as a double: a label as its place among the labels."""
    column = quoted(output.name)
    if output.labels is None:
        return f"CAST({column} AS DOUBLE)"
    labels = ", ".join(map(literal, output.labels))
    return f"CAST(array_position(array({labels}), {column}) - 1 AS DOUBLE)"


def _number_of(condition: str) -> str:
    """Return the aggregate of the rows that meet a condition; count_if takes twice as long."""
    return f"coalesce(sum(IF({condition}, 1L, 0L)), 0L)"


def _double(number: float) -> str:
    return f"CAST('{number!r}' AS DOUBLE)"
