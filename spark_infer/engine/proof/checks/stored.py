"""Whether the model that a bundle holds answers as the one that it was made from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa

from spark_infer.backends import Backend
from spark_infer.backends.failures.fault import sentence
from spark_infer.engine.proof.advice import runs
from spark_infer.engine.proof.answers import Trial
from spark_infer.engine.proof.checks.history import Difference
from spark_infer.engine.proof.trials import Shown
from spark_infer.engine.proof.words import shown_row
from spark_infer.errors import BundleError
from spark_infer.tensors import Decoded


class Failing(NamedTuple):
    """A row on which the model fails.

    Attributes:
        source: The rows as columns.
        decoded: The same rows as arrays.
        trial: Which of them it is.
    """

    source: pa.RecordBatch | pa.Table
    decoded: Decoded
    trial: Trial


def check_stored(
    loaded: Backend,
    shown: Sequence[Shown],
    failing: Sequence[Failing],
    difference: Difference | None,
    *,
    hint: str,
) -> None:
    """Run the stored model on the rows that the model was tried on.

    Args:
        loaded: The model as it was loaded from the bundle.
        shown: What the model answered.
        failing: Where it failed.
        difference: Compares answers; None where equal rows may get different ones.
        hint: Why it may answer otherwise, and what to do then.

    Raises:
        BundleError: It answers otherwise.
    """
    # What the model fitted to the first rows that it saw, this one fits to others.
    for one in reversed(shown):
        if one.trial.is_for_both:
            _check_answers(loaded, one, difference, hint)
    for source, decoded, trial in failing if difference else ():
        if runs(loaded, decoded, trial):
            raise BundleError(
                f"the bundle is not saved: the model fails on the row "
                f"{shown_row(source, int(trial.rows[0]))}, and the stored model predicts it; "
                "check such rows in forward() with an operation that is stored, "
                "torch._assert_async(condition, message), or clamp what it cannot take"
            )


def _check_answers(loaded: Backend, shown: Shown, difference: Difference | None, hint: str) -> None:
    try:
        answers = shown.trial.run(loaded, shown.decoded)
    except Exception as error:
        # A model may raise anything.
        raise BundleError(
            f"the bundle is not saved: the stored model fails where the model does not "
            f"({sentence(error)}); {hint}"
        ) from None
    if difference is None:
        return
    for row, ours, theirs in zip(shown.trial.rows, shown.answers, answers, strict=True):
        if found := difference(ours, theirs, shown.slack.get(int(row))):
            output, expected, got = found
            is_empty = any(not of[row] for of in shown.decoded.ragged.values())
            hint = "give the ragged inputs min_length=1" if is_empty else hint
            raise BundleError(
                f"the bundle is not saved: the stored model answers otherwise than the "
                f"model, {output!r} is {got} instead of {expected} for the row "
                f"{shown_row(shown.source, int(row))}; {hint}"
            )
