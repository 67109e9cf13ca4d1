"""What a booster cannot be saved or loaded with, each in one sentence that says what to do."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
import xgboost

import spark_infer as si
from spark_infer.backends import load_backend
from spark_infer.backends.boosters.arrays import MAX_DEPTH
from spark_infer.backends.boosters.lgbm.format import FORMAT as LIGHTGBM
from spark_infer.backends.boosters.xgb.document import read
from spark_infer.backends.boosters.xgb.format import FORMAT as XGBOOST
from spark_infer.backends.boosters.xgb.trees import MAX_BITS
from spark_infer.backends.options import ModelOptions
from spark_infer.bundle import Bundle
from spark_infer.bundle.files.digest import seal
from spark_infer.errors import BundleError, ConfigError, RuntimeUnavailable, SignatureError
from tests.unit.backends.boosters.frames import classes, frame, numbers, table
from tests.unit.test_imports import run


def xgb(objective: str = "binary:logistic") -> xgboost.Booster:
    rows = numbers()
    return xgboost.train({"objective": objective}, xgboost.DMatrix(rows, label=classes(rows)), 3)


def lgbm(objective: str = "binary") -> lightgbm.Booster:
    rows = numbers()
    return lightgbm.train(
        {"objective": objective, "verbosity": -1}, lightgbm.Dataset(rows, classes(rows)), 3
    )


BOTH = pytest.mark.parametrize("train", [xgb, lgbm])


def refused(
    path: Path, model: Any, message: str, error: type[Exception] = SignatureError, **options: Any
) -> None:
    with pytest.raises(error, match=message) as raised:
        si.save_bundle(path / "b", model, **options)
    assert "\n" not in str(raised.value)
    assert not (path / "b").exists()


@BOTH
def test_columns_that_are_not_the_features(tmp_path: Path, train: Callable[[], Any]) -> None:
    refused(
        tmp_path,
        train(),
        r"feature 'amount' is none of the columns amounts, rate; did you mean 'amounts'\? where it "
        r"has another name, pass features=\{'amount': 'that name'\}",
        columns=["amounts", "rate"],
    )
    refused(tmp_path, train(), "column 'hour' is no feature", columns=["amount", "rate", "hour"])
    refused(tmp_path, train(), "another order than the booster's", columns=["rate", "amount"])


@BOTH
def test_a_sample_without_a_feature(tmp_path: Path, train: Callable[[], Any]) -> None:
    sample = {"amounts": [1.0], "rate": [2.0]}
    refused(tmp_path, train(), "'amount' is no column of the sample; did you mean", sample=sample)


@BOTH
def test_another_name_is_a_feature_in_sql(tmp_path: Path, train: Callable[[], Any]) -> None:
    bundle = si.save_bundle(tmp_path / "b", train(), features={"amount": "tx_amount * 2"})
    assert bundle.signature.column_names == ("amount", "rate")


@BOTH
def test_a_signature_of_other_columns_or_shapes(tmp_path: Path, train: Callable[[], Any]) -> None:
    def signature(*inputs: Any, **output: Any) -> si.Signature:
        return si.Signature(inputs=inputs, outputs=[si.Output("score", **output)])

    both = si.ScalarInput("x", columns=["amount", "rate"])
    other = si.ScalarInput("x", columns=["rate", "amount"])
    more = si.ScalarInput("x", columns=["amount", "rate", "hour"])
    ragged = si.RaggedInput("r", column="r")
    present = dataclasses.replace(both, presence=True)
    for inputs, message in (
        ([other], "has column 'rate' where the booster has feature 'amount'"),
        ([more], "hold 3 numbers for each row, and the booster has 2 features"),
        ([ragged], "'r' is ragged, and a booster takes a fixed number"),
        ([present], "'x': a booster takes no tensor that says which values are present"),
    ):
        refused(tmp_path, train(), message, signature=signature(*inputs))
    for output, message in (
        ({"shape": (3,)}, r"is of shape \(3,\), and the booster's probability of \(\) or \(2,\)"),
        ({"tensor": "probabilty"}, "no tensor 'probabilty'; did you mean 'probability'"),
        ({"dtype": "int64"}, "is of int64, and the booster's probability of float"),
        ({"dtype": "int64", "labels": ["a", "b", "c"]}, "has 3 labels, and the booster 2 classes"),
        ({"tensor": "label"}, "takes the number of a class; give it dtype='int64'"),
    ):
        refused(tmp_path, train(), message, signature=signature(both, **output))
    refused(
        tmp_path,
        train(),
        "columns and outputs, or a signature, not both",
        BundleError,
        signature=signature(both),
        columns=["amount", "rate"],
    )


@pytest.mark.parametrize("booster", [xgb("reg:squarederror"), lgbm("regression")])
def test_labels_of_a_number(tmp_path: Path, booster: Any) -> None:
    for dtype in ("int64", "float32"):
        outputs = [si.Output("kind", labels=["no", "yes"], dtype=dtype)]
        refused(tmp_path, booster, "has labels, and the booster predicts a number", outputs=outputs)


def test_a_booster_of_arrays_needs_columns(tmp_path: Path) -> None:
    rows = numbers().to_numpy()
    of_xgboost = xgboost.train({}, xgboost.DMatrix(rows, label=rows[:, 1]), 2)
    of_lightgbm = lightgbm.train({"verbosity": -1}, lightgbm.Dataset(rows, rows[:, 1]), 2)
    for booster in (of_xgboost, of_lightgbm):
        refused(tmp_path, booster, "does not name its features.*each of its 2 features")
        refused(tmp_path, booster, "are 1 columns, and the booster has 2", columns=["amount"])


def test_another_vocabulary_than_the_boosters(tmp_path: Path) -> None:
    rows = frame()[["shop"]]
    labels = (rows["shop"] == "east").to_numpy()
    booster = xgboost.train({}, xgboost.DMatrix(rows, label=labels, enable_categorical=True), 3)
    for words in (["west", "north", "east"], None):
        signature = si.Signature(
            inputs=[si.ScalarInput("shop", columns=["shop"], vocabulary=words)],
            outputs=[si.Output("score")],
        )
        refused(
            tmp_path, booster, "a category of 'east', 'north', 'west'; give", signature=signature
        )


def test_options_of_other_models(tmp_path: Path) -> None:
    refused(tmp_path, xgb(), "task is for other kinds", BundleError, task="embedding")
    refused(tmp_path, xgb(), "inputs is for other kinds", BundleError, inputs={"x": ["amount"]})


def test_a_function_as_objective_and_a_missing_value_of_a_wrapper(tmp_path: Path) -> None:
    rows = numbers()
    model = xgboost.XGBRegressor(
        n_estimators=2, objective=lambda y, p: (p - y, np.ones_like(p))
    ).fit(rows, rows["rate"])
    refused(tmp_path, model, "a function as its objective.*get_booster", BundleError)
    model = xgboost.XGBRegressor(n_estimators=2, missing=-1.0).fit(rows, rows["rate"])
    refused(tmp_path, model, r"takes -1.0 as a missing value.*nullif\(column, -1.0\)", BundleError)


@pytest.mark.parametrize(
    ("format_", "name", "content"),
    [
        ("xgboost", "m.json", b"{"),
        ("xgboost", "m.json", b'{"learner": 1}'),
        ("xgboost", "m.ubj", b"\x80\x04pickle"),
        ("lightgbm", "m.txt", b"dear all,\n"),
        ("lightgbm", "m.txt", b"\xff\xfe"),
        ("lightgbm", "m.txt", b"tree\nversion=v4\n"),
    ],
)
def test_a_file_of_something_else(tmp_path: Path, format_: str, name: str, content: bytes) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    refused(tmp_path, file, f"{re.escape(name)}.* cannot be read as a booster of", BundleError)
    refused(tmp_path, 5, f"format '{format_}' stores", BundleError, format=format_)


def rewritten(bundle: Bundle, change: Callable[[str], str]) -> Bundle:
    """Return a bundle whose model is another text, with digests that fit."""
    (file,) = bundle.artifact_path.iterdir()
    text = file.read_text()
    changed = change(text)
    assert changed != text
    file.write_text(changed)
    seal(bundle.path)
    return Bundle.load(bundle.path)


def test_a_booster_of_a_newer_library(tmp_path: Path) -> None:
    bundle = si.save_bundle(tmp_path / "b", xgb())
    newer = rewritten(bundle, lambda text: re.sub(r'"version":.*?]', '"version":[99,1,0]', text))
    says = r"written by XGBoost 99.1.0, and this Python has XGBoost \d.*'xgboost>=99.1.0'"
    with pytest.raises(RuntimeUnavailable, match=says):
        load_backend(newer)
    raw = bytes(xgb().save_raw("json"))
    (tmp_path / "m.json").write_bytes(re.sub(rb'"version":.*?]', b'"version":[99,1,0]', raw))
    raw = bytes(xgb().save_raw("ubj"))
    end = raw.rindex(b"version[#L") + len(b"version[#L") + 8
    (tmp_path / "m.ubj").write_bytes(raw[:end] + b"i\x63i\x01i\x00}")
    for name in ("m.json", "m.ubj"):
        with pytest.raises(RuntimeUnavailable, match=says):
            si.save_bundle(tmp_path / "d", tmp_path / name)
    bundle = si.save_bundle(tmp_path / "c", lgbm())
    newer = rewritten(bundle, lambda text: text.replace("version=v4", "version=v5"))
    with pytest.raises(RuntimeUnavailable, match=r"written by LightGBM 5.0, and.*'lightgbm>=5.0'"):
        load_backend(newer)
    text = lgbm().model_to_string().replace("version=v4", "version=v5")
    (tmp_path / "m.txt").write_text(text)
    with pytest.raises(RuntimeUnavailable, match=r"written by LightGBM 5\.0"):
        si.save_bundle(tmp_path / "d", tmp_path / "m.txt")


@pytest.mark.parametrize(
    "options", [{"device": "cuda"}, {"precision": "bfloat16"}, {"precision": "float16"}]
)
@BOTH
def test_no_other_device_and_precision(
    tmp_path: Path, train: Callable[[], Any], options: dict[str, Any]
) -> None:
    bundle = si.save_bundle(tmp_path / "b", train())
    with pytest.raises(ConfigError, match=r"use device .cpu.|leave precision out"):
        load_backend(bundle, ModelOptions(**options))


@pytest.mark.processes
@pytest.mark.parametrize(("train", "library"), [(xgb, "xgboost"), (lgbm, "lightgbm")])
def test_a_machine_without_the_library(
    tmp_path: Path, train: Callable[[], Any], library: str
) -> None:
    bundle = si.save_bundle(tmp_path / "b", train())
    code = """
import sys, spark_infer
from spark_infer.errors import RuntimeUnavailable
try:
    spark_infer.load_model(sys.argv[1])
except RuntimeUnavailable as error:
    print(error)
"""
    message = run(code, str(bundle.path), blocked=(library,))
    assert message.startswith(f"{library} is not installed for ")
    assert f"pip install {library}" in message


def named(name: str, text: str) -> str:
    """Return a text of LightGBM whose first feature has a longer name."""
    return re.sub("feature_names=[^ \n]*", lambda found: found[0] + name, text)


DAMAGES: list[tuple[Any, Callable[[str], str], str]] = [
    (xgb, lambda t: re.sub(r'"left_children":\[\d+', '"left_children":[99', t), "holds 99"),
    (xgb, lambda t: re.sub(r'"left_children":\[\d+', '"left_children":[0', t), "no tree"),
    (xgb, lambda t: re.sub(r'"split_indices":\[\d+', '"split_indices":[7', t), "holds 7"),
    (
        xgb,
        lambda t: t.replace('"num_feature":"2"', '"num_feature":"3"', 1),
        "num_feature must be from 0 to 2",
    ),
    (xgb, lambda t: t.replace('"tree_info":[0', '"tree_info":[4'), "tree_info holds 4"),
    (xgb, lambda t: t.replace('"attributes":{}', '"attributes":{"a":"b"}'), "must be empty"),
    (xgb, lambda t: t.replace('"id":0', '"id":0,"id":0', 1), "there twice"),
    (xgb, lambda t: t[:-20], "JSONDecodeError|Expecting|delimiter"),
    (lgbm, lambda t: re.sub("left_child=-?[0-9]+", "left_child=99", t), "holds 99"),
    (lgbm, lambda t: re.sub("left_child=-?[0-9]+", "left_child=0", t), "no tree"),
    (lgbm, lambda t: re.sub("split_feature=[0-9]+", "split_feature=7", t), "holds 7"),
    (lgbm, lambda t: t.replace("num_leaves=", "num_leaves=1"), "numbers, and 1.* are expected"),
    (lgbm, lambda t: t.replace("max_feature_idx=1", "max_feature_idx=2"), "those of 3 features"),
    (lgbm, lambda t: t.replace("num_class=1", "num_class=3"), "num_tree_per_iteration"),
    (lgbm, lambda t: t.replace("objective=binary", "objective=multiclass"), "num_class:1"),
    (lgbm, lambda t: t.replace("end of trees", ""), "its end is missing"),
    (lgbm, lambda t: t.replace("leaf_value=", "leaf_value=x "), "must be finite numbers"),
    (lgbm, lambda t: t.replace("shrinkage", "shrinking", 1), "'shrinking' is unknown"),
    *(
        (lgbm, partial(named, f"{control}num_tree_per_iteration=2"), "a control character")
        for control in "\r\0\t\v\f\x1c\x85\u2028"
    ),
]


@pytest.mark.parametrize(("train", "change", "message"), DAMAGES)
def test_a_damaged_text_is_refused_before_the_library_reads_it(
    tmp_path: Path, train: Callable[[], Any], change: Callable[[str], str], message: str
) -> None:
    damaged = rewritten(si.save_bundle(tmp_path / "b", train()), change)
    with pytest.raises(BundleError, match=message) as raised:
        load_backend(damaged)
    assert re.search(r"model\.(json|txt) is damaged.*save the bundle again", str(raised.value))


def linear(key: str, number: str) -> bytes:
    """Return a text with linear leaves, of which one has another number."""
    rows = numbers()
    parameters = {"objective": "regression", "linear_tree": True, "verbosity": -1}
    booster = lightgbm.train(parameters, lightgbm.Dataset(rows, rows.iloc[:, 0] * 2), 2)
    text = LIGHTGBM.give(booster).content.decode()
    return re.sub(rf"(?m)^{key}=[0-9.e-]+", f"{key}={number}", text).encode()


@pytest.mark.parametrize("key", ["leaf_const", "leaf_coeff"])
@pytest.mark.parametrize("number", ["5e-324", "-1e-310", "1e-400", f"0.{'0' * 330}1"])
def test_a_number_of_a_linear_leaf_that_ends_lightgbm_is_refused(key: str, number: str) -> None:
    with pytest.raises(ValueError, match=f"{key} holds {number[:40]}"):
        LIGHTGBM.booster(linear(key, number), 1)


@pytest.mark.parametrize("key", ["leaf_const", "leaf_coeff"])
@pytest.mark.parametrize("number", ["0", "-0.0", "0e-999", "2.2250738585072014e-308", "-1e300"])
def test_other_numbers_of_linear_leaves_are_read(key: str, number: str) -> None:
    assert LIGHTGBM.booster(linear(key, number), 1).task.width == 1


def test_what_was_stored_is_read_again_and_stored_the_same() -> None:
    content = XGBOOST.give(xgb()).content
    assert XGBOOST.give(xgboost.Booster(model_file=bytearray(content))).content == content
    content = LIGHTGBM.give(lgbm()).content
    again = lightgbm.Booster(model_str=content.decode())
    assert LIGHTGBM.give(again).content == content


def test_null_and_nan_are_missing(tmp_path: Path) -> None:
    bundle = si.save_bundle(tmp_path / "b", xgb())
    predictor = si.Predictor(si.load_model(bundle), bundle)
    rows = table(numbers().assign(amount=np.nan))
    assert rows["amount"].null_count == len(rows)
    nulls = predictor.predict(rows)
    nans = predictor.predict(table(numbers()).set_column(0, "amount", [[np.nan] * len(rows)]))
    assert nulls.column("probability").equals(nans.column("probability"))


def test_a_tree_that_is_too_deep(tmp_path: Path) -> None:
    leaf = xgboost.train({"max_depth": 1}, xgboost.DMatrix(numbers(), classes(numbers())), 1)
    bundle = si.save_bundle(tmp_path / "b", leaf)

    def deep(text: str) -> str:
        data = json.loads(text)
        tree = data["learner"]["gradient_booster"]["model"]["trees"][0]
        depth = MAX_DEPTH + 1
        inner = range(0, 2 * depth, 2)
        tree["left_children"] = [*(c for n in inner for c in (n + 1, -1)), -1]
        tree["right_children"] = [*(c for n in inner for c in (n + 2, -1)), -1]
        tree["parents"] = [2**31 - 1, *(n for n in inner for _ in range(2))]
        for name, value in tree.items():
            if isinstance(value, list) and len(value) == 3:
                tree[name] = [value[0]] * (2 * depth + 1)
        tree["tree_param"]["num_nodes"] = str(2 * depth + 1)
        return json.dumps(data)

    with pytest.raises(BundleError, match="tree 0 has more than 10,000 levels"):
        load_backend(rewritten(bundle, deep))


def chain(text: str, categories: list[int], sizes: list[int], starts: list[int]) -> str:
    """Return a booster whose one tree asks for a category at each of its levels."""
    data = json.loads(text)
    model = data["learner"]["gradient_booster"]["model"]
    tree = model["trees"][0]
    inner = range(0, 2 * len(sizes), 2)
    tree["left_children"] = [*(c for n in inner for c in (n + 1, -1)), -1]
    tree["right_children"] = [*(c for n in inner for c in (n + 2, -1)), -1]
    tree["parents"] = [2**31 - 1, *(n for n in inner for _ in range(2))]
    for name in ("split_indices", "split_conditions", "base_weights", "loss_changes"):
        tree[name] = [0] * (2 * len(sizes) + 1)
    tree["sum_hessian"] = tree["default_left"] = tree["split_indices"]
    tree["split_type"] = [*(1 - n % 2 for n in range(2 * len(sizes))), 0]
    tree["categories_nodes"] = [*inner]
    tree |= {
        "categories": categories,
        "categories_sizes": sizes,
        "categories_segments": starts,
    }
    tree["tree_param"]["num_nodes"] = str(2 * len(sizes) + 1)
    return json.dumps(data)


def test_categories_of_a_tree_that_take_much_memory(tmp_path: Path) -> None:
    bundle = si.save_bundle(tmp_path / "b", xgb())
    text = (bundle.artifact_path / "model.json").read_text()
    allowed = MAX_BITS // 2**24 - 1

    def changed(count: int, sizes: list[int], starts: list[int]) -> str:
        return chain(text, [2**24] * count, sizes, starts)

    for count in (allowed + 1, 1_000):
        many = changed(count, [1] * count, [*range(count)])
        with pytest.raises(ValueError, match="its nodes take more than 4,294,967,296 bits"):
            read(many.encode())
    read(changed(allowed, [1] * allowed, [*range(allowed)]).encode())
    read(chain(text, [3, 9, 4], [2, 1], [0, 2]).encode())
    with pytest.raises(ValueError, match="tree 0: categories are in several segments"):
        read(chain(text, [3, 9, 4], [2, 2], [0, 1]).encode())
    few = json.loads(chain(text, [2**24], [1], [0]))
    model = few["learner"]["gradient_booster"]["model"]
    model["trees"] = [{**model["trees"][0], "id": place} for place in range(1_000)]
    model["tree_info"] = [0] * 1_000
    model["gbtree_model_param"]["num_trees"] = "1000"
    model["iteration_indptr"] = [*range(1_001)]
    with pytest.raises(ValueError, match="its nodes take more than"):
        read(json.dumps(few).encode())


@pytest.mark.parametrize(
    "said",
    [
        {"pred_early_stop": True, "pred_early_stop_freq": 1, "pred_early_stop_margin": 0.1},
        {"predict_raw_score": True},
        {"raw_score": True},
        {"leaf_index": True},
        {"is_predict_contrib": True},
        {"start_iteration_predict": 1},
        {"num_iteration_predict": 2},
    ],
)
def test_a_wrapper_that_predicts_otherwise_than_its_booster(
    tmp_path: Path, said: dict[str, Any]
) -> None:
    rows = numbers()
    model = lightgbm.LGBMClassifier(n_estimators=3, verbosity=-1, **said).fit(rows, classes(rows))
    name = next(iter(said))
    refused(
        tmp_path,
        model,
        rf"has {name}=.*save model\.booster_",
        BundleError,
        columns=[f"c{place}" for place in range(rows.shape[1])],
    )
    default = {name: {int: 0, bool: False}[type(said[name])]}
    default |= {"num_iteration_predict": -1} if name == "num_iteration_predict" else {}
    LIGHTGBM.give(model.set_params(**default))


@pytest.mark.parametrize("give", [LIGHTGBM.give, XGBOOST.give])
@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), Path.mkdir])
def test_a_model_that_is_no_plain_file(
    tmp_path: Path, give: Callable[[Any], Any], make: Callable[[Path], Any]
) -> None:
    make(tmp_path / "m.json")
    with pytest.raises(BundleError, match="cannot be read: it is no plain file"):
        give(tmp_path / "m.json")
