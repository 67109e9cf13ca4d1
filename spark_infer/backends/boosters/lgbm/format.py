"""The format ``lightgbm``: a booster of LightGBM as its text."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightgbm

from spark_infer.backends.boosters.backend import Booster
from spark_infer.backends.boosters.features import Features
from spark_infer.backends.boosters.format import BoosterFormat, Given, newer
from spark_infer.backends.boosters.labels import labels_of
from spark_infer.backends.boosters.lgbm import document
from spark_infer.backends.boosters.lgbm.booster import LgbmBooster
from spark_infer.bundle.documents import shown
from spark_infer.bundle.inputs.input import Vocabulary
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
        features = Features.of(len(stored.names), stored.names, _categories(booster, stored))
        return Given(LgbmBooster(booster, stored, features), stored.text.encode(), labels)

    def booster(self, content: bytes, threads: int | None) -> Booster:
        """Return the booster of a text."""
        return LgbmBooster.load(_read(content.decode("utf-8")), threads)


def _read(text: str) -> document.Document:
    version = document.version_of(text)
    if version > document.NEWEST:
        raise newer("LightGBM", "lightgbm", f"{version}.0", lightgbm.__version__)
    return document.read(text)


def _categories(booster: lightgbm.Booster, stored: document.Document) -> Mapping[int, Vocabulary]:
    """Return the values of features that are categories, if the booster was trained on pandas."""
    lists = booster.pandas_categorical or []
    if not lists:
        return {}
    if len(lists) != len(stored.codes):
        raise BundleError(
            f"the booster has {len(stored.codes)} categorical features, and its pandas frame had "
            f"{len(lists)} columns of categories, so which are which is not known; make all of "
            "them categories in the frame, or none"
        )
    found: dict[int, Vocabulary] = {}
    for (place, most), words in zip(sorted(stored.codes.items()), lists, strict=True):
        name = stored.names[place]
        if {type(word) for word in words} not in ({str}, {int}):
            raise BundleError(
                f"feature {name!r} of the booster is a category of {shown(words)}, and a "
                "vocabulary holds text or whole numbers; train it with such categories"
            )
        if most >= len(words):
            raise BundleError(
                f"feature {name!r} of the booster has number {most} of a category, and there are "
                f"{len(words)} of them; train it on a frame whose categories are all columns of "
                "type category"
            )
        found[place] = tuple(words)
    return found


FORMAT = LgbmFormat()
