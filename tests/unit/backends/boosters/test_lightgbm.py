"""Boosters of LightGBM: what a bundle predicts is what LightGBM does, to the last digit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest

import spark_infer as si
from spark_infer.errors import SignatureError
from tests.unit.backends.boosters.frames import (
    ROWS,
    classes,
    frame,
    numbers,
    predict,
    predicted,
    table,
)


def train(rows: pd.DataFrame, labels: Any, rounds: int = 8, **parameters: Any) -> lightgbm.Booster:
    options = {"verbosity": -1, "num_threads": 1, **parameters}
    return lightgbm.train(options, lightgbm.Dataset(rows, labels), rounds)


@pytest.mark.parametrize(
    "parameters",
    [
        {"objective": "binary"},
        {"objective": "binary", "boosting": "dart"},
        {"objective": "binary", "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5},
        {"objective": "binary", "sigmoid": 2.0, "zero_as_missing": True},
        {"objective": "binary", "use_missing": False},
        {"objective": "binary", "monotone_constraints": [1, 0]},
    ],
)
def test_probabilities_and_margins_of_two_classes(
    tmp_path: Path, parameters: dict[str, Any]
) -> None:
    rows = numbers()
    booster = train(rows, classes(rows), **parameters)
    outputs = [si.Output("probability", dtype="float64"), si.Output("margin", dtype="float64")]
    got = predicted(tmp_path / "b", booster, rows, outputs=outputs)
    np.testing.assert_array_equal(got["probability"], booster.predict(rows))
    np.testing.assert_array_equal(got["margin"], booster.predict(rows, raw_score=True))


@pytest.mark.parametrize("objective", ["multiclass", "multiclassova"])
def test_classes_with_names(tmp_path: Path, objective: str) -> None:
    rows = frame()
    names = np.array(["high", "low", "mid"])[classes(rows, 3)]
    model = lightgbm.LGBMClassifier(objective=objective, n_estimators=6, verbosity=-1)
    model.fit(rows, names)
    bundle = si.save_bundle(tmp_path / "b", model)
    assert bundle.signature.outputs == (
        si.Output("probability", dtype="float64", shape=(3,)),
        si.Output("label", dtype="int64", labels=["high", "low", "mid"]),
    )
    got = predict(bundle, table(rows))
    np.testing.assert_array_equal(got["probability"], model.predict_proba(rows))
    assert got["label"].tolist() == model.predict(rows).tolist()


@pytest.mark.parametrize(
    "parameters",
    [
        {"objective": "regression"},
        {"objective": "regression", "reg_sqrt": True},
        {"objective": "regression", "linear_tree": True},
        {"objective": "regression_l1"},
        {"objective": "huber"},
        {"objective": "poisson"},
        {"objective": "quantile", "alpha": 0.5},
        {"objective": "tweedie"},
        {"objective": "cross_entropy"},
    ],
)
def test_other_objectives_predict_numbers(tmp_path: Path, parameters: dict[str, Any]) -> None:
    rows = numbers()
    booster = train(rows, classes(rows) / 2, **parameters)
    got = predicted(tmp_path / "b", booster, rows)["prediction"]
    np.testing.assert_array_equal(got, booster.predict(rows))


def test_a_booster_that_always_says_the_same_needs_a_sample(tmp_path: Path) -> None:
    rows = numbers()
    booster = train(rows, classes(rows) / 2, objective="quantile", alpha=0.9)
    with pytest.raises(SignatureError, match=r"'prediction' is the same .* pass sample=ROWS"):
        si.save_bundle(tmp_path / "b", booster)
    assert si.save_bundle(tmp_path / "b", booster, sample=table(rows)).digest


def test_a_ranker(tmp_path: Path) -> None:
    rows = numbers()
    model = lightgbm.LGBMRanker(n_estimators=6, verbosity=-1)
    model.fit(rows, classes(rows, 4), group=[10] * (len(rows) // 10))
    got = predicted(tmp_path / "b", model, rows)["prediction"]
    np.testing.assert_array_equal(got, model.predict(rows))


def test_categories_are_a_vocabulary_and_unknown_ones_are_missing(tmp_path: Path) -> None:
    rows = frame()
    booster = train(rows, classes(rows), objective="binary")
    bundle = si.save_bundle(tmp_path / "b", booster)
    assert [*bundle.signature.vocabularies.values()] == [["east", "north", "west"], [3, 7, 9]]
    got = predict(bundle, table(rows))["probability"]
    np.testing.assert_array_equal(got, booster.predict(rows))
    strange = rows.assign(shop=pd.Categorical(["south"] * len(rows)))
    got = predict(bundle, table(strange))["probability"]
    np.testing.assert_array_equal(got, booster.predict(strange))


def test_categories_that_are_numbers_already(tmp_path: Path) -> None:
    rows = numbers().assign(kind=np.arange(1_500) % 5)
    labels = classes(rows) ^ (rows["kind"] == 3)
    booster = lightgbm.train(
        {"objective": "binary", "verbosity": -1},
        lightgbm.Dataset(rows, labels, categorical_feature=["kind"]),
        8,
    )
    got = predicted(tmp_path / "b", booster, rows)["probability"]
    np.testing.assert_array_equal(got, booster.predict(rows))


def test_categories_beside_numbers_that_are_categories(tmp_path: Path) -> None:
    rows = frame().assign(kind=np.arange(1_500) % 5)
    booster = lightgbm.train(
        {"objective": "binary", "verbosity": -1},
        lightgbm.Dataset(rows, classes(rows), categorical_feature=["kind", "shop", "code"]),
        8,
    )
    got = predicted(tmp_path / "b", booster, rows)["probability"]
    np.testing.assert_array_equal(got, booster.predict(rows))


def mixed(kind: str) -> tuple[pd.DataFrame, list[str]]:
    """Return a frame with categories of a kind beside numbers that look like their codes."""
    random = np.random.default_rng(3)
    grade = random.integers(1, 5, ROWS)
    values = {
        "ordered": pd.Categorical(grade, categories=[1, 2, 3, 4], ordered=True),
        "ordered words": pd.Categorical(np.array(["", *"abcd"])[grade], ordered=True),
        "left out": pd.Categorical(np.array(["", *"abcd"])[grade]),
        "constant": pd.Categorical(["b"] * ROWS, categories=[*"abcd"]),
    }[kind]
    rows = pd.DataFrame(
        {"flag": random.integers(0, 2, ROWS), "store": random.integers(0, 4, ROWS), "grade": values}
    )
    return rows.assign(x=random.normal(size=ROWS)), ["store"]


KINDS = pytest.mark.parametrize("kind", ["ordered", "ordered words", "left out", "constant"])


@KINDS
def test_categories_that_several_features_could_have(tmp_path: Path, kind: str) -> None:
    rows, declared = mixed(kind)
    labels = np.array([5, -3, 9, 0])[rows["store"]] + rows["x"] + rows["grade"].cat.codes
    booster = lightgbm.train(
        {"verbosity": -1}, lightgbm.Dataset(rows, labels, categorical_feature=declared), 8
    )
    with pytest.raises(SignatureError, match="several features could have them; pass sample=FRAME"):
        si.save_bundle(tmp_path / "b", booster)
    expected = booster.predict(rows)
    number = [si.Column(name, nulls="nan") for name in ("flag", "store", "x")]
    grade = si.ScalarInput(
        "grade",
        columns=[si.Column("grade", nulls=-1)],
        dtype="int32",
        vocabulary=rows["grade"].cat.categories.to_list(),
        unknown_id=-1,
    )
    signature = si.Signature(
        inputs=[
            si.ScalarInput("a", columns=number[:2], dtype="float64"),
            grade,
            si.ScalarInput("b", columns=number[2:], dtype="float64"),
        ],
        outputs=[si.Output("prediction", dtype="float64")],
    )
    for place, options in enumerate(
        ({"sample": rows}, {"sample": table(rows)}, {"signature": signature})
    ):
        got = predicted(tmp_path / str(place), booster, rows, **options)["prediction"]
        np.testing.assert_array_equal(got, expected)


def test_a_signature_that_gives_categories_to_another_feature(tmp_path: Path) -> None:
    rows, declared = mixed("ordered")
    booster = lightgbm.train(
        {"verbosity": -1}, lightgbm.Dataset(rows, rows["x"], categorical_feature=declared), 8
    )
    for words in (None, [4, 3, 2, 1]):
        signature = si.Signature(
            inputs=[
                si.ScalarInput("a", columns=["flag", "store"], dtype="float64"),
                si.ScalarInput("g", columns=["grade"], vocabulary=words),
                si.ScalarInput("b", columns=["x"], dtype="float64"),
            ],
            outputs=[si.Output("prediction", dtype="float64")],
        )
        with pytest.raises(SignatureError, match="gives them to other features, or in another"):
            si.save_bundle(tmp_path / "b", booster, signature=signature)


def test_rounds_after_the_best_one_do_not_count(tmp_path: Path) -> None:
    rows = numbers()
    data = lightgbm.Dataset(rows, classes(rows))
    worse = iter(range(100))
    booster = lightgbm.train(
        {"objective": "binary", "metric": "None", "verbosity": -1},
        data,
        20,
        valid_sets=[data.create_valid(rows, classes(rows))],
        feval=lambda *_: ("worse", abs(next(worse) - 2), False),
        callbacks=[lightgbm.early_stopping(5, verbose=False)],
        keep_training_booster=True,
    )
    assert (booster.best_iteration, booster.num_trees()) == (3, 8)
    got = predicted(tmp_path / "b", booster, rows)["probability"]
    np.testing.assert_array_equal(got, booster.predict(rows))
    assert not np.array_equal(got, booster.predict(rows, num_iteration=8))


def test_a_file_is_the_booster(tmp_path: Path) -> None:
    rows = frame()
    booster = train(rows, classes(rows), objective="binary")
    booster.save_model(tmp_path / "model.txt")
    got = predicted(tmp_path / "b", tmp_path / "model.txt", rows)["probability"]
    np.testing.assert_array_equal(got, booster.predict(rows))


def test_a_function_as_objective_gives_margins_only(tmp_path: Path) -> None:
    rows = numbers()
    labels = classes(rows)

    def objective(predictions: Any, data: Any) -> Any:
        shares = 1 / (1 + np.exp(-predictions))
        return shares - data.get_label(), shares * (1 - shares)

    booster = train(rows, labels, objective=objective)
    with pytest.raises(SignatureError, match=r"a function as its objective.*Output\('margin'\)"):
        si.save_bundle(tmp_path / "b", booster)
    with pytest.raises(SignatureError, match=r"'score'.*give the output tensor='margin'"):
        si.save_bundle(tmp_path / "b", booster, outputs=[si.Output("score")])
    outputs = [si.Output("score", tensor="margin", dtype="float64")]
    got = predicted(tmp_path / "b", booster, rows, outputs=outputs)["score"]
    np.testing.assert_array_equal(got, booster.predict(rows, raw_score=True))


def test_doubles_stay_doubles_and_floats_may_be_asked_for(tmp_path: Path) -> None:
    rows = numbers().astype(np.float64) * 1.1
    booster = train(rows, classes(rows), objective="binary", num_leaves=200, min_data_in_leaf=1)
    got = predicted(tmp_path / "b", booster, rows)["probability"]
    np.testing.assert_array_equal(got, booster.predict(rows))
    signature = si.Signature(
        inputs=[
            si.ScalarInput(
                "x", columns=[si.Column(name, nulls="nan") for name in ("amount", "rate")]
            )
        ],
        outputs=[si.Output("score", dtype="float64")],
    )
    got = predicted(tmp_path / "c", booster, rows, signature=signature)["score"]
    np.testing.assert_array_equal(got, booster.predict(rows.astype(np.float32)))


def test_what_is_stored_holds_no_settings_of_the_training(tmp_path: Path) -> None:
    rows = numbers()
    bundle = si.save_bundle(tmp_path / "b", train(rows, classes(rows), objective="binary"))
    text = (bundle.artifact_path / "model.txt").read_text()
    assert "parameters:" not in text
    assert "leaf_count" not in text


@pytest.mark.parametrize("numbers_of", [[10, 20, 50], [1, 2, 3], [2.0, 4.0, 8.0], [-1, 0, 1]])
def test_classes_that_are_other_numbers(tmp_path: Path, numbers_of: list[Any]) -> None:
    rows = numbers()
    model = lightgbm.LGBMClassifier(n_estimators=4, verbosity=-1)
    model.fit(rows, np.array(numbers_of)[classes(rows, 3)])
    for output in (
        si.Output("label", dtype="int64"),
        si.Output("kind", tensor="label", dtype="int64"),
    ):
        with pytest.raises(
            SignatureError, match="the place of a class, from 0 to 2, and the model"
        ):
            si.save_bundle(tmp_path / "b", model, outputs=[output])
    names = [str(number) for number in model.classes_]
    outputs = [si.Output("label", dtype="int64", labels=names)]
    got = predicted(tmp_path / "b", model, rows, outputs=outputs)["label"]
    assert got.tolist() == [str(number) for number in model.predict(rows)]


@pytest.mark.parametrize("kind", [int, float, bool])
def test_classes_that_are_counted_from_0(tmp_path: Path, kind: type) -> None:
    rows = numbers()
    model = lightgbm.LGBMClassifier(n_estimators=4, verbosity=-1)
    model.fit(rows, classes(rows).astype(kind))
    outputs = [si.Output("label", dtype="int64")]
    got = predicted(tmp_path / "b", model, rows, outputs=outputs)["label"]
    assert got.tolist() == model.predict(rows).tolist()
