"""Which columns of a signature have a distribution."""

from __future__ import annotations

from spark_infer.bundle.inputs import ScalarInput
from spark_infer.bundle.outputs import Output
from spark_infer.bundle.profile.distribution import MAX_LABELS
from spark_infer.bundle.signature import Signature


def number_columns(signature: Signature) -> dict[str, str]:
    """Return the columns of numbers that a model reads one by one, and the type it reads each as.

    Not those that are words or bytes, nor arrays.
    """
    return {
        name: item.dtype
        for item in signature.inputs
        if isinstance(item, ScalarInput) and item.takes is None
        for name in item.column_names
    }


def number_outputs(signature: Signature) -> dict[str, Output]:
    """Return the outputs that are one number, truth value or label of a few."""
    return {
        output.name: output
        for output in signature.outputs
        if not output.shape and output.lengths_of is None and len(output.labels or ()) <= MAX_LABELS
    }


def label_cuts(num_labels: int) -> list[float]:
    """Return cut points between the positions of labels, so that each has its bin."""
    return [at + 0.5 for at in range(num_labels - 1)]
