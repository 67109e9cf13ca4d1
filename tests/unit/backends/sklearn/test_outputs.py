"""What estimators of other kinds than classifiers give, and rows with missing values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import is_regressor
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.ensemble import (
    BaggingRegressor,
    ExtraTreesClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge, SGDOneClassSVM
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import spark_infer as si
from spark_infer.errors import BundleError, SignatureError
from tests.unit.backends.sklearn.test_format import frame, predict, target

OUTLIERS = SGDOneClassSVM(random_state=0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("estimator", "methods"),
    [
        (KMeans(3, n_init=1, random_state=0), {"label": "predict", "scores": "transform"}),
        (MiniBatchKMeans(3, n_init=1, random_state=0), {"label": "predict", "scores": "transform"}),
        (
            make_pipeline(StandardScaler(), KMeans(2, n_init=1, random_state=0)),
            {"label": "predict", "scores": "transform"},
        ),
        (
            GaussianMixture(2, random_state=0),
            {"label": "predict", "probabilities": "predict_proba"},
        ),
        (
            make_pipeline(StandardScaler(), BayesianGaussianMixture(n_components=2, max_iter=2000)),
            {"label": "predict", "probabilities": "predict_proba"},
        ),
        (OUTLIERS, {"label": "predict", "scores": "decision_function"}),
        (StandardScaler(), {"prediction": "transform"}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_learned_without_labels(
    tmp_path: Path, estimator: Any, methods: dict[str, str], dtype: str
) -> None:
    rows = frame().astype(dtype)
    trained = estimator.fit(rows)
    bundle = si.save_bundle(tmp_path / "b", trained, sample=rows.head(150))
    assert [output.name for output in bundle.signature.outputs] == [*methods]
    found = predict(bundle, rows)
    for name, method in methods.items():
        np.testing.assert_allclose(found[name], getattr(trained, method)(rows), atol=2e-3)
    # Without a sample the same is stored.
    assert si.save_bundle(tmp_path / "c", trained).signature == bundle.signature


@pytest.mark.parametrize(
    "estimator", [MultiOutputRegressor(Ridge()), DecisionTreeRegressor(max_depth=3)]
)
def test_several_numbers(tmp_path: Path, estimator: Any) -> None:
    rows = frame()
    trained = estimator.fit(rows, rows[["age", "amount"]] * 2)
    found = predict(si.save_bundle(tmp_path / "b", trained, sample=rows), rows)
    np.testing.assert_allclose(found["prediction"], trained.predict(rows), atol=1e-4)


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize("sample", [True, False])
@pytest.mark.parametrize(
    "estimator",
    [
        MLPClassifier([4], max_iter=3, random_state=0),
        RandomForestClassifier(2, random_state=0),
        DecisionTreeClassifier(max_depth=2),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_a_classifier_of_several_labels_is_refused(
    tmp_path: Path, estimator: Any, sample: bool
) -> None:
    rows = frame()
    labels = np.stack([rows["age"] > 0, rows["amount"] > 0], axis=1).astype(int)
    trained = estimator.fit(rows, labels)
    options = {"sample": rows} if sample else {}
    with pytest.raises((BundleError, SignatureError)) as raised:
        si.save_bundle(tmp_path / "b", trained, **options)
    assert "\n" not in str(raised.value)


def test_an_output_that_the_estimator_has_no_method_for(tmp_path: Path) -> None:
    rows = frame()
    trained = LinearSVC().fit(rows, target(rows))
    signature = si.Signature(
        inputs=[si.ScalarInput("X", columns=[*rows.columns])],
        outputs=[si.Output("probabilities")],
    )
    says = "'probabilities': the LinearSVC has no method that gives .*; leave the output out"
    with pytest.raises(SignatureError, match=says):
        si.save_bundle(tmp_path / "b", trained, signature=signature)


def missing(num_rows: int, seed: int) -> pd.DataFrame:
    rows = frame(num_rows, seed)
    random = np.random.default_rng(seed)
    return rows.mask(random.random(rows.shape) < 0.3)


@pytest.mark.parametrize(
    "estimator",
    [
        *(DecisionTreeClassifier(max_depth=depth, random_state=0) for depth in (1, 2, 4)),
        DecisionTreeRegressor(max_depth=2, random_state=0),
        RandomForestRegressor(3, max_depth=2, random_state=0),
        ExtraTreesClassifier(2, max_depth=2, random_state=0),
        BaggingRegressor(DecisionTreeRegressor(max_depth=2), n_estimators=2, random_state=0),
        make_pipeline(StandardScaler(), DecisionTreeClassifier(max_depth=3, random_state=0)),
        make_pipeline(SimpleImputer(), DecisionTreeClassifier(max_depth=3, random_state=0)),
        make_pipeline(SimpleImputer(), LogisticRegression()),
        VotingClassifier(
            [
                ("a", DecisionTreeClassifier(max_depth=2)),
                ("b", DecisionTreeClassifier(max_depth=1)),
            ],
            flatten_transform=False,
        ),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
@pytest.mark.parametrize(("sample", "favored"), [(True, 5.0), (False, -5.0)])
def test_missing_values_have_the_estimators_answer_or_none(
    tmp_path: Path, estimator: Any, sample: bool, favored: float
) -> None:
    rows = missing(400, seed=7)
    score = rows["amount"].fillna(favored) + rows["age"].fillna(-favored / 4)
    trained = estimator.fit(
        rows, score if is_regressor(estimator) else np.where(score > 0, "yes", "no")
    )
    options = {"sample": rows.head(100)} if sample else {}
    bundle = si.save_bundle(tmp_path / "b", trained, **options)
    given = missing(500, seed=8)
    (name, *_) = (output.name for output in bundle.signature.outputs)
    expected = trained.predict(given)
    got = predict(bundle, given.to_dict("list"))[name]
    for own, found, is_whole in zip(expected, got, given.notna().all(axis=1), strict=True):
        assert found is not None or not is_whole
        assert found in (None, own) if isinstance(own, str) else found in (None, pytest.approx(own))


def test_an_imputer_before_trees_takes_missing_values(tmp_path: Path) -> None:
    rows = missing(400, seed=7)
    trained = make_pipeline(SimpleImputer(), RandomForestClassifier(5, random_state=0))
    trained.fit(rows, np.where(rows["amount"].fillna(1) > 0, "yes", "no"))
    bundle = si.save_bundle(tmp_path / "b", trained, sample=rows)
    given = missing(200, seed=9)
    assert predict(bundle, given.to_dict("list"))["label"] == trained.predict(given).tolist()
