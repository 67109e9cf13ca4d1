"""Rows whose arrays are of another shape, or whose structs are read, by every path."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyspark
import pytest
import torch
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import spark_infer as si

HAS_ARROW = hasattr(F, "arrow_udf")
SPARK_4 = pyspark.__version__ >= "4"
KINDS: list[Any] = ["arrow", "pandas"] if HAS_ARROW else ["pandas"]


class Sums(torch.nn.Module):
    """The sum of a matrix, of ragged pairs and of ragged structs."""

    def forward(self, x: Any, m: Any, m_mask: Any, s: Any, s_mask: Any) -> Any:
        return x.sum((1, 2)) + (m.sum(2) * m_mask).sum(1) + (s.sum(2) * s_mask).sum(1)


INPUTS = {
    "x": si.ArrayInput("x", column="x", shape=[2, 2]),
    "m": si.RaggedInput("m", column="m", shape=[2]),
    "s": si.RaggedInput("s", column="s", fields=["p", "q"]),
}
FULL = [[1.0, 2.0], [3.0, 4.0]]
ROWS: list[tuple[Any, ...]] = [
    (1, FULL, [[1.0, 1.0]], [(1, 2)]),
    (2, [[1.0], [3.0, 4.0]], [[1.0, 1.0]], [(1, 2)]),
    (3, [[1.0, 2.0], None], [[1.0, 1.0]], [(1, 2)]),
    (4, FULL, [[1.0, 1.0], [1.0]], []),
    (5, FULL, [None], []),
    (6, [[1.0, 2.0]], [], []),
    (7, FULL, [], [(1, None)]),
    (8, FULL, [], [(1, 2), (3, 4)]),
]
TYPES = "id int, x array<array<double>>, m array<array<double>>, s array<struct<p:int,q:bigint>>"
SCORES = {1: 15.0, 8: 20.0} | dict.fromkeys(range(2, 8))
REASONS = {
    **dict.fromkeys((1, 8)),
    **dict.fromkeys((2, 3, 6), "column 'x' is not of shape [2, 2]"),
    **dict.fromkeys((4, 5), "column 'm' holds an array that is not of shape [2]"),
    7: "column 's' holds a null",
}


@pytest.fixture(scope="module")
def sums(tmp_path_factory: pytest.TempPathFactory) -> si.Bundle:
    signature = si.Signature(inputs=list(INPUTS.values()), outputs=[si.Output("y")])
    path = tmp_path_factory.mktemp("bundles") / "sums"
    return si.save_bundle(path, Sums(), signature=signature)


def by_id(scored: DataFrame, name: str = "y") -> dict[int, Any]:
    return {row["id"]: row[name] for row in scored.collect()}


@pytest.mark.parametrize("keep", [["id"], None])
def test_predict_says_why_a_row_has_no_prediction(
    spark: SparkSession, sums: si.Bundle, keep: Any
) -> None:
    scored = si.predict(spark.createDataFrame(ROWS, TYPES), sums, keep=keep)
    assert by_id(scored) == SCORES
    assert by_id(scored, "rejected_reason") == REASONS


def calls(spark: SparkSession, bundle: si.Bundle, kind: Any) -> Iterator[tuple[str, DataFrame]]:
    """Yield the predictions of ``rows`` by every way to call a function."""
    rows = spark.table("rows")
    columns = bundle.signature.column_names
    udf = si.predict_udf(spark, bundle, kind=kind)
    yield "by name", rows.select("id", udf().alias("y"))
    yield "columns", rows.select("id", udf(*map(F.col, columns)).alias("y"))
    if SPARK_4:
        expressions = [F.coalesce(F.col(name)) for name in columns]
        yield "expressions", rows.select("id", udf(*expressions).alias("y"))
    si.register(spark, "registered", bundle, kind=kind)
    yield "registered", spark.sql(f"SELECT id, registered({', '.join(columns)}) AS y FROM rows")


@pytest.mark.parametrize("kind", KINDS)
def test_a_function_gives_such_a_row_null(spark: SparkSession, sums: si.Bundle, kind: Any) -> None:
    spark.createDataFrame(ROWS, TYPES).createOrReplaceTempView("rows")
    for path, scored in calls(spark, sums, kind):
        assert by_id(scored) == SCORES, path


@pytest.mark.nightly_after(3)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [[4, 6], [5], [7], [8, 7]])
def test_structs_that_are_missing_from_all_rows_are_read(
    spark: SparkSession, sums: si.Bundle, kind: Any, rows: list[int]
) -> None:
    some = [row for row in ROWS if row[0] in rows]
    spark.createDataFrame(some, TYPES).coalesce(1).createOrReplaceTempView("rows")
    for path, scored in calls(spark, sums, kind):
        assert by_id(scored) == {row: SCORES[row] for row in rows}, path


@pytest.mark.parametrize("kind", KINDS)
def test_another_shape_stops_where_that_is_asked_for(
    spark: SparkSession, tmp_path: Path, kind: Any
) -> None:
    class Sum(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return x.sum((1, 2))

    item = si.ArrayInput("x", column="x", shape=[2, 2], lengths="error")
    signature = si.Signature(inputs=[item], outputs=[si.Output("y")])
    bundle = si.save_bundle(tmp_path / "b", Sum(), signature=signature)
    assert bundle.signature.inputs[0].lengths == "error"  # type: ignore[attr-defined]
    rows = spark.createDataFrame(ROWS, TYPES)
    scored: list[Callable[[], DataFrame]] = [
        lambda: si.predict(rows, bundle, keep=["id"]),
        lambda: rows.select(si.predict_udf(spark, bundle, kind=kind)()),
    ]
    for call in scored:
        with pytest.raises(Exception, match=r"column 'x' .*expected arrays of shape \[2, 2\], got"):
            call().collect()


class Echo(torch.nn.Module):
    def forward(self, x: Any) -> Any:
        return x * 1


@pytest.mark.nightly_after(3)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "uint8"])
def test_integers_that_a_tensor_does_not_hold_cost_their_row(
    spark: SparkSession, tmp_path: Path, kind: Any, dtype: str
) -> None:
    info = torch.iinfo(getattr(torch, dtype))
    item = si.ScalarInput("x", columns=["a", "b"], dtype=dtype)
    output = si.Output("y", dtype=dtype, shape=[2])
    signature = si.Signature(inputs=[item], outputs=[output])
    bundle = si.save_bundle(tmp_path / "b", Echo(), signature=signature)
    rows = [(1, info.max, info.min), (2, info.max + 1, 1), (3, 1, info.min - 1), (4, 7, None)]
    spark.createDataFrame(rows, "id int, a bigint, b bigint").createOrReplaceTempView("rows")
    wanted = {1: [info.max, info.min], 2: None, 3: None, 4: None}
    for path, scored in calls(spark, bundle, kind):
        assert by_id(scored) == wanted, path
    for keep in (["id"], None):
        scored = si.predict(spark.table("rows"), bundle, keep=keep)
        assert by_id(scored) == wanted
        outside = f"holds a value outside {info.min}..{info.max}"
        assert by_id(scored, "rejected_reason") == {
            1: None,
            2: f"column 'a' {outside}",
            3: f"column 'b' {outside}",
            4: "column 'b' is null",
        }


@pytest.mark.parametrize("kind", KINDS)
def test_integers_of_arrays_and_structs_that_a_tensor_does_not_hold(
    spark: SparkSession, tmp_path: Path, kind: Any
) -> None:
    class Pairs(torch.nn.Module):
        def forward(self, a: Any, s: Any, s_mask: Any) -> Any:
            return a.sum(1) + (s.sum(2) * s_mask).sum(1)

    inputs = [
        si.ArrayInput("a", column="a", shape=[2], dtype="int16"),
        si.RaggedInput("s", column="s", fields=["p", "q"], dtype="int16"),
    ]
    signature = si.Signature(inputs=inputs, outputs=[si.Output("y", dtype="int64")])
    bundle = si.save_bundle(tmp_path / "b", Pairs(), signature=signature)
    rows: list[tuple[Any, ...]] = [
        (1, [1, 2], [(3, 4)]),
        (2, [1, 32768], [(3, 4)]),
        (3, [1, 2], [(3, 32768)]),
        (4, [1, None], [(3, 4)]),
        (5, [1, 2], [(3, None)]),
    ]
    types = "id int, a array<int>, s array<struct<p:int,q:bigint>>"
    spark.createDataFrame(rows, types).createOrReplaceTempView("rows")
    for path, scored in calls(spark, bundle, kind):
        assert by_id(scored) == {1: 10} | dict.fromkeys(range(2, 6)), path
