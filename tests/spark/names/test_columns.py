"""Columns of any name, by every path, under both settings of ``spark.sql.caseSensitive``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyspark
import pytest
import torch
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import spark_infer as si
from spark_infer.errors import ConfigError, SignatureError
from spark_infer.spark.wire import quoted

KINDS = ["arrow", "pandas"] if hasattr(F, "arrow_udf") else ["pandas"]
SPARK_4 = pyspark.__version__ >= "4"
ODD = [
    "a.b",
    "c`d",
    "`",
    "x[]",
    "_0",
    "0",
    "__wire_0",
    "__predicted",
    "${spark.app.name}",
    "*",
    "t.*",
    'it\'s "so" \\n',
    "1st",
    " ",
    "straße",
    "日本",
]
OUTPUTS = ["p.q", "r`s", "_1"]


class Weighed(torch.nn.Module):
    """Sums its columns, each weighed by its place, so that an exchange shows."""

    def __init__(self, num_outputs: int) -> None:
        super().__init__()
        self.num_outputs = num_outputs

    def forward(self, x: torch.Tensor) -> Any:
        total = (x * torch.arange(1.0, x.shape[1] + 1)).sum(1)
        scores = tuple(total + number for number in range(self.num_outputs))
        return scores if self.num_outputs > 1 else scores[0]


Save = Callable[..., si.Bundle]


@pytest.fixture(scope="module")
def save(tmp_path_factory: pytest.TempPathFactory) -> Save:
    """Saves a bundle that weighs the given columns."""

    def save_columns(
        columns: list[str], outputs: tuple[str, ...] = ("score",), **options: Any
    ) -> si.Bundle:
        signature = si.Signature(
            inputs=[si.ScalarInput("x", columns=columns)], outputs=[si.Output(o) for o in outputs]
        )
        path = tmp_path_factory.mktemp("bundles") / "weighed"
        return si.save_bundle(path, Weighed(len(outputs)), signature=signature, **options)

    return save_columns


@pytest.fixture
def exact(spark: SparkSession) -> SparkSession:
    """A session in which names that differ by case are different."""
    session = spark.newSession()
    session.conf.set("spark.sql.caseSensitive", "TRUE")
    session.conf.set("spark.sql.session.timeZone", "UTC")
    return session


def table(spark: SparkSession, *names: str) -> DataFrame:
    """Return one row whose values are 1, 2, 3 ... under the given names."""
    return spark.range(1).select(
        *(F.lit(float(place)).alias(name) for place, name in enumerate(names, 1))
    )


def only(df: DataFrame) -> dict[str, Any]:
    (row,) = df.collect()
    return dict(zip(df.columns, row, strict=True))


WEIGHED = float(sum(place * place for place in range(1, len(ODD) + 1)))
SCORES = {name: WEIGHED + number for number, name in enumerate(OUTPUTS)}


@pytest.fixture(scope="module")
def odd(save: Save) -> si.Bundle:
    return save(ODD, tuple(OUTPUTS))


@pytest.mark.parametrize("kept", [None, [*ODD, ""], list(reversed(ODD)), []])
def test_a_column_may_have_any_name(spark: SparkSession, odd: si.Bundle, kept: Any) -> None:
    rows = table(spark, *ODD, "")
    scored = only(rows.transform(si.predict, odd, keep=kept))
    values = {name: float(place) for place, name in enumerate([*ODD, ""], 1)}
    wanted = [*ODD, ""] if kept is None else kept
    assert list(scored) == [*wanted, *OUTPUTS, "rejected_reason"]
    assert scored == {name: values[name] for name in wanted} | SCORES | {"rejected_reason": None}


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize("kind", KINDS)
def test_a_function_reads_columns_of_any_name(
    spark: SparkSession, odd: si.Bundle, kind: Any
) -> None:
    score = si.predict_udf(spark, odd, kind=kind)
    for column in (score(), score(*ODD), score(**{name: name for name in reversed(ODD)})):
        (row,) = table(spark, *ODD).select(column.alias("p")).collect()
        assert row["p"].asDict() == SCORES


@pytest.mark.skipif(not SPARK_4, reason="named arguments came with Spark 4")
@pytest.mark.parametrize("kind", KINDS)
def test_sql_arguments_have_any_name_in_any_case(
    spark: SparkSession, exact: SparkSession, save: Save, kind: Any
) -> None:
    bundle = save(["a.b", "C", "argument 1"])
    query = "SELECT weighed(`argument 1` => 3.0D, c => 2.0D, `A.B` => 1.0D)"
    si.register(spark, "weighed", bundle, kind=kind)
    assert spark.sql(query).first()[0] == 14.0
    si.register(exact, "weighed", bundle, kind=kind)
    with pytest.raises(Exception, match="no argument 'c'; did you mean 'C'"):
        exact.sql(query).collect()
    assert exact.sql(query.replace("c =>", "C =>").replace("A.B", "a.b")).first()[0] == 14.0


@pytest.mark.parametrize("keep", [None, ["Id"]])
def test_columns_and_kept_columns_are_found_as_the_session_finds_them(
    spark: SparkSession, exact: SparkSession, save: Save, keep: Any
) -> None:
    bundle = save(["Amount", "É"], features={"É": "gap + 1"})
    scored = only(si.predict(table(spark, "ID", "AMOUNT", "Gap", "é"), bundle, keep=keep))
    assert scored["score"] == 2 + 2 * 4
    assert next(iter(scored)) == ("ID" if keep is None else "Id")
    rows = table(exact, "Id", "amount", "Amount", "gap", "é", "É")
    scored = only(si.predict(rows, bundle, keep=keep))
    assert (scored["Id"], scored["score"]) == (1.0, 3 + 2 * 5)
    if keep is None:
        assert (scored["é"], scored["É"]) == (5.0, 6.0)
        assert only(si.predict(rows.select("Amount", "gap", "é"), bundle))["é"] == 5.0
    with pytest.raises(SignatureError, match=r"column 'Amount' is missing; did you mean 'amount'"):
        si.predict(rows.select("Id", "amount", "gap"), bundle, keep=keep)
    with pytest.raises(ConfigError, match="keep: column 'iD' is missing; did you mean 'Id'"):
        si.predict(rows, bundle, keep=["iD"])


def test_a_feature_is_read_in_the_place_of_the_column_of_its_name(
    spark: SparkSession, exact: SparkSession, save: Save
) -> None:
    bundle = save(["a"], features={"a": "10 * A"})
    folded = only(si.predict(table(spark, "A"), bundle))
    assert folded == {"A": 1.0, "score": 10.0, "rejected_reason": None}
    assert only(si.predict(table(exact, "A"), bundle)) == folded


def test_a_feature_is_read_beside_columns_that_stand_twice(spark: SparkSession, save: Save) -> None:
    left, right = table(spark, "id", "B"), table(spark, "id", "c")
    joined = left.join(right, left["id"] == right["id"])
    bundle = save(["b", "d"], features={"b": "B * 10", "d": "c + 1"})
    scored = si.predict(joined, bundle)
    assert scored.columns == ["id", "B", "id", "c", "score", "rejected_reason"]
    assert tuple(scored.first()) == (1.0, 2.0, 1.0, 2.0, 26.0, None)
    assert tuple(si.predict(joined, bundle, keep=["B", "c"]).first())[:3] == (2.0, 2.0, 26.0)


def test_a_feature_takes_the_place_of_no_column_that_only_looks_like_it(
    spark: SparkSession, save: Save
) -> None:
    """Spark's ``withColumn`` takes the micro sign for the letter."""
    bundle = save(["\N{GREEK SMALL LETTER MU}"], features={"\N{GREEK SMALL LETTER MU}": "a * 2"})
    scored = only(si.predict(table(spark, "\N{MICRO SIGN}", "a"), bundle))
    assert scored == {"\N{MICRO SIGN}": 1.0, "a": 2.0, "score": 4.0, "rejected_reason": None}


@pytest.mark.parametrize("kind", KINDS)
def test_a_function_reads_names_as_the_session_does(
    spark: SparkSession, exact: SparkSession, save: Save, kind: Any
) -> None:
    bundle = save(["a", "b"])
    folded = si.predict_udf(spark, bundle, kind=kind)
    assert table(spark, "A", "B").select(folded()).first()[0] == 5.0
    assert table(spark, "A", "B").select(folded(B="a", A="b")).first()[0] == 4.0
    score = si.predict_udf(exact, bundle, kind=kind)
    assert table(exact, "A", "B", "b", "a").select(score()).first()[0] == 10.0
    with pytest.raises(SignatureError, match="no argument 'A'"):
        score(A="a", b="b")


def test_columns_that_differ_by_case_need_a_session_that_sees_it(
    spark: SparkSession, exact: SparkSession, save: Save
) -> None:
    bundle = save(["a", "A"])
    for keep in (None, ["A", "a"]):
        assert only(si.predict(table(exact, "A", "a"), bundle, keep=keep))["score"] == 4.0
        with pytest.raises(SignatureError, match=r"\['a', 'A'\], which are one name"):
            si.predict(table(spark, "A"), bundle, keep=keep and ["A"])
    assert table(exact, "A", "a").select(si.predict_udf(exact, bundle)()).first()[0] == 4.0
    score = si.predict_udf(spark, bundle)
    with pytest.raises(SignatureError, match="one name in the Spark session"):
        score()
    assert table(spark, "b", "c").select(score("c", "b")).first()[0] == 4.0


def test_a_prediction_has_the_name_of_no_column(
    spark: SparkSession, exact: SparkSession, save: Save
) -> None:
    bundle = save(["a"])
    for rows, keep in ((table(spark, "a", "Score"), None), (table(spark, "a", "score"), ["SCORE"])):
        with pytest.raises(ConfigError, match=r"column '(Score|SCORE)' has the name of a pred"):
            si.predict(rows, bundle, keep=keep)
    with pytest.raises(ConfigError, match="'Rejected_Reason' has the name of a prediction column"):
        si.predict(table(spark, "a", "Rejected_Reason"), bundle)
    with pytest.raises(ConfigError, match=r"column 'A' is named twice \('a'\)"):
        si.predict(table(spark, "a"), bundle, keep=["a", "A"])
    for keep in (None, ["Score", "A", "a"]):
        scored = only(si.predict(table(exact, "a", "A", "Score"), bundle, keep=keep))
        assert (scored["A"], scored["Score"], scored["score"]) == (2.0, 3.0, 1.0)


@pytest.mark.parametrize("keep", [None, ["b"]])
def test_columns_that_stand_twice_after_a_join_matter_only_where_they_are_needed(
    spark: SparkSession, save: Save, keep: Any
) -> None:
    left, right = table(spark, "id", "a").alias("l"), table(spark, "id", "b", "A").alias("r")
    joined = left.join(right, F.col("l.id") == F.col("r.id"))
    scored = si.predict(joined.drop(F.col("r.A")), save(["a"]), keep=keep)
    assert scored.columns == (
        ["b", "score", "rejected_reason"]
        if keep
        else ["id", "a", "id", "b", "score", "rejected_reason"]
    )
    assert scored.select("score").first()[0] == 2.0
    if keep is None:
        assert tuple(scored.first()) == (1.0, 2.0, 1.0, 2.0, 2.0, None)
        assert scored.select("l.id", right["id"], "r.b").first()[2] == 2.0
    with pytest.raises(SignatureError, match=r"column 'a' is there 2 times \('a', 'A'\); rename"):
        si.predict(joined, save(["a"]), keep=keep)
    with pytest.raises(ConfigError, match="keep: column 'ID' is there 2 times"):
        si.predict(joined, save(["b"]), keep=["ID"])
    with pytest.raises(SignatureError, match=r"feature 'f'.*ambiguous"):
        si.predict(joined, save(["f"], features={"f": "id + 1"}), keep=keep)
    of_join = joined.select(si.predict_udf(spark, save(["b"]))())
    assert of_join.first()[0] == 2.0


class Visits(torch.nn.Module):
    """Sums the weighed fields of a ragged row."""

    def forward(self, v: torch.Tensor, v_mask: torch.Tensor) -> torch.Tensor:
        return (v * torch.tensor([1.0, 10.0])).sum((1, 2))


@pytest.mark.parametrize("kind", KINDS)
def test_struct_fields_are_found_as_the_session_finds_them(
    spark: SparkSession, exact: SparkSession, tmp_path: Path, kind: Any
) -> None:
    signature = si.Signature(
        inputs=[si.RaggedInput("v", column="v", fields=["gap", "a.b"])],
        outputs=[si.Output("score")],
    )
    bundle = si.save_bundle(tmp_path / "visits", Visits(), signature=signature)
    one = "SELECT array(named_struct('A.B', 1.0D, 'GAP', 2.0D)) AS v"
    two = "SELECT array(named_struct('A.B', 1.0D, 'GAP', 2.0D, 'gap', 3.0D, 'a.b', 4.0D)) AS v"
    folded, score = (si.predict_udf(s, bundle, kind=kind) for s in (spark, exact))
    si.register(spark, "visits", bundle, kind=kind)
    for scored in (
        si.predict(spark.sql(one), bundle, keep=[]).select("score"),
        si.predict(spark.sql(one), bundle).select("score"),
        spark.sql(one).select(folded()),
    ):
        assert scored.first()[0] == 12.0
    for scored in (
        si.predict(exact.sql(two), bundle, keep=[]).select("score"),
        si.predict(exact.sql(two), bundle).select("score"),
        exact.sql(two).select(score()),
    ):
        assert scored.first()[0] == 43.0
    for keep in (None, []):
        with pytest.raises(SignatureError, match=r"2 fields of the name 'gap' \('GAP', 'gap'\)"):
            si.predict(spark.sql(two), bundle, keep=keep)
        with pytest.raises(SignatureError, match="no field 'gap'; did you mean 'GAP'"):
            si.predict(exact.sql(one), bundle, keep=keep)
    with pytest.raises(Exception, match=r"2 fields of the name 'gap'|[Aa]mbiguous"):
        spark.sql(two).select(folded()).collect()
    with pytest.raises(Exception, match=r"no field 'gap'|No such struct field"):
        exact.sql(one).select(score()).collect()


def test_kept_columns_keep_their_type_and_comment(spark: SparkSession, save: Save) -> None:
    rows = table(spark, "a").select(
        "a", F.expr("array(named_struct('x.y', 1))").alias("s.t", metadata={"comment": "nested"})
    )
    for keep in (["s.t"], None):
        scored = si.predict(rows, save(["a"]), keep=keep)
        (field,) = (f for f in scored.schema.fields if f.name == "s.t")
        (given,) = (f for f in rows.schema.fields if f.name == "s.t")
        assert (field.dataType, field.metadata) == (given.dataType, given.metadata)
        assert scored.select(quoted("s.t")).first()[0][0][0] == 1
