"""Encoders of categories know no number but their categories, as scikit-learn's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler

import spark_infer as si
from spark_infer.backends.onnx.model import exact
from spark_infer.errors import BundleError

ONE_HOT = OneHotEncoder(handle_unknown="ignore")
ORDINAL = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
BIG = 2**40 + 1


def table(categories: list[Any]) -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {"a": random.standard_normal(300), "k": np.resize(np.array(categories), 300)}
    )


def pipeline(encoder: Any, numbers: Any = "passthrough", last: Any = None) -> Any:
    steps = ColumnTransformer([("k", encoder, ["k"]), ("a", numbers, ["a"])])
    return make_pipeline(steps, LogisticRegression() if last is None else last)


def fitted(estimator: Any, rows: pd.DataFrame) -> Any:
    return estimator.fit(rows, (rows["a"] + 2 * (rows["k"] == rows["k"][1])) > 0.6)


def check(
    tmp_path: Path,
    estimator: Any,
    rows: pd.DataFrame,
    values: list[Any],
    samples: tuple[bool, ...] = (True, False),
) -> None:
    """Compare a bundle with its estimator on some values of column k."""
    asked = pd.DataFrame({"a": np.full(len(values), 0.1), "k": np.array(values)})[
        list(rows.columns)
    ]
    own = estimator.predict_proba(asked)
    for has_sample in samples:
        options: dict[str, Any] = {"sample": rows} if has_sample else {}
        bundle = si.save_bundle(tmp_path / str(has_sample), estimator, **options)
        found = si.Predictor(si.load_model(bundle), bundle).predict(asked).to_pydict()
        assert np.allclose(found["probabilities"], own, atol=1e-5)


@pytest.mark.parametrize("encoder", [ONE_HOT, ORDINAL], ids=["one-hot", "ordinal"])
@pytest.mark.parametrize("numbers", ["passthrough", StandardScaler()], ids=["as-is", "scaled"])
def test_numbers_between_categories_are_none(tmp_path: Path, encoder: Any, numbers: Any) -> None:
    rows = table([1.0, 2.0, 3.0, 5.0])
    values = [1.0, 1.7, 2.0, 2.2, 2.0000000001, 4.999, 0.5, 0.0, -1.0, 1e300, 4.0]
    check(tmp_path, fitted(pipeline(encoder, numbers), rows), rows, values)


@pytest.mark.parametrize("encoder", [ONE_HOT, ORDINAL], ids=["one-hot", "ordinal"])
@pytest.mark.parametrize("categories", [[20_000_001, 20_000_004, 3], [BIG, BIG + 2, BIG + 3]])
def test_ids_that_float32_does_not_hold(
    tmp_path: Path, encoder: Any, categories: list[int]
) -> None:
    rows = table(categories)
    beside = [value + step for value in categories for step in (-1, 0, 1, 2)]
    check(tmp_path, fitted(pipeline(encoder), rows), rows, beside)
    floats = rows.astype(float)
    check(tmp_path / "f", fitted(pipeline(encoder), floats), floats, [float(v) for v in beside])


def test_ids_that_float64_does_not_hold(tmp_path: Path) -> None:
    rows = table([2**60 + 1, 2**60 + 2, 7])
    values = [2**60, 2**60 + 1, 2**60 + 2, 2**60 + 3, 7, 8]
    check(tmp_path, fitted(pipeline(ONE_HOT), rows), rows, values)


@pytest.mark.parametrize("kind", [int, float])
def test_an_encoder_in_front_of_all_columns(tmp_path: Path, kind: type) -> None:
    rows = table([1, 2, 20_000_001]).astype({"k": kind})[["k"]]
    trained = make_pipeline(ONE_HOT, LogisticRegression()).fit(rows, rows["k"] == 2)
    more = [1.5, 2.7] if kind is float else []
    values = [*map(kind, [1, 2, 3, 0, 20_000_001, 20_000_000]), *more]
    check(tmp_path, trained, rows, values, samples=(True,))


@pytest.mark.parametrize("last", [LogisticRegression(), RandomForestClassifier(5, random_state=0)])
@pytest.mark.parametrize("first", [SimpleImputer(strategy="most_frequent"), MinMaxScaler((1, 5))])
def test_an_encoder_of_numbers_behind_another_step(tmp_path: Path, first: Any, last: Any) -> None:
    rows = table([1.0, 2.0, 3.0, 5.0])
    encoder = make_pipeline(first, ONE_HOT)
    trained = fitted(pipeline(encoder, last=last), rows)
    values = [1.0, 1.7, 2.0000000001, 4.999, 0.5, -1.0, 1e300, 4.0]
    check(tmp_path, trained, rows, values, samples=(True,))


def test_an_encoder_of_scaled_numbers_is_refused(tmp_path: Path) -> None:
    rows = table([1.0, 2.0, 3.0, 5.0])
    encoder = make_pipeline(MinMaxScaler(), ONE_HOT)
    for last in (RandomForestClassifier(5, random_state=0), LogisticRegression()):
        with pytest.raises(BundleError, match=r"is not an int64|other than its own answers for"):
            si.save_bundle(tmp_path / "b", fitted(pipeline(encoder, last=last), rows), sample=rows)


@pytest.mark.parametrize("categories", [[1, 2, 3], [1.0, 2.0, 3.0], ["a", "b", "c"]])
@pytest.mark.parametrize("encoder", [OneHotEncoder(), OrdinalEncoder()], ids=["one", "ordinal"])
def test_an_encoder_that_raises_is_refused(
    tmp_path: Path, encoder: Any, categories: list[Any]
) -> None:
    rows = table(categories)
    with pytest.raises(BundleError, match=r"Encoder in the Pipeline raises .*set_params\(handle"):
        si.save_bundle(tmp_path / "b", fitted(pipeline(clone(encoder)), rows), sample=rows)


def test_a_graph_that_takes_other_numbers_for_categories_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exact, "_unknown", lambda _: None)
    rows = table([1.0, 2.0, 3.0, 5.0])
    encoder = make_pipeline(SimpleImputer(strategy="most_frequent"), ONE_HOT)
    for options in ({}, {"sample": rows}):
        with pytest.raises(BundleError, match=r"other than its own answers for .* in 'k', in fl"):
            si.save_bundle(tmp_path / "b", fitted(pipeline(encoder), rows), **options)
