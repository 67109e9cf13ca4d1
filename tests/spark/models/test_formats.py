"""Models of other libraries over a DataFrame: the workers answer as the library does here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import spark_infer as si
from tests.unit.backends.transformers.test_format import TEXTS, directory, own
from tests.unit.support.graphs import bare, mean

pytestmark = pytest.mark.one_spark


def test_an_onnx_model_of_ragged_rows(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(mean().SerializeToString())
    bundle = si.save_bundle(tmp_path / "b", tmp_path / "m.onnx", inputs={"x": "amounts"})
    random = np.random.default_rng(0)
    rows = [(n, random.random(n % 17 + 1).tolist()) for n in range(500)] + [(500, None)]
    df = spark.createDataFrame(rows, "id int, amounts array<double>").repartition(3)
    found = {row["id"]: row for row in df.transform(si.predict, bundle, keep=["id"]).collect()}
    for number, amounts in rows[:-1]:
        given = np.array([amounts], np.float32)
        average, rest = bare(mean(), x=given, mask=np.ones_like(given))
        assert found[number]["mean"] == pytest.approx(float(average[0, 0]), abs=1e-6)
        assert found[number]["rest"] == pytest.approx(rest[0].tolist(), abs=1e-6)
    assert found[500]["rejected_reason"] == "column 'amounts' is null"


def test_a_pipeline_of_scikit_learn_with_words(spark: SparkSession, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    city = np.array(["Rome", "Oslo", "Bonn"])[random.integers(0, 3, 300)]
    table = pd.DataFrame({"city": city, "amount": random.standard_normal(300)})
    words = OneHotEncoder(handle_unknown="ignore")
    steps = ColumnTransformer([("c", words, ["city"]), ("n", StandardScaler(), ["amount"])])
    labels = np.where((city == "Oslo") ^ (table["amount"] > 1), "bad", "good")
    trained = make_pipeline(steps, LogisticRegression()).fit(table, labels)
    bundle = si.save_bundle(tmp_path / "b", trained, sample=table)
    rows = pd.DataFrame({"city": ["Rome", "Oslo", "Nowhere"], "amount": [0.5, 2.0, -1.0]})
    scored = spark.createDataFrame(rows).transform(si.predict, bundle).toPandas()
    assert scored["label"].tolist() == trained.predict(rows).tolist()
    expected = trained.predict_proba(rows)
    assert np.allclose(scored["probabilities"].tolist(), expected, atol=1e-5)
    # The same model as a function.
    score = si.predict_udf(spark, bundle)
    by_function = spark.createDataFrame(rows).select(score("city", "amount").alias("p"))
    assert by_function.select(F.col("p.label")).toPandas()["label"].tolist() == (
        scored["label"].tolist()
    )


def test_a_transformer_takes_a_column_of_text(spark: SparkSession, tmp_path: Path) -> None:
    path = directory(tmp_path / "m", "BertForSequenceClassification")
    bundle = si.save_bundle(tmp_path / "b", path, columns=["message"])
    rows = [(number, text) for number, text in enumerate(TEXTS)] + [(9, None)]
    df = spark.createDataFrame(rows, "id int, message string")
    found = {row["id"]: row for row in df.transform(si.predict, bundle, keep=["id"]).collect()}
    ask = own(path, "AutoModelForSequenceClassification")
    for number, text in rows[:-1]:
        logits = ask(text).logits[0]
        assert found[number]["scores"] == pytest.approx(logits.softmax(0).tolist(), abs=1e-5)
    assert found[9]["rejected_reason"] == "column 'message' is null"
