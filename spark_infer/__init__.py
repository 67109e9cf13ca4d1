"""Batch inference for the data warehouse, on Apache Spark.

The names below are the public surface. They load on first use, so that ``import spark_infer``
loads neither torch nor pyspark.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from spark_infer._version import __version__ as __version__

if TYPE_CHECKING:
    from spark_infer.backends import Backend, FunctionBackend, ModelOptions
    from spark_infer.bundle import (
        ArrayInput,
        Bundle,
        Column,
        HashBuckets,
        Mask,
        Output,
        RaggedInput,
        RawBytes,
        ScalarInput,
        Signature,
        Tokenize,
    )
    from spark_infer.engine import Layout, Predictor
    from spark_infer.engine.draft import read_signature
    from spark_infer.engine.save import save_bundle
    from spark_infer.model import BatchOptions, LocalModel, load_model
    from spark_infer.spark import explain, predict, predict_udf, register
    from spark_infer.warehouse import ScoringJob

__all__ = [
    "ArrayInput",
    "Backend",
    "BatchOptions",
    "Bundle",
    "Column",
    "FunctionBackend",
    "HashBuckets",
    "Layout",
    "LocalModel",
    "Mask",
    "ModelOptions",
    "Output",
    "Predictor",
    "RaggedInput",
    "RawBytes",
    "ScalarInput",
    "ScoringJob",
    "Signature",
    "Tokenize",
    "explain",
    "load_model",
    "predict",
    "predict_udf",
    "read_signature",
    "register",
    "save_bundle",
]

_HOMES = {
    "backends": ("Backend", "FunctionBackend", "ModelOptions"),
    "bundle": (
        "ArrayInput",
        "Bundle",
        "Column",
        "HashBuckets",
        "Mask",
        "Output",
        "RaggedInput",
        "RawBytes",
        "ScalarInput",
        "Signature",
        "Tokenize",
    ),
    "engine": ("Layout", "Predictor"),
    "engine.draft": ("read_signature",),
    "engine.save": ("save_bundle",),
    "model": ("BatchOptions", "LocalModel", "load_model"),
    "spark": ("explain", "predict", "predict_udf", "register"),
    "warehouse": ("ScoringJob",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
