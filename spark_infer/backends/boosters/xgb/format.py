"""The format ``xgboost``: a booster of XGBoost as its JSON document."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import xgboost

from spark_infer.backends.boosters.backend import Booster
from spark_infer.backends.boosters.features import Features
from spark_infer.backends.boosters.format import BoosterFormat, Given, content_of, newer
from spark_infer.backends.boosters.labels import labels_of
from spark_infer.backends.boosters.xgb import document
from spark_infer.backends.boosters.xgb.booster import XgbBooster, XgbOriginal
from spark_infer.bundle.documents import shown
from spark_infer.bundle.inputs.input import Vocabulary
from spark_infer.errors import BundleError


class XgbFormat(BoosterFormat):
    """Stores a booster of XGBoost, of which no more rounds than those that count."""

    name = "xgboost"
    library = "XGBoost"
    file = "model.json"

    def give(self, model: Any) -> Given:
        """Return what is stored of a booster, its wrapper, or a file of JSON or UBJSON."""
        labels = None
        if isinstance(model, (str, os.PathLike)):
            content = content_of(model)
            _check_version(document.written_by(content))
            booster = xgboost.Booster(model_file=bytearray(content))
        elif isinstance(model, xgboost.XGBModel):
            _check_wrapper(model)
            booster = model.get_booster()
            labels = labels_of(model)
        elif isinstance(model, xgboost.Booster):
            booster = model
        else:
            raise BundleError(
                f"format 'xgboost' stores an xgboost.Booster, an XGBModel such as XGBClassifier, "
                f"or its file of JSON or UBJSON, got {type(model).__name__} {shown(model)}"
            )
        rounds = _rounds(booster, is_wrapper=isinstance(model, xgboost.XGBModel))
        kept = booster[:rounds] if rounds else booster
        try:
            stored = document.stored(bytes(kept.save_raw("json")))
        except ValueError as error:
            raise BundleError(
                f"the booster cannot be stored: {error}"
                + (
                    "; train it with multi_strategy='one_output_per_tree'"
                    if "several numbers in each leaf" in str(error)
                    else ""
                )
            ) from None
        features = Features.of(
            stored.num_features, booster.feature_names or (), _categories(booster)
        )
        return Given(XgbOriginal(booster, stored, features, rounds), stored.to_bytes(), labels)

    def booster(self, content: bytes, threads: int | None) -> Booster:
        """Return the booster of a document."""
        read = document.read(content)
        _check_version(read.version)
        return XgbBooster(read, threads)


def _check_version(wrote: tuple[int, int, int] | None) -> None:
    here = tuple(map(int, xgboost.__version__.split(".")[:2]))
    if wrote is not None and wrote[:2] > here:
        raise newer("XGBoost", "xgboost", ".".join(map(str, wrote)), xgboost.__version__)


def _check_wrapper(model: xgboost.XGBModel) -> None:
    if callable(model.objective):
        raise BundleError(
            "the model was trained with a function as its objective, and what makes predictions "
            "of its margins is not known; save model.get_booster(), whose predictions are margins"
        )
    if model.missing is not None and model.missing == model.missing:
        raise BundleError(
            f"the model takes {model.missing!r} as a missing value, and a bundle takes null and "
            "NaN; train it with missing=nan, or save model.get_booster() and make such values "
            f"null by features={{'column': 'nullif(column, {model.missing!r})'}}"
        )


def _rounds(booster: xgboost.Booster, *, is_wrapper: bool) -> int:
    """Return how many rounds count, if training was stopped early; 0 for all.

    A wrapper predicts with the best one and those before it. A booster's own prediction takes all,
    and what it says of the best one stays as it is where training goes on.

    Raises:
        BundleError: It is not certain.
    """
    best = booster.attr("best_iteration")
    if best is None:
        return 0
    rounds, number = int(best) + 1, booster.num_boosted_rounds()
    # A linear booster has one set of weights, those of its last round.
    if number <= rounds or _is_linear(booster):
        return 0
    if not is_wrapper:
        raise BundleError(
            f"the booster has {number} rounds and says that the best one was number {best}, from "
            "early stopping or from before training went on, and its own predict() takes all of "
            f"them; save booster[:{rounds}] for the rounds up to the best one, or call "
            "booster.set_attr(best_iteration=None) first for all (of a file, load it by "
            "xgboost.Booster(model_file=...))"
        )
    return rounds


def _is_linear(booster: xgboost.Booster) -> bool:
    name = json.loads(booster.save_config())["learner"]["gradient_booster"]["name"]
    return bool(name == "gblinear")


def _categories(booster: xgboost.Booster) -> Mapping[int, Vocabulary]:
    """Return the values of features that are categories, if the booster keeps them."""
    names = booster.feature_names or []
    if "c" not in (booster.feature_types or []) or not hasattr(booster, "get_categories"):
        return {}
    found = booster.get_categories(export_to_arrow=True).to_arrow() or []
    categories = {}
    for name, values in found:
        if values is None:
            continue
        words = tuple(values.to_pylist())
        if not words or {type(word) for word in words} not in ({str}, {int}):
            raise BundleError(
                f"feature {name!r} of the booster is a category of {values.type}, and a vocabulary "
                "holds text or whole numbers; train it with such categories"
            )
        categories[names.index(name)] = words
    return categories


FORMAT = XgbFormat()
