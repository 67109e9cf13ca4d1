"""Trees answer from a bundle as they do themselves, on their splits and at ties of votes too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    KBinsDiscretizer,
    MinMaxScaler,
    OneHotEncoder,
    PolynomialFeatures,
    QuantileTransformer,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import spark_infer as si
from spark_infer.backends.sklearn.between import rows_between
from spark_infer.errors import BundleError

COLUMNS = ["a", "b", "c"]
SEED = {"random_state": 0}


def frame(num_rows: int, seed: int) -> pd.DataFrame:
    """Return rows of few decimals, which lie on splits that halve what others were trained on."""
    random = np.random.default_rng(seed)
    return pd.DataFrame(np.round(random.standard_normal((num_rows, 3)), 1), columns=COLUMNS)


def target(rows: pd.DataFrame, classes: int = 2) -> Any:
    noise = np.random.default_rng(7).standard_normal(len(rows)) * 0.7
    value = rows["a"] * rows["b"] + rows["c"] + noise
    return (
        np.asarray(value) if classes == 0 else np.digitize(value, np.linspace(-1, 1, classes - 1))
    )


def check(tmp_path: Path, trained: Any, rows: pd.DataFrame, sample: Any = None) -> None:
    """Compare a bundle with its estimator, to the last row."""
    bundle = si.save_bundle(tmp_path / "b", trained, sample=sample)
    predictor = si.Predictor(si.load_model(bundle, si.ModelOptions(threads=2)), bundle)
    given = pa.table({name: pa.array(rows[name].to_numpy()) for name in rows})
    found = predictor.predict(given.to_batches()[0]).to_pydict()
    assert not any(found.get("rejected_reason", ()))
    if "prediction" in found:
        np.testing.assert_allclose(found["prediction"], trained.predict(rows), rtol=1e-6, atol=1e-6)
        return
    assert (np.array(found["label"]) == trained.predict(rows)).all()
    if "probabilities" in found:
        np.testing.assert_allclose(found["probabilities"], trained.predict_proba(rows), atol=1e-6)


CLASSIFIERS = [
    DecisionTreeClassifier(**SEED),
    RandomForestClassifier(20, **SEED),
    RandomForestClassifier(49, **SEED),
    RandomForestClassifier(12, min_samples_leaf=3, **SEED),
    ExtraTreesClassifier(50, **SEED),
    GradientBoostingClassifier(n_estimators=30, **SEED),
    GradientBoostingClassifier(n_estimators=10, init="zero", **SEED),
    HistGradientBoostingClassifier(max_iter=30, **SEED),
    BaggingClassifier(**SEED),
    StackingClassifier([("rf", RandomForestClassifier(5, **SEED))], cv=2),
    VotingClassifier(
        [("rf", RandomForestClassifier(6, **SEED)), ("dt", DecisionTreeClassifier(**SEED))],
        voting="soft",
        flatten_transform=False,
    ),
    CalibratedClassifierCV(RandomForestClassifier(6, **SEED), cv=2),
    CalibratedClassifierCV(GradientBoostingClassifier(n_estimators=5, **SEED), cv=2),
]
FIRST = [None, MinMaxScaler(), make_pipeline(SimpleImputer(), StandardScaler())]


@pytest.mark.parametrize("estimator", CLASSIFIERS, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("first", FIRST, ids=["bare", "scaled", "imputed"])
def test_a_classifier_of_trees(tmp_path: Path, first: Any, estimator: Any) -> None:
    rows = frame(300, seed=1)
    whole = estimator if first is None else make_pipeline(first, estimator)
    check(tmp_path, whole.fit(rows, target(rows)), frame(3000, seed=2), sample=rows.head(100))


@pytest.mark.parametrize(
    "estimator",
    [
        RandomForestClassifier(9, **SEED),
        GradientBoostingClassifier(n_estimators=5, **SEED),
        HistGradientBoostingClassifier(max_iter=5, **SEED),
    ],
    ids=lambda one: type(one).__name__,
)
def test_trees_of_several_classes_and_without_a_sample(tmp_path: Path, estimator: Any) -> None:
    rows = frame(300, seed=1)
    names = np.array(["no", "perhaps", "yes", "sure"])[target(rows, classes=4)]
    trained = make_pipeline(StandardScaler(), estimator).fit(rows, names)
    check(tmp_path, trained, frame(3000, seed=2))


@pytest.mark.parametrize(
    "classes",
    [
        np.array([False, True]),
        np.array([0.0, 1.0]),
        np.array([3, 200], np.uint8),
        np.array([-1, 2**40]),
        np.array(["no", "yes"], object),
        np.array(["nö", ""]),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "estimator",
    [RandomForestClassifier(4, **SEED), HistGradientBoostingClassifier(max_iter=9)],
    ids=lambda one: type(one).__name__,
)
def test_classes_of_other_types(tmp_path: Path, estimator: Any, classes: Any) -> None:
    rows = frame(300, seed=1)
    named = classes[target(rows)]
    check(tmp_path, estimator.fit(rows, named), frame(500, seed=2), sample=rows)


@pytest.mark.parametrize(
    "estimator",
    [
        GradientBoostingClassifier(loss="exponential", n_estimators=5, **SEED),
        HistGradientBoostingClassifier(max_iter=5, **SEED),
    ],
    ids=lambda one: type(one).__name__,
)
@pytest.mark.parametrize("classes", [2, 3])
def test_boosted_trees_that_are_calibrated(tmp_path: Path, estimator: Any, classes: int) -> None:
    rows = frame(300, seed=1)
    if classes > 2 and getattr(estimator, "loss", "") == "exponential":
        estimator = GradientBoostingClassifier(n_estimators=5, **SEED)
    trained = make_pipeline(StandardScaler(), CalibratedClassifierCV(estimator, cv=2))
    check(tmp_path, trained.fit(rows, target(rows, classes)), frame(1000, seed=2), sample=rows)


def test_the_loss_of_a_boosted_classifier(tmp_path: Path) -> None:
    rows = frame(300, seed=1)
    trained = GradientBoostingClassifier(loss="exponential", n_estimators=10).fit(
        rows, target(rows)
    )
    check(tmp_path, trained, frame(1000, seed=2))


@pytest.mark.parametrize(
    "estimator",
    [
        DecisionTreeRegressor(**SEED),
        RandomForestRegressor(20, **SEED),
        ExtraTreesRegressor(20, **SEED),
        GradientBoostingRegressor(n_estimators=20, **SEED),
        GradientBoostingRegressor(n_estimators=10, loss="huber", **SEED),
        HistGradientBoostingRegressor(max_iter=20, **SEED),
        HistGradientBoostingRegressor(max_iter=20, loss="poisson", **SEED),
        HistGradientBoostingRegressor(max_iter=20, loss="gamma", **SEED),
        HistGradientBoostingRegressor(max_iter=20, loss="quantile", quantile=0.9, **SEED),
    ],
    ids=lambda one: f"{type(one).__name__}-{getattr(one, 'loss', '')}",
)
@pytest.mark.parametrize("first", [None, StandardScaler()], ids=["bare", "scaled"])
def test_a_regressor_of_trees(tmp_path: Path, first: Any, estimator: Any) -> None:
    rows = frame(300, seed=1)
    wanted = target(rows, classes=0)
    if getattr(estimator, "loss", "") in ("poisson", "gamma"):
        wanted = np.exp(wanted)
    whole = estimator if first is None else make_pipeline(first, estimator)
    check(tmp_path, whole.fit(rows, wanted), frame(3000, seed=2), sample=rows.head(100))


@pytest.mark.parametrize(
    "first",
    [
        QuantileTransformer(n_quantiles=20),
        Binarizer(threshold=0.1),
        make_pipeline(StandardScaler(), Binarizer(threshold=0.0)),
        KBinsDiscretizer(5, encode="ordinal"),
        KBinsDiscretizer([2, 3, 4], encode="onehot"),
        make_pipeline(StandardScaler(), KBinsDiscretizer(5, encode="onehot-dense")),
    ],
    ids=["quantiles", "halves", "scaled-halves", "bins", "bins-one-hot", "scaled-bins"],
)
def test_other_steps(tmp_path: Path, first: Any) -> None:
    rows = frame(300, seed=1)
    trained = make_pipeline(first, LogisticRegression()).fit(rows, target(rows))
    check(tmp_path, trained, frame(3000, seed=2), sample=rows.head(100))


@pytest.mark.parametrize("first", [Binarizer(), KBinsDiscretizer(3, strategy="uniform")])
def test_counts_that_lie_on_an_edge_without_a_sample(tmp_path: Path, first: Any) -> None:
    rows = (frame(300, seed=1) * 2).round().clip(lower=0)
    trained = make_pipeline(first, LogisticRegression()).fit(rows, rows["a"] >= 1)
    check(tmp_path, trained, (frame(1000, seed=2) * 2).round().clip(lower=0))


@pytest.mark.parametrize("estimator", [KNeighborsClassifier(3), QuantileTransformer(n_quantiles=9)])
def test_what_chooses_among_neighbors_needs_a_sample(tmp_path: Path, estimator: Any) -> None:
    rows = frame(300, seed=1)
    whole = make_pipeline(StandardScaler(), estimator)
    with pytest.raises(BundleError, match=r"looks for neighbors, or ranks numbers.*sample=ROWS"):
        si.save_bundle(tmp_path / "b", whole.fit(rows, target(rows)))


def test_columns_that_are_put_together_stay_float64(tmp_path: Path) -> None:
    def rows_of(num_rows: int, seed: int) -> pd.DataFrame:
        rows = frame(num_rows, seed)
        return rows.assign(city=np.array(["Rome", "Oslo", "Bonn"])[np.arange(num_rows) % 3])

    rows = rows_of(400, seed=1)
    steps = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), COLUMNS),
            ("words", OneHotEncoder(handle_unknown="ignore"), ["city"]),
        ]
    )
    trained = make_pipeline(steps, GradientBoostingClassifier(n_estimators=20, **SEED))
    check(tmp_path, trained.fit(rows, target(rows)), rows_of(3000, seed=2), sample=rows.head(100))


@pytest.mark.parametrize(
    "estimator",
    [
        HistGradientBoostingClassifier(max_iter=20, **SEED),
        RandomForestClassifier(20, **SEED),
        make_pipeline(StandardScaler(), RandomForestClassifier(20, **SEED)),
    ],
    ids=["boosted", "forest", "scaled"],
)
def test_nan_goes_where_each_node_learned(tmp_path: Path, estimator: Any) -> None:
    rows = frame(400, seed=1)
    wanted = target(rows)
    rows = rows.mask(np.random.default_rng(0).random(rows.shape) < 0.2)
    new = frame(2000, seed=2)
    new = new.mask(np.random.default_rng(3).random(new.shape) < 0.2)
    sample = pa.table({name: pa.array(rows[name].to_numpy()) for name in rows})
    check(tmp_path, estimator.fit(rows, wanted), new, sample=sample)


def test_infinities_go_where_boosted_trees_send_them(tmp_path: Path) -> None:
    rows = frame(300, seed=1)
    trained = HistGradientBoostingClassifier(max_iter=10).fit(rows, target(rows))
    new = frame(50, seed=2)
    new.iloc[::3, 0] = np.inf
    new.iloc[::4, 1] = -np.inf
    check(tmp_path, trained, new)


def test_a_forest_that_finds_outliers(tmp_path: Path) -> None:
    rows = frame(300, seed=1)
    check(
        tmp_path,
        IsolationForest(n_estimators=20, **SEED).fit(rows),
        frame(1000, seed=2),
        sample=rows,
    )


@pytest.mark.parametrize(
    "estimator",
    [
        make_pipeline(StandardScaler(), AdaBoostClassifier(**SEED)),
        make_pipeline(PolynomialFeatures(2), GradientBoostingClassifier(**SEED)),
        KNeighborsClassifier(4),
    ],
    ids=["scaled-ada-boost", "polynomial", "neighbors"],
)
def test_steps_that_float32_moves_are_refused(tmp_path: Path, estimator: Any) -> None:
    rows = frame(500, seed=1)
    with pytest.raises(BundleError, match="on the sample, or on rows between its values"):
        si.save_bundle(tmp_path / "b", estimator.fit(rows, target(rows)), sample=rows)
    assert not (tmp_path / "b").exists()


def test_steps_that_only_float32_has_need_a_sample(tmp_path: Path) -> None:
    rows = frame(300, seed=1)
    trained = make_pipeline(StandardScaler(), AdaBoostClassifier(**SEED)).fit(rows, target(rows))
    with pytest.raises(BundleError, match=r"cannot be converted in float64.*pass sample=ROWS"):
        si.save_bundle(tmp_path / "b", trained)


@pytest.mark.parametrize(
    ("estimator", "says"),
    [
        (GradientBoostingClassifier(init=LogisticRegression()), "with init=LogisticRegression"),
        (HistGradientBoostingClassifier(categorical_features=[0]), "categorical_features"),
        (
            CalibratedClassifierCV(RandomForestClassifier(6, **SEED), method="isotonic", cv=2),
            "IsotonicRegression.*method='sigmoid'",
        ),
    ],
)
def test_what_is_not_converted(tmp_path: Path, estimator: Any, says: str) -> None:
    rows = frame(300, seed=1).assign(a=lambda table: np.abs(np.round(table["a"])))
    with pytest.raises(BundleError, match=says):
        si.save_bundle(tmp_path / "b", estimator.fit(rows, target(rows)))


def test_rows_between_those_of_a_sample() -> None:
    sample = pa.table(
        {
            "number": pa.array([1.0, 1.2, None, float("nan"), float("inf")]),
            "whole": pa.array([1, 5, None, 5, 1], pa.int16()),
            "word": ["x", "y", None, "x", "y"],
            "empty": pa.nulls(5, pa.float64()),
        }
    )
    rows = rows_between(sample)
    assert rows.schema == sample.schema
    assert {1.0, 1.2, 1.1, None} < set(rows["number"].to_pylist())
    assert set(rows["whole"].to_pylist()) == {1, 3, 5, None}
    assert set(rows["word"].to_pylist()) == {"x", "y", None}
    assert set(rows["empty"].to_pylist()) == {None}
