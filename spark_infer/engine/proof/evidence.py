"""Whether answers tell anything of a model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from spark_infer.backends import Array
from spark_infer.bundle import Output
from spark_infer.engine.proof.answers import Answer
from spark_infer.engine.proof.yardstick import components


def silent(answers: Sequence[Answer], outputs: Sequence[Output]) -> dict[str, str]:
    """Return the outputs of which random rows tell nothing, and what they are for all of them.

    Answers that are NaN, or that are all the same, are equal whatever the model does. A component
    of an output has to be finite for half of the rows; a single one may be constant.

    Args:
        answers: One for each row.
        outputs: Outputs of the model.
    """
    found = {}
    for place, output in enumerate(outputs):
        values = [components(answer[place], output) for answer in answers]
        values = [value for value in values if len(value)]
        if not values or 2 * np.min(_num_finite(values)) < len(values):
            found[output.name] = "NaN or infinite"
        elif len({first[np.isfinite(first)].tobytes() for first, *_ in values}) < 2:
            found[output.name] = "the same"
    return found


def unknown(answers: Sequence[Answer], outputs: Sequence[Output]) -> list[str]:
    """Return the outputs of which a component is NaN for every row of a sample.

    One that is infinite for all of them may be meant: a label that is never to be chosen.
    """
    return [
        output.name
        for place, output in enumerate(outputs)
        if np.isnan([_first_known(components(answer[place], output)) for answer in answers])
        .all(axis=0)
        .any()
    ]


def _first_known(value: Array) -> Array:
    """Return a value of each component that is not NaN, or NaN."""
    padded = np.concatenate([value, np.full((1, value.shape[1]), np.nan)])
    places = np.argmin(np.isnan(padded), axis=0)
    found: Array = padded[places, np.arange(value.shape[1])]
    return found


def _num_finite(values: Iterable[Array]) -> Array:
    """Return for each component how many rows have a finite value of it."""
    counts: Array = np.sum([np.isfinite(value).any(axis=0) for value in values], axis=0)
    return counts
