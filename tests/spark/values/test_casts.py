"""Every source type as every tensor type by every path, against the reference in plain Python."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pyspark
import pytest
import torch
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

import spark_infer as si
from spark_infer.errors import SignatureError
from spark_infer.tensors.arrow.casts import refusal
from spark_infer.tensors.arrow.schema import misfit
from tests.unit.support.casting import ANSWERED, REFUSED, VALUES, expected, same, tensors_of

HAS_ARROW = hasattr(F, "arrow_udf")
SPARK_4 = pyspark.__version__ >= "4"
KINDS = ["arrow", "pandas"] if HAS_ARROW else ["pandas"]
NUM_ROWS = 60
FILL = 1
"""What a null becomes."""


def in_range(kind: str, dtype: str) -> list[Any]:
    """Return values of a kind that the tensor's type holds."""
    values = VALUES["boolean" if kind == "void" else kind][1]
    return [value for value in values if expected(kind, dtype, value) is not None]


def cells(kind: str, dtype: str, turn: int) -> list[Any]:
    """Return a column of a kind: its values again and again, and nulls."""
    if kind == "void":
        return [None] * NUM_ROWS
    values = in_range(kind, dtype)
    return [
        None if (row + turn) % 7 == 3 else values[(row * (1 + turn)) % len(values)]
        for row in range(NUM_ROWS)
    ]


class Case:
    """One source type as one tensor type, in columns of every shape."""

    def __init__(self, kind: str, dtype: str) -> None:
        self.kind, self.dtype = kind, dtype
        self.name = re.sub(r"\W+", "_", f"{kind}_{dtype}")
        self.pair = cells(kind, dtype, 0), cells(kind, dtype, 1)

    def inputs(self) -> list[Any]:
        name, dtype = self.name, {"dtype": self.dtype}
        one, *two = (si.Column(f"{shape}_{name}", nulls=FILL) for shape in ("one", "b", "a"))
        return [
            si.ScalarInput(f"x_one_{name}", columns=[one], **dtype),
            si.ScalarInput(f"x_two_{name}", columns=two, **dtype),
            si.ArrayInput(
                f"x_array_{name}", column=f"array_{name}", shape=[2], null_items=FILL, **dtype
            ),
            si.RaggedInput(
                f"x_structs_{name}",
                column=f"structs_{name}",
                fields=["p", "q"],
                null_items=FILL,
                min_length=1,  # Or saving tries each of them empty.
                mask=False,
                **dtype,
            ),
        ]

    def outputs(self) -> list[Any]:
        name, dtype = self.name, {"dtype": self.dtype}
        return [
            si.Output(f"one_{name}_y", **dtype),
            si.Output(f"two_{name}_y", shape=[2], **dtype),
            si.Output(f"array_{name}_y", shape=[2], **dtype),
            si.Output(f"structs_{name}_y", shape=[2], lengths_of=f"x_structs_{name}", **dtype),
        ]

    def columns(self) -> dict[str, pa.Array]:
        kind = pa.null() if self.kind == "void" else VALUES[self.kind][0]
        first, second = (pa.array(cells, kind) for cells in self.pair)
        pairs = [list(pair) for pair in zip(*self.pair, strict=True)]
        structs = [[{"p": p, "q": q}] for p, q in pairs]
        struct = pa.struct({"p": kind, "q": kind})
        return {
            f"one_{self.name}": first,
            f"b_{self.name}": first,
            f"a_{self.name}": second,
            f"array_{self.name}": pa.array(pairs, pa.list_(kind)),
            f"structs_{self.name}": pa.array(structs, pa.list_(struct)),
        }

    def wrong(self, row: int, found: dict[str, Any]) -> Iterator[str]:
        wanted = [self._element(cells[row]) for cells in self.pair]
        shapes = {"one": wanted[:1], "two": wanted, "array": wanted, "structs": wanted}
        for shape, elements in shapes.items():
            values = found[f"{shape}_{self.name}_y"]
            flat = [values] if shape == "one" else values[0] if shape == "structs" else values
            if len(flat) != len(elements) or not all(map(same, flat, elements)):
                given = [cells[row] for cells in self.pair]
                yield f"{self.kind} as {self.dtype}, {shape}: {given} gave {flat}, not {elements}"

    def _element(self, cell: Any) -> Any:
        if cell is not None:
            return expected(self.kind, self.dtype, cell)
        return {"bool": True}.get(self.dtype, float(FILL) if "float" in self.dtype else FILL)


def echo_bundle(path: Path, inputs: list[Any], outputs: list[Any]) -> si.Bundle:
    """Save a model that returns its inputs."""
    signature = si.Signature(inputs=inputs, outputs=outputs)

    class Echo(torch.nn.Module):
        def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return tuple(tensor.clone() for tensor in tensors)

        # torch.export wants each tensor by a name of its own.
        forward.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD)
            for name in ("self", *signature.tensor_names)
        )

    return si.save_bundle(path, Echo(), signature=signature)


CASES = [Case(kind, dtype) for kind in ANSWERED for dtype in tensors_of(kind)]
FEW = {
    ("void", "float32"),
    ("boolean", "bool"),
    ("bigint", "uint8"),
    ("double", "float32"),
    ("decimal(18,6)", "float64"),
    ("date", "int32"),
    ("timestamp", "float64"),
    ("timestamp_ntz", "int64"),
}
"""One pair for each rule."""
SETS = {
    "all": CASES,
    "few": [case for case in CASES if (case.kind, case.dtype) in FEW],
    "some": [case for case in CASES if case.dtype in ("bool", "uint8", "int64", "float32")],
    "numbers": [
        case
        for case in CASES
        if case.dtype in ("bool", "int64", "float32") and not case.kind.startswith(("date", "time"))
    ],
}


@pytest.fixture(scope="module")
def echoes(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], si.Bundle]:
    root = tmp_path_factory.mktemp("bundles")

    @cache
    def echo(name: str) -> si.Bundle:
        inputs = [item for case in SETS[name] for item in case.inputs()]
        outputs = [output for case in SETS[name] for output in case.outputs()]
        return echo_bundle(root / name, inputs, outputs)

    return echo


def record_batch() -> pa.Table:
    columns = {"id": pa.array(range(NUM_ROWS))}
    return pa.table(columns | {k: v for case in CASES for k, v in case.columns().items()})


@pytest.fixture(scope="module")
def rows(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> DataFrame:
    table = record_batch()
    void = [name for name in table.column_names if "_void_" in name]
    path = str(tmp_path_factory.mktemp("rows") / "rows.parquet")
    pq.write_table(table.drop_columns(void), path)
    read = spark.read.option("datetimeRebaseMode", "CORRECTED").parquet(path)
    null = F.lit(None)
    struct = F.array(F.struct(null.alias("p"), null.alias("q")))
    shapes = {"array": F.array(null, null), "structs": struct}
    return read.withColumns({name: shapes.get(name.split("_")[0], null) for name in void})


@pytest.fixture(params=["true", "false"], ids=["ansi", "legacy"])
def ansi(spark: SparkSession, request: pytest.FixtureRequest) -> Iterator[None]:
    settings = {
        "spark.sql.ansi.enabled": request.param,
        # Its clocks go back and forth: 1,533,099,600 is not the only second that it has twice.
        "spark.sql.session.timeZone": "America/New_York",
    }
    before = {key: spark.conf.get(key) for key in settings}
    for key, value in settings.items():
        spark.conf.set(key, value)
    yield
    for key, value in before.items():
        spark.conf.set(key, value)


def predicted(rows: DataFrame, udf: Callable[..., Column], *given: Any) -> DataFrame:
    return rows.select("id", udf(*given).alias("p")).select("id", "p.*")


def by_name(rows: DataFrame, bundle: si.Bundle, kind: Any) -> DataFrame:
    return predicted(rows, si.predict_udf(rows.sparkSession, bundle, kind=kind))


def of_expressions(rows: DataFrame, bundle: si.Bundle, kind: Any) -> DataFrame:
    columns = [F.coalesce(F.col(name)) for name in bundle.signature.column_names]
    return predicted(rows, si.predict_udf(rows.sparkSession, bundle, kind=kind), *columns)


def registered(rows: DataFrame, bundle: si.Bundle, kind: Any) -> DataFrame:
    si.register(rows.sparkSession, "echo", bundle, kind=kind)
    rows.createOrReplaceTempView("rows")
    call = f"echo({', '.join(bundle.signature.column_names)})"
    return rows.sparkSession.sql(f"SELECT id, p.* FROM (SELECT id, {call} AS p FROM rows)")


Run = Callable[[DataFrame, si.Bundle], DataFrame]
PATHS: dict[str, tuple[str, Run]] = {
    "predict, mapInArrow": ("all", lambda rows, bundle: si.predict(rows, bundle, keep=["id"])),
    "predict, joined": (
        "all" if HAS_ARROW else "some",
        lambda rows, bundle: si.predict(rows, bundle),
    ),
}
if HAS_ARROW:
    PATHS |= {
        "arrow, by name": ("all", partial(by_name, kind="arrow")),
        "arrow, of expressions": ("few", partial(of_expressions, kind="arrow")),
        "arrow, registered": ("few", partial(registered, kind="arrow")),
        "pandas, by name": ("some", partial(by_name, kind="pandas")),
        "pandas, of expressions": ("few", partial(of_expressions, kind="pandas")),
    }
else:
    # Where Spark 3.5 does not know the type of an array's elements, it casts numbers only.
    PATHS |= {"pandas, by name": ("numbers", partial(by_name, kind="pandas"))}


@pytest.mark.nightly_after(3)
@pytest.mark.usefixtures("ansi")
@pytest.mark.parametrize("path", PATHS)
def test_every_path_gives_what_the_table_says(
    rows: DataFrame, echoes: Callable[[str], si.Bundle], path: str
) -> None:
    name, run = PATHS[path]
    bundle = echoes(name)
    names = ["id", *(output.name for output in bundle.signature.outputs)]
    found = run(rows, bundle).select(*names).collect()
    assert sorted(row["id"] for row in found) == list(range(NUM_ROWS))
    wrong = [text for row in found for case in SETS[name] for text in case.wrong(row["id"], row)]
    assert not wrong[:20]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., si.Bundle]:
    """Make a bundle that returns the tensor of columns ``a`` and ``b``."""
    root = tmp_path_factory.mktemp("pairs")

    @cache
    def make(dtype: str, nulls: Any = "reject") -> si.Bundle:
        columns = [si.Column(name, nulls=nulls) for name in "ab"]
        item = si.ScalarInput("x", columns=columns, dtype=dtype)
        output = si.Output("y", dtype=dtype, shape=[2])
        return echo_bundle(root / f"{dtype}_{nulls}", [item], [output])

    return make


def results(rows: DataFrame, bundle: si.Bundle, kind: Any) -> Iterator[tuple[str, DataFrame]]:
    """Yield the predictions by every path that the kind of function has."""
    udf = si.predict_udf(rows.sparkSession, bundle, kind=kind)
    yield "by name", rows.select("id", udf().alias("y"))
    yield "columns", rows.select("id", udf(F.col("a"), "b").alias("y"))
    if SPARK_4:
        expressions = F.coalesce(F.col("a")), F.coalesce(F.col("b"))
        yield "expressions", rows.select("id", udf(*expressions).alias("y"))
    yield "kept", si.predict(rows, bundle, keep=["id"])
    yield "joined", si.predict(rows, bundle)


def values(scored: DataFrame) -> list[Any]:
    return [row["y"] for row in scored.orderBy("id").collect()]


@pytest.mark.nightly_after(1)
@pytest.mark.usefixtures("ansi")
@pytest.mark.parametrize("kind", KINDS)
def test_dates_and_timestamps_are_numbers_without_known_types(
    spark: SparkSession, pair: Callable[..., si.Bundle], kind: Any
) -> None:
    rows = spark.sql(
        "SELECT 1 AS id, DATE'1969-12-30' AS a, TIMESTAMP_NTZ'1969-12-31 23:59:59.25' AS b"
    )
    for path, scored in results(rows, pair("float64"), kind):
        assert values(scored) == [[-2.0, -0.75]], path


@pytest.mark.usefixtures("ansi")
@pytest.mark.parametrize("kind", KINDS)
def test_seconds_of_the_first_moments_that_spark_has(
    spark: SparkSession, pair: Callable[..., si.Bundle], kind: Any
) -> None:
    rows = spark.sql(
        "SELECT 1 AS id, timestamp_micros(-9223372036854775808L) AS a, timestamp_micros(-1L) AS b "
        "UNION ALL SELECT 2, timestamp_micros(-1000000L), timestamp_micros(1999999L)"
    )
    for path, scored in results(rows, pair("int64"), kind):
        # Python has no such moments: they are not fetched.
        found = [row["y"] for row in scored.orderBy("id").select("y").collect()]
        assert found == [[-9223372036855, -1], [-1, 1]], path


@pytest.mark.nightly_after(1)
@pytest.mark.usefixtures("ansi")
@pytest.mark.parametrize("kind", KINDS)
def test_a_value_out_of_range_costs_its_row_by_every_path(
    spark: SparkSession, pair: Callable[..., si.Bundle], kind: Any
) -> None:
    rows = spark.sql("SELECT * FROM VALUES (1, 0, 255L), (2, 256, 1L), (3, 1, -1L) AS t(id, a, b)")
    for path, scored in results(rows, pair("uint8"), kind):
        assert values(scored) == [[0, 255], None, None], path
        if "rejected_reason" in scored.columns:
            reasons = [row["rejected_reason"] for row in scored.orderBy("id").collect()]
            assert reasons == [
                None,
                "column 'a' holds a value outside 0..255",
                "column 'b' holds a value outside 0..255",
            ]


@pytest.mark.nightly_after(2)
@pytest.mark.usefixtures("ansi")
@pytest.mark.parametrize("kind", KINDS)
def test_nan_beside_a_null_stays_nan(
    spark: SparkSession, pair: Callable[..., si.Bundle], kind: Any
) -> None:
    rows = spark.sql("SELECT 1 AS id, double('NaN') AS a, CAST(NULL AS INT) AS b")
    for path, scored in results(rows, pair("float64", 5.0), kind):
        ((first, second),) = values(scored)
        assert (math.isnan(first), second) == (True, 5.0), path


@pytest.mark.parametrize("kind", KINDS)
def test_large_integers_beside_a_null_are_kept(
    spark: SparkSession, pair: Callable[..., si.Bundle], kind: Any
) -> None:
    rows = spark.sql(f"SELECT 1 AS id, {2**53 + 1} AS a, NULL AS b")
    for path, scored in results(rows, pair("int64", 5), kind):
        assert values(scored) == [[2**53 + 1, 5]], path


@pytest.mark.nightly_after(8)
@pytest.mark.usefixtures("ansi")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [*REFUSED, *(("variant",) if SPARK_4 else ())])
def test_a_refusal_is_the_same_sentence_by_every_path(
    spark: SparkSession, pair: Callable[..., si.Bundle], kind: Any, name: str
) -> None:
    value = REFUSED.get(name, "parse_json('1')")
    rows = spark.sql(f"SELECT 1 AS id, {value} AS a, 1 AS b")
    item = si.ScalarInput("x", columns=["a", "b"])
    sentence = misfit("a", item, refusal(name, item))
    bundle = pair("float32")
    with pytest.raises(SignatureError) as raised:
        si.predict(rows, bundle)
    assert str(raised.value) == sentence
    udf = si.predict_udf(spark, bundle, kind=kind)
    calls = [lambda: udf(), lambda: udf(F.col("a"), "b")]
    if SPARK_4:
        calls.append(lambda: udf(F.coalesce(F.col("a")), F.coalesce(F.col("b"))))
    for call in calls:
        with pytest.raises(Exception, match=re.escape(sentence)):
            rows.select(call()).collect()


@pytest.mark.parametrize("kind", KINDS)
def test_ids_of_words_and_of_large_integers(spark: SparkSession, tmp_path: Path, kind: Any) -> None:
    numbers, unknown = (2**53, 2**53 + 1), {"unknown_id": 9}
    inputs = [
        si.ScalarInput("i", columns=[si.Column("a", nulls=7)], vocabulary=numbers, **unknown),
        si.ScalarInput("s", columns=[si.Column("b", nulls=7)], vocabulary=("x", "y"), **unknown),
        si.RaggedInput("r", column="c", vocabulary=numbers, null_items=7, mask=False, **unknown),
        si.RaggedInput("w", column="d", vocabulary=("x", "y"), null_items=7, mask=False, **unknown),
    ]
    outputs = [
        *(si.Output(f"{name}_y", dtype="int64") for name in "is"),
        *(si.Output(f"{name}_y", dtype="int64", lengths_of=name) for name in "rw"),
    ]
    bundle = echo_bundle(tmp_path / "ids", inputs, outputs)
    rows = spark.sql(
        f"SELECT * FROM VALUES (1, {2**53 + 1}, 'y', array({2**53 + 1}, NULL), array('y', NULL)), "
        f"(2, NULL, NULL, array({2**53}), array('x', 'z')) AS t(id, a, b, c, d)"
    )
    expected_ids = [[1, 1, [1, 7], [1, 7]], [7, 7, [0], [0, 9]]]
    udf = si.predict_udf(spark, bundle, kind=kind)
    for scored in (
        predicted(rows, udf),
        predicted(rows, udf, *map(F.col, "abcd")),
        si.predict(rows, bundle),
        si.predict(rows, bundle, keep=["id"]),
    ):
        found = scored.orderBy("id").select("i_y", "s_y", "r_y", "w_y").collect()
        assert [list(row) for row in found] == expected_ids


@pytest.mark.parametrize("column", ["a", "c"])
def test_a_registered_pandas_function_refuses_timestamps(
    spark: SparkSession, tmp_path: Path, column: str
) -> None:
    inputs = [
        si.ScalarInput("x", columns=["a"]),
        si.RaggedInput("y", column="c", mask=False),
    ]
    outputs = [si.Output("x_y"), si.Output("y_y", lengths_of="y")]
    bundle = echo_bundle(tmp_path / "echo", inputs, outputs)
    si.register(spark, "echo_pandas", bundle, kind="pandas")
    given = {"a": "1.5F", "c": "array(2.5F)"}
    query = "SELECT echo_pandas({a}, {c}) AS p"
    (row,) = spark.sql(query.format(**given)).collect()
    assert (row["p"]["x_y"], row["p"]["y_y"]) == (1.5, [2.5])
    timestamp = "TIMESTAMP'2018-08-01 05:00:00'"
    given[column] = timestamp if column == "a" else f"array({timestamp})"
    with pytest.raises(Exception, match="pandas functions see timestamps in session time"):
        spark.sql(query.format(**given)).collect()
