"""Rows that a bundle keeps, to try it where it is loaded."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from spark_infer._version import versions_of
from spark_infer.backends import Array, Backend, ModelOptions
from spark_infer.backends.failures.fault import sentence
from spark_infer.bundle import Bundle, Signature
from spark_infer.bundle.documents import cut
from spark_infer.bundle.files.examples import EXAMPLES_FILE, Answer, Examples
from spark_infer.engine.proof.trials import Shown
from spark_infer.engine.proof.yardstick import Yardstick
from spark_infer.errors import RuntimeUnavailable

NUM_ROWS = 8
_MAX_VERSIONS = 50
_ON_DEVICE = 0.05
"""How far an answer of a GPU, whose products are rounded otherwise, may be apart."""


@dataclass(frozen=True)
class Tried:
    """What came of the rows that a bundle keeps.

    Attributes:
        num_rows: How many they are; 0 in a bundle that keeps none.
        compared: Whether answers were compared, and not their shapes only.
        largest: The largest difference of two numbers.
    """

    num_rows: int
    compared: bool
    largest: float


def examples_of(
    shown: Sequence[Shown], signature: Signature, *, compares: bool, tolerance: float
) -> Examples | None:
    """Return rows to keep, with what the model answered to them.

    Args:
        shown: Batches of synthetic rows that ran.
        signature: Inputs and outputs.
        compares: Whether equal rows get equal answers, so that these are kept, not just shapes.
        tolerance: How far answers may be apart.

    Returns:
        Rows of one length that ran in one batch; None where there are none, or they are large.
    """
    best = max(filter(_is_plain, shown), key=_order, default=None)
    if best is None:
        return None
    count = min(NUM_ROWS, len(best.trial.rows))
    tensors = {name: array[:count] for name, array in best.trial.tensors(best.decoded).items()}
    answers = []
    for place in range(len(signature.outputs)):
        values = np.stack([answer[place] for answer in best.answers[:count]])
        answers.append(Answer(values.shape, values if compares else None))
    found = Examples(tensors, answers, tolerance)
    return found if found.is_small else None


def _is_plain(shown: Shown) -> bool:
    """Return whether a batch runs in both models, and all of its rows are of one length."""
    rows = shown.trial.rows
    return shown.trial.is_for_both and all(
        len(np.unique(lengths[rows])) == 1 for lengths in shown.decoded.ragged.values()
    )


def _order(shown: Shown) -> tuple[int, int]:
    """Prefer as many rows as are kept, and of these the fewest that ran."""
    count = len(shown.trial.rows)
    return min(count, NUM_ROWS), -count


def try_bundle(backend: Backend, bundle: Bundle, options: ModelOptions | None = None) -> Tried:
    """Run the rows that a bundle keeps, and compare the answers with those of then.

    Args:
        backend: The bundle's model, loaded here.
        bundle: The bundle.
        options: What it was loaded with.

    Raises:
        BundleError: What is kept is damaged.
        RuntimeUnavailable: The model fails, or answers otherwise than when it was saved.
    """
    if EXAMPLES_FILE not in bundle.files:
        return Tried(0, compared=False, largest=0.0)
    options = options or ModelOptions()
    examples = Examples.read(bundle.path, bundle.signature)
    try:
        outputs = list(backend.run(examples.inputs))
    except Exception as error:
        # A model may raise anything.
        raise _otherwise(bundle, f"the model fails here ({sentence(error)})") from error
    if len(outputs) != len(examples.answers):
        what = f"the model gives {len(outputs)} outputs here instead of {len(examples.answers)}"
        raise _otherwise(bundle, what)
    wanted = [answer.values for answer in examples.answers]
    compared = [values for values in wanted if values is not None]
    if options.precision != "float32":
        compared = []
    largest = 0.0
    for output, answer, got in zip(
        bundle.signature.outputs, examples.answers, outputs, strict=True
    ):
        if got.shape == (*answer.shape, 1):
            got = got[..., 0]
        if output.lengths_of is not None:
            got = got[:, : answer.shape[1]]
        if got.shape != answer.shape:
            raise _otherwise(
                bundle,
                f"output {output.name!r} has shape {got.shape} here instead of {answer.shape}",
            )
        if answer.values is not None and _is_text(got) != _is_text(answer.values):
            raise _otherwise(bundle, f"output {output.name!r} has another type here, {got.dtype}")
        if compared and answer.values is not None:
            largest = max(largest, _largest(got, answer.values))
    if compared:
        _compare(bundle, [a for a in wanted if a is not None], outputs, examples, options)
    return Tried(examples.num_rows, compared=bool(compared), largest=largest)


def _compare(
    bundle: Bundle,
    wanted: Sequence[Array],
    outputs: Sequence[Array],
    examples: Examples,
    options: ModelOptions,
) -> None:
    specs = bundle.signature.outputs
    on_device = options.device != "cpu"
    tolerance = max(examples.tolerance, _ON_DEVICE) if on_device else examples.tolerance
    rows = range(examples.num_rows)
    before = [[values[row] for values in wanted] for row in rows]
    yardstick = Yardstick.of(before, specs, tolerance)
    for row in rows:
        now = [
            got[row] if spec.lengths_of is None else got[row, : values.shape[1]]
            for got, values, spec in zip(outputs, wanted, specs, strict=True)
        ]
        if found := yardstick.difference(before[row], now, specs):
            output, expected, value = found
            raise _otherwise(
                bundle,
                f"the model answers otherwise here, {output!r} is {value} instead of {expected} "
                f"for row {row} of those that the bundle keeps",
            )


def _is_text(array: Array) -> bool:
    return array.dtype.kind in "OU"


def _largest(one: Array, other: Array) -> float:
    if one.dtype.kind not in "iuf":
        return 0.0
    with np.errstate(invalid="ignore"):
        apart = np.abs(one.astype(np.float64) - other.astype(np.float64))
    return float(np.nanmax(np.where(np.isfinite(apart), apart, 0.0), initial=0.0))


def _otherwise(bundle: Bundle, what: str) -> RuntimeUnavailable:
    before = dict(islice(bundle.manifest.built_with.items(), _MAX_VERSIONS))
    here = versions_of(*before)
    changed = [
        f"{name} {version} and here is {here.get(name, 'none')}"
        for name, version in before.items()
        if here.get(name) != version
    ]
    versions = (
        f"with {cut(', '.join(changed))}" if changed else "with the same versions of libraries"
    )
    return RuntimeUnavailable(
        f"bundle {bundle.path}: {cut(what)}; it was saved {versions}, and this is host "
        f"{platform.node()}: install what it was saved with, or save it again with what is here"
    )
