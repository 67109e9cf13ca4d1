"""Estimators of scikit-learn answer from a bundle as they do themselves."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    GradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeRegressor

import spark_infer as si
from spark_infer.bundle import Bundle
from spark_infer.errors import BundleError, SignatureError, SparkInferError

COLUMNS = ["amount", "hour", "age"]


def frame(num_rows: int = 400, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "amount": random.standard_normal(num_rows) * 3,
            "hour": random.integers(0, 24, num_rows).astype(float),
            "age": random.standard_normal(num_rows),
        }
    )


def target(table: pd.DataFrame) -> Any:
    return np.where(table["amount"] + table["age"] > 0, "yes", "no")


def predict(bundle: Bundle, rows: Any) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = (
        si.Predictor(si.load_model(bundle), bundle).predict(rows).to_pydict()
    )
    return found


@pytest.mark.parametrize(
    "estimator",
    [
        make_pipeline(StandardScaler(), LogisticRegression()),
        RandomForestClassifier(10, random_state=0),
        GradientBoostingClassifier(n_estimators=10, random_state=0),
        make_pipeline(StandardScaler(), PCA(2), LogisticRegression()),
        make_pipeline(StandardScaler(), MLPClassifier([4], max_iter=3, random_state=0)),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
@pytest.mark.parametrize("as_frame", [True, False])
@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_a_classifier(tmp_path: Path, estimator: Any, as_frame: bool) -> None:
    table = frame()
    trained = estimator.fit(table if as_frame else table.to_numpy(), target(table))
    columns = {} if as_frame else {"columns": COLUMNS}
    bundle = si.save_bundle(tmp_path / "b", trained, sample=table, **columns)
    assert bundle.manifest.base.format == "onnx"
    assert "skl2onnx" in bundle.manifest.built_with
    rows = frame(10_000, seed=1)
    found = predict(bundle, rows)
    given = rows if as_frame else rows.to_numpy()
    assert (np.array(found["label"]) == trained.predict(given)).all()
    apart = np.abs(np.array(found["probabilities"]) - trained.predict_proba(given)).max(axis=1)
    assert (apart < 1e-5).all()


def test_a_regressor(tmp_path: Path) -> None:
    table = frame()
    trained = LinearRegression().fit(table, table["amount"] * 2 + 1)
    bundle = si.save_bundle(tmp_path / "b", trained)
    rows = frame(50, seed=2)
    assert predict(bundle, rows)["prediction"] == pytest.approx(trained.predict(rows), abs=1e-5)


def test_a_pipeline_of_columns_with_words_and_nulls(tmp_path: Path) -> None:
    table = frame()
    table["city"] = np.array(["Rome", "Oslo", "Bonn"])[np.arange(len(table)) % 3]
    steps = ColumnTransformer(
        [
            ("words", OneHotEncoder(handle_unknown="ignore"), ["city"]),
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), ["amount", "age"]),
        ]
    )
    trained = make_pipeline(steps, LogisticRegression()).fit(
        table, (table["city"] == "Oslo") ^ (table["amount"] > 1)
    )
    bundle = si.save_bundle(tmp_path / "b", trained, sample=table)
    rows = frame(1000, seed=3)
    rows["city"] = np.array(["Rome", "Oslo", "Nowhere", ""])[np.arange(1000) % 4]
    found = predict(bundle, rows)
    assert np.allclose(found["probabilities"], trained.predict_proba(rows), atol=1e-5)
    # Without a sample the encoders tell which columns are words.
    same = si.save_bundle(tmp_path / "c", trained)
    assert same.signature == bundle.signature


def test_a_classifier_without_probabilities_gives_its_label(tmp_path: Path) -> None:
    table = frame()
    trained = LinearSVC().fit(table, target(table))
    bundle = si.save_bundle(tmp_path / "b", trained, sample=table)
    assert [output.name for output in bundle.signature.outputs] == ["label"]
    assert predict(bundle, table)["label"] == trained.predict(table).tolist()


def test_a_forest_whose_columns_are_large_numbers(tmp_path: Path) -> None:
    table = frame()
    table["amount"] = table["amount"] * 1e6 + 1e9
    trained = RandomForestRegressor(5, random_state=0).fit(table, table["age"])
    bundle = si.save_bundle(tmp_path / "b", trained, sample=table)
    assert predict(bundle, table)["prediction"] == pytest.approx(trained.predict(table), abs=1e-4)


def test_numbers_that_float32_cannot_tell_apart_are_taken_as_float64(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="spark_infer")
    table = pd.DataFrame({"time": 1e9 + np.arange(200.0)})
    trained = make_pipeline(StandardScaler(), LinearRegression()).fit(table, np.arange(200.0))
    bundle = si.save_bundle(tmp_path / "b", trained, sample=table)
    assert [item.dtype for item in bundle.signature.inputs] == ["float64"]
    assert np.allclose(predict(bundle, table)["prediction"], trained.predict(table), atol=1e-3)
    messages = [
        record.getMessage() for record in caplog.records if "scikit-learn" in record.getMessage()
    ]
    assert len(messages) == 2
    assert "in float32 is at most" in messages[0]


@pytest.mark.parametrize("scale", [1e-2, 1e-3, 1e-5])
def test_small_scores_are_compared_by_their_size(tmp_path: Path, scale: float) -> None:
    table = pd.DataFrame({"time": 1.6e9 + np.arange(800.0) * 2})
    rates = scale * (2 + np.sin(np.arange(800) / 20))
    line = make_pipeline(StandardScaler(), LinearRegression()).fit(table, rates)
    bundle = si.save_bundle(tmp_path / "b", line, sample=table)
    assert [item.dtype for item in bundle.signature.inputs] == ["float64"]
    assert predict(bundle, table)["prediction"] == pytest.approx(line.predict(table), rel=1e-4)
    tree = make_pipeline(StandardScaler(), DecisionTreeRegressor(random_state=0)).fit(table, rates)
    split = si.save_bundle(tmp_path / "c", tree, sample=table)
    assert predict(split, table)["prediction"] == pytest.approx(tree.predict(table), rel=1e-6)


@pytest.mark.parametrize(
    ("estimator", "options", "says"),
    [
        (LogisticRegression(), {}, "the LogisticRegression is not fitted"),
        (
            make_pipeline("passthrough", LinearRegression()).fit(np.ones((3, 2)), np.ones(3)),
            {},
            "does not say of how many columns.*passthrough",
        ),
        (
            LinearRegression().fit(np.ones((3, 2)), np.ones(3)),
            {},
            "array of 2 columns that have no names; pass columns",
        ),
        (
            LinearRegression().fit(np.ones((3, 2)), np.ones(3)),
            {"columns": ["a"]},
            "fitted with 2 columns, and 1 are named",
        ),
        (
            LinearRegression().fit(frame(9), np.ones(9)),
            {"columns": ["amount", "hours", "age"]},
            "without a column 'hours'.*did you mean 'hour'",
        ),
        (
            LinearRegression().fit(frame(9), np.ones(9)),
            {"columns": ["hour", "amount", "age"]},
            "those it was fitted with, in order",
        ),
        (
            LinearRegression().fit(frame(9), np.ones(9)),
            {"inputs": {"X": COLUMNS}},
            "say the columns, and no inputs or task",
        ),
        (
            make_pipeline(FunctionTransformer(np.square), LinearRegression()).fit(
                frame(9), np.ones(9)
            ),
            {},
            "skl2onnx .* does not convert the Pipeline",
        ),
    ],
)
def test_what_is_refused(tmp_path: Path, estimator: Any, options: Any, says: str) -> None:
    with pytest.raises(SparkInferError, match=says) as raised:
        si.save_bundle(tmp_path / "b", estimator, **options)
    assert "\n" not in str(raised.value)


def test_a_conversion_that_answers_otherwise_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = frame()
    trained = LinearRegression().fit(table, table["amount"])
    bent = LinearRegression().fit(table, table["amount"] * 1.01)
    monkeypatch.setattr(trained, "predict", bent.predict, raising=False)
    with pytest.raises(BundleError, match=r"is up to .* from its own answers on the sample, or"):
        si.save_bundle(tmp_path / "b", trained, sample=table)
    with pytest.raises(BundleError, match="answers otherwise"):
        si.save_bundle(tmp_path / "b", trained)


def test_numbers_that_the_estimator_refuses_are_rejected(tmp_path: Path) -> None:
    table = frame()
    trained = make_pipeline(StandardScaler(), LogisticRegression()).fit(table, target(table))
    bundle = si.save_bundle(tmp_path / "b", trained, sample=table)
    rows = frame(4, seed=5)
    rows.loc[1, "amount"] = np.nan
    rows.loc[2, "age"] = np.inf
    found = predict(bundle, rows)
    assert [label is None for label in found["label"]] == [False, True, True, False]
    assert "a number is NaN or infinite in X" in found["rejected_reason"][2]


def test_an_ordinal_encoder(tmp_path: Path) -> None:
    table = pd.DataFrame({"size": ["s", "m", "l"] * 20, "x": np.arange(60.0)})
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    steps = ColumnTransformer([("w", encoder, ["size"])], remainder="passthrough")
    trained = make_pipeline(steps, LinearRegression()).fit(table, table["x"])
    bundle = si.save_bundle(tmp_path / "b", trained, sample=table)
    rows = pd.DataFrame({"size": ["l", "xl", "m"], "x": [1.0, 2.0, 3.0]})
    assert predict(bundle, rows)["prediction"] == pytest.approx(trained.predict(rows), abs=1e-5)


def test_a_pickle_of_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.joblib").write_bytes(b"")
    with pytest.raises(BundleError, match="is a pickle"):
        si.save_bundle(tmp_path / "b", tmp_path / "m.joblib")
    with pytest.raises(SignatureError, match="fitted with an array"):
        si.read_signature(LinearRegression().fit(np.ones((3, 2)), np.ones(3)))
