"""The format ``lightgbm``: a booster of LightGBM as its text."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import lightgbm

from spark_infer.backends.boosters.backend import Booster
from spark_infer.backends.boosters.categories import Categories
from spark_infer.backends.boosters.features import Features
from spark_infer.backends.boosters.format import BoosterFormat, Given, newer
from spark_infer.backends.boosters.labels import labels_of
from spark_infer.backends.boosters.lgbm import document
from spark_infer.backends.boosters.lgbm.booster import LgbmBooster
from spark_infer.bundle.documents import shown
from spark_infer.errors import BundleError


class LgbmFormat(BoosterFormat):
    """Stores a booster of LightGBM, of which no more rounds than the best one."""

    name = "lightgbm"
    library = "LightGBM"
    file = "model.txt"

    def give(self, model: Any) -> Given:
        """Return what is stored of a booster, its wrapper, or a file."""
        labels = None
        if isinstance(model, (str, os.PathLike)):
            text = Path(model).read_text("utf-8")
            _read(text)
            booster = lightgbm.Booster(model_str=text)
        elif isinstance(model, lightgbm.LGBMModel):
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
