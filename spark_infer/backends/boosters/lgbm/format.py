"""The format ``lightgbm``: a booster of LightGBM as its text."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import lightgbm

from spark_infer.backends.boosters.backend import Booster
from spark_infer.backends.boosters.categories import Categories
from spark_infer.backends.boosters.features import Features
from spark_infer.backends.boosters.format import BoosterFormat, Given, content_of, newer
from spark_infer.backends.boosters.labels import labels_of
from spark_infer.backends.boosters.lgbm import document
from spark_infer.backends.boosters.lgbm.booster import LgbmBooster
from spark_infer.bundle.documents import shown
from spark_infer.errors import BundleError

_PREDICTS: Mapping[str, Any] = {
    **dict.fromkeys(
        (
            "pred_early_stop",
            *("predict_raw_score", "is_predict_raw_score", "predict_rawscore", "raw_score"),
            *("predict_leaf_index", "is_predict_leaf_index", "leaf_index"),
            *("predict_contrib", "is_predict_contrib", "contrib"),
        ),
        False,
    ),
    "start_iteration_predict": 0,
    "num_iteration_predict": -1,
}
"""Parameters, and what LightGBM also calls them, that a wrapper hands to its booster's predict."""


class LgbmFormat(BoosterFormat):
    """Stores a booster of LightGBM, of which no more rounds than the best one."""

    name = "lightgbm"
    library = "LightGBM"
    file = "model.txt"

    def give(self, model: Any) -> Given:
        """Return what is stored of a booster, its wrapper, or a file."""
        labels = None
        if isinstance(model, (str, os.PathLike)):
            text = content_of(model).decode("utf-8")
            _read(text)
            booster = lightgbm.Booster(model_str=text)
        elif isinstance(model, lightgbm.LGBMModel):
            _check_wrapper(model)
            booster = model.booster_
            labels = labels_of(model)
        elif isinstance(model, lightgbm.Booster):
            booster = model
        else:
            raise BundleError(
                "format 'lightgbm' stores a lightgbm.Booster, an LGBMModel such as "
                f"LGBMClassifier, or its file of text, got {type(model).__name__} {shown(model)}"
            )
        try:
            stored = _read(booster.model_to_string())
        except ValueError as error:
            raise BundleError(f"the booster cannot be stored: {error}") from None
        features = Features.of(
            len(stored.names), stored.names, unplaced=_categories(booster, stored)
        )
        return Given(LgbmBooster(booster, stored, features), stored.text.encode(), labels)

    def booster(self, content: bytes, threads: int | None) -> Booster:
        """Return the booster of a text."""
        return LgbmBooster.load(_read(content.decode("utf-8")), threads)


def _check_wrapper(model: lightgbm.LGBMModel) -> None:
    """Raise BundleError where a wrapper predicts otherwise than its booster."""
    said = model.get_params()
    found = [name for name in _PREDICTS if said.get(name, _PREDICTS[name]) != _PREDICTS[name]]
    if found:
        settings = ", ".join(f"{name}={said[name]!r}" for name in found)
        raise BundleError(
            f"the {type(model).__name__} has {settings}, which changes what its predict() returns, "
            f"and a bundle predicts as the booster does without it; take it out by "
            f"model.set_params({', '.join(f'{name}={_PREDICTS[name]!r}' for name in found)}), or "
            "save model.booster_"
        )


def _read(text: str) -> document.Document:
    version = document.version_of(text)
    if version > document.NEWEST:
        raise newer("LightGBM", "lightgbm", f"{version}.0", lightgbm.__version__)
    return document.read(text)


def _categories(booster: lightgbm.Booster, stored: document.Document) -> Categories | None:
    """Return the categories of a booster that was trained on pandas."""
    lists = booster.pandas_categorical or []
    for words in lists:
        if {type(word) for word in words} not in ({str}, {int}):
            raise BundleError(
                f"the booster has a feature that is a category of {shown(words)}, and a "
                "vocabulary holds text or whole numbers; train it with such categories"
            )
    return Categories([*map(tuple, lists)], stored.codes) if lists else None


FORMAT = LgbmFormat()
