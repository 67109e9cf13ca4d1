"""Arguments of other kinds, to every public function: accepted, or refused in one sentence."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import spark_infer as si
from spark_infer.backends import load_backend
from spark_infer.errors import BundleError, ConfigError, SignatureError, SparkInferError
from tests.unit.support.models import HERE, LINE_SIGNATURE, Line

WRONG = [
    *(None, 5, -1, 1.5, float("nan"), True, 10**30, "", "x", "a\0b", "\ud800", b"x"),
    *([], ["a"], [1], [None], {}, {"a": 1}, {1: 2}, set(), (1, 2), range(3), iter([1])),
    *(object(), type, np.int64(3), np.float32(1), np.array([1, 2])),
    *(pd.DataFrame({"a": [1.0]}), pa.table({"a": [1.0]}), Path("x"), len),
]


def check(call: Callable[..., Any], given: dict[str, Any]) -> None:
    """Give each argument every wrong value in turn."""
    for name in given:
        for value in WRONG:
            try:
                call(**{**given, name: value})
            except SparkInferError as error:
                message = str(error)
                assert message, (name, value)
                assert "\n" not in message, (name, message)
                assert len(message) < 600, (name, message)


@functools.cache
def line(root: Path) -> si.Bundle:
    return si.save_bundle(root / "line", Line(), signature=LINE_SIGNATURE)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> si.Bundle:
    return line(tmp_path_factory.mktemp("bundles"))


INPUT = {"name": "x", "dtype": "", "vocabulary": None, "unknown_id": None, "presence": False}
NULLS = {"nulls": "reject", "null_items": "reject", "lengths": "reject"}
RAGGED = {"fields": (), "shape": (), "max_length": None, "overflow": "error", "min_length": None}
RAGGED |= {"pad_to": None, "pad_multiple": 1, "pad_value": 0, "mask": True}
SCALAR = si.ScalarInput("x", columns=["a"])


@pytest.mark.parametrize(
    ("call", "given"),
    [
        (si.Column, {"name": "a", "nulls": "reject"}),
        (si.ScalarInput, {**INPUT, "columns": ["a"]}),
        (si.ArrayInput, {**INPUT, **NULLS, "column": "a", "shape": [2]}),
        (si.RaggedInput, {**INPUT, **NULLS, **RAGGED, "column": "a"}),
        (si.Output, {"name": "y", "shape": (), "lengths_of": None, "labels": None, "finite": True}),
        (si.Signature, {"inputs": [SCALAR], "outputs": [si.Output("y")]}),
        (
            si.BatchOptions,
            {name: getattr(si.BatchOptions(), name) for name in si.BatchOptions.__annotations__},
        ),
    ],
)
def test_what_describes_a_model(call: Callable[..., Any], given: dict[str, Any]) -> None:
    check(call, given)


def test_saving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    given = {
        "path": tmp_path / "b",
        "model": Line(),
        "signature": LINE_SIGNATURE,
        "sample": None,
        "features": None,
        "stochastic": False,
        "row_independent": True,
        "format": "module",
        "module": f"{HERE}:Line",
        "arguments": None,
        "name": None,
        "description": "",
        "metadata": None,
    }
    check(si.save_bundle, given)


def test_loading_and_predicting(
    bundle: si.Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    check(si.Bundle.load, {"path": bundle.path, "digest": None})
    check(si.load_model, {"bundle": bundle, "options": None, "allow_modules": ()})
    check(si.ModelOptions, {"device": "cpu", "precision": "float32", "threads": None})
    backend = load_backend(str(bundle.path))
    check(si.LocalModel, {"backend": backend, "sizer": None})
    check(si.Layout, {"signature": bundle.signature, "packed": ()})
    model = si.LocalModel(backend)
    given = {"model": model, "layout": bundle, "options": None, "metrics": None, "cache": None}
    check(si.Predictor, given)
    predictor = si.Predictor(model, bundle)
    check(predictor.predict, {"rows": {"a": [1.0]}})
    check(lambda given: list(predictor.stream(given)), {"given": []})


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2", True, [2]])
def test_threads_are_counted(bundle: si.Bundle, threads: Any) -> None:
    with pytest.raises(ConfigError, match="threads must be"):
        load_backend(bundle, si.ModelOptions(threads=threads))


def test_rows_are_taken_as_people_hold_them(bundle: si.Bundle, tmp_path: Path) -> None:
    predictor = si.Predictor(si.load_model(bundle), bundle)
    frame = pd.DataFrame({"a": [1.0, np.nan], "other": ["x", "y"]})
    found = predictor.predict(frame).to_pylist()
    assert found == [
        {"y": 2.0, "rejected_reason": None},
        {"y": None, "rejected_reason": "column 'a' is null"},
    ]
    rows = [{"a": [1.0]}, frame[:1], pa.table({"a": [3.0]})]
    assert [part["y"].to_pylist() for part in predictor.stream(rows)] == [[2.0], [2.0], [6.0]]
    for number, sample in enumerate(rows):
        saved = si.save_bundle(
            tmp_path / str(number), Line(), signature=LINE_SIGNATURE, sample=sample
        )
        assert saved.signature == LINE_SIGNATURE


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (
            lambda b: si.Predictor("path", b),  # type: ignore[arg-type]
            ConfigError,
            "a predictor needs a model, got 'path'; load the bundle's with load_model",
        ),
        (
            lambda b: si.Predictor(si.load_model(b), b).stream({"a": [1.0]}),
            SignatureError,
            "stream takes record batches one after the other, got dict",
        ),
        (
            lambda b: si.save_bundle("b", Line(), signature=[SCALAR]),  # type: ignore[arg-type]
            BundleError,
            r"signature must be a Signature, got \[ScalarInput",
        ),
        (
            lambda b: si.save_bundle("b", Line(), signature=LINE_SIGNATURE, features=["a"]),  # type: ignore[arg-type]
            BundleError,
            r"features must be a dict of SQL expressions by column name, got \['a'\]",
        ),
        (
            lambda b: si.save_bundle("b", Line(), signature=LINE_SIGNATURE, stochastic=1),  # type: ignore[arg-type]
            BundleError,
            "stochastic must be True or False, got 1",
        ),
        (
            lambda b: load_backend(b, si.ModelOptions(device=0)),  # type: ignore[arg-type]
            ConfigError,
            "device must be 'cpu', 'cuda' or 'cuda:0', got 0",
        ),
        (
            lambda b: load_backend(b, allow_modules=None),  # type: ignore[arg-type]
            ConfigError,
            "allow_modules must be a list of import paths, got None",
        ),
        (lambda b: si.BatchOptions(device="gpu"), ConfigError, "'cuda:0', got 'gpu'"),
        (
            lambda b: si.Bundle.load(5),  # type: ignore[arg-type]
            BundleError,
            "a bundle must be a path or a Bundle, got 5",
        ),
    ],
)
def test_the_sentence_says_what_is_wanted(
    bundle: si.Bundle, call: Callable[[si.Bundle], Any], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        call(bundle)
