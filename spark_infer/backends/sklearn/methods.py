"""Which method of an estimator gives an output of the graph that skl2onnx makes of it."""

from __future__ import annotations

import re
from typing import Any

from sklearn.base import is_classifier

from spark_infer.bundle import Output

_WORDS = re.compile(r"(?:output_)?(label|probabilities|probability|scores)[0-9]*")


def method_of(estimator: Any, output: Output) -> str | None:
    """Return the method that gives an output; None where the estimator has none for it.

    skl2onnx calls the number of a class or cluster ``label``, what classifiers and mixtures give
    for each ``probabilities``, and ``scores`` the distances to clusters or how far inside a row is.
    """
    found = _WORDS.fullmatch(output.tensor_name)
    word = found and found.group(1)
    is_score = is_classifier(estimator) and output.dtype.startswith("float")
    if is_score or word in ("probabilities", "probability"):
        methods = ["predict_proba"]
    elif word == "scores":
        methods = ["decision_function", "transform"]
    else:
        methods = ["predict"] if word == "label" else ["predict", "transform"]
    return next((name for name in methods if hasattr(estimator, name)), None)
