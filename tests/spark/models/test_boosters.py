"""Boosters over a DataFrame: predictions of Spark's tasks equal the library's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from pyspark.sql import SparkSession

import spark_infer as si
from spark_infer.bundle import Bundle
from spark_infer.bundle.files.digest import seal
from spark_infer.bundle.files.examples import Answer, Examples

ROWS = 400


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    random = np.random.default_rng(3)
    found = pd.DataFrame(
        {
            "id": np.arange(ROWS),
            "amount": (random.normal(size=ROWS) * 100),
            "shop": pd.Categorical(random.choice(["east", "north", "west"], ROWS)),
            "rate": random.normal(size=ROWS),
        }
    )
    found.loc[::7, "amount"] = np.nan
    return found


def label(rows: pd.DataFrame) -> Any:
    return ((rows["rate"] > 0) ^ (rows["shop"] == "west")).astype(int)


def save(kind: str, path: Path, rows: pd.DataFrame) -> tuple[Bundle, Any]:
    """Save a booster; return it with its own predictions."""
    inputs = rows.drop(columns="id")
    if kind == "xgboost":
        data = xgboost.DMatrix(inputs, label=label(rows), enable_categorical=True)
        booster = xgboost.train({"objective": "binary:logistic"}, data, 5)
        expected = booster.predict(xgboost.DMatrix(inputs, enable_categorical=True))
        return si.save_bundle(path, booster), expected
    model = lightgbm.LGBMClassifier(n_estimators=5, verbosity=-1).fit(inputs, label(rows))
    return si.save_bundle(path, model), model.predict_proba(inputs)[:, 1]


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize("kind", ["xgboost", "lightgbm"])
def test_predictions_of_a_table(
    spark: SparkSession, tmp_path: Path, rows: pd.DataFrame, kind: str
) -> None:
    bundle, expected = save(kind, tmp_path / "b", rows)
    plain = rows.astype({"shop": str}).astype(object).where(rows.notna(), None)
    source = spark.createDataFrame(
        plain.values.tolist(), "id long, amount double, shop string, rate double"
    ).repartition(3)
    scored = source.transform(si.predict, bundle, keep=["id"]).orderBy("id").toPandas()
    assert scored["rejected_reason"].isna().all()
    np.testing.assert_array_equal(scored["probability"], expected)
    si.register(spark, "shop_score", bundle)
    source.createOrReplaceTempView("booster_rows")
    columns = ", ".join(bundle.signature.column_names)
    found = spark.sql(f"SELECT id, shop_score({columns}) s FROM booster_rows ORDER BY id")
    np.testing.assert_array_equal(found.toPandas()["s"], expected)


def test_a_task_tries_the_booster_before_it_reads_rows(
    spark: SparkSession, tmp_path: Path, rows: pd.DataFrame
) -> None:
    bundle, _ = save("xgboost", tmp_path / "b", rows)
    kept = Examples.read(bundle.path, bundle.signature)
    (answer,) = kept.answers
    assert answer.values is not None
    wrong = Answer(answer.shape, 1 - answer.values)
    Examples(kept.inputs, [wrong], kept.tolerance).write(bundle.path)
    seal(bundle.path)
    source = spark.createDataFrame([(1.0, "east", 2.0)], "amount double, shop string, rate double")
    scored = source.transform(si.predict, Bundle.load(bundle.path))
    with pytest.raises(Exception, match=r"the model answers otherwise here, 'probability' is "):
        scored.collect()
