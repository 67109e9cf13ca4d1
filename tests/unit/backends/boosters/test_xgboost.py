"""Boosters of XGBoost: what a bundle predicts is what XGBoost does, to the last digit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import xgboost

import spark_infer as si
from spark_infer.bundle import Bundle
from spark_infer.errors import BundleError, SignatureError
from tests.unit.backends.boosters.frames import classes, frame, numbers, predict, predicted, table


def matrix(rows: pd.DataFrame, labels: Any = None) -> xgboost.DMatrix:
    return xgboost.DMatrix(rows, label=labels, enable_categorical=True)


def train(rows: pd.DataFrame, labels: Any, rounds: int = 8, **parameters: Any) -> xgboost.Booster:
    return xgboost.train(parameters, matrix(rows, labels), rounds)


@pytest.mark.parametrize(
    "parameters",
    [
        {"objective": "binary:logistic"},
        {"objective": "binary:logistic", "base_score": 0.03, "scale_pos_weight": 7},
        {"objective": "binary:logistic", "booster": "dart", "rate_drop": 0.5},
        {"objective": "binary:logistic", "booster": "gblinear"},
        {"objective": "binary:logistic", "num_parallel_tree": 4, "subsample": 0.5},
    ],
)
def test_probabilities_and_margins_of_two_classes(
    tmp_path: Path, parameters: dict[str, Any]
) -> None:
    rows = numbers()
    booster = train(rows, classes(rows), **parameters)
    outputs = [si.Output("probability"), si.Output("margin")]
    got = predicted(tmp_path / "b", booster, rows, outputs=outputs)
    np.testing.assert_array_equal(got["probability"], booster.predict(matrix(rows)))
    margin = booster.predict(matrix(rows), output_margin=True)
    np.testing.assert_array_equal(got["margin"], margin)


@pytest.mark.nightly_after(2)
@pytest.mark.parametrize("objective", ["multi:softprob", "multi:softmax"])
@pytest.mark.parametrize("kind", ["gbtree", "dart"])
def test_probabilities_margins_and_labels_of_three_classes(
    tmp_path: Path, objective: str, kind: str
) -> None:
    rows = numbers()
    booster = train(rows, classes(rows, 3), objective=objective, num_class=3, booster=kind)
    other = train(rows, classes(rows, 3), objective="multi:softprob", num_class=3, booster=kind)
    outputs = [
        si.Output("share", shape=(3,)),
        si.Output("margin", shape=(3,)),
        si.Output("name", dtype="int64", labels=["low", "mid", "high"]),
    ]
    got = predicted(tmp_path / "b", booster, rows, outputs=outputs)
    shares = other.predict(matrix(rows))
    np.testing.assert_array_equal(got["share"], shares)
    np.testing.assert_array_equal(got["margin"], booster.predict(matrix(rows), output_margin=True))
    names = np.array(["low", "mid", "high"])[shares.argmax(axis=1)]
    assert got["name"].tolist() == names.tolist()


@pytest.mark.parametrize(
    ("parameters", "width"),
    [
        ({"objective": "reg:squarederror"}, 1),
        ({"objective": "reg:squaredlogerror"}, 1),
        ({"objective": "reg:absoluteerror"}, 1),
        ({"objective": "reg:logistic"}, 1),
        ({"objective": "reg:quantileerror", "quantile_alpha": [0.1, 0.5, 0.9]}, 3),
        ({"objective": "reg:gamma"}, 1),
        ({"objective": "reg:tweedie"}, 1),
        ({"objective": "count:poisson"}, 1),
        ({"objective": "survival:cox"}, 1),
        ({"objective": "rank:pairwise"}, 1),
        ({"objective": "rank:ndcg"}, 1),
        ({"objective": "binary:hinge"}, 1),
        ({"objective": "binary:logitraw"}, 1),
    ],
)
def test_other_objectives_predict_numbers(
    tmp_path: Path, parameters: dict[str, Any], width: int
) -> None:
    rows = numbers()
    labels = classes(rows) + (0 if "binary" in parameters["objective"] else 0.25)
    labels = np.round(labels) if "rank" in parameters["objective"] else np.minimum(labels, 1)
    booster = train(rows, labels, **parameters)
    bundle = si.save_bundle(tmp_path / "b", booster)
    (output,) = bundle.signature.outputs
    assert (output.name, output.shape) == ("prediction", () if width == 1 else (width,))
    got = predict(bundle, table(rows))["prediction"]
    np.testing.assert_array_equal(got, booster.predict(matrix(rows)))


def test_categories_are_a_vocabulary_and_unknown_ones_are_missing(tmp_path: Path) -> None:
    rows = frame()
    booster = train(rows, classes(rows), objective="binary:logistic")
    bundle = si.save_bundle(tmp_path / "b", booster)
    assert bundle.signature.vocabularies == {
        "category_1": ["east", "north", "west"],
        "category_3": [3, 7, 9],
    }
    assert bundle.signature.column_names == ("amount", "shop", "rate", "code")
    got = predict(bundle, table(rows))["probability"]
    np.testing.assert_array_equal(got, booster.predict(matrix(rows)))
    few = table(rows.head(50))
    strange = few.set_column(1, "shop", [["south"] * 50])
    nothing = few.set_column(1, "shop", [pa.nulls(50, pa.string())])
    np.testing.assert_array_equal(
        predict(bundle, strange)["probability"], predict(bundle, nothing)["probability"]
    )


@pytest.mark.parametrize("kind", ["gbtree", "dart"])
def test_rounds_after_the_best_one_do_not_count(tmp_path: Path, kind: str) -> None:
    rows = numbers()
    data = matrix(rows, classes(rows))
    worse = iter(range(100))
    booster = xgboost.train(
        {"objective": "binary:logistic", "booster": kind, "disable_default_eval_metric": 1},
        data,
        20,
        evals=[(data, "data")],
        custom_metric=lambda *_: ("worse", abs(next(worse) - 2)),
        early_stopping_rounds=5,
        verbose_eval=False,
    )
    assert booster.best_iteration == 2
    assert booster.num_boosted_rounds() == 8
    says = r"8 rounds and says that the best one was number 2.*save booster\[:3\] .*=None\) first"
    booster.save_model(tmp_path / "m.json")
    for model in (booster, tmp_path / "m.json"):
        with pytest.raises(BundleError, match=says):
            si.save_bundle(tmp_path / "b", model)
    got = predicted(tmp_path / "b", booster[:3], rows)["probability"]
    best = booster.predict(matrix(rows), iteration_range=(0, 3))
    np.testing.assert_array_equal(got, best)
    assert not np.array_equal(got, booster.predict(matrix(rows)))
    booster.set_attr(best_iteration=None)
    got = predicted(tmp_path / "c", booster, rows)["probability"]
    np.testing.assert_array_equal(got, booster.predict(matrix(rows)))


@pytest.mark.parametrize("goes_on", [False, True])
def test_a_wrapper_predicts_with_its_best_round(tmp_path: Path, goes_on: bool) -> None:
    rows = numbers()
    labels = np.random.default_rng(0).integers(0, 2, len(rows))
    stopped = xgboost.XGBClassifier(n_estimators=40, early_stopping_rounds=3)
    stopped.fit(rows[:700], labels[:700], eval_set=[(rows[700:], labels[700:])], verbose=False)
    model = stopped
    if goes_on:
        model = xgboost.XGBClassifier(n_estimators=5)
        model.fit(rows, labels, xgb_model=stopped.get_booster())
    assert model.get_booster().num_boosted_rounds() > model.best_iteration + 1
    got = predicted(tmp_path / "b", model, rows)["probability"]
    np.testing.assert_array_equal(got, model.predict_proba(rows)[:, 1])
    with pytest.raises(BundleError, match=r"its own predict\(\) takes all"):
        si.save_bundle(tmp_path / "c", model.get_booster())


def test_a_linear_booster_has_its_last_weights(tmp_path: Path) -> None:
    rows = numbers().fillna(0)
    booster = train(rows, classes(rows), booster="gblinear")
    booster.set_attr(best_iteration="1")
    got = predicted(tmp_path / "b", booster, rows)["prediction"]
    np.testing.assert_array_equal(got, booster.predict(matrix(rows)))


def test_targets_of_which_a_row_may_have_any(tmp_path: Path) -> None:
    rows = numbers()
    labels = np.stack([classes(rows), rows["rate"] > 0, rows["rate"] > 1], axis=1).astype(int)
    model = xgboost.XGBClassifier(n_estimators=4).fit(rows, labels)
    got = predicted(tmp_path / "b", model, rows)["probability"]
    np.testing.assert_array_equal(got, model.predict_proba(rows))
    for output in (
        si.Output("label", dtype="int64"),
        si.Output("kind", tensor="label", dtype="int64"),
        si.Output("tag", dtype="int64", labels=["a", "b", "c"]),
        si.Output("probability", labels=["a", "b", "c"]),
    ):
        with pytest.raises(SignatureError, match="predicts 3 targets of which a row may have any"):
            si.save_bundle(tmp_path / "c", model, outputs=[output])


@pytest.mark.parametrize("suffix", ["json", "ubj"])
def test_a_file_is_the_booster(tmp_path: Path, suffix: str) -> None:
    rows = numbers()
    booster = train(rows, classes(rows), objective="binary:logistic")
    file = tmp_path / f"model.{suffix}"
    booster.save_model(file)
    got = predicted(tmp_path / "b", str(file), rows)["probability"]
    np.testing.assert_array_equal(got, booster.predict(matrix(rows)))


def test_a_classifier_of_scikit_learns_kind(tmp_path: Path) -> None:
    rows = frame()
    model = xgboost.XGBClassifier(n_estimators=6, enable_categorical=True)
    model.fit(rows, classes(rows))
    outputs = [si.Output("both", shape=(2,)), si.Output("label", dtype="int64")]
    got = predicted(tmp_path / "b", model, rows, outputs=outputs)
    np.testing.assert_array_equal(got["both"], model.predict_proba(rows))
    np.testing.assert_array_equal(got["label"], model.predict(rows))


def test_a_random_forest_and_arrays_without_names(tmp_path: Path) -> None:
    rows = numbers()
    model = xgboost.XGBRFRegressor(n_estimators=9).fit(rows.to_numpy(), classes(rows, 5))
    got = predicted(tmp_path / "b", model, rows, columns=["amount", "rate"])["prediction"]
    np.testing.assert_array_equal(got, model.predict(rows.to_numpy()))


def test_doubles_are_rounded_as_xgboost_rounds_them(tmp_path: Path) -> None:
    rows = numbers().astype(np.float64) * 1.1
    booster = train(rows, classes(rows), objective="binary:logistic", max_depth=8)
    got = predicted(tmp_path / "b", booster, rows)["probability"]
    np.testing.assert_array_equal(got, booster.predict(matrix(rows)))


def test_infinities_go_the_way_of_large_numbers(tmp_path: Path) -> None:
    rows = numbers()
    booster = train(rows, classes(rows), objective="binary:logistic")
    odd = pd.DataFrame({"amount": [np.inf, -np.inf, 1e30, -1e30], "rate": [0.5, 0.5, 0.5, 0.5]})
    got = predict(si.save_bundle(tmp_path / "b", booster), table(odd.astype(np.float32)))
    expected = booster.inplace_predict(odd.to_numpy(np.float32))
    np.testing.assert_array_equal(got["probability"], expected)
    np.testing.assert_array_equal(got["probability"][:2], got["probability"][2:])


def test_arrays_and_columns_side_by_side_are_the_features(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    rows = random.normal(size=(400, 5)).astype(np.float32)
    booster = xgboost.train(
        {"objective": "binary:logistic"}, xgboost.DMatrix(rows, label=rows[:, 1] > rows[:, 4]), 5
    )
    signature = si.Signature(
        inputs=[
            si.ArrayInput("face", column="face", shape=(2, 2)),
            si.ScalarInput("rest", columns=["age"]),
        ],
        outputs=[si.Output("score")],
    )
    bundle = si.save_bundle(tmp_path / "b", booster, signature=signature)
    faces = [[[float(v) for v in pair] for pair in row[:4].reshape(2, 2)] for row in rows]
    kind = pa.list_(pa.list_(pa.float32()))
    got = predict(bundle, pa.table({"face": pa.array(faces, kind), "age": rows[:, 4]}))["score"]
    np.testing.assert_array_equal(got, booster.predict(xgboost.DMatrix(rows)))


def test_the_users_booster_is_left_as_it_was(tmp_path: Path) -> None:
    rows = numbers()
    booster = train(rows, classes(rows, 3), objective="multi:softmax", num_class=3)
    before = bytes(booster.save_raw("json"))
    si.save_bundle(tmp_path / "b", booster)
    assert bytes(booster.save_raw("json")) == before
    assert booster.predict(matrix(rows)).shape == (len(rows),)


def test_what_is_stored_holds_no_attribute_of_the_user(tmp_path: Path) -> None:
    rows = numbers()
    booster = train(rows, classes(rows), objective="binary:logistic")
    booster.set_attr(secret="where the data lies")
    bundle = si.save_bundle(tmp_path / "b", booster)
    assert [*bundle.artifact_path.iterdir()] == [bundle.artifact_path / "model.json"]
    assert b"secret" not in (bundle.artifact_path / "model.json").read_bytes()


def test_several_numbers_in_a_leaf_are_refused(tmp_path: Path) -> None:
    rows = numbers()
    booster = train(
        rows,
        classes(rows, 3),
        objective="multi:softprob",
        num_class=3,
        multi_strategy="multi_output_tree",
        tree_method="hist",
    )
    with pytest.raises(BundleError, match="multi_strategy='one_output_per_tree'"):
        si.save_bundle(tmp_path / "b", booster)


def test_the_versions_name_the_library(tmp_path: Path) -> None:
    rows = numbers()
    bundle = si.save_bundle(tmp_path / "b", train(rows, classes(rows)))
    assert bundle.manifest.built_with["xgboost"] == xgboost.__version__
    assert Bundle.load(bundle.path).manifest.base.format == "xgboost"
